"""Tables of other people, and tables that we write."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.errors import TableError
from aiida_pesfp.tables.table import open_table, write_table

TEXT = 'id,T (°C),note\nLi₃N,25,"two\nlines"\nLiI,300,\n'


@pytest.fixture
def opened(tmp_path):
    """Writes text or bytes, and opens the table."""

    def open_it(content, needed=('id',), encoding='utf-8'):
        path = tmp_path / 'table.csv'
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return open_table(path, needed)[:2]

    return open_it


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be', 'utf-32'])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('separator', [',', ';', '\t', '|'])
def test_encodings_separators_and_ends_of_lines(opened, encoding, end, separator):
    columns, rows = opened(TEXT.replace('\n', end).replace(',', separator), encoding=encoding)
    assert columns == ['id', 'T (°C)', 'note']
    assert [row.line for row in rows] == [2, 4]
    assert [row.cells['id'] for row in rows] == ['Li₃N', 'LiI']
    assert rows[0].cells['note'] == 'two\nlines'


def test_latin_1(opened):
    columns, rows = opened('id;T (°C);s in µS/cm\na;1;2'.encode('latin-1'))
    assert columns == ['id', 'T (°C)', 's in µS/cm']
    assert rows[0].cells == {'id': 'a', 'T (°C)': '1', 's in µS/cm': '2'}


def test_what_stands_before_the_header_is_passed_over(opened):
    columns, rows = opened('sep=;\n\n# from the lab, 2024\n  id ; value\n\na;1\n;\n"b";2;;\nc\n# the end\n')
    assert columns == ['id', 'value']
    assert [(row.line, row.cells['id'], row.cells['value']) for row in rows] == [
        (6, 'a', '1'),
        (8, 'b', '2'),
        (9, 'c', ''),
    ]


def test_a_column_may_begin_with_a_hash(opened):
    assert opened('#id,value\na,1\n', ['#id'])[0] == ['#id', 'value']


def test_a_broken_row_costs_itself_only(opened):
    _, rows = opened('id,value\nz,1,\n')
    assert 'it has 3 cells for 2 columns' in rows[0].problem  # 1, is a decimal comma
    _, rows = opened('id,value\na,1\nb,1,5e-3\n"c,1\nd,2\ne,"3\nf,4\n"g",5\nh,"6"7\ni,8\n')
    assert {row.line: row.cells['id'] for row in rows if not row.problem} == {2: 'a', 5: 'd', 7: 'f', 8: 'g', 10: 'i'}
    problems = {row.line: row.problem for row in rows if row.problem}
    assert 'it has 3 cells for 2 columns' in problems[3]
    assert all('quotation marks' in problems[line] for line in (4, 6, 9))


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('', 'table.csv is empty'),
        (' \n\n', 'table.csv is empty'),
        ('id,value\n', 'has no row below its header'),
        ('a,1\nb,2\n', "has no column 'id': it has a, 1"),
        ('id,id\na,1\n', "has 2 columns 'id': it has id, id"),
        (b'PK\x03\x04\x00\x00\x01', 'cannot be read: the file is not text'),
        ('id value\na 1\n', "has no column 'id': its columns are separated by blanks"),
    ],
)
def test_what_is_no_table_is_refused_by_name(opened, content, words):
    with pytest.raises(TableError, match=words):
        opened(content)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TableError, match='nowhere.csv cannot be read: .*No such file'):
        open_table(tmp_path / 'nowhere.csv', ['id'])


class TestWriting:
    def test_no_text_is_a_formula(self, tmp_path):
        path = tmp_path / 'out.csv'
        texts = ['=1+1', '+49', '-mp', '@SUM(A1)', '\t=1', ' =1', '\n=1', '\uff1d1']
        write_table([{'label': text, 'xi': -0.5, '=head': None} for text in texts], path)
        with open(path, newline='', encoding='utf-8') as stream:
            head, *rows = csv.reader(stream)
        assert head == ['label', 'xi', "'=head"]
        assert rows == [["'" + text, '-0.5', ''] for text in texts]

    @given(st.lists(st.tuples(st.text(st.characters(exclude_categories=['Cs', 'Cc'])), st.floats(allow_nan=False))))
    def test_other_texts_and_numbers_come_back(self, tmp_path_factory, rows):
        path = tmp_path_factory.mktemp('written') / 'out.csv'
        rows = [('first', 1.0), *((f'a{text}', value) for text, value in rows)]
        write_table([{'label': text, 'xi': value} for text, value in rows], path)
        _, found, _ = open_table(path, ['label', 'xi'])
        assert [(row.cells['label'], float(row.cells['xi'])) for row in found] == [(t.strip(), v) for t, v in rows]
