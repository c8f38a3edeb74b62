"""What a trajectory must be, and how wrapped positions become whole paths."""

import numpy as np
import pytest
from ase.units import Bohr

from aiida_pesfp import errors
from aiida_pesfp.trajectories import wrapping
from aiida_pesfp.trajectories.trajectory import (
    Trajectory,
    check_scale,
    constant_cell,
    whole_trajectory,
)
from aiida_pesfp.trajectories.wrapping import motion_of, unwrap
from tests.helpers.reference import CRYSTALS, TABLE_1
from tests.helpers.walks import CELL, brownian, hopping, make, vibrating


def wrapped(positions, cell=CELL):
    return (positions @ np.linalg.inv(cell) % 1) @ cell


@pytest.mark.parametrize('block', [3, 1024])
def test_wrapped_positions_become_whole_paths(block, monkeypatch):
    monkeypatch.setattr(wrapping, '_BLOCK', block)
    positions = brownian(np.random.default_rng(0), coefficient=0.5).positions
    inside = wrapped(positions)
    unwrap(inside, CELL)
    difference = inside - positions
    np.testing.assert_allclose(difference, np.broadcast_to(difference[:1], difference.shape), atol=1e-9)


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('motion', [brownian, hopping])
@pytest.mark.parametrize('axes', [[0, 1, 2], [1]])
@pytest.mark.parametrize('factor', [0.9, 0.95, 0.98, 1, 1.02, 1.05, 1.1])
def test_wrapped_ions_show_the_cell_in_which_they_are_wrapped(seed, motion, axes, factor):
    positions = motion(np.random.default_rng(seed), duration=100.0, atoms=27).positions
    given = CELL.copy()
    given[axes] *= factor
    inside = wrapped(positions)
    assert (motion_of(positions, given).returns == 1).all()
    if factor == 1:
        assert (motion_of(inside, given).returns == 1).all()
        assert (motion_of(inside - [5.0, 60.0, 0], given).returns == 1).all()
        return
    with pytest.raises(errors.InvalidTrajectory, match='as in a cell with vectors of') as caught:
        unwrap(inside, given)
    shown = [float(one) for one in str(caught.value).split('vectors of ')[1].split(' A,')[0].split(', ')]
    np.testing.assert_allclose(shown, np.linalg.norm(CELL, axis=1), rtol=0.01)


@pytest.mark.parametrize('amplitude', [0.0, 0.3])
@pytest.mark.parametrize('factor', [1, 1.05])
def test_ions_that_are_seen_at_their_sites_only_need_none_at_the_border(amplitude, factor):
    """Sites at 1/8, 3/8, 5/8 and 7/8 of each vector; in a cell that is too large hops over the border are longer."""
    rng, cell = np.random.default_rng(0), 12.0 * np.eye(3)
    hops = (rng.random((1000, 20)) < 0.1)[..., None] * np.concatenate([np.eye(3), -np.eye(3)])[
        rng.integers(6, size=(1000, 20))
    ]
    places = 1.5 + 3.0 * (rng.integers(4, size=(20, 3)) + np.cumsum(hops, axis=0))
    inside = wrapped(places + rng.normal(size=places.shape) * amplitude, cell)
    assert ((motion_of(inside, factor * cell).returns == 1) == (factor == 1)).all()


@pytest.mark.parametrize('every', [3, 5, 20])
@pytest.mark.parametrize('motion', [brownian, hopping])
def test_ions_that_are_wrapped_now_and_then_show_no_other_cell(every, motion):
    for seed in range(5):
        positions = motion(np.random.default_rng(seed)).positions
        last = np.arange(len(positions)) // every * every
        cells = np.floor(positions[last] @ np.linalg.inv(CELL))
        assert (motion_of(positions - cells @ CELL, CELL).returns == 1).all()


def test_whole_paths_stay_as_they_are():
    """Even if ions go farther between two frames than an unwrapping could tell."""
    rng = np.random.default_rng(1)
    positions = np.cumsum(rng.uniform(-0.45, 0.45, (200, 4, 3)), axis=0) @ CELL
    same = positions.copy()
    unwrap(same, CELL)
    np.testing.assert_array_equal(same, positions)


@pytest.mark.parametrize('scale', [0.5, 1.5])
def test_steps_that_are_too_long_to_tell_are_refused(scale):
    """With short steps in a cell this wide all is well; with long ones some would be taken the wrong way."""
    positions = np.cumsum(np.random.default_rng(2).normal(size=(300, 5, 3)) * scale, axis=0)
    inside = wrapped(positions)
    if scale < 1:
        unwrap(inside, CELL)
        np.testing.assert_allclose(np.diff(inside, axis=0), np.diff(positions, axis=0), atol=1e-9)
    else:
        with pytest.raises(errors.InvalidTrajectory, match='between frames .* Store frames more often'):
            unwrap(inside, CELL)


def test_wrapped_positions_that_are_said_not_to_be_are_refused():
    """Wherever the cell begins, and if a program wraps only now and then, as LAMMPS does."""
    rng = np.random.default_rng(2)
    positions = brownian(rng, coefficient=0.5).positions
    unwrap(positions, CELL, unwrapped=True)
    far = np.cumsum(rng.uniform(-0.9, 0.9, (200, 4, 3)), axis=0) @ CELL
    unwrap(far, CELL, unwrapped=True)
    for origin, slack in ((0.0, 0.0), (-0.5, 0.0), (3.2, 0.0), (0.0, 0.05)):
        inside = wrapped(positions - origin) + origin + rng.uniform(-slack, slack, positions.shape)
        with pytest.raises(errors.InvalidTrajectory, match='they are wrapped, do not say that they are not'):
            unwrap(inside, CELL, unwrapped=True)
    slab = positions.copy()
    slab[..., 2] %= CELL[2, 2]
    with pytest.raises(errors.InvalidTrajectory, match='lattice vector 3'):
        unwrap(slab, np.diag([12.0, 11.0, 13.0]), unwrapped=True)


def test_a_frame_that_is_there_twice_is_refused():
    walk = brownian(np.random.default_rng(0), duration=20.0)
    for frame in (1, 77, 200):
        positions = np.insert(walk.positions, frame, walk.positions[frame - 1], axis=0)
        times = np.arange(len(positions)) * walk.time_step
        with pytest.raises(errors.InvalidTrajectory, match=f'no atom moves from frame {frame - 1} to {frame}: leave'):
            whole_trajectory(walk.symbols, positions, times, CELL)


def test_the_drift_is_that_of_the_framework_by_mass():
    rng = np.random.default_rng(3)
    drift = np.cumsum(rng.normal(size=(50, 1, 3)), axis=0)
    still = make(rng.normal(size=(50, 3, 3)), np.tile(rng.normal(size=(1, 4, 3)), (50, 1, 1)), 0.1)
    moved = Trajectory(still.symbols, still.positions + drift, still.times, still.cell)
    np.testing.assert_allclose(moved.framework_drift('Li'), (drift - drift[0])[:, 0], atol=1e-12)
    two = Trajectory(('Li', 'H', 'I'), rng.normal(size=(9, 3, 3)), np.arange(9.0), CELL)
    centre = (1.008 * two.positions[:, 1] + 126.90447 * two.positions[:, 2]) / (1.008 + 126.90447)
    np.testing.assert_allclose(two.framework_drift('Li'), centre - centre[0], atol=1e-9)


def test_without_a_framework_nothing_is_taken_away():
    rng = np.random.default_rng(4)
    lone = Trajectory(('Li',) * 3, rng.normal(size=(9, 3, 3)), np.arange(9.0), CELL)
    np.testing.assert_array_equal(lone.framework_drift('Li'), 0)


def test_equilibration_is_left_out_by_time():
    rng = np.random.default_rng(5)
    whole = make(vibrating(rng, 101, 2), vibrating(rng, 101, 2), 0.1)
    rest = whole.after(5.0)
    assert rest.times[0] == pytest.approx(5.0)
    assert len(rest.times) == 51
    with pytest.raises(errors.TrajectoryTooShort, match='10 ps, all of them within the equilibration of 10 ps'):
        whole.after(10.0)


def test_a_position_that_is_no_number_is_named():
    positions = np.zeros((5000, 3, 3))
    positions[3210, 2, 1] = np.nan
    with pytest.raises(errors.InvalidTrajectory, match='atom 2 in frame 3210 is not a number'):
        Trajectory(('Li', 'Li', 'S'), positions, np.arange(5000.0), CELL)


@pytest.mark.parametrize(
    ('times', 'words'),
    [
        ([0, 1, 2, 4, 5], '1 ps at first and 2 ps from frame 2 to 3'),
        ([0, 1, 2, 2, 3], '0 ps from frame 2 to 3'),
        ([0, 1, 2, np.nan, 3], 'not equally spaced|not a number|from frame|goes from'),
        ([1, 0, -1, -2, -3], 'time goes from 1 to 0 ps'),
    ],
)
def test_time_has_to_go_on_evenly(times, words):
    with pytest.raises(errors.InvalidTrajectory, match=words):
        Trajectory(('Li',), np.zeros((5, 1, 3)), np.array(times, dtype=float), CELL)


def test_other_faults_are_refused():
    with pytest.raises(errors.TrajectoryTooShort, match='1 frames'):
        Trajectory(('Li',), np.zeros((1, 1, 3)), np.zeros(1), CELL)
    with pytest.raises(errors.InvalidTrajectory, match='2 symbols'):
        Trajectory(('Li', 'S'), np.zeros((4, 1, 3)), np.arange(4.0), CELL)
    with pytest.raises(errors.InvalidTrajectory, match='no volume'):
        Trajectory(('Li',), np.zeros((4, 1, 3)), np.arange(4.0), np.zeros((3, 3)))
    with pytest.raises(errors.NoMobileSpecies, match=r'no Na among .* \(Li\)'):
        Trajectory(('Li',), np.zeros((4, 1, 3)), np.arange(4.0), CELL).indices('Na')


@pytest.mark.parametrize(
    ('places', 'cell', 'words'),
    [
        (1, 1, None),
        (1 / Bohr, 1, 'overlap'),
        (1, 1 / Bohr, 'within .. % of the cell vectors'),
        (1 / Bohr, 1 / Bohr, 'too far apart'),
        (Bohr, Bohr, 'overlap'),
        (1, Bohr, 'overlap'),
        (0.1, 1, 'within .*% of the cell vectors'),
        (0.1, 0.1, 'overlap'),
        (1, 2, 'within .. % of the cell vectors'),
    ],
)
@pytest.mark.parametrize('crystal', [*CRYSTALS, *TABLE_1])
@pytest.mark.parametrize('folded', [False, True])
def test_positions_and_cell_in_different_units_are_refused(crystal, places, cell, words, folded):
    """Atoms move as if they were hot; ``folded``: all are wrapped into the cell of their own unit."""
    structure = (CRYSTALS[crystal] if crystal in CRYSTALS else TABLE_1[crystal][0]) * (2, 2, 2)
    positions = structure.cart_coords + np.random.default_rng(0).normal(size=(len(structure), 3)) * 0.12
    lattice, symbols = structure.lattice.matrix, tuple(site.specie.symbol for site in structure)
    positions = wrapped(positions, lattice) if folded else positions
    if words is None:
        assert check_scale(symbols, positions, lattice) == []
    else:
        with pytest.raises(errors.InvalidTrajectory, match=f'({words}).*: give positions and cell in .* A .not Bohr'):
            check_scale(symbols, positions * places, lattice * cell)


@pytest.mark.parametrize(
    ('cell', 'words'),
    [
        (CELL * 0.01, r'0.00172 A\^3 is too small for 3 atoms: give the cell of the simulation in A'),
        (CELL * np.nan, 'no volume'),
        (CELL * 1e300, 'no volume'),
        (np.zeros((3, 3)), 'no volume'),
    ],
)
def test_a_cell_that_cannot_be_is_refused(cell, words):
    with pytest.raises(errors.InvalidTrajectory, match=words):
        Trajectory(('Li', 'Li', 'S'), np.zeros((4, 3, 3)), np.arange(4.0), cell)
    if 'volume' in words:
        with pytest.raises(errors.InvalidTrajectory, match=words):
            constant_cell(np.array([cell] * 3))


def test_a_position_that_is_absurd_is_named():
    positions = np.zeros((50, 3, 3))
    positions[32, 2, 1] = -1e8
    with pytest.raises(errors.InvalidTrajectory, match='atom 2 in frame 32 is -1e.08 A from the origin'):
        Trajectory(('Li', 'Li', 'S'), positions, np.arange(50.0), CELL)


def test_a_cell_that_changes_is_refused_and_rounding_is_not():
    cells = np.tile(CELL, (10, 1, 1))
    cells[7] *= 1 + 1e-6
    np.testing.assert_array_equal(constant_cell(cells), CELL)
    cells[7, 1] *= 1.01
    with pytest.raises(errors.InvalidTrajectory, match='vector 2 changes by 1 % until frame 7.*constant volume'):
        constant_cell(cells)
