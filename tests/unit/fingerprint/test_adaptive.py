"""The adaptive scan against the full one, with a many-body potential that its own model cannot represent."""

import numpy as np
import pytest

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.interpolation import Kriging, PairModel
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.fingerprint.scan import drain, evaluate, scan
from aiida_pesfp.settings.scan import ScanSettings
from tests.helpers.synthetic import CRYSTALS, ManyBody


@pytest.mark.parametrize('name', CRYSTALS)
def test_a_quarter_of_the_points_gives_xi_and_mpe(name):
    crystal = CRYSTALS[name]
    full = scan(crystal, ManyBody(crystal))
    evaluator = ManyBody(crystal)
    few = scan(crystal, evaluator, settings=ScanSettings(adaptive=True))
    assert few.evaluations == evaluator.evaluations <= 0.25 * full.evaluations
    expected, found = describe(full), describe(few)
    assert found.xi == pytest.approx(expected.xi, abs=0.005)
    assert found.mpe == pytest.approx(expected.mpe, abs=0.010)
    assert found.fv_connected == pytest.approx(expected.fv_connected, rel=0.02)
    np.testing.assert_allclose(few.reference_energies, full.reference_energies, atol=1e-9)


def test_an_interrupted_adaptive_scan_goes_on_and_gives_the_same_surface():
    crystal = CRYSTALS['wurtzite']
    plan = plan_scan(crystal, settings=ScanSettings(adaptive=True))
    pieces = []
    expected = drain(evaluate(plan, ManyBody(crystal)), pieces.append)
    energies = np.concatenate(pieces)
    for finished in (0, 64, 150, 333, len(energies)):
        rest = []
        surfaces = drain(evaluate(plan, ManyBody(crystal), energies[:finished]), rest.append)
        np.testing.assert_array_equal(np.concatenate([energies[:finished], *rest]), energies)
        for one, other in zip(surfaces, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_small_surfaces_are_evaluated_whole():
    crystal = CRYSTALS['wurtzite']
    coarse = {'spacing': 0.6}
    full = scan(crystal, ManyBody(crystal), settings=ScanSettings(**coarse))
    few = scan(crystal, ManyBody(crystal), settings=ScanSettings(**coarse, adaptive=True))
    np.testing.assert_array_equal(few.energies, full.energies)


def test_the_pair_model_is_exact_for_what_it_can_represent_and_knows_how_well():
    crystal = CRYSTALS['no symmetry']
    random = np.random.default_rng(0)
    model = PairModel(crystal, [0, 3])
    places = [random.random((400, 3)) @ crystal.lattice.matrix for _ in range(2)]
    features = [model.features(number, where) for number, where in enumerate(places)]
    weights = 0.02 * random.normal(size=features[0].shape[1])
    energies = [values @ weights for values in features]
    lowest = min(values.min() for values in energies)
    for number, values in enumerate(energies):
        model.learn(number, features[number][:100], values[:100] - lowest)
    for known, values in zip(features, energies):
        found, variances = model(known[100:])
        error = found - values[100:] + lowest
        assert np.sqrt(np.mean(error**2)) < 0.1 * values.std()
        assert np.mean(np.abs(error) < 3 * np.sqrt(variances)) > 0.98


def test_pair_terms_are_learnt_from_all_ions():
    crystal = CRYSTALS['no symmetry']
    model = PairModel(crystal, [0, 3])
    places = np.random.default_rng(1).random((300, 3)) @ crystal.lattice.matrix
    features = [model.features(number, places) for number in (0, 1)]
    energies = [ManyBody(crystal).energies(ion, places) for ion in (0, 3)]
    low = [values < values.min() + 2 for values in energies]
    above = [values - values.min() for values in energies]
    model.learn(0, features[0][low[0]][:20], above[0][low[0]][:20])
    alone = model(features[0][low[0]][20:])[1].mean()
    model.learn(1, features[1][low[1]], above[1][low[1]])
    assert model(features[0][low[0]][20:])[1].mean() < 0.8 * alone


def test_kriging_passes_through_what_is_known_and_is_periodic():
    lattice = np.array(CRYSTALS['no symmetry'].lattice.matrix)
    places = np.random.default_rng(0).random((300, 3))
    wave = 0.1 * (np.cos(2 * np.pi * places[:, 0]) + np.sin(2 * np.pi * places @ [0, 1, 1]))
    kriging = Kriging(lattice, places, wave, np.zeros(300))
    values, variances = kriging(places)
    np.testing.assert_allclose(values, wave, atol=0.03)
    assert np.sqrt(variances).max() < 0.03
    np.testing.assert_allclose(kriging(places + np.array([3, -2, 1]))[0], values, atol=1e-9)
    between = np.random.default_rng(1).random((100, 3))
    expected = 0.1 * (np.cos(2 * np.pi * between[:, 0]) + np.sin(2 * np.pi * between @ [0, 1, 1]))
    values, variances = kriging(between)
    assert np.abs(values - expected).mean() < 0.01
    assert np.mean(np.abs(values - expected) < 3 * np.sqrt(variances)) > 0.95


def test_kriging_knows_nothing_where_all_is_high():
    values, variances = Kriging(np.eye(3) * 5, np.zeros((1, 3)), np.array([1.0]), np.array([50.0]))(np.zeros((2, 3)))
    assert (values == 0).all()
    assert (variances > 0).all()
