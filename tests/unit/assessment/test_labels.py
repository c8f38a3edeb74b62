"""Labels: from a table to weights; every excluded row is reported."""

import csv
import json

import numpy as np
import pytest
from scipy import constants
from scipy.stats import norm

from aiida_pesfp.assessment.classes import class_weights, classify
from aiida_pesfp.assessment.labels import read_table
from aiida_pesfp.assessment.matching import match
from aiida_pesfp.errors import AssessmentError, LabelError
from aiida_pesfp.settings.assessment import ClassSettings, TableFormat
from aiida_pesfp.transport.conductivity import nernst_einstein
from tests.helpers.crystals import antifluorite, rock_salt, wurtzite

COLUMNS = {'id': 'id', 'conductivity': 'sigma', 'error': 'error', 'temperature': 'T'}
SETTINGS = ClassSettings(good=1e-3, bad=1e-4)


@pytest.fixture
def table(tmp_path):
    """Writes and reads a table with the columns id, sigma, error, T and whatever else the rows have."""

    def make(rows, columns=COLUMNS, unit='S/cm', **options):
        path = tmp_path / 'labels.csv'
        names = list(dict.fromkeys(name for row in rows for name in row))
        with open(path, 'w', newline='') as stream:
            writer = csv.DictWriter(stream, names)
            writer.writeheader()
            writer.writerows(rows)
        return read_table(path, TableFormat(columns, unit, **options))

    return make


def row(name, sigma, error='', temperature=300, **more):
    return {'id': name, 'sigma': sigma, 'error': error, 'T': temperature} | more


def classified(found, settings=SETTINGS, densities=None):
    groups = {}
    for entry in found.measurements:
        groups.setdefault(entry.id, []).append((entry, (densities or {}).get(entry.id)))
    return classify(groups, settings)


class TestReading:
    def test_units(self, table):
        for unit, factor in (('mS/cm', 1e-3), ('S/m', 1e-2), ('uS/cm', 1e-6)):
            found = table([row('a', 2, 0.5)], unit=unit).measurements[0]
            assert (found.value, found.error) == (pytest.approx(2 * factor), pytest.approx(0.5 * factor))

    def test_diffusion_becomes_conductivity_by_the_density_of_the_own_structure(self, table):
        structure = rock_salt('Li', 'Cl', 5.13)
        rows = [{'id': 'a', 'D': 1e-5, 'e': 2e-6, 'structure': json.dumps(structure.as_dict())}]
        columns = {'id': 'id', 'diffusion': 'D', 'error': 'e', 'structure': 'structure'}
        found = table(rows, columns, 'cm2/s', temperature=1000.0)
        density = 1 / structure.volume * 1e24
        # By hand: n e^2 D / (k T) in SI, over 100 for S/cm.
        expected = density * 1e6 * constants.e**2 * 1e-9 / (constants.k * 1000) / 100
        value, error = found.measurements[0].conductivity()
        assert value == pytest.approx(expected)
        assert error == pytest.approx(expected / 5)
        assert value == pytest.approx(nernst_einstein(1e-5, found.measurements[0].carrier_density, 1, 1000))
        assert list(found.structures) == [2]

    def test_diffusion_in_other_units(self, table):
        columns = {'id': 'id', 'diffusion': 'D', 'temperature': 'T'}
        rows = [{'id': 'a', 'D': 1e-6, 'T': 300}]
        assert table(rows, columns, 'A2/ps').measurements[0].value == pytest.approx(1e-10)
        assert table(rows, columns, 'm2/s').measurements[0].value == pytest.approx(1e-2)

    def test_rows_that_cannot_be_used_are_listed_and_do_not_affect_others(self, table):
        rows = [
            row('good', 1e-3),
            row('words', 'high'),
            row('empty', ''),
            row('infinite', 'inf'),
            row('negative error', 1, -1),
            row('cold', 1, 1, 0),
            row('', 1),
            row('good', 1e-3),
            row('odd', 1, composition='Xx7'),
            row('broken', 1, structure='{'),
        ]
        columns = COLUMNS | {'composition': 'composition', 'structure': 'structure'}
        found = table(rows, columns, temperature_unit='K')
        assert [entry.id for entry in found.measurements] == ['good']
        reasons = {entry['row']: entry['reason'] for entry in found.excluded}
        assert len(reasons) + len(found.measurements) == len(rows)
        for number, words in {
            3: "conductivity 'high' is not a number",
            4: 'it has no conductivity',
            5: "'inf' is not a number",
            6: 'its error of -1 is negative',
            7: 'is 0 K, not between',
            8: 'does not identify a material',
            9: 'the same as row 2',
            10: "composition 'Xx7' is not a formula",
            11: "structure '{' is not a structure in pymatgen's JSON",
        }.items():
            assert words in reasons[number]

    @pytest.mark.parametrize(
        ('change', 'words'),
        [
            ({'unit': 'furlong'}, "unknown unit 'furlong' of a conductivity: known are S/cm"),
            ({'unit': 'cm2/s'}, "unknown unit 'cm2/s' of a conductivity"),
            ({'columns': {'id': 'id'}}, 'exactly one column must be named as conductivity or diffusion'),
            ({'columns': {'conductivity': 'sigma', 'temperature': 'T'}}, 'no column identifies the material'),
            ({'columns': COLUMNS | {'colour': 'x'}}, "unknown role 'colour'"),
            ({'columns': COLUMNS | {'series': 'who'}}, "no column 'who': it has id, sigma, error, T"),
            ({'temperature': 300.0}, 'give the temperature once'),
            ({'species': 'Qq'}, "'Qq' is not the symbol"),
        ],
    )
    def test_a_wrong_description_is_refused(self, table, change, words):
        with pytest.raises(LabelError, match=words):
            table([row('a', 1)], **change)

    def test_a_table_without_a_usable_row_is_refused(self, table):
        with pytest.raises(LabelError, match='no row of labels.csv can be used, the first because'):
            table([row('a', 'x')])

    def test_a_key_nobody_knows_is_refused(self):
        with pytest.raises(AssessmentError, match="unknown parameter 'kelvin'"):
            TableFormat.from_dict({'columns': COLUMNS, 'unit': 'S/cm', 'kelvin': 3})


class TestMatching:
    structures = {
        'mp_1': rock_salt('Li', 'Cl', 5.13),
        'mp_2': antifluorite('Li', 'O', 4.61),
        'mp_3': wurtzite('Li', 'I', 4.514, 7.311, 0.375),
        'mp_4': rock_salt('Li', 'I', 6.0),
    }

    def test_by_id_whatever_the_punctuation(self, table):
        found = table([row('mp-1', 1), row('MP-3', 2), row('mp-9', 3)])
        result = match(found, self.structures)
        assert result['rows'] == {2: 'mp_1', 3: 'mp_3'}
        assert [(entry['row'], entry['id']) for entry in result['unmatched']] == [(4, 'mp-9')]
        assert 'no structure of the same id among the 4 given' in result['unmatched'][0]['reason']
        assert result['unlabelled'] == ['mp_2', 'mp_4']

    def test_by_id_whatever_case_blanks_and_ending(self, table):
        structures = {'Li3N_a': self.structures['mp_1'], 'u2': self.structures['mp_2']}
        rows = [row('li3n  A.cif', 1), row(' Li\u2083N-a ', 2), row('LI2O', 3), row('***', 4)]
        result = match(table(rows), structures, {'u2': [' li2o ']})
        assert result['rows'] == {2: 'Li3N_a', 3: 'Li3N_a', 4: 'u2'}
        assert [entry['id'] for entry in result['unmatched']] == ['***']

    def test_the_same_name_goes_before_a_similar_one(self, table):
        structures = {'a_b': self.structures['mp_1'], 'A_B': self.structures['mp_2']}
        result = match(table([row('a_b', 1), row('A_B', 2), row('a-b', 3)]), structures)
        assert result['rows'] == {2: 'a_b', 3: 'A_B'}
        assert result['unmatched'][0]['reason'] == 'several structures fit: a_b, A_B'

    def test_by_another_name(self, table):
        found = table([row('icsd-77', 1)])
        assert match(found, self.structures, {'mp_2': ['icsd-77']})['rows'] == {2: 'mp_2'}

    def test_by_composition_and_space_group(self, table):
        columns = COLUMNS | {'composition': 'composition', 'space_group': 'group'}
        rows = [
            row('a', 1, composition='Li4 I4', group=225),
            row('b', 1, composition='Li2I2', group=186),
            row('c', 1, composition='LiI', group=''),
            row('d', 1, composition='LiI', group=1),
        ]
        result = match(table(rows, columns), self.structures, methods=('id', 'composition'))
        assert result['rows'] == {2: 'mp_4', 3: 'mp_3'}
        reasons = {entry['id']: entry['reason'] for entry in result['unmatched']}
        assert reasons['c'] == 'several structures fit: mp_3, mp_4'
        assert 'no structure of the same id or composition' in reasons['d']

    def test_by_structure_in_another_setting(self, table):
        other = rock_salt('Li', 'I', 6.1)
        other.make_supercell([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
        columns = COLUMNS | {'structure': 'structure'}
        found = table([row('x', 1, structure=json.dumps(other.as_dict()))], columns)
        result = match(found, self.structures, methods=('structure',))
        assert result['rows'] == {2: 'mp_4'}

    @pytest.mark.parametrize('columns', [COLUMNS, COLUMNS | {'composition': 'formula', 'space_group': 'sg'}])
    def test_a_row_of_another_crystal_is_not_matched(self, table, columns):
        """Whether it is said what the columns mean or not."""
        rows = [row('mp-1', 1, formula='Li2O', sg=''), row('mp-3', 2, formula='Li4I4', sg='P6_3mc')]
        rows += [row('x/mp_4.cif', 3, formula='LiI', sg=186), row('mp-1', 4, formula='LiCl', sg='')]
        result = match(table(rows, columns), self.structures)
        assert result['rows'] == {3: 'mp_3', 4: 'mp_4', 5: 'mp_1'}
        (entry,) = result['unmatched']
        assert 'it is not mp_1: the file says Li2O1, its sites give Li1Cl1' in entry['reason']
        (doubt,) = result['doubts']
        assert (doubt['row'], doubt['id']) == (4, 'x/mp_4.cif')
        assert 'the space group is number 186, its sites have number 225' in doubt['reason']

    def test_a_row_that_contradicts_its_own_structure_is_excluded(self, table):
        own = json.dumps(self.structures['mp_1'].as_dict())
        rows = [row('a', 1, structure=own, formula='Li2O'), row('b', 2, structure=own, formula='LiCl')]
        found = table(rows, COLUMNS | {'structure': 'structure'})
        assert [entry.id for entry in found.measurements] == ['b']
        assert 'the file says Li2O1, its sites give Li1Cl1' in found.excluded[0]['reason']

    def test_an_unknown_way_is_refused(self, table):
        with pytest.raises(LabelError, match="unknown method 'colour'"):
            match(table([row('a', 1)]), self.structures, methods=('colour',))


class TestClasses:
    def test_weights_are_gaussian_integrals(self, table):
        materials, excluded = classified(table([row('a', 1.5e-3, 5e-4), row('b', 2e-4, 1e-4)]))
        assert not excluded
        assert materials['a'].good_weight == pytest.approx(norm.cdf(1))
        assert materials['b'].bad_weight == pytest.approx(norm.cdf(-1))
        good, bad = class_weights([1e-2, 1e-5, 1e-3], 0.0, SETTINGS)
        assert good.tolist() == [1, 0, 0.5]
        assert bad.tolist() == [0, 1, 0]

    def test_without_an_error_it_is_relative(self, table):
        found = table([row('a', 2e-3)])
        assert classified(found)[0]['a'].good_weight == pytest.approx(norm.cdf(0.5))
        narrow = ClassSettings(1e-3, 1e-4, relative_error=0.1)
        assert classified(found, narrow)[0]['a'].good_weight == pytest.approx(norm.cdf(5))
        assert classified(found)[0]['a'].values[0].assumed_error

    def test_several_measurements_are_kept_apart(self, table):
        """One far above, one far below: good and bad by half each, not intermediate."""
        materials, _ = classified(table([row('a', 1e-1, 1e-3), row('a', 1e-6, 1e-7)]))
        assert (materials['a'].good_weight, materials['a'].bad_weight) == (0.5, 0.5)
        assert [value.rows for value in materials['a'].values] == [[2], [3]]

    def test_several_temperatures_are_extrapolated(self, table):
        def sigma(temperature):
            return 300 / temperature * 2e-3 * np.exp(-0.3 / 8.617333e-5 * (1 / temperature - 1 / 300))

        rows = [row('a', sigma(t), 0.05 * sigma(t), t) for t in (500, 700, 1000)]
        materials, _ = classified(table(rows))
        value = materials['a'].values[0]
        assert value.conductivity == pytest.approx(2e-3, rel=1e-4)
        assert value.extrapolated
        assert value.rows == [2, 3, 4]
        # A direct measurement, at a temperature that is close enough, is preferred.
        value = classified(table([*rows, row('a', 7e-3, 1e-3, 298)]))[0]['a'].values[0]
        assert (value.conductivity, value.extrapolated) == (7e-3, False)

    def test_series_are_extrapolated_each_by_itself(self, table):
        rows = [row('a', s * t, 0.1 * s * t, t, who=who) for who, s in (('x', 1e-4), ('y', 1e-3)) for t in (500, 1000)]
        materials, _ = classified(table(rows, COLUMNS | {'series': 'who'}))
        assert [value.rows for value in materials['a'].values] == [[2, 3], [4, 5]]

    def test_one_temperature_is_not_extrapolated(self, table):
        materials, excluded = classified(table([row('a', 1, 0.1, 1000), row('b', 1e-3, 1e-4)]))
        assert list(materials) == ['b']
        assert excluded[0]['id'] == 'a'
        assert excluded[0]['rows'] == [2]
        assert '1000 K is the only temperature' in excluded[0]['reason']

    def test_good_at_another_temperature_than_bad(self, table):
        rows = [row('a', 10.0, 0.1, 1000), row('a', 1.0, 0.1, 500), row('b', 1e-6, 1e-7, 1000)]
        settings = ClassSettings(1e-9, 1e-4, temperature=1000, good_temperature=300)
        materials, excluded = classified(table(rows), settings)
        assert materials['a'].good_weight == pytest.approx(1, abs=1e-3)
        assert (materials['b'].good_weight, materials['b'].bad_weight) == (0, 1)
        assert 'no conductivity at 300 K' in excluded[0]['reason']

    @pytest.mark.parametrize('sigma', [0, -1e-5])
    def test_what_is_not_positive(self, table, sigma):
        """With its own error it stays as it is; without, it needs the floor, and says so."""
        materials, _ = classified(table([row('a', sigma, 1e-5)]))
        assert materials['a'].bad_weight == pytest.approx(norm.cdf((1e-4 - sigma) / 1e-5))
        assert not materials['a'].values[0].clipped
        materials, excluded = classified(table([row('a', sigma)]))
        assert not materials
        assert 'set a floor' in excluded[0]['reason']
        value = classified(table([row('a', sigma)]), ClassSettings(1e-3, 1e-4, floor=1e-10))[0]['a'].values[0]
        assert (value.conductivity, value.error, value.clipped) == (1e-10, 1e-10, True)

    @pytest.mark.parametrize(
        ('values', 'words'),
        [
            ({'good': 1e-5, 'bad': 1e-4}, 'is below bad'),
            ({'good': 1e-3, 'bad': 0}, 'bad = 0: Input should be greater than 0'),
            ({'good': 1e-3, 'bad': 1e-4, 'floor': 0}, 'floor = 0: Input should be greater than 0'),
            ({'good': 1e-3, 'bad': 1e-4, 'temperature': -1}, 'temperature = -1: Input should be greater than'),
            ({'good': 1e-3}, "need 'bad'"),
        ],
    )
    def test_wrong_classes_are_refused(self, values, words):
        with pytest.raises(AssessmentError, match=words):
            ClassSettings.from_dict(values)


def test_all_labels_equal_make_no_two_classes(table):
    from aiida_pesfp.assessment.scores import score

    materials, _ = classified(table([row(name, 1e-2, 1e-4) for name in 'abcd']))
    weights = np.array([(m.good_weight, m.bad_weight) for m in materials.values()]).T
    with pytest.raises(AssessmentError, match='0 of 4 materials are bad conductors'):
        score(np.arange(4.0), *weights)


def test_a_table_with_structures_is_read_whole(table):
    """Coefficients of diffusion at one temperature beside the structures, one of them missing."""
    crystals = [rock_salt('Li', 'Cl', 5.13), antifluorite('Li', 'S', 5.71), wurtzite('Li', 'I', 4.51, 7.31, 0.375)]
    rows = [
        {'n': index, 'structure': json.dumps(crystal.as_dict()), 'D': '' if index == 1 else 1e-6, 'e': 1e-7}
        for index, crystal in enumerate(crystals)
    ]
    columns = {'id': 'n', 'structure': 'structure', 'diffusion': 'D', 'error': 'e'}
    found = table(rows, columns, 'cm2/s', temperature=1000.0)
    assert [entry.id for entry in found.measurements] == ['0', '2']
    assert len(found.excluded) == 1
    assert len(found.structures) == 2


def test_published_table_is_read_whole(shared):
    form = TableFormat(
        {
            'id': 'stru_id',
            'structure': 'structure',
            'diffusion': 'diffusion_mean_cm2_s',
            'error': 'diffusion_sem_cm2_s',
        },
        'cm2/s',
        temperature=1000.0,
    )
    found = read_table(shared / 'labels' / 'kahle2020.csv', form)
    assert len(found.measurements) + len(found.excluded) == 116
    assert len(found.measurements) >= 114
    assert len(found.structures) == len(found.measurements)
