"""Tables of labels as laboratories keep them."""

import math

import pytest

from aiida_pesfp.assessment.classes import classify
from aiida_pesfp.assessment.labels import read_table
from aiida_pesfp.errors import AssessmentError, LabelError
from aiida_pesfp.settings.assessment import ClassSettings, TableFormat

COLUMNS = {'composition': 'material', 'temperature': 'T (°C)', 'conductivity': 'sigma'}
CLASSES = ClassSettings(good=1e-4, bad=1e-7)


@pytest.fixture
def read(tmp_path):
    """Writes a table and reads it: ``columns`` are the names of the columns, in the order of the file."""

    def make(content, unit='S/cm', encoding='utf-8', **options):
        path = tmp_path / 'lab.csv'
        path.write_bytes(content.encode(encoding))
        columns = options.pop('columns', None)
        if columns is None:
            columns = dict(zip(('composition', 'temperature', 'conductivity', 'error'), head(content)))
        return read_table(path, TableFormat(columns, unit, **options))

    return make


def head(content):
    return next(line for line in content.splitlines() if line.strip()).split(';')


def values(table):
    return [(entry.formula, round(entry.temperature, 2), entry.limit, entry.value) for entry in table.measurements]


def reasons(table):
    return {entry['row']: entry['reason'] for entry in table.excluded}


class TestTemperatures:
    @pytest.mark.parametrize('name', ['T (°C)', 'T_C', 'degC', 'temperature / °C'])
    def test_degrees_celsius_by_the_name_of_the_column(self, read, name):
        found = read(f'material;{name};sigma\nLi3P;20;1e-4\nLi3P;180 K;1e-9\nLi3P;-30;1e-6\nLi3P;-280;1\n')
        assert [round(entry.temperature, 9) for entry in found.measurements] == [293.15, 180.0, 243.15]
        assert reasons(found) == {5: "its temperature '-280' is -6.85 K, not between 150 and 5000 K (check its unit)"}
        assert found.notes == [f"temperatures of the column '{name}' are in C, by its name"]

    def test_a_mixed_column_without_a_unit_is_refused(self, read):
        content = 'material;T;sigma\nLi3P;300;1e-2\nLi3P;20;1e-4\n'
        with pytest.raises(LabelError, match=r"column 'T' has 20 without a unit: kelvin or degrees Celsius\? Give"):
            read(content)
        assert [round(entry.temperature) for entry in read(content, temperature_unit='C').measurements] == [573, 293]
        found = read(content, temperature_unit='K')
        assert [entry.temperature for entry in found.measurements] == [300]
        assert 'is 20 K, not between 150 and 5000 K (check its unit)' in reasons(found)[3]

    def test_units_in_every_cell_need_no_more(self, read):
        found = read('material;T;sigma\nLi3P;20 °C;1e-4\nLi2S;293.15 K;1e-5\n')
        assert {entry.temperature for entry in found.measurements} == {293.15}

    def test_kelvin_is_said(self, read):
        assert 'are taken as kelvin' in read('material;T;sigma\nLi3P;300;1e-4\n').notes[0]

    @pytest.mark.parametrize(
        ('name', 'options', 'words'),
        [
            ('T (K)', {'temperature_unit': 'C'}, "is in K, but 'C' is given"),
            ('T (°F)', {}, r"not understood from 'deg F\)' on: known are words for temperature and one of K, C"),
            ('1000/T (K-1)', {'temperature_unit': 'C'}, "is in K, but 'C' is given"),
            ('1000/T (K-1)', {}, "'300' is 3.33333 K, not between 150 and 5000 K"),
        ],
    )
    def test_what_contradicts_is_refused(self, read, name, options, words):
        with pytest.raises(LabelError, match=words):
            read(f'material;{name};sigma\nLi3P;300;1e-4\n', **options)

    @pytest.mark.parametrize('name', ['sigma_500K (S/cm)', 'sigma at 100 °C', 'D_1000K'])
    def test_the_temperature_in_a_name_is_that_of_the_rows(self, read, name):
        role, unit = ('diffusion', 'cm2/s') if name[0] == 'D' else ('conductivity', 'S/cm')
        columns = {'composition': 'material', role: name}
        with pytest.raises(LabelError, match=r'the first because the column .* is of .* K, not of 300 K'):
            read(f'material;{name}\nLi3P;1e-4\n', unit, columns=columns, temperature=300.0)
        columns['temperature'] = 'T (K)'
        found = read(f'material;T (K);{name}\nLi3P;500;1e-4\nLi2S;1000;1e-4\nLi3N;373;1e-4\n', unit, columns=columns)
        assert len(found.measurements) == 1
        assert all('of the rows' in reason or ' K, not of ' in reason for reason in reasons(found).values())

    def test_room_temperature(self, read):
        columns = {'composition': 'material', 'conductivity': 'sigma RT'}
        for kelvin in (293.15, 298.15, 300.0):
            assert read('material;sigma RT\nLi3P;1\n', columns=columns, temperature=kelvin).measurements
        with pytest.raises(LabelError, match='is of 297 K, not of 1000 K'):
            read('material;sigma RT\nLi3P;1\n', columns=columns, temperature=1000.0)

    def test_one_temperature_for_all_is_in_kelvin(self):
        form = {'columns': {'id': 'a', 'conductivity': 'b'}, 'unit': 'S/cm', 'temperature': 25.0}
        with pytest.raises(AssessmentError, match='temperature = 25.0: Input should be greater than or equal to 150'):
            TableFormat.from_dict(form)


class TestUnits:
    @pytest.mark.parametrize('unit', ['mS/cm', 'log10 mS/cm'])
    def test_the_name_of_the_column_and_the_unit_agree(self, read, unit):
        log = 'log10 ' if 'log10' in unit else ''
        found = read(f'material;T;{log}sigma (mS cm-1)\nLi3P;300;2\n', unit)
        assert found.measurements[0].value == pytest.approx(0.1 if log else 2e-3)

    @pytest.mark.parametrize(
        ('name', 'unit', 'words'),
        [
            ('sigma (mS/cm)', 'S/cm', "is in mS/cm, but 'S/cm' is given"),
            ('log sigma (S/cm)', 'S/cm', "is in log10 S/cm, but 'S/cm' is given"),
            ('ln sigma', 'log10 S/cm', 'is in ln S/cm, but'),
            ('resistivity (ohm cm)', 'S/cm', 'not understood from .resistivity'),
            ('sigma (10^-4 S/cm)', 'S/cm', 'not understood from .10'),
            ('sigma / 10-4 S cm-1', 'S/cm', 'not understood from ./ 10'),
            ('sigma x 10\u2074', 'S/cm', 'not understood from .x 10.4'),
            ('-log sigma', 'log10 S/cm', 'not understood from .-log'),
            ('log(sigma*T) (S/cm)', 'log10 S/cm', r'not understood from .\*T'),
            ('log(sigma*T)', 'S/cm', "is in log10 S/cm, but 'S/cm' is given"),
            ('sigma / 10^-4 S cm-1', 'S/cm', "is in 1e-4 S/cm, but 'S/cm' is given"),
        ],
    )
    def test_what_contradicts_is_refused(self, read, name, unit, words):
        with pytest.raises(LabelError, match=words):
            read(f'material;T;{name}\nLi3P;300;-3\n', unit)

    def test_an_error_may_be_large_beside_a_product(self, read):
        (found,) = read('material;T;sigma*T;error (S/cm)\nLi3P;400;0.4;1e-3\n').measurements
        assert found.error == pytest.approx(1e-3)

    @pytest.mark.parametrize(
        ('heads', 'unit', 'cells'),
        [
            ('T;sigma*T;error', 'S/cm', '400;0.4;0.04'),
            ('T;sigma*T (S K/cm);error (S/cm)', 'S/cm', '400;0.4;1e-4'),
            ('T;ln(sigma T / S K cm-1);error', 'ln S/cm', '400;-0.91629;0.1'),
            ('10^3/T;log10(\u03c3*T) (S K/cm);error', 'log10 S/cm', '2.5;-0.39794;0.0434294'),
            ('1/T (K-1);ln \u03c3;error', 'ln S/cm', '0.0025;-6.907755;10 %'),
            ('T;\u03c3/10⁻⁴ S cm⁻¹;error', '1e-4 S/cm', '400;10;1'),
        ],
    )
    def test_other_scales(self, read, heads, unit, cells):
        (found,) = read(f'material;{heads}\nLi3P;{cells}\n', unit).measurements
        assert (found.temperature, found.value, found.error) == pytest.approx((400, 1e-3, 1e-4), rel=1e-5)

    def test_logarithms_that_nobody_mentioned_are_refused(self, read):
        content = 'material;T;sigma\nLi3P;300;-3.1\nLi2S;300;-9\nLi3N;300;-2,5\n'
        with pytest.raises(
            LabelError,
            match="most numbers of the column 'sigma' cannot be right: '-3.1' is a logarithm among plain numbers",
        ):
            read(content)
        found = read(content, 'log10 S/cm')
        assert [math.log10(entry.value) for entry in found.measurements] == pytest.approx([-3.1, -9, -2.5])

    def test_logarithms_without_their_minus_are_refused(self, read):
        with pytest.raises(LabelError, match='most numbers .* 1258.93 S/cm, not between -0.1 and 10'):
            read('material;T;sigma\nLi3P;300;3.1\nLi2S;300;9\n', 'log10 S/cm')

    def test_a_line_of_units_below_the_header(self, read):
        found = read('material;T;sigma\n;°C;mS/cm\nLi3P;300;2\n', 'mS/cm')
        assert values(found) == [('Li3P', 573.15, None, 2e-3)]
        assert reasons(found) == {}
        with pytest.raises(LabelError, match="is in mS/cm, but 'S/cm' is given"):
            read('material;T;sigma\n;°C;mS/cm\nLi3P;300;2\n')

    @pytest.mark.parametrize(
        ('rows', 'words'),
        [
            (';K;10^-4 S/cm\n', "with '10\\^-4 S/cm' in its first row, is not understood"),
            (';;1e-4 S/cm\n', "with '1e-4 S/cm' in its first row, is not understood"),
            ('-;K;1\n', "with '1' in its first row, is not understood"),
            ('sample;temperature;conductivity\n;K;mS/cm\n', "has 'K' among its numbers: split the table"),
            ('Li2S;300;1\n;;S/m\n', "has 'S/m' among its numbers"),
            ('Li2S;300;1\nmaterial;T;sigma (mS/cm)\n', 'line 3 has the names of columns again, and others: split'),
            ('Li2S;300;1\nname;tau;sigma (mS/cm)\n', "has 'sigma \\(mS/cm\\)' among its numbers"),
        ],
    )
    def test_units_in_other_rows_are_refused(self, read, rows, words):
        with pytest.raises(LabelError, match=words):
            read(f'material;T;sigma\n{rows}Li3P;300;2\n')

    def test_the_same_head_again_is_a_row_without_numbers(self, read):
        found = read('material;T;sigma\nLi3P;300;2\nmaterial;T;sigma\nLi2S;300;1\n')
        assert [entry.formula for entry in found.measurements] == ['Li3P', 'Li2S']
        assert list(reasons(found)) == [3]

    def test_errors_of_logarithms_are_parts_of_the_value(self, read):
        found = read('material;T;log sigma;error\nLi3P;300;-3;0.1\nLi2S;300;<-9;\nLi3N;300;-4;5%\n', 'log10 S/cm')
        assert [entry.error for entry in found.measurements] == [pytest.approx(1e-3 * 0.1 * math.log(10)), None, 5e-6]
        assert [entry.limit for entry in found.measurements] == [None, '<', None]

    @pytest.mark.parametrize('text', ['-4.2', '-1', '20', '-0.5', '2 MS/cm', '3e4 mS/cm', '1e-3 +- 20'])
    def test_among_plain_numbers_stands_nothing_else(self, read, text):
        found = read(f'material;T (K);sigma\nLi3P;300;1e-4\nLi2S;300;{text}\nLi3N;300;1e-5\n')
        assert list(reasons(found)) == [3]
        assert [entry.value for entry in found.measurements] == [1e-4, 1e-5]

    def test_a_conductivity_among_logarithms_is_none(self, read):
        found = read('material;T;log sigma\nLi3P;300;-3\nLi2S;300;1e-3\nLi3N;300;0\n', 'log10 S/cm')
        assert [entry.value for entry in found.measurements] == pytest.approx([1e-3, 1.0])
        assert 'is hardly a logarithm' in reasons(found)[3]

    @pytest.mark.parametrize(
        ('name', 'words'),
        [
            ('error (mS/cm)', "is in mS/cm, but 'S/cm' is given"),
            ('error (%)', 'write relative errors as 20 %, each in its cell'),
            ('relative error', 'write relative errors as 20 %, each in its cell'),
            ('error (1e-4 S/cm)', 'not understood from .1e-4'),
        ],
    )
    def test_errors_are_in_the_unit_of_the_values(self, tmp_path, name, words):
        path = tmp_path / 'labels.csv'
        path.write_text(f'id;sigma;{name}\nLi3P;1e-3;20\n')
        columns = {'id': 'id', 'conductivity': 'sigma', 'error': name}
        with pytest.raises(LabelError, match=words):
            read_table(path, TableFormat(columns, 'S/cm', temperature=300.0))

    @pytest.mark.parametrize(
        ('name', 'unit', 'words'),
        [
            ('err (log10)', 'S/cm', 'is in log10 S/cm, but'),
            ('error of ln sigma', 'log10 S/cm', 'is in ln S/cm, but'),
            ('error (S/cm)', 'log10 S/cm', "is in S/cm, but 'log10"),
        ],
    )
    def test_errors_are_logarithms_as_the_values_are(self, read, name, unit, words):
        with pytest.raises(LabelError, match=words):
            read(f'material;T (K);log sigma;{name}\nLi3P;300;-3;0.1\n'.replace('log ' * ('10' not in unit), ''), unit)

    def test_an_error_larger_than_any_conductivity_is_in_per_cent(self, read):
        found = read('material;T (K);sigma;error\nLi3P;300;1e-4;20\nLi2S;300;1e-4;20 %\n')
        assert reasons(found) == {2: 'its error is 20 S/cm, not between -0.1 and 10 S/cm (check its unit)'}
        assert found.measurements[0].error == pytest.approx(2e-5)

    def test_a_cell_may_have_its_own(self, read):
        found = read('material;T;sigma;error\nLi3P;300;2 mS/cm;1 uS/cm\nLi2S;300;2e-3;25%\nLi3N;300;5 ohm;\n')
        assert [(entry.value, entry.error) for entry in found.measurements] == [(2e-3, 1e-6), (2e-3, 5e-4)]
        assert "'5 ohm' is not a number in a known unit" in reasons(found)[4]

    def test_an_error_and_its_value_have_one_unit(self, read):
        content = 'material;T (K);sigma;error\nLi3P;300;3 mS/cm;0.3\nLi2S;300;2 mS/cm;0.2 mS/cm\n'
        found = read(content)
        assert [entry.error for entry in found.measurements] == [pytest.approx(2e-4)]
        assert reasons(found) == {2: 'either value or error is in mS/cm: give the other one a unit too'}
        assert [entry.error for entry in read(content, 'mS/cm').measurements] == pytest.approx([3e-4, 2e-4])

    @pytest.mark.parametrize('text', ['<-10', '~-10', '≤ \u221210'])
    def test_the_first_row_may_be_a_limit(self, read, text):
        columns = {'composition': 'material', 'conductivity': 'log sigma'}
        found = read(f'material;log sigma\nLi3P;{text}\nLi2S;-4\n', 'log10 S/cm', columns=columns, temperature=300.0)
        assert [entry.value for entry in found.measurements] == pytest.approx([1e-10, 1e-4])

    def test_no_ion_conducts_like_a_metal(self, read):
        found = read('material;T;sigma\nLi3P;300;1e-4\nCu;300;596000\n')
        assert '596000 S/cm, not between -0.1 and 10 S/cm (check its unit)' in reasons(found)[3]


def test_numbers_as_people_write_them(read):
    content = (
        '\n# lab book\nmaterial;T (°C);sigma;error\n'
        'Li₃N;25;1,2(3)e-4;\n'
        'Li3P;25;(1,2 ± 0,3) \u00d7 10⁻⁴;\n'
        'Li2S;25;\u2264 1E\u201310;-\n'
        'Li2O;25;n.d.;\n'
        'LiCl;25;1,234;0,1\n'
        'LiBr;25;7 \u00d7 10^-3 to 8 \u00d7 10^-3;\n'
        'LiI;25;1,5e-3;-0,1\n'
        'LiF;25;1e-3;nan\n'
        ';25;1e-3;\n'
        '\n'
        'LiH;25;1e-3;1e-4;x\n'
        'LiF;25;1e-3;\n'
    )
    columns = {'composition': 'material', 'temperature': 'T (°C)', 'conductivity': 'sigma', 'error': 'error'}
    for encoding in ('utf-8-sig', 'utf-16'):
        found = read(content.replace('\n', '\r\n'), encoding=encoding, columns=columns)
        assert values(found) == [
            ('Li3N', 298.15, None, 1.2e-4),
            ('Li3P', 298.15, None, 1.2e-4),
            ('Li2S', 298.15, '<', 1e-10),
            ('LiCl', 298.15, None, 1.234),  # the other rows have decimal commas
            ('LiF', 298.15, None, 1e-3),
        ]
        assert [entry.error for entry in found.measurements] == [3e-5, 3e-5, None, 0.1, None]
        assert {row: reason[:40] for row, reason in reasons(found).items()} == {
            7: 'it has no conductivity',
            9: "its conductivity '7 \u00d7 10^-3 to 8 \u00d7 10^-3'"[:40],
            10: 'its error of -0.1 is negative',
            12: 'it does not identify a material',
            14: 'it has 5 cells for 4 columns: put a cell',
            15: 'the same as row 11',
        }


class TestLimits:
    def classified(self, table, settings=CLASSES):
        groups = {}
        for entry in table.measurements:
            groups.setdefault(entry.formula, []).append((entry, None))
        return classify(groups, settings)

    def test_a_sure_bad_and_a_sure_good_conductor(self, read):
        found = read('material;T (K);sigma\nLi2O;298;<1E-10\nLi3N;298;>1e-3\nLiF;298;<1e-7\nLiI;298;>1e-4\n')
        materials, excluded = self.classified(found)
        assert not excluded
        weights = {key: (material.good_weight, material.bad_weight) for key, material in materials.items()}
        assert weights == {'Li2O': (0, 1), 'Li3N': (1, 0), 'LiF': (0, 1), 'LiI': (1, 0)}
        assert found.notes[-1].startswith('limits, such as <1e-10, in 4 rows')

    def test_what_decides_no_class_is_told(self, read):
        materials, excluded = self.classified(read('material;T (K);sigma\nLi2O;298;<1e-3\nLi3N;298;>1e-6\n'))
        assert not materials
        assert [entry['rows'] for entry in excluded] == [[2], [3]]
        assert 'is <0.001 S/cm, which decides no class' in excluded[0]['reason']

    def test_bad_when_hot_is_bad_when_cold_but_not_the_other_way_round(self, read):
        content = 'material;T (°C);sigma\nLi2O;300;<1E-10\nLiF;-50;<1e-10\nLi3N;-50;>1e-3\nLiI;300;>1e-3\n'
        materials, excluded = self.classified(read(content))
        assert {key: (found.good_weight, found.bad_weight) for key, found in materials.items()} == {
            'Li2O': (0, 1),
            'Li3N': (1, 0),
        }
        assert [entry['id'] for entry in excluded] == ['LiF', 'LiI']
        assert 'is a limit at 223.15 K, which says nothing there' in excluded[0]['reason']

    def test_no_fit_takes_a_limit_for_a_value(self, read):
        """Without the limit two points remain, whose line is exact."""
        content = 'material;T (K);sigma\nLi3N;500;1e-3\nLi3N;600;1e-2\nLi3N;400;<1e-2\n'
        with_limit, excluded = self.classified(read(content))
        without, _ = self.classified(read(content.rsplit('\n', 2)[0] + '\n'))
        assert with_limit['Li3N'] == without['Li3N']
        assert [entry['rows'] for entry in excluded] == [[4]]

    def test_classes_at_two_temperatures(self, read):
        settings = ClassSettings(1e-3, 1e-4, temperature=1000.0, good_temperature=300.0)
        content = 'material;T (K);sigma\nLi3N;300;>1e-2\nLiF;1000;<1e-5\nLiI;300;<1e-5\n'
        materials, _ = self.classified(read(content), settings)
        weights = {key: (found.good_weight, found.bad_weight) for key, found in materials.items()}
        assert weights == {'Li3N': (1, 0), 'LiF': (0, 1), 'LiI': (0, 0)}


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('', 'lab.csv is empty'),
        ('material,T,sigma\n', 'has no row below its header'),
        ('Li3P,300,1e-4\nLi2S,300,1e-5\n', "has no column 'material': it has Li3P, 300, 1e-4"),
        ('material,T,T,sigma\na,1,2,3\n', "has 2 columns 'T'"),
        ('material,T,sigma\nLi3P,300,high\n', 'no row of lab.csv can be used, the first because its conductivity'),
    ],
)
def test_what_is_no_table_is_refused(read, content, words):
    columns = {'composition': 'material', 'temperature': 'T', 'conductivity': 'sigma'}
    with pytest.raises(LabelError, match=words):
        read(content, columns=columns)


def test_blank_names_are_none_and_sodium_is_no_blank(read):
    columns = {'id': 'id', 'composition': 'c', 'conductivity': 'sigma', 'space_group': 'g'}
    content = 'id,c,sigma,g\nNA,Na,1,225.0\nnull,Li2O,2,\n-,Nd,3,225\n?,,4,1\nx,LiF,5,225.7\ny,LiF,6,231\n'
    found = read(content, columns=columns, temperature=300.0)
    assert [(entry.id, entry.formula, entry.space_group) for entry in found.measurements] == [
        (None, 'Na', 225),
        (None, 'Li2O', None),
        (None, 'Nd', 225),
    ]
    assert list(reasons(found)) == [5, 6, 7]


BESIDE = {'id': 'name', 'conductivity': 'sigma'}


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('name,sigma,unit\nA,1.2,mS/cm\nC,1e-3,S/m\n', "'unit' has 'mS/cm', but numbers are read in S/cm: write each"),
        ('name,sigma,Einheit\nA,1.2,S/cm\nC,1e-3,10^-4 S/cm\n', "'Einheit' has '10\\^-4 S/cm', but"),
        ('name,sigma,sigma_unit\nA,1.2,mS/cm\n', "column 'sigma_unit' has"),
        ('name,sigma,note\nA,1.2,mS/cm\nC,1e-3,mS/cm\n', "no row .* the column 'note', 'mS/cm', has mS/cm"),
        ('name,sigma,T (K)\nA,1e-3,310\nC,1e-3,500\n', "'T \\(K\\)' has '310', but 300 K is given"),
        ('name,sigma,T_C\nA,1e-3,100\n', "'T_C' has '100'"),
        ('name,sigma,degC\nA,1e-3,100\n', "'degC' has '100'"),
        ('name,sigma,T\nA,1e-3,25\n', "'T' has '25'"),
        ('name,sigma,Temperature\nA,1e-3,400\n', "'Temperature' has '400'"),
        ('# Conductivity in mS/cm at 25 C\nname,sigma\nA,1.2\n', "line 1, .*, has mS/cm, but 'sigma' is read in S/cm"),
        ('name,sigma\n# all in mS/cm\nA,1.2\n', 'line 2, .* has mS/cm'),
        ('name,sigma\n# measured at 100 \u00b0C\nA,1.2\n', 'line 2, .* has 100 deg C, but 300 K is given'),
        ('name,sigma\nA,1.2\n"# at 500 K"\n', 'line 3, .* has 500 K, but'),
        ('name,sigma,ref\nA,0.3,1\nConductivities in mS/cm,,\n', "line 3, 'Conductivities in mS/cm', has mS/cm"),
        *(
            (f'# {text}\nname,sigma\nA,0.3\n', 'line 1, .*numbers are read as they are')
            for text in (
                'sigma in 10^-4 S/cm',
                'sigma x 1000',
                '(10\u207b\u00b3 S/cm)',
                'conductivities \u00d710\u207b\u00b3',
            )
        ),
        ('# in units of 10-3 S cm-1\nname,sigma\nA,0.3\n', "has 'units of 10-3', but numbers are"),
        *(
            (f'name,sigma,{head}\nA,1e-3,{first}\nC,2e-3,{second}\n', f"column '{head}' has '{second}', remove such")
            for head, first, second in (
                *(
                    ('exclude', '', 'x'),
                    ('use', 'yes', 'no'),
                    ('converged', 'True', 'False'),
                    ('Quality', 'good', 'poor'),
                ),
                *(('flags', '[]', 'slope'), ('include', 'x', ''), ('is_outlier', '0', '1')),
            )
        ),
        *(
            (f'name,sigma,{head}\nA,1e-3,ionic conductivity\nC,1e-9,electronic conductivity\n', 'another meaning')
            for head in ('property', 'Quantity', 'type')
        ),
        ('name,sigma,property\nA,0.3,activation energy\n', "'property' may give numbers or rows another meaning"),
    ],
)
def test_what_stands_beside_must_not_contradict(read, content, words):
    with pytest.raises(LabelError, match=words):
        read(content, columns=BESIDE, temperature=300.0)


@pytest.mark.parametrize(
    'content',
    [
        'name,sigma,unit\nA,1e-3,S/cm\n',
        'name,sigma,T_C\nA,1e-3,25\n',
        *(f'name,sigma,comment\nA,1e-3,{text}\n' for text in ('ok', 'sintered at 1100 K', '25-100 \u00b0C')),
        *('name,sigma,url\nA,1e-3,https://x.org/10-12\n', 'name,sigma,property\nA,1e-3,Ionic conductivity\n'),
        *('name,sigma,use\nA,1e-3,yes\n', 'name,sigma,excluded\nA,1e-3,no\n'),
        *('name,sigma,T\nA,1e-3,RT\n', 'name,sigma,conditions\nA,1e-3,"300 K, Ar"\n', 'name,sigma,ion\nA,1e-3,Li+\n'),
    ],
)
def test_what_agrees_is_read_and_told(read, content):
    found = read(content, columns=BESIDE, temperature=300.0)
    assert [entry.value for entry in found.measurements] == [1e-3]
    assert found.notes == [f'not used are the columns {content.split(chr(10))[0].split(",")[2]}']


@pytest.mark.parametrize(
    ('head', 'text'),
    [
        *(('remarks', text) for text in ('value in mS/cm', 'mS/cm', 'sigma in 10^-2 S/cm', 'measured at 600 \u00b0C')),
        *(
            ('conditions', '873 K'),
            ('notes', 'pellet cracked, excluded from fit'),
            ('remarks', 'outlier'),
            ('comment', 'electronic conductivity only'),
            ('Mobile ion', 'Na+'),
            ('species', 'sodium'),
            ('charge carrier', 'Ag'),
        ),
    ],
)
def test_a_remark_costs_its_row(read, head, text):
    for cell, number in ((text, 1), ('', 2)):
        found = read(f'name,sigma,{head}\nA,1e-3,{cell}\nC,2e-3,\n', columns=BESIDE, temperature=300.0)
        assert len(found.measurements) == number
    assert found.excluded == []


def test_rows_that_are_commented_out_and_replicates(read):
    found = read(
        'name,sigma,seed\nA,1e-3,1\n#A,5e-3,2\n# C,2e-3,1\nA,1e-3,2\nA,1e-3,2\n', columns=BESIDE, temperature=300
    )
    assert [entry.row for entry in found.measurements] == [2, 5]
    assert reasons(found) == {6: 'the same as row 5'}
    assert "lines that begin with # are left out: 3 ('#A,5e-3,2'), 4 ('# C,2e-3,1')" in found.notes


def test_room_temperature_in_a_cell_and_rules_of_markdown(read):
    columns = {'id': 'name', 'conductivity': 'sigma', 'temperature': 'T'}
    found = read('| name | sigma | T |\n|:---|---:|:----:|\n| A | 1e-3 | RT |\n| C | 2e-3 | r.t. |\n', columns=columns)
    assert [entry.temperature for entry in found.measurements] == [297.0, 297.0]


@pytest.mark.parametrize(('head', 'said'), [('T_set', '303'), ('T_mean_K', '296'), ('target temperature (K)', '301')])
def test_temperatures_that_are_alike(read, head, said):
    columns = {'id': 'name', 'conductivity': 'sigma', 'temperature': 'T (K)'}
    for text, number in ((said, 2), ('400', 1)):
        found = read(f'name,sigma,T (K),{head}\nA,1e-3,300,{text}\nC,2e-3,300,300\n', columns=columns)
        assert len(found.measurements) == number


@pytest.mark.parametrize(
    'comment',
    [
        '# Samples of J. Doe, 2024',
        '# S/cm at 25 \u00b0C (from mS/cm)',
        '# sintered at 1000 K, measured at 300 K',
        '# at RT',
        '# 95 % dense, 99 % confirmed by XRD; 68 % confidence intervals, errors are 1 sigma; Table 2: sigma of Li3N',
        '# Table 1 of J. Am. Chem. Soc. 2011, 133, 10-12, doi: 10.1038/nmat3066, accessed 2024-10-10',
        '# https://github.com/x/y/tree/100/1e3',
        '# Activation energies in kJ/mol are in Table S3, conductivities in S/cm',
        '# by EIS in argon (< 0.1 ppm), 10 mV, 10^-2 Hz to 10^6 Hz; cut-off 520 eV, 10-5 eV',
        '# Diffusion in Li10GeP2S12 along c, conductivity in the ab plane, 2 x 2 x 1 cell, n = 5x10^22 cm^-3',
        '# detection limit 1\u00d710^-10 S/cm or 0.1 nS/cm; Run 10-3 of T. Kelvin in a C crucible',
    ],
)
def test_comments_that_agree(read, comment):
    found = read(f'{comment}\nname,sigma\nA,1e-3\n', columns=BESIDE, temperature=300.0)
    assert [entry.value for entry in found.measurements] == [1e-3]
    assert found.notes == [f'lines that begin with # are left out: 1 ({comment!r})']


def test_a_header_may_be_a_comment_above_the_data(read):
    columns = {'id': 'T_K', 'temperature': 'T_K', 'conductivity': 'sigma_S_cm'}
    found = read('# by numpy\n# T_K,sigma_S_cm\n3.0e+02,1.0e-03\n', columns=columns)
    assert [(entry.temperature, entry.value) for entry in found.measurements] == [(300.0, 1e-3)]
    found = read('# T_K,sigma_S_cm\nT_K,sigma_S_cm\n300,1e-3\n', columns=columns)
    assert [(entry.row, entry.value) for entry in found.measurements] == [(3, 1e-3)]


def test_errors_in_percent_need_their_sign(read):
    columns = BESIDE | {'error': 'err'}
    content = 'name,sigma,err\nA,1e-3,10{0}\nC,2e-4,5{0}\n'
    with pytest.raises(
        LabelError, match="most errors of the column 'err' are more than 10 times .* Write each as 10 %"
    ):
        read(content.format(''), columns=columns, temperature=300.0)
    found = read(content.format(' %'), columns=columns, temperature=300.0)
    assert [entry.error for entry in found.measurements] == pytest.approx([1e-4, 1e-5])
    found = read('name,sigma,err\nA,-1e-6,3e-6\nB,0,1e-6\nC,1e-6,5e-5\n', columns=columns, temperature=300.0)
    assert len(found.measurements) == 3
