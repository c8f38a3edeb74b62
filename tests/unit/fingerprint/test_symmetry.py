"""The symmetric scan against the full one, on random crystals of many space groups."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.grid import grid_shape
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.fingerprint.symmetry import (
    crystal_operations,
    irreducible_points,
    on_grid,
    symmetric_shape,
)
from aiida_pesfp.settings.scan import ScanSettings
from tests.helpers.crystals import antifluorite, crystals, rock_salt, wurtzite
from tests.helpers.potentials import PairPotential

#: Grid points lie at the minimum distance exactly.
AT_THE_LIMIT = Structure(
    Lattice.hexagonal(4.0, 4.0),
    ['H'] * 2 + ['He'] * 6,
    [[0, 0, 0.5], [0, 0, 0], *([x, y, z] for x, y in ((0, 0.5), (0.5, 0), (0.5, 0.5)) for z in (0, 0.5))],
)


@given(crystals(), st.sampled_from(['paper', 'symmetric']))
@example(AT_THE_LIMIT, 'paper')
@settings(max_examples=60, deadline=None)
def test_the_symmetric_scan_is_the_full_scan(crystal, grid):
    allowed = len(crystal) < min(40, crystal.volume) and not crystal.get_neighbor_list(0.6)[3].size
    if not allowed or 'H' not in crystal.symbol_set:
        return
    evaluator = PairPotential(crystal)
    few = scan(crystal, evaluator, 'H', settings=ScanSettings(spacing=0.9, minimum_distance=0.8, grid=grid))
    number = len(few.mobile_ions)
    if grid == 'symmetric':
        assert all(n >= m for n, m in zip(few.shape, grid_shape(crystal.lattice.matrix, 0.9)))
        few = scan(crystal, evaluator, 'H', settings=ScanSettings(spacing=0.9, minimum_distance=0.8, grid='symmetric'))
        every = scan_all_points(crystal, evaluator, few.shape)
    else:
        settings_ = ScanSettings(spacing=0.9, minimum_distance=0.8, symmetry=False)
        every = scan(crystal, evaluator, 'H', settings=settings_)
        assert few.evaluations <= every.evaluations
        assert describe(few).mpe == pytest.approx(describe(every).mpe, abs=1e-4)
        every = [every.on_grid(position) for position in range(number)]
    for position in range(number):
        one, other = few.on_grid(position), every[position]
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        np.testing.assert_allclose(one, other, atol=1e-4)


def scan_all_points(crystal, evaluator, shape):
    """Surfaces of all mobile ions on a given grid, without any symmetry."""
    places = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape), axis=-1) / shape
    grids = []
    for ion in [index for index, site in enumerate(crystal) if site.specie.symbol == 'H']:
        others = np.delete(crystal.frac_coords, ion, axis=0)
        allowed = crystal.lattice.get_all_distances(places, others).min(axis=1) >= 0.8 - 1e-9
        grid = np.full(len(places), np.nan)
        grid[allowed] = evaluator.energies(ion, places[allowed] @ crystal.lattice.matrix)
        grids.append((grid - np.nanmin(grid)).reshape(shape))
    return grids


def test_published_counts():
    """Li2Te: 13,718 points of two ions are 294 irreducible allowed ones."""
    plan = plan_scan(antifluorite('Li', 'Te', 6.5137), settings=ScanSettings())
    assert plan.shape == (19, 19, 19)
    assert 2 * np.prod(plan.shape) == 13718
    assert plan.evaluations == 294
    assert len(plan.ions) == 1


def test_only_operations_that_map_the_grid_onto_itself_are_used():
    """Wurtzite has a screw axis, which needs an even number of points along c."""
    crystal = wurtzite('Li', 'I', 4.514, 7.311, 0.375)
    operations, lattice = crystal_operations(crystal), crystal.lattice.matrix
    assert len(operations) == 12
    assert len(on_grid(operations, lattice, (19, 19, 30))) == 12
    assert len(on_grid(operations, lattice, (19, 19, 29))) == 6
    assert len(on_grid(operations, lattice, (19, 20, 30))) < 12
    assert symmetric_shape(crystal, 0.252) == (18, 18, 30)


def test_representatives_are_one_for_each_orbit():
    crystal = rock_salt('Li', 'Cl', 5.13)
    operations = on_grid(crystal_operations(crystal), crystal.lattice.matrix, (6, 6, 6))
    first = irreducible_points(operations, (6, 6, 6))
    assert (first[first] == first).all()
    assert (first <= np.arange(216)).all()
    random = np.random.default_rng(0).random(216)[first].reshape(6, 6, 6)
    for axes in ((1, 0, 2), (0, 2, 1)):  # mirrors that swap two lattice vectors
        np.testing.assert_array_equal(random.transpose(axes), random)


def test_a_slightly_distorted_crystal_has_less_symmetry():
    crystal = rock_salt('Li', 'Cl', 5.13) * (2, 1, 1)
    assert len(plan_scan(crystal).ions) == 1
    crystal.translate_sites([0], [0.003, 0.0, 0.0], frac_coords=False)
    assert len(plan_scan(crystal).ions) == 2
