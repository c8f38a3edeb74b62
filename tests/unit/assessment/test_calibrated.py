"""Which cuts of Xi belong to a potential, what ranks without any, and the files that come with the package."""

import hashlib
import json

import pytest

from aiida_pesfp.assessment import calibrated
from aiida_pesfp.assessment.calibrated import BY_VOLUMES, FOLDER, Calibration, Calibrations, shipped
from aiida_pesfp.assessment.calibration import FEW
from aiida_pesfp.fingerprint.quantities import is_promising, rank_key, shown_in
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.scan import FingerprintSettings
from tests.helpers import SHARED
from tests.helpers.materials import random_descriptors

PAPER = 'm3gnet-mp-2021.2.8'
FILES = sorted(FOLDER.glob('*.json'))
MADE_FOR = FingerprintSettings().origin('a' * 64, 'mine')
CUTS = XiParameters(connected_cut=-2.5, disconnected_cut=-1.8)


def calibration(name='mine', parameters=CUTS, **changes):
    content = {'kind': 'xi', 'parameters': parameters.as_dict(), 'cell': 'primitive', 'others': 'fixed'}
    return Calibration(name, content | {name: MADE_FOR[name] for name in ('species', 'potential_sha256')} | changes)


def scanned(values=None, **changes):
    """Attributes of descriptors that the calibration was made for, unless changed."""
    return MADE_FOR | (values or random_descriptors(1)[0]) | {'xi_upper': None} | changes


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
class TestShippedFiles:
    """Each says what it was made from, and how far it can be trusted."""

    def test_it_is_complete(self, path):
        content = json.loads(path.read_text())
        assert content['kind'] == 'xi'
        assert XiParameters.from_dict(content['parameters']).as_dict() == content['parameters']
        assert content['species'] == 'Li'
        assert content['potential_name'] == path.stem
        assert len(bytes.fromhex(content['potential_sha256'])) == 32
        told = content['provenance']
        assert told['command'].startswith('python benchmarks/assess.py ')
        assert set(told) == {'date', 'version', 'command', 'scans', 'sets'}
        assert told['scans'].keys() == {'spacing', 'minimum_distance', 'grid', 'adaptive'}
        found = Calibration(path.stem, content).fitted
        assert found['sets'].keys() == {
            name for name, entry in told['sets'].items() if min(entry['good'], entry['bad']) > 1
        }
        assert found['corrected'] == pytest.approx(found['after'] - found['optimism'], abs=2e-4)
        assert found['errors'].keys() == found['intervals'].keys() == {'connected_cut', 'disconnected_cut'}

    def test_every_set_has_its_numbers_and_intervals(self, path):
        content = json.loads(path.read_text())
        found = Calibration(path.stem, content).fitted
        for name, entry in content['provenance']['sets'].items():
            assert 0 < entry['good'] + entry['bad'] <= entry['materials']
            for ranking in ('xi', 'xi_calibrated', BY_VOLUMES, 'random'):
                one = entry['scores'][ranking]
                assert 0 <= one['lower'] <= one['upper'] <= 1
            if entry['good'] < FEW:
                assert any(doubt.startswith(f'{name} has {entry["good"]} good conductors') for doubt in found['doubts'])

    def test_its_tables_are_those_that_are_there(self, path):
        for entry in json.loads(path.read_text())['provenance']['sets'].values():
            table = SHARED / entry['table']
            if not table.exists():
                pytest.skip('needs the reference data')
            assert hashlib.sha256(table.read_bytes()).hexdigest() == entry['sha256']

    def test_no_path_of_a_machine_is_in_it(self, path):
        text = path.read_text()
        assert not [word for word in ('/home', '/work', '/tmp', '/root', 'http') if word in text]

    def test_the_softening_comes_with_its_hops(self, path):
        if (found := json.loads(path.read_text()).get('softening')) is not None:
            assert 0 < found['slope'] < 2
            assert found['error'] > 0
            assert found['hops'] > 2
            assert found['command'].startswith('python benchmarks/barriers.py ')


def test_each_potential_and_ion_has_one_file():
    made_for = [(one.content['potential_sha256'], one.content['species']) for one in shipped()]
    assert len(set(made_for)) == len(made_for) == len(FILES)
    assert {PAPER, 'sevennet-0', 'chgnet-0.3.0'} <= {one.name for one in shipped()}


class TestThePapersPotential:
    """Nothing is another one for it than without calibrations."""

    @pytest.fixture
    def own(self):
        return next(one for one in shipped() if one.name == PAPER)

    def test_its_cuts_are_the_published_ones(self, own):
        assert own.parameters == XiParameters()

    def test_its_ranking_is_that_of_xi(self, own):
        rows = []
        for values in random_descriptors(50):
            values |= {'potential_sha256': own.content['potential_sha256'], 'species': 'Li', 'xi_upper': None}
            values['xi'] = own.value(values)
            rows.append(values | Calibrations().rank_values(values))
        assert [row['xi_calibrated'] for row in rows] == [row['xi'] for row in rows]
        assert sorted(rows, key=rank_key) == sorted(rows, key=lambda row: -row['xi'])
        assert 'xi_calibrated' not in [one.name for one in shown_in(rows)]
        assert {row['ranked_by'] for row in rows} == {f'Xi, {PAPER}'}

    def test_any_cell_of_lithium_is_ranked_so(self, own):
        sha256 = own.content['potential_sha256']
        for settings in ({'cell': 'size_consistent'}, {'cell': 'as_given', 'spacing': 0.5}, {'others': 'removed'}):
            assert Calibrations().of(FingerprintSettings.from_dict(settings).origin(sha256)) == own
        assert Calibrations().of(FingerprintSettings(species='Na').origin(sha256)) is None


class TestLookUp:
    def test_by_content_never_by_name(self, monkeypatch):
        monkeypatch.setattr(calibrated, 'shipped', lambda: (calibration(),))
        assert Calibrations().of(scanned(potential_name='another name')).name == 'mine'
        assert Calibrations().of(scanned(potential_sha256='b' * 64, potential_name='mine')) is None

    @pytest.mark.parametrize(
        ('change', 'fits'),
        [
            ({'spacing': 0.5}, True),
            ({'grid': 'symmetric'}, True),
            ({'species': 'Na'}, False),
            ({'cell': 'size_consistent', 'cell_size': 6.5}, False),
            ({'cell': 'as_given'}, False),
            ({'others': 'removed'}, False),
            ({'settings': {'neighbours': '6', 'smearing': [0.0]}}, False),
        ],
    )
    def test_only_for_what_it_was_made_for(self, monkeypatch, change, fits):
        settings = {'neighbours': 'sqrt3', 'smearing': [-0.04, -0.02, 0.0, 0.02, 0.04]}
        monkeypatch.setattr(calibrated, 'shipped', lambda: (calibration(settings=settings),))
        assert (Calibrations().of(scanned(**change)) is not None) == fits

    def test_ones_own_come_before_those_shipped(self, monkeypatch):
        monkeypatch.setattr(calibrated, 'shipped', lambda: (calibration(),))
        other = calibration('xi-mine<7>', XiParameters(connected_cut=-1.0))
        assert Calibrations((other,)).rank_values(scanned())['ranked_by'] == 'Xi, xi-mine<7>'
        of_others = calibration('xi-others<8>', potential_sha256='b' * 64)
        assert Calibrations((of_others,)).rank_values(scanned())['ranked_by'] == 'Xi, mine'

    def test_a_spectrum_without_the_threshold_has_no_value(self):
        one = calibration(parameters=XiParameters(threshold=0.45))
        assert Calibrations((one,)).rank_values(scanned()) == {'xi_calibrated': None, 'ranked_by': BY_VOLUMES}


class TestRankings:
    ROWS = [
        {'xi': 0.2, 'fv_connected': 0.02, 'fv_disconnected': 0.1, 'mpe': 0.5},
        {'xi': 0.9, 'fv_connected': 0.01, 'fv_disconnected': 0.05, 'mpe': 0.2},
        {'xi': 0.1, 'fv_connected': 0.001, 'fv_disconnected': 0.01, 'mpe': 0.1},
    ]

    def test_a_calibration_orders_otherwise_than_xi(self):
        rows = [row | {'xi_calibrated': value} for row, value in zip(self.ROWS, (0.3, 0.1, 0.7))]
        assert [row['xi'] for row in sorted(rows, key=rank_key)] == [0.1, 0.2, 0.9]

    def test_without_a_calibration_the_product_of_the_free_volumes_ranks(self):
        assert [row['xi'] for row in sorted(self.ROWS, key=rank_key)] == [0.2, 0.9, 0.1]

    def test_that_is_the_order_of_xi_whose_cuts_are_beyond_all_volumes(self):
        far = calibration(parameters=XiParameters(connected_cut=0.0, disconnected_cut=0.0, slope=1.5))
        rows = random_descriptors(200)
        for row in rows:  # far below both cuts, where a sigmoid is a power
            for name in ('connected', 'disconnected'):
                row['spectrum'][name] = [1e-12 * value for value in row['spectrum'][name]]
                row[f'fv_{name}'] = row['spectrum'][name][1]
        by_volumes = sorted(rows, key=rank_key)
        assert by_volumes == sorted(rows, key=lambda row: -far.value(row))

    def test_several_potentials_stand_in_one_ranking(self):
        rows = [row | {'xi_calibrated': value} for row, value in zip(self.ROWS, (None, 0.1, 0.2))]
        assert [row['xi'] for row in sorted(rows, key=rank_key)] == [0.1, 0.9, 0.2]

    def test_estimates_are_below_all_others(self):
        stopped = self.ROWS[1] | {'xi_calibrated': 0.99, 'xi_upper': 0.95}
        rows = [stopped, self.ROWS[2] | {'xi_calibrated': 0.01, 'xi_upper': 0.1}, self.ROWS[0] | {'xi_upper': None}]
        assert sorted(rows, key=rank_key)[-1] is stopped

    @pytest.mark.parametrize(('value', 'promising'), [(0.26, True), (0.25, False), (None, True)])
    def test_candidates(self, value, promising):
        assert is_promising({'xi': 0.9 if not promising else 0.0, 'xi_calibrated': value}) == promising

    def test_the_column_is_shown_where_it_is_not_xi_itself(self):
        def names(*values):
            return [one.name for one in shown_in(row | {'xi_calibrated': one} for row, one in zip(self.ROWS, values))]

        assert names(0.2, 0.8, 0.1)[:2] == ['xi', 'xi_calibrated']
        assert 'xi_calibrated' not in names(0.2, 0.9 + 1e-12, 0.1) + names(None, None, None)


class TestWords:
    def test_the_calibration_and_the_softening_are_told(self):
        softening = {'slope': 0.81, 'error': 0.1, 'hops': 31}
        found = {'errors': {'connected_cut': 0.14, 'disconnected_cut': 0.31}}
        told, warnings = Calibrations((calibration(calibration=found, softening=softening),)).explain([scanned()] * 2)
        (sentence,) = told
        assert sentence.startswith('mine, Li: ranked by Xi with the cuts mine (connected -2.50 +- 0.14, disconnected ')
        assert 'relaxed barriers are 0.81 +- 0.10 of those by DFT (31 hops), not applied here' in sentence
        assert warnings == []

    def test_no_calibration_is_a_warning_that_names_the_command(self):
        (warning,) = Calibrations().explain([scanned(), scanned()])[1]
        assert warning == (
            'mine, Li: ranked by free volumes, connected times disconnected: no cuts of Xi are known for this '
            'potential and ion: find them with `aiida-pesfp calibrate`'
        )

    def test_another_cell_is_the_reason(self):
        (warning,) = Calibrations((calibration(),)).explain([scanned(cell='as_given')])[1]
        assert 'the cuts mine and the scans differ in the cell of the scan: primitive and as_given' in warning
        assert '`aiida-pesfp calibrate`' in warning

    def test_scans_that_other_cuts_stopped_are_told(self):
        known = Calibrations((calibration(),))
        stopped = {'xi': 0.1, 'xi_upper': 0.2}
        (warning,) = known.explain([scanned(), scanned(**stopped)])[1]
        assert '1 of 2 scans stopped early by other cuts of Xi than those that rank' in warning
        assert known.explain([scanned(**stopped, stop_xi=CUTS.as_dict())])[1] == []
        published = Calibrations((calibration(parameters=XiParameters()),))
        assert published.explain([scanned(**stopped)])[1] == []
