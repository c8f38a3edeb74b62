"""Spoilt tables of labels: a result or a sentence, and no row costs another. ``PESFP_FUZZ=10000`` tries as many."""

import csv
import io
import json
import os
import random
import time
from dataclasses import asdict, replace

import pytest

from aiida_pesfp.assessment.classes import classify
from aiida_pesfp.assessment.labels import read_table
from aiida_pesfp.errors import LabelError
from aiida_pesfp.settings.assessment import ClassSettings, TableFormat
from aiida_pesfp.settings.units import MEASURES
from tests.helpers.crystals import rock_salt

NUMBER = int(os.environ.get('PESFP_FUZZ', '300'))
#: No table of a few lines takes longer, s (a busy machine may be slow).
LONGEST = 10.0
STRUCTURE = json.dumps(rock_salt('Li', 'Cl', 5.13).as_dict())
HEAD = ['id', 'formula', 'T (°C)', 'sigma', 'error']
ROWS = [
    ['a-1', 'LiI', '25', '2.8e-8', '1e-9'],
    ['a-2', 'Li3N', '25', '5.8e-4', ''],
    ['a-3', 'Li2O', '300', '<1e-10', ''],
    ['a-4', 'LiCl', '127', '1.5(2)e-5', ''],
    ['a-5', 'Li7P3S11', '-20', '3.2e-3', '4e-4'],
    ['a-6', 'LiF', '400', '1e-9', '5e-10'],
]
FORM = TableFormat(dict(zip(('id', 'composition', 'temperature', 'conductivity', 'error'), HEAD)), 'S/cm')
WITH_STRUCTURES = (
    ['name', 'D', 'structure'],
    [['x', '1e-6', STRUCTURE], ['y', '2e-7', STRUCTURE], ['z', '-1e-9', STRUCTURE.replace('Cl', 'Br')]],
    TableFormat({'id': 'name', 'diffusion': 'D', 'structure': 'structure'}, 'cm2/s', 1000.0),
)
#: Cells that somebody may write into the column of values -> limit and value, or None if they mean nothing.
CELLS = {
    '1,5e-3': (None, 1.5e-3),
    '1,234.5e-6': (None, 1.2345e-3),
    '\u2264 1E\u20139': ('<', 1e-9),
    '>2': ('>', 2.0),
    '~ 1e-5': (None, 1e-5),
    '3 mS/cm': (None, 3e-3),
    '1 \u00d7 10⁻⁴': (None, 1e-4),
    '(1.2 ± 0.3) x 10^-4': (None, 1.2e-4),
    '0': (None, 0.0),
    '-2e-6': (None, -2e-6),
    **dict.fromkeys(
        ('', '-', 'NA', 'null', 'nan', 'inf', '-inf', '1e999', '1e-999', '<0', '<-1', '<', 'high', '1e'), None
    ),
    **dict.fromkeys(
        ('1e-4-1e-3', '1x104', '5 %', '3 ohm', '1e-4 to 2e-4 S/cm', '=1+1', '1_0', '9' * 400, '\x07', '\u0663'), None
    ),
    **dict.fromkeys(
        ('5e5', '1.2.3', '1e-4;', '"', "1'", '{}', '[1]', '1e-4\n2', '\ufeff1x', '0x1F', 'True', '1/0'), None
    ),
}


def write(head, rows, separator=',', end='\n', encoding='utf-8'):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator=end)
    writer.writerows([head, *rows])
    return stream.getvalue().encode(encoding)


def read(path, content, form):
    """The table, None if it is refused in a sentence; fails for anything else than these."""
    path.write_bytes(content)
    start = time.monotonic()
    try:
        table = read_table(path, form)
    except LabelError:
        return None
    finally:
        assert time.monotonic() - start < LONGEST, content
    check(table, content)
    return table


def check(table, content):
    """No nonsense, in plain JSON types."""
    rows = [entry.row for entry in table.measurements] + [entry['row'] for entry in table.excluded]
    assert len(rows) == len(set(rows)), content
    assert all(entry['reason'] for entry in table.excluded)
    for entry in table.measurements:
        assert json.dumps(asdict(entry), allow_nan=False)
        for measure, value in (('temperature', entry.temperature), (entry.quantity, entry.value)):
            assert MEASURES[measure].lowest <= value <= MEASURES[measure].highest, content
        assert entry.error is None or entry.error >= 0, content
        assert entry.id or entry.formula, content
        assert entry.limit in (None, '<', '>')
        assert not (entry.limit and entry.value <= 0), content
    groups = {entry.row: [(entry, 1e22)] for entry in table.measurements}
    materials, excluded = classify(groups, ClassSettings(1e-3, 1e-6))
    assert json.dumps([asdict(material) for material in materials.values()], allow_nan=False)
    assert len(materials) + len(excluded) == len(groups)
    for material in materials.values():
        assert 0 <= material.good_weight <= 1
        assert 0 <= material.bad_weight <= 1


@pytest.fixture(scope='module')
def right(tmp_path_factory):
    """The measurements of the table as it is, by row."""
    table = read(tmp_path_factory.mktemp('right') / 'labels.csv', write(HEAD, ROWS), FORM)
    assert len(table.measurements) == len(ROWS)
    return {entry.row: entry for entry in table.measurements}


@pytest.mark.parametrize('text', CELLS, ids=[repr(text)[:20] for text in CELLS])
def test_a_spoilt_value_means_itself_or_nothing(tmp_path, right, text):
    rows = [list(row) for row in ROWS]
    rows[1][3] = text
    table = read(tmp_path / 'labels.csv', write(HEAD, rows), FORM)
    found = {entry['row']: entry['reason'] for entry in table.excluded}
    values = {entry.row: entry for entry in table.measurements}
    if CELLS[text] is None:
        assert list(found) == [3]
    else:
        limit, value = CELLS[text]
        assert not found
        assert (values[3].limit, values[3].value) == (limit, pytest.approx(value))
    lines = text.count('\n')  # a cell with a line break moves what follows
    assert {row: entry for row, entry in right.items() if row < 3} == {row: values[row] for row in values if row < 3}
    assert [replace(values[row + lines], row=row) for row in right if row > 3] == [
        right[row] for row in right if row > 3
    ]


def test_any_cell_costs_its_row_at_most(tmp_path, right):
    """Random cells in random places: all other rows stay as they are."""
    generator, path = random.Random(15), tmp_path / 'labels.csv'
    refused = 0
    for _ in range(NUMBER // 2):
        rows, place = [list(row) for row in ROWS], generator.randrange(len(ROWS))
        column = generator.randrange(len(HEAD))
        rows[place][column] = generator.choice(
            [*CELLS, 'LiI', 'a-1', '300 K', '\u00b0', '1' * 5000, 'Li' * 400, '(' * 300]
        )
        if generator.random() < 0.3:
            rows.insert(place, rows[place])
        style = (
            generator.choice([',', ';', '\t', '|']),
            generator.choice(['\n', '\r\n']),
            generator.choice(['utf-8', 'utf-16']),
        )
        table = read(path, write(HEAD, rows, *style), FORM)
        if table is None:
            refused += 1
            continue
        expected = [replace(entry, row=0) for row, entry in right.items() if row - 2 != place]
        clean = [entry for entry in expected if entry.id != rows[place][0]]  # an id may now have two compositions
        found = [replace(entry, row=0) for entry in table.measurements]
        assert [entry for entry in clean if entry not in found] == [], rows
    assert refused == 0


def test_bytes_and_lines_in_disorder(tmp_path):
    """Anything may happen to a file, but for a traceback, a hang or nonsense."""
    generator, path = random.Random(2026), tmp_path / 'labels.csv'
    outcomes = {True: 0, False: 0}
    for _ in range(NUMBER):
        head, rows, form = generator.choice([(HEAD, ROWS, FORM), WITH_STRUCTURES])
        content = bytearray(
            write(head, rows, generator.choice([',', ';', '\t']), '\n', generator.choice(['utf-8', 'utf-16']))
        )
        for _ in range(generator.choice([1, 1, 1, 2, 5, 20])):
            spoil(generator, content)
        outcomes[read(path, bytes(content), form) is None] += 1
    assert min(outcomes.values()) > 0


def spoil(generator, content):
    place = generator.randrange(len(content) + 1)
    length = generator.choice([1, 1, 1, 5, 50])
    match generator.randrange(7):
        case 0:
            content[place : place + length] = generator.randbytes(length)
        case 1:
            del content[place : place + length]
        case 2:
            content[place:place] = generator.choice(
                [b'"', b',', b';', b'\n', b'\r', b'\0', b'\xff', b'=', b'nan', b'1e999', b'-']
            )
        case 3:
            content[place:place] = content[place : place + length]
        case 4:
            lines = bytes(content).split(b'\n')
            generator.shuffle(lines)
            content[:] = b'\n'.join(lines)
        case 5:
            del content[place + 40 :]
        case 6:
            digits = [k for k, byte in enumerate(content) if chr(byte).isdigit()]
            if digits:
                content[generator.choice(digits)] = ord(generator.choice('0123456789-.eE'))
