"""Early verdicts: the bound of Xi, against exact surfaces, and scans that stop."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_pesfp.fingerprint import early
from aiida_pesfp.fingerprint.adaptive import AdaptiveIon
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.interpolation import PairModel
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.fingerprint.quantities import rank_key
from aiida_pesfp.fingerprint.scan import drain, evaluate, scan
from aiida_pesfp.programs.checkpoint import Checkpoint
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters
from aiida_pesfp.settings.scan import ScanSettings
from tests.helpers.crystals import wurtzite
from tests.helpers.surfaces import make_surface
from tests.helpers.synthetic import CRYSTALS, ManyBody, RandomPotential, random_crystal

CRYSTAL = CRYSTALS['no symmetry']
EARLY = ScanSettings(adaptive=True, stop_below=0.25, spacing=0.3)


class Stiff(ManyBody):
    """As the many-body potential, with so much repulsion that ions stay at their sites."""

    stiffness = 8


@pytest.mark.parametrize('adaptive', [True, False])
def test_a_scan_stops_if_xi_is_certainly_small(adaptive):
    full = scan(CRYSTAL, Stiff(CRYSTAL), settings=ScanSettings(spacing=0.3))
    evaluator, chosen = Stiff(CRYSTAL), replace(EARLY, adaptive=adaptive)
    stopped = scan(CRYSTAL, evaluator, settings=chosen)
    exact, found = describe(full), describe(stopped)
    assert stopped.stopped_early
    assert exact.xi <= found.xi_upper < 0.25
    assert stopped.evaluations == evaluator.evaluations < (0.1 if adaptive else 0.6) * full.evaluations
    assert found.as_dict()['stopped_early']
    assert rank_key(found.values) > rank_key({**exact.values, 'xi': 0.0, 'xi_upper': 0.0})


@pytest.mark.parametrize('adaptive', [True, False])
def test_a_scan_that_may_not_stop_gives_exact_values(adaptive):
    crystal = CRYSTALS['wurtzite']
    found = describe(scan(crystal, ManyBody(crystal), settings=replace(EARLY, adaptive=adaptive)))
    full = describe(scan(crystal, ManyBody(crystal), settings=ScanSettings(spacing=0.3)))
    assert not found.as_dict()['stopped_early']
    assert found.xi_upper == found.xi == pytest.approx(full.xi, abs=0.005 if adaptive else 0)
    assert found.mpe == pytest.approx(full.mpe, abs=0.010 if adaptive else 0)


LOOSE = XiParameters(connected_cut=-4.0, disconnected_cut=-3.5)


def test_a_scan_goes_on_while_the_cuts_of_its_calibration_may_rank_it_high():
    """The published cuts alone would stop it, and its rank by the others would be that of an estimate."""
    assert scan(CRYSTAL, Stiff(CRYSTAL), settings=EARLY).stopped_early
    full = scan(CRYSTAL, Stiff(CRYSTAL), settings=ScanSettings(spacing=0.3))
    assert describe(full, DescriptorSettings(xi=LOOSE)).xi > EARLY.stop_below > describe(full).xi
    assert not scan(CRYSTAL, Stiff(CRYSTAL), settings=replace(EARLY, stop_xi=LOOSE)).stopped_early


def test_the_bound_of_a_scan_that_stopped_holds_for_both_cuts():
    cuts = XiParameters(connected_cut=-1.9, disconnected_cut=-1.2)
    found = describe(scan(CRYSTAL, Stiff(CRYSTAL), settings=replace(EARLY, stop_xi=cuts)))
    full = scan(CRYSTAL, Stiff(CRYSTAL), settings=ScanSettings(spacing=0.3))
    exact = [describe(full, DescriptorSettings(xi=one)).xi for one in (XiParameters(), cuts)]
    assert found.as_dict()['stopped_early']
    assert max(exact) <= found.xi_upper < EARLY.stop_below


def test_other_cuts_to_stop_by_are_another_scan():
    """A folder of results is not resumed with them; without them, that of an older version is."""

    def mark(settings):
        return Checkpoint(None, plan_scan(CRYSTAL, settings=settings), 'a').mark

    assert mark(EARLY) != mark(replace(EARLY, stop_xi=LOOSE))
    assert mark(replace(EARLY, stop_below=None)) == mark(replace(EARLY, stop_below=None, stop_xi=LOOSE))
    assert 'stop_xi' not in repr(EARLY)


@pytest.mark.parametrize('seed', range(12))
def test_no_verdict_on_a_random_crystal_is_wrong(seed):
    """As benchmarks/verdicts.py, which has thousands of them."""
    random = np.random.default_rng(seed)
    crystal = random_crystal(random)
    potential = RandomPotential(crystal, random, 4.0)
    found = describe(scan(crystal, potential, settings=ScanSettings(spacing=0.35, stop_below=0.25)))
    assert describe(scan(crystal, potential, settings=ScanSettings(spacing=0.35))).xi <= found.xi_upper


def test_a_killed_scan_resumes_to_the_same_verdict():
    plan, pieces = plan_scan(CRYSTAL, settings=EARLY), []
    expected, bound = drain(evaluate(plan, Stiff(CRYSTAL)), pieces.append)
    energies = np.concatenate(pieces)
    assert bound < 0.25
    for finished in (0, 1, 64, 100, len(energies)):
        rest = []
        surfaces, again = drain(evaluate(plan, Stiff(CRYSTAL), energies[:finished]), rest.append)
        assert again == bound
        np.testing.assert_array_equal(np.concatenate([energies[:finished], *rest]), energies)
        for one, other in zip(surfaces, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]), st.floats(0, 1.5))
@settings(deadline=None, max_examples=30)
def test_xi_does_not_fall_if_surfaces_are_lowered(seed, ions, by):
    random = np.random.default_rng(seed)
    energies = 2.5 * random.random((ions, 5, 6, 4))
    energies -= energies.min(axis=(1, 2, 3), keepdims=True)
    lower = np.maximum(energies - by * random.random(energies.shape), 0)
    exact = describe(make_surface(energies)).xi
    assert early.upper_bound(make_surface(lower), DescriptorSettings(), 0.0) >= exact - 1e-9


def test_the_bound_is_xi_if_all_is_known():
    random = np.random.default_rng(3)
    for _ in range(20):
        energies = 2 * random.random((2, 6, 5, 4))
        energies -= energies.min(axis=(1, 2, 3), keepdims=True)
        surface = make_surface(energies)
        assert early.upper_bound(surface, DescriptorSettings(), 0.0) == pytest.approx(describe(surface).xi, abs=1e-12)


def test_places_that_may_be_the_lowest_all_start_a_level_map():
    """The basin on the right may be that of the ion: the bound counts it, too."""
    energies = np.full((1, 12, 3, 3), 3.0)
    energies[0, 1], energies[0, 7:11] = 0.1, 0.3
    energies[0, 1, 1, 1] = 0.0
    certain = early.upper_bound(make_surface(energies), DescriptorSettings(), 0.0)
    energies[0, 8, 1, 1] = 0.0
    assert early.upper_bound(make_surface(energies), DescriptorSettings(), 0.0) > certain


def test_several_lowest_points_all_start_level_maps():
    """The exact map starts from the first of those within 1e-4 eV of the lowest, in C order."""
    energies = np.full((1, 12, 3, 3), 3.0)
    energies[0, 1, 1, 1], energies[0, 7:11] = 5e-5, 0.3
    energies[0, 8, 1, 1] = 0.0
    surface = make_surface(energies)
    assert early.upper_bound(surface, DescriptorSettings(), 0.0) >= describe(surface).xi


def test_a_place_that_may_be_the_lowest_has_a_box_of_its_own():
    """A path to a place can leave the box around the one place, and not the box around the other."""
    random = np.random.default_rng(8)
    for _ in range(300):
        energies = 1.5 * random.random((1, *random.integers(4, 9, 3)))
        first, second = random.permutation(energies.size)[:2]
        energies.flat[[first, second]] = 0
        lattice = np.diag(energies.shape[1:]) * 1.1
        bound = early.upper_bound(make_surface(energies, lattice), DescriptorSettings(), 0.0)
        for lowest in (first, second):
            energies.flat[[first, second]] = 2e-4
            energies.flat[lowest] = 0
            assert bound >= describe(make_surface(energies, lattice)).xi - 1e-9


def test_grids_too_coarse_for_lattices_are_scanned_without_a_verdict():
    chosen = ScanSettings(adaptive=True, stop_below=0.25, spacing=0.6)
    found = scan(CRYSTAL, Stiff(CRYSTAL), settings=chosen)
    assert not found.stopped_early


def test_what_stopped_is_marked_also_where_bound_and_estimate_are_equal():
    surface = replace(make_surface(np.full((1, 3, 3, 3), 9.0) * (np.arange(27).reshape(3, 3, 3) > 0)), xi_upper=0.0)
    assert describe(surface).as_dict()['stopped_early']


def test_lattices_of_points_are_nested_and_sparse_ones_are_left_out_for_small_cells():
    crystal = CRYSTALS['no symmetry']
    plan = plan_scan(crystal, settings=ScanSettings(spacing=0.25))
    model = PairModel(crystal, [ion.ion for ion in plan.ions])
    states = [AdaptiveIon(plan, number, model) for number in range(len(plan.ions))]
    chosen = [set(states[0].points_of(modulus)) for modulus in (208, 104, 52, 26)]
    assert all(one <= other for one, other in itertools.pairwise(chosen))
    for modulus, points in zip((208, 104, 52, 26), chosen):
        assert len(points) == pytest.approx(len(states[0].points) / modulus, abs=8 + 0.4 * len(states[0].points) / 40)
    assert early.lattices(states)[0] == 208
    coarse = plan_scan(crystal, settings=ScanSettings(spacing=0.8))
    assert early.lattices([AdaptiveIon(coarse, 0, PairModel(crystal, [0]))]) == []


def test_no_verdict_without_tests_of_the_predictions():
    crystal = wurtzite('Li', 'I', 4.514, 7.311, 0.375)
    plan = plan_scan(crystal, settings=EARLY)
    state = AdaptiveIon(plan, 0, PairModel(crystal, [plan.ions[0].ion]))
    first = state.points_of(26)
    state.learn(first, ManyBody(crystal).energies(plan.ions[0].ion, state.fractional[first] @ state.lattice))
    state.interpolate()
    assert not early.are_tested([state])


@pytest.mark.parametrize('others', ['removed', 'interstitial'])
def test_other_pictures_of_the_ion_have_bounds_too(others):
    chosen = ScanSettings(others=others, spacing=0.3)
    structure = plan_scan(CRYSTAL, settings=chosen).structure
    full = describe(scan(CRYSTAL, Stiff(structure), settings=chosen))
    found = describe(scan(CRYSTAL, Stiff(structure), settings=replace(chosen, stop_below=0.25)))
    assert full.xi <= found.xi_upper
    assert found.xi_upper == found.xi or found.xi_upper < 0.25
