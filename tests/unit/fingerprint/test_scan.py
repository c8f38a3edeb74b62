"""Plan, evaluation and surface of a scan, with evaluators whose energies are known."""

import re
from dataclasses import replace

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from pymatgen.core import Lattice, Structure

from aiida_pesfp import errors
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.doubts import doubts_of_surface
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.fingerprint.scan import evaluate, scan
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.potentials import load_potential
from aiida_pesfp.settings.scan import ScanSettings
from tests.helpers.potentials import LENNARD_JONES
from tests.helpers.reference import CRYSTALS, Oracle


class Harmonic:
    """An isotropic spring between the ion and its place in the crystal, the nearest image counting."""

    points_per_call = 50

    def __init__(self, structure, hole=None):
        self.structure, self.hole, self.calls = structure, hole, []

    def energies(self, ion, positions):
        self.calls.append((ion, len(positions)))
        lattice = self.structure.lattice
        fractional = lattice.get_fractional_coords(positions)
        distances = lattice.get_all_distances(self.structure.frac_coords[ion], fractional)[0]
        energies = -100.0 + distances**2
        if self.hole is not None:
            energies[np.linalg.norm(fractional - self.hole, axis=1) < 1e-6] = np.nan
        return energies


@pytest.fixture
def lithium_chloride():
    """Rock-salt LiCl, primitive cell (a = 5.13 A)."""
    lattice = Lattice([[0, 2.565, 2.565], [2.565, 0, 2.565], [2.565, 2.565, 0]])
    return Structure(lattice, ['Li', 'Cl'], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_surface_holds_relative_energies_where_the_ion_may_be(lithium_chloride):
    surface = scan(lithium_chloride, Harmonic(lithium_chloride), settings=ScanSettings(symmetry=False))
    assert surface.shape == (15, 15, 15)
    assert surface.reference_energies == pytest.approx([-100.0])
    places = np.stack(np.meshgrid(*[np.arange(15) / 15] * 3, indexing='ij'), axis=-1).reshape(-1, 3)
    to_chlorine = lithium_chloride.lattice.get_all_distances([0.5, 0.5, 0.5], places)[0].reshape(surface.shape)
    np.testing.assert_array_equal(np.isnan(surface.energies[0]), to_chlorine < 1.2)
    to_lithium = lithium_chloride.lattice.get_all_distances([0, 0, 0], places)[0].reshape(surface.shape)
    allowed = to_chlorine >= 1.2
    np.testing.assert_allclose(surface.energies[0][allowed], to_lithium[allowed] ** 2, rtol=1e-6)
    filled = surface.of_ion(0)
    assert (filled[~allowed] == np.float32(np.nanmax(surface.energies[0]))).all()
    assert surface.evaluations == allowed.sum()


def test_going_on_in_the_middle_hands_over_the_same_batches_and_gives_the_same_energies(lithium_chloride):
    plan = plan_scan(lithium_chloride, settings=ScanSettings(symmetry=False))
    whole = np.concatenate(list(evaluate(plan, Harmonic(lithium_chloride))))
    for finished in (0, 50, 1000, plan.evaluations - 1, plan.evaluations):
        evaluator = Harmonic(lithium_chloride)
        rest = list(evaluate(plan, evaluator, whole[:finished]))
        np.testing.assert_array_equal(np.concatenate([whole[:finished], *rest]), whole)
        assert len(evaluator.calls) == -(-plan.evaluations // 50) - finished // 50 - (finished == plan.evaluations)


def test_every_mobile_ion_has_its_own_surface(lithium_chloride):
    supercell = lithium_chloride * (1, 1, 2)
    surface = scan(supercell, Harmonic(supercell), settings=ScanSettings(spacing=0.8, symmetry=False))
    assert list(surface.mobile_ions) == list(surface.scanned_ions) == [0, 1]
    lowest = [np.unravel_index(np.nanargmin(grid), grid.shape) for grid in surface.energies]
    difference = (np.array(lowest[1]) - lowest[0]) / surface.shape - supercell.frac_coords[1] + supercell.frac_coords[0]
    np.testing.assert_allclose(difference - np.round(difference), 0, atol=0.1)


def test_surface_survives_a_round_trip_to_disk(lithium_chloride, tmp_path):
    surface = scan(lithium_chloride, Harmonic(lithium_chloride), settings=ScanSettings(spacing=0.6))
    surface.save(tmp_path / 'pes.npz')
    loaded = PotentialEnergySurface.load(tmp_path / 'pes.npz')
    assert loaded.evaluations == surface.evaluations
    for name, array in surface.as_arrays().items():
        np.testing.assert_array_equal(loaded.as_arrays()[name], array)


def test_surface_of_an_equivalent_ion_is_that_of_its_representative_moved(lithium_chloride):
    """Half a cell along z and a mirror: x' = W x + w, point by point."""
    surface = scan(lithium_chloride, Harmonic(lithium_chloride), settings=ScanSettings(spacing=0.6))
    n1, n2, n3 = surface.shape
    rotation, translation = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]]), np.array([0, 0, 2 / n3])
    arrays = surface.as_arrays() | {
        'mobile_ions': np.array([0, 1]),
        'representatives': np.array([0, 0]),
        'rotations': np.array([np.eye(3, dtype=int), rotation]),
        'translations': np.array([np.zeros(3), translation]),
    }
    both = PotentialEnergySurface.from_arrays(arrays)
    original, moved = both.of_ion(0), both.of_ion(1)
    for i, j, k in np.ndindex(n1, n2, n3):
        assert moved[j, i, (2 - k) % n3] == original[i, j, k]


def test_a_nan_energy_is_reported_with_its_place(lithium_chloride):
    with pytest.raises(errors.NonFiniteEnergy, match=r'nan eV with ion 0 \(Li\).*\(0\.2000, 0\.2000, 0\.2000\)'):
        scan(lithium_chloride, Harmonic(lithium_chloride, hole=[0.2, 0.2, 0.2]))


def test_a_potential_that_does_not_see_the_ion_is_refused(lithium_chloride):
    """As with parameters in nm: the surface is flat, and Xi would be 1."""
    blind = Harmonic(lithium_chloride)
    blind.energies = lambda ion, positions: np.zeros(len(positions))
    with pytest.raises(errors.FlatSurface, match=r'the same energy wherever ion 0 \(Li\) is: check the units'):
        scan(lithium_chloride, blind)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({}, None),
        ({'epsilon': -0.3}, 'the energy of ion 0 is lowest 1.2. A from Cl, nearer than in any solid'),
        ({'sigma': 0.5}, 'lowest 1.2. A from Cl'),
        ({'rc': 1.5}, 'no energy at all holds an ion back'),
        ({'epsilon': 4.8}, 'the MPE of .* eV is above any bond'),
        ({'epsilon': 1e-5}, 'half of all places have .* eV or more for ion 0'),
        ({'sigma': 10.0}, 'half of all places have .*e.09 eV or more for ion 0, not 0.01 to 1000'),
    ],
)
def test_what_no_potential_of_a_crystal_gives_is_doubted(lithium_chloride, changes, words):
    lennard_jones = load_potential('ase:ase.calculators.lj.LennardJones').evaluator(lithium_chloride)
    lennard_jones._atoms.calc = LennardJones(**LENNARD_JONES | changes)
    surface = scan(lithium_chloride, lennard_jones, settings=ScanSettings(spacing=0.5))
    doubts = doubts_of_surface(surface, describe(surface).values['mpe'])
    assert len(doubts) == bool(words)
    assert not words or re.search(words, doubts[0])


@pytest.mark.parametrize('name', CRYSTALS)
def test_what_m3gnet_gives_is_not_doubted(name):
    oracle = Oracle.read(name)
    surface = scan(oracle.structure, Harmonic(oracle.structure), settings=ScanSettings(symmetry=False, spacing=1.0))
    for ion, grid in oracle.grids.items():
        surface = replace(surface, energies=grid[None] - grid.min(), scanned_ions=np.array([ion]))
        assert doubts_of_surface(surface, 0.3) == []


def test_a_lone_ion_is_near_to_nothing(lithium_chloride):
    lone = Structure(lithium_chloride.lattice, ['Li'], [[0, 0, 0]])
    assert doubts_of_surface(scan(lone, Harmonic(lone)), 0.3) == []


def spoilt(structure, **changes):
    """A structure with some of its parts replaced."""
    parts = {'lattice': structure.lattice, 'species': structure.species, 'coords': structure.frac_coords} | changes
    return Structure(**parts)


@pytest.mark.parametrize(
    ('change', 'error', 'words'),
    [
        ({'species': ['Na', 'Cl']}, errors.NoMobileSpecies, r'no Li among its elements \(Cl, Na\)'),
        ({'species': [{'Li': 0.5}, 'Cl']}, errors.PartialOccupancy, r'site 0 at \(0\.000.*Li'),
        ({'species': ['Li', {'Cl': 0.7, 'Br': 0.3}]}, errors.PartialOccupancy, 'site 1 .*ordered approximant'),
        ({'coords': [[0, 0, 0], [0.02, 0, 0.99]]}, errors.OverlappingAtoms, r'atoms 0 \(Li\).*1 \(Cl\).* A apart'),
        ({'coords': [[0, 0, 0], [0, 0, 1]]}, errors.OverlappingAtoms, r'0\.000 A apart'),
        ({'lattice': Lattice(np.eye(3) * 4, pbc=(True, True, False))}, errors.InvalidCell, '2 of 3 lattice vectors'),
        ({'lattice': Lattice([[4, 0, 0], [0, 4, 0], [4, 4, 1e-4]])}, errors.InvalidCell, 'volume'),
    ],
)
def test_structures_that_cannot_be_scanned_are_refused_with_the_reason(lithium_chloride, change, error, words):
    with pytest.raises(error, match=words):
        plan_scan(spoilt(lithium_chloride, **change))


@pytest.mark.parametrize('grid', ['paper', 'symmetric'])
def test_a_grid_beyond_memory_is_refused_before_it_is_made(lithium_chloride, grid):
    """Before the best grid of its size is looked for, too."""
    with pytest.raises(errors.GridTooLarge, match=r'points \(at most 1e\+08\).*GiB of memory.*larger spacing'):
        plan_scan(lithium_chloride * 5, settings=ScanSettings(spacing=0.03, grid=grid))


def test_a_cell_without_room_is_refused():
    dense = Structure(Lattice.cubic(2.0), ['Li', 'H'], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(errors.NoAllowedPoint, match=r'no grid point is 2\.5 A or more away'):
        plan_scan(dense, settings=ScanSettings(minimum_distance=2.5))


def test_species_other_than_lithium(lithium_chloride):
    plan = plan_scan(lithium_chloride, 'Cl')
    assert [of_ion.ion for of_ion in plan.ions] == [1]
    surface = scan(lithium_chloride, Harmonic(lithium_chloride), 'Cl')
    assert np.isnan(surface.energies[0, 0, 0, 0])
