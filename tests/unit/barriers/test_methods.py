"""Barriers of landscapes that are known: an analytic one with a gate, and a crystal of Lennard-Jones atoms."""

import re
from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.fd import calculate_numerical_forces
from ase.calculators.lj import LennardJones
from pymatgen.core import Lattice, Structure
from scipy.optimize import minimize_scalar

from aiida_pesfp import errors
from aiida_pesfp.barriers.forces import Forces
from aiida_pesfp.barriers.hops import hop_between, with_vacancy
from aiida_pesfp.barriers.methods import FLAGS, METHODS, _barrier
from aiida_pesfp.barriers.paths import Path, atoms_of, path_of_hop
from aiida_pesfp.barriers.relaxation import Relaxer, State
from aiida_pesfp.potentials.ase.potential import AseEvaluator
from aiida_pesfp.potentials.registry import load_potential
from aiida_pesfp.settings.barrier import BarrierSettings
from tests.helpers.calculators import Gated, gated_crystal
from tests.helpers.crystals import rock_salt
from tests.helpers.documentation import DOCS
from tests.helpers.potentials import LENNARD_JONES

FINE = BarrierSettings(fmax=0.002, path_spacing=0.25)


def barrier_of_hop(crystal, calculator, start, end, method, settings=FINE, states=None, **options):
    """The barrier of a hop between two atoms, and the number of calls."""
    supercell, ion, place = with_vacancy(crystal, hop_between(crystal, start, end), settings.distance)
    evaluator = AseEvaluator(supercell, calculator, 'test')
    path = path_of_hop(evaluator, supercell, ion, place, settings.path_spacing, 1.2)
    forces = Forces(calculator, **options)
    relaxer = Relaxer(path.atoms, path.ion, forces, settings, {} if states is None else states)
    return METHODS[method](path, relaxer), forces.calls


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('tilt', [0.0, 0.1])
def test_the_gate_opens(method, tilt):
    """The saddle and both barriers are those of the relaxed landscape, which is known in closed form."""
    gated = Gated(period=3.5, tilt=tilt)
    found, _ = barrier_of_hop(gated_crystal(0, 1, period=3.5), gated, 0, 1, method)
    saddle = -minimize_scalar(lambda x: -gated.relaxed(x), bounds=(0, 3.5)).fun
    lowest = minimize_scalar(gated.relaxed, bounds=(3, 4)).fun
    assert found.converged
    assert found.flags == ()
    # The ion is held at one of the places of a grid.
    close = {'pinned': 0.01, 'profile': 0.01, 'neb': 0.002}[method]
    assert found.forward == pytest.approx(saddle, abs=close)
    assert found.reverse == pytest.approx(saddle - lowest, abs=close)
    assert found.frozen == pytest.approx(gated.frozen + tilt / 2, abs=0.02)
    gate = found.images[found.saddle].positions[1] - found.images[0].positions[1]
    assert gate[2] == pytest.approx(gated.opening, abs=0.02)


def test_images_computed_together_make_the_same_band():
    numbers = []

    def together(structures):
        numbers.append(len(structures))
        assert all(all(one.lattice.pbc) for one in structures)
        images = [atoms_of(one) for one in structures]
        return [(gated.get_potential_energy(one), gated.get_forces(one)) for one in images]

    gated, crystal = Gated(period=3.5, tilt=0.1), gated_crystal(0, 1, period=3.5)
    alone, calls = barrier_of_hop(crystal, gated, 0, 1, 'neb')
    found, of_together = barrier_of_hop(crystal, gated, 0, 1, 'neb', together=together)
    assert set(numbers) == {FINE.images}
    assert found.energies == pytest.approx(alone.energies, abs=1e-9)
    assert of_together == calls


def test_a_potential_gives_an_image_the_same_forces_with_others():
    potential, crystal = load_potential('sevennet-0', device='cpu'), rock_salt('Li', 'F', 4.08).make_supercell(2)
    forces = Forces(potential.calculator(crystal), together=potential.energies_and_forces)
    images = [atoms_of(crystal) for _ in range(3)]
    for seed, image in enumerate(images):
        image.rattle(0.1, seed=seed)
        image.positions[seed] += image.cell.array[0]
        image.calc = forces.calculator()
    expected = [(forces.of(image)['energy'], forces.of(image)['forces']) for image in images]
    forces.prepare(images)
    calls = forces.calls
    for image, (energy, force) in zip(images, expected):
        assert image.get_potential_energy() == pytest.approx(energy, abs=5e-5)
        assert image.get_forces() == pytest.approx(force, abs=2e-5)
    assert forces.calls == calls


def test_the_crystal_does_not_carry_the_held_ion_back():
    """Without a frame that is kept, everything else would shift until the ion is back at its site."""
    found, _ = barrier_of_hop(gated_crystal(0, 1, period=3.5), Gated(period=3.5), 0, 1, 'pinned')
    moved = found.images[found.saddle].positions - found.images[0].positions
    assert np.linalg.norm(moved[0]) == pytest.approx(1.75, abs=0.01)
    assert np.linalg.norm(moved[2]) < 0.02


@pytest.mark.parametrize('method', ['pinned', 'neb'])
def test_ends_relax_as_far_as_the_saddle(method):
    """The gate slides to where it is lower by 1.5 eV as soon as an ion comes: the ends count with it there."""
    gated = Gated(period=3.5, trap=1.5)
    found, _ = barrier_of_hop(gated_crystal(0, 1, period=3.5), gated, 0, 1, method)
    assert found.images[0].get_potential_energy() < -1.0
    assert found.forward == pytest.approx(0.4, abs=0.01)
    assert 'no_barrier' not in found.flags


def test_a_way_that_is_lower_than_both_ends_has_no_barrier():
    """Zero would rank first."""
    atoms = atoms_of(gated_crystal(0))
    places = np.array([[0.0, 0, 0], [1.75, 0, 0], [3.5, 0, 0]])
    path = Path(atoms, 0, places, np.array([0.0, 0.5, 0.0]))
    relaxer = Relaxer(atoms, 0, Forces(Gated()), FINE, {})
    positions = [np.vstack([place, atoms.positions[1:]]) for place in places]
    for middle, expected in ((-0.1, None), (-0.01, ('no_barrier',))):
        states = [State(one, energy, 0.0, 1, True) for one, energy in zip(positions, (0.0, middle, 0.0))]
        if expected:
            assert _barrier(path, relaxer, states).flags == expected
        else:
            with pytest.raises(errors.NoBarrier, match=r'ion 0 is lower by 0.100 eV than at both ends.*relax'):
                _barrier(path, relaxer, states)


def test_forces_are_those_of_the_energy():
    atoms = atoms_of(gated_crystal(0.3, 1.4, period=3.5))
    atoms.rattle(0.1)
    atoms.calc = Gated(period=3.5, trap=1.5, tilt=0.1)
    assert atoms.get_forces() == pytest.approx(calculate_numerical_forces(atoms), abs=1e-5)


def test_a_band_goes_on_from_its_states():
    """A band that was stopped has the result of one that was not, and finished relaxations cost nothing."""
    crystal, gated, states = gated_crystal(0, 1, period=3.5), Gated(period=3.5, tilt=0.1), {}
    whole, calls = barrier_of_hop(crystal, gated, 0, 1, 'neb', states=states)
    again, none = barrier_of_hop(crystal, gated, 0, 1, 'neb', states=dict(states))
    assert (again.forward, none) == (whole.forward, 0)
    few, _ = barrier_of_hop(crystal, gated, 0, 1, 'neb', replace(FINE, steps=3), states := {})
    assert few.flags[0] == 'not_converged'
    more, fewer = barrier_of_hop(crystal, gated, 0, 1, 'neb', states=states)
    assert more.converged
    assert more.forward == pytest.approx(whole.forward, abs=1e-3)
    assert fewer < calls


@pytest.fixture(scope='module')
def lithium():
    """32 Lennard-Jones atoms on a face-centred cubic lattice, near their minimum."""
    cell = Structure(Lattice.cubic(3.28), ['Li'] * 4, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return cell.make_supercell(2)


@pytest.mark.parametrize('method', ['pinned', 'neb'])
def test_images_of_a_hop_by_symmetry_have_its_barrier(lithium, method):
    """Also its reverse."""
    settings = replace(FINE, fmax=0.01, path_spacing=0.3, images=3)
    near = np.flatnonzero(np.isclose(lithium.distance_matrix[0], 3.28 / 2**0.5))[[0, 7]]
    hops = [(0, near[0]), (0, near[1]), (near[0], 0)]
    found = [barrier_of_hop(lithium, LennardJones(**LENNARD_JONES), *hop, method, settings)[0] for hop in hops]
    forward, reverse = np.transpose([(one.forward, one.reverse) for one in found])
    assert forward[0] > 0.2
    assert np.ptp(np.concatenate([forward, reverse])) < {'pinned': 0.01, 'neb': 0.003}[method]
    assert found[0].flags == ()


def test_a_held_ion_bounds_the_band_or_it_is_flagged():
    crystal, gated, states = gated_crystal(0, 1, period=3.5), Gated(period=3.5, tilt=0.1), {}
    held, _ = barrier_of_hop(crystal, gated, 0, 1, 'pinned', states=states)
    band, _ = barrier_of_hop(crystal, gated, 0, 1, 'neb', states=states)
    assert held.forward >= band.forward - 0.002
    assert band.flags == ()
    states['saddle'] = replace(states['saddle'], energy=states['saddle'].energy - 0.1)
    assert barrier_of_hop(crystal, gated, 0, 1, 'neb', states=states)[0].flags == ('pinned_below_neb',)


def test_every_flag_is_explained():
    page = (DOCS / 'howto' / 'barriers.md').read_text()
    assert [flag for flag in re.findall(r'^\| `(\w+)` ', page, re.MULTILINE) if not flag.startswith('-')] == list(FLAGS)
