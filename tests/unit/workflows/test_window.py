"""How structures are distributed over jobs."""

import hypothesis.strategies as some
import pytest
from hypothesis import given

from aiida_pesfp.workflows.window import equal_batches

COSTS = some.dictionaries(some.text('abc', min_size=1, max_size=4), some.floats(1e-3, 1e6), max_size=40)


@given(COSTS, some.integers(1, 7))
def test_each_is_in_one_batch_and_none_is_too_large(costs, most):
    batches = equal_batches(costs, most)
    assert sorted(key for batch in batches for key in batch) == sorted(costs)
    assert all(0 < len(batch) <= most for batch in batches)
    totals = [sum(costs[key] for key in batch) for batch in batches if len(batch) > 1]
    assert totals == sorted(totals, reverse=True)


def test_batches_cost_about_the_same():
    costs = {f's{number}': float(number % 17 + 1) for number in range(160)}
    totals = [sum(costs[key] for key in batch) for batch in equal_batches(costs, 16)]
    assert len(totals) == 10
    assert max(totals) - min(totals) <= 1
    ordered = sorted(costs.values())
    by_size = [sum(ordered[begin : begin + 16]) for begin in range(0, 160, 16)]
    assert max(by_size) > 10 * min(by_size)


@pytest.mark.parametrize('most', [4, 16])
def test_what_costs_more_than_a_share_is_alone_and_first(most):
    costs = {'giant': 1e6} | {f's{number}': 1.0 for number in range(31)}
    batches = equal_batches(costs, most)
    assert batches[0] == ['giant']
    assert len(batches) == 1 + -(-31 // most)


def test_one_job_takes_all_that_fit_into_it():
    assert equal_batches({'giant': 1e6, 'small': 1.0}, 2) == [['giant', 'small']]
    assert equal_batches({}, 2) == []
