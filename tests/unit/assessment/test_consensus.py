"""Rankings by several potentials brought together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.assessment.consensus import consensus

KEYS = 'abcdefgh'
orders = st.permutations(KEYS).map(''.join)


def of(*rankings):
    return consensus({str(number): list(keys) for number, keys in enumerate(rankings)})[0]


@given(orders)
def test_potentials_that_agree_change_nothing(order):
    rows = of(order, order, order)
    assert [row['key'] for row in rows] == list(order)
    assert [row['mean_place'] for row in rows] == list(range(1, 9))
    assert not any(row['disputed'] or row['spread'] for row in rows)


@given(orders, orders)
def test_the_order_of_two_potentials_decides_ties_only(one, other):
    mean = {row['key']: row['mean_place'] for row in of(one, other)}
    assert mean == {row['key']: row['mean_place'] for row in of(other, one)}
    assert mean == {key: (one.index(key) + other.index(key)) / 2 + 1 for key in KEYS}


def test_one_that_moves_far_is_disputed():
    rows = of('abcdefgh', 'bcdefgha')
    assert [row['key'] for row in rows if row['disputed']] == ['a']
    assert rows[0]['key'] == 'b'


def test_contradiction_is_told_as_a_correlation():
    rows, agreement = consensus({'one': list(KEYS), 'other': list(KEYS[::-1]), 'same': list(KEYS)})
    assert agreement == {'other': pytest.approx(-1), 'same': pytest.approx(1)}
    assert not any(row['disputed'] for row in rows)


@pytest.mark.parametrize('few', [0, 1])
def test_no_correlation_of_hardly_any_structures(few):
    assert consensus({'one': list(KEYS[:few]), 'other': list(KEYS[:few])})[1] == {'other': None}


def test_few_structures_are_never_disputed():
    assert {row['disputed'] for row in of('abcde', 'edcba')} == {None}


@given(orders, st.sets(st.sampled_from(KEYS)))
def test_missing_structures_come_last_in_the_order_of_the_first(order, missing):
    rows = of(order, [key for key in order if key not in missing])
    assert [row['key'] for row in rows] == sorted(order, key=lambda key: (key in missing, order.index(key)))
    assert {row['key'] for row in rows if row['mean_place'] is None} == missing
    assert [row['mean_place'] for row in rows if row['mean_place']] == list(range(1, 9 - len(missing)))


@pytest.mark.parametrize('rankings', [('',), ('a',), ('a', ''), ('', '')])
def test_hardly_any_structures(rankings):
    assert [row['key'] for row in of(*rankings)] == list(rankings[0])
