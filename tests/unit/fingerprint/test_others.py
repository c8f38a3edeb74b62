"""One ion in a crystal without the others of its species, or added to a crystal, against plain loops."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_pesfp import errors
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.export import export, volume
from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.percolation import energy_profile
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.fingerprint.scan import assemble, drain, evaluate
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.potentials.ase.potential import AseEvaluator
from aiida_pesfp.report.view import structure_view
from aiida_pesfp.settings.scan import ScanSettings
from tests.helpers import brute_force
from tests.helpers.crystals import antifluorite, crystals, rock_salt, wurtzite
from tests.helpers.potentials import LENNARD_JONES, PairPotential


def scan_of(crystal, evaluator_of, species='Li', **choice):
    plan, pieces = plan_scan(crystal, species, ScanSettings(**choice)), []
    surfaces, xi_upper = drain(evaluate(plan, evaluator_of(plan.structure)), pieces.append)
    return assemble(plan, surfaces, sum(map(len, pieces)), xi_upper)


def lennard_jones(structure):
    return AseEvaluator(structure, LennardJones(**LENNARD_JONES), 'LJ')


def without(crystal, species, others):
    """The surroundings of the ion."""
    kept = [site for site in crystal if others == 'interstitial' or site.specie.symbol != species]
    return Structure.from_sites(kept)


def all_points(host, species, shape):
    """Energies of the host with an ion on every grid point, a calculator call a point; NaN closer than 1.2 A."""
    grid = np.full(shape, np.nan)
    for index in np.ndindex(*shape):
        place = np.array(index) / shape
        if host.lattice.get_all_distances(place, host.frac_coords).min() >= 1.2:
            places = [*host.cart_coords, place @ host.lattice.matrix]
            atoms = Atoms([*(site.specie.symbol for site in host), species], places, cell=host.lattice.matrix, pbc=True)
            atoms.calc = LennardJones(**LENNARD_JONES)
            grid[index] = atoms.get_potential_energy()
    return grid


def images(host, point, energies):
    """Grid points onto which operations of the host map a grid point, or the lowest of those around its image."""
    found, shape = set(), np.array(energies.shape)
    for operation in SpacegroupAnalyzer(host, symprec=1e-4).get_symmetry_operations():
        place = operation.operate(np.array(point) / shape) * shape
        around = itertools.product(*({int(np.floor(x + 0.01)), int(np.ceil(x - 0.01))} for x in place))
        found.add(
            min((tuple(int(i) for i in corner % shape) for corner in around), key=lambda corner: energies[corner])
        )
    return sorted(found)


CASES = {
    'Li2Te': (antifluorite('Li', 'Te', 6.517), 'Li', 0.92),
    'supercell': (rock_salt('Li', 'Cl', 5.13) * (1, 1, 2), 'Li', 0.9),
    'wurtzite': (wurtzite('Li', 'Cl', 3.925, 6.357, 0.378), 'Li', 0.8),
    'host': (wurtzite('Zn', 'S', 3.82, 6.26, 0.375), 'Na', 0.8),
}


@pytest.mark.parametrize('symmetry', [True, False])
@pytest.mark.parametrize(
    ('name', 'others'),
    [*((name, others) for name in list(CASES)[:3] for others in ('removed', 'interstitial')), ('host', 'interstitial')],
)
def test_agrees_with_a_brute_force_loop(name, others, symmetry):
    crystal, species, spacing = CASES[name]
    choice = {'spacing': spacing, 'others': others, 'symmetry': symmetry}
    surface = scan_of(crystal, lennard_jones, species, **choice)
    host = without(crystal, species, others)
    expected = all_points(host, species, surface.shape)
    absolute = surface.on_grid(0) + surface.reference_energies[0]
    np.testing.assert_array_equal(np.isnan(absolute), np.isnan(expected))
    np.testing.assert_allclose(absolute, expected, atol=1e-5, rtol=0)
    allowed = np.isfinite(expected).sum()
    assert surface.evaluations == allowed if not symmetry else surface.evaluations <= allowed / 2

    filled = surface.of_ion(0).astype(np.float64)
    seeds = images(host, surface.starts[0], filled)
    assert sorted(map(tuple, surface.starts.tolist())) == seeds
    assert filled[tuple(surface.starts[0])] == pytest.approx(0, abs=1e-6)
    vectors, found = grid_vectors(surface.lattice, surface.shape), describe(surface)
    grids = [filled] * len(seeds)
    mpe, connected, disconnected = brute_force.descriptors(grids, vectors, found.spectrum['thresholds'], seeds=seeds)
    assert found.mpe == pytest.approx(mpe, abs=1e-6)
    assert found.spectrum['connected'] == pytest.approx(connected, abs=1e-12)
    assert found.spectrum['disconnected'] == pytest.approx(disconnected, abs=1e-12)
    if np.prod(surface.shape) <= 512:
        fv_joint, barrier = brute_force.joint(grids, vectors, 0.5, seeds=seeds)
        assert (found.fv_joint, found.barrier_joint) == pytest.approx((fv_joint, barrier), abs=1e-6)


@given(crystals(), st.sampled_from(['removed', 'interstitial']), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_symmetric_scan_is_the_full_scan_and_begins_anywhere(crystal, others, random):
    allowed = len(crystal) < min(40, crystal.volume) and not crystal.get_neighbor_list(0.6)[3].size
    if not allowed or 'H' not in crystal.symbol_set:
        return
    choice = {'spacing': 0.9, 'minimum_distance': 0.8, 'others': others}
    few = scan_of(crystal, PairPotential, 'H', **choice)
    every = scan_of(crystal, PairPotential, 'H', **choice, symmetry=False)
    assert few.evaluations <= every.evaluations
    assert len(few.mobile_ions) == len(few.scanned_ions) == 1
    np.testing.assert_array_equal(np.isnan(few.energies), np.isnan(every.energies))
    np.testing.assert_allclose(few.energies, every.energies, atol=1e-4)
    starts = few.starts.tolist()
    random.shuffle(starts)
    found, again = describe(few), describe(replace(few, starts=np.array(starts)))
    assert found.as_dict() == again.as_dict()
    # Volumes are those of the union over starts, barriers the lowest from any of them.
    alone = describe(replace(few, starts=few.starts[:1]))
    assert found.fv_connected >= alone.fv_connected
    assert found.mpe <= alone.mpe
    assert [ion.as_dict() for ion in found.ions] == [
        {'index': len(few.atomic_numbers) - 1, 'equivalent_to': len(few.atomic_numbers) - 1}
        | {'fractional_coordinates': (few.starts[0] / few.shape).tolist()}
        | {name: found.values[name] for name in found.ions[0].values}
    ]


def test_an_image_between_grid_points_starts_at_the_best_of_them():
    """The screw axis of wurtzite maps no grid with an odd number of points along c onto itself."""
    crystal = wurtzite('Li', 'Cl', 3.925, 6.357, 0.378)
    odd = scan_of(crystal, lennard_jones, spacing=0.92, others='removed')
    assert odd.shape[2] == 7
    x, y, z = odd.starts[0]
    assert any(tuple(start[:2]) == (x, y) and abs((start[2] - z) % 7 - 3.5) == 0.5 for start in odd.starts)


@pytest.mark.parametrize('others', ['removed', 'interstitial'])
def test_an_adaptive_scan_finds_the_same(others):
    crystal = antifluorite('Li', 'Te', 6.517)
    full = scan_of(crystal, PairPotential, spacing=0.35, others=others, symmetry=False)
    some = scan_of(crystal, PairPotential, spacing=0.35, others=others, symmetry=False, adaptive=True)
    assert some.evaluations < full.evaluations / 2
    one, other = describe(some), describe(full)
    assert one.mpe == pytest.approx(other.mpe, abs=0.01)
    assert one.xi == pytest.approx(other.xi, abs=0.01)


def test_files_and_pictures_show_the_ion_where_it_starts(tmp_path):
    surface = scan_of(
        wurtzite('Zn', 'S', 3.82, 6.26, 0.375),
        lennard_jones,
        'Na',
        spacing=0.6,
        others='interstitial',
        grid='symmetric',
    )
    assert len(surface.starts) > 1
    found, ion = describe(surface), len(surface.atomic_numbers) - 1
    np.testing.assert_array_equal(surface.fractional_coordinates[ion] * surface.shape, surface.starts[0])
    surface.save(tmp_path / 'pes.npz')
    stored = PotentialEnergySurface.load(tmp_path / 'pes.npz')
    np.testing.assert_array_equal(stored.starts, surface.starts)
    assert describe(stored).as_dict() == found.as_dict()
    assert energy_profile(surface, 0).barrier == pytest.approx(found.barrier_1d, abs=1e-6)
    atoms, levels = volume(surface, 'level')
    assert (atoms.get_chemical_formula(), levels.shape) == ('Na8S16Zn16', tuple(2 * n for n in surface.shape))
    assert (levels[tuple(surface.starts.T)] < 1e-4).all()
    export(surface, tmp_path, ['profile'], per_ion=True)
    assert [path.name for path in tmp_path.glob('profile*')] == [f'profile-ion{ion}.csv']
    view = structure_view(surface, ion, 0.5)
    assert view.space_group == 'P6_3mc (186)'
    assert len(view.crystal) == 4
    assert view.profile.barrier == pytest.approx(found.barrier_1d, abs=1e-6)
    nearest = np.linalg.norm(view.positions[np.array(view.symbols) != 'Na'], axis=1).min()
    start = view.profile.fractional[0]
    assert nearest == pytest.approx(view.crystal.lattice.get_all_distances(start, view.crystal.frac_coords).min())


LITHIUM = Structure(Lattice.cubic(3.4), ['Li', 'Li'], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize(
    ('crystal', 'choice', 'error', 'words'),
    [
        (LITHIUM, {'others': 'removed'}, errors.NoFramework, 'without Li nothing is left of Li2.*--others fixed'),
        (rock_salt('Na', 'Cl', 5.64), {}, errors.NoMobileSpecies, 'no Li among.*--others interstitial'),
        (rock_salt('Na', 'Cl', 5.64), {'others': 'removed'}, errors.NoMobileSpecies, 'no Li among'),
        (
            rock_salt('Na', 'Cl', 5.64),
            {'others': 'interstitial', 'minimum_distance': 3.0},
            errors.NoAllowedPoint,
            r'no grid point is 3\.0 A or more away from all atoms, for one Li: .* smaller minimum distance',
        ),
    ],
)
def test_what_has_no_room_or_no_ion_is_refused_with_the_way_out(crystal, choice, error, words):
    with pytest.raises(error, match=words):
        plan_scan(crystal, settings=ScanSettings(**choice))
