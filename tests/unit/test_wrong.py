"""Which materials ``benchmarks/wrong.py`` calls wrong, with values whose percentiles are known by hand."""

import importlib

import pytest

from tests.helpers import REPOSITORY


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / 'benchmarks')
    return importlib.import_module('wrong')


def materials(**values: tuple[str, str, float, float]) -> dict[str, dict]:
    """Of one set: key -> kind, formula, Xi and MPE."""
    return {
        key: {'good_weight': float(kind == 'good'), 'bad_weight': float(kind == 'bad'), 'formula': formula}
        | {'xi': xi, 'mpe': mpe, 'barrier_1d': mpe, 'barrier_2d': None}
        for key, (kind, formula, xi, mpe) in values.items()
    }


SET = materials(
    fast=('good', 'LiI', 0.9, 0.2),
    missed=('good', 'Li3N', 0.0, 0.9),
    overrated=('bad', 'LiZnPS4', 1.0, 0.1),
    doubtful=('neither', 'LiF', 0.5, 0.5),
    slow=('bad', 'Li2O', 0.0, 1.0),
)


def test_percentiles_are_those_of_the_other_class(script):
    """The order by the barrier in one dimension is that by the MPE, and counts once; one without a value never."""
    found = {one.key: one for one in script.judge('a', [SET])}
    assert {one.rankings for one in found.values()} == {2}
    assert {key: one.percentile for key, one in found.items()} == {
        'fast': 0.5,
        'missed': (0.25 + 0.5) / 2,  # tied with one of two by Xi, before one by the MPE
        'overrated': 1.0,
        'slow': 0.25 / 2,
    }
    assert {key: one.nearest for key, one in found.items()} == {
        'fast': 0.5,
        'missed': 0.5,
        'overrated': 1.0,
        'slow': 0.0,
    }
    assert {key: one.wrong for key, one in found.items()} == {'fast': 0, 'missed': 1, 'overrated': 2, 'slow': 0}


def test_only_materials_of_all_files_are_judged(script):
    """A second file adds rankings; without a bad conductor in it, nothing can be wrong."""
    other = {key: one | {'xi': 1 - one['xi']} for key, one in SET.items() if key != 'overrated'}
    found = script.judge('a', [SET, other])
    assert sorted(one.key for one in found) == ['fast', 'missed', 'slow']
    assert {one.rankings for one in found} == {3}
    good = {key: one for key, one in SET.items() if one['good_weight']}
    assert script.judge('a', [SET, good]) == []


def test_worst_come_first_and_a_composition_once(script):
    """The same crystal of two sets, and compositions of one solid solution, count as one."""
    tables = {
        'a': {
            'twin': ('bad', 'Li3PS4', 0.7, 0.3),
            'undoped': ('bad', 'LiTi2P3O12', 0.6, 0.05),
            'best': ('bad', 'LiZnPS4', 1.0, 0.1),
        },
        'b': {
            'same': ('bad', 'Li6P2S8', 0.9, 0.2),
            'doped': ('bad', 'Li1.3Al0.3Ti1.7P3O12', 0.9, 0.4),
            'slow': ('bad', 'Li2O', 0.0, 1.0),
        },
    }
    good = {f'good {xi}': ('good', 'LiI', xi, 1.1 - xi) for xi in (0.5, 0.8)}
    judged = [one for name, table in tables.items() for one in script.judge(name, [materials(**table, **good)])]
    found = script.worst(judged, 'bad', 3)
    assert [one.key for one in found] == ['best', 'same', 'undoped']
    assert script.worst(judged, 'bad', 2) == found[:2]


def test_what_was_measured_has_its_limits(script):
    def value(conductivity, limit=None):
        return {'conductivity': conductivity, 'limit': limit, 'temperature': 300.0}

    assert script.measured({'values': [value(1e-10, '<')]}) == '<1e-10'
    assert script.measured({'values': [value(3e-4), value(1e-4), value(2e-4)]}) == '0.0001 to 0.0003'
    assert script.temperature({'values': [value(1e-4)]}) == '300 K'
