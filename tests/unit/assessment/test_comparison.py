"""Rankings compared on the same materials: paired differences with families drawn as a whole, and what is told."""

from html import unescape

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from aiida_pesfp.assessment.comparison import (
    compare_assessments,
    compare_materials,
    conductivity_limits,
    family,
    names_of,
    rank_materials,
)
from aiida_pesfp.assessment.differences import compare, holm, precision, rank_correlation, resampled_by_cluster
from aiida_pesfp.assessment.features import DescriptorExpression, compared_rankings
from aiida_pesfp.assessment.scores import rank_values
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.report.comparison import sentences, table, verdict
from aiida_pesfp.report.plots.assessment import comparison_figure
from aiida_pesfp.settings.assessment import ScoreSettings
from tests.helpers.materials import random_descriptors

NUMBER = 200
GOOD = (np.arange(NUMBER) < 60).astype(float)
ALONE = list(map(str, range(NUMBER)))
SETTINGS = ScoreSettings(resamples=400)
ELEMENTS = [
    'F',
    'Cl',
    'Br',
    'I',
    'O',
    'S',
    'Se',
    'Te',
    'N',
    'P',
    'As',
    'Sb',
    'H',
    'B',
    'C',
    'Na',
    'K',
    'Rb',
    'Mg',
    'Ca',
]


def noisy(noise, seed=0):
    """A ranking that knows the good ones up to some noise."""
    return GOOD + np.random.default_rng(seed).normal(scale=noise, size=NUMBER)


def compared(rankings, good=GOOD, families=ALONE, settings=SETTINGS, **others):
    """Rows by name, with ``xi`` as the reference."""
    return {row.ranking: row for row in compare(rankings, 'xi', good, 1 - good, families, settings, **others)}


def material(place, rankings, good=None, **others):
    """A labelled material of a family of its own: the first eight are good conductors."""
    good = float(place < 8) if good is None else good
    value = {'conductivity': 10.0**-place, 'temperature': 300.0, 'limit': None}
    ranked = {'rankings': rankings, 'ranking_errors': dict.fromkeys(rankings, 0.0), 'unranked': {}}
    entry = {'good_weight': good, 'bad_weight': 1 - good, 'values': [value], 'formula': f'Li{ELEMENTS[place]}'}
    return entry | ranked | others


def materials(**rankings):
    """Twenty of them; name -> function of the place of a material, the best first."""
    return {f's{k}': material(k, {name: ranking(k) for name, ranking in rankings.items()}) for k in range(20)}


def content_of(found, name='first', **others):
    classes = {'good': 1e-3, 'bad': 1e-5, 'temperature': 300.0}
    return {'species': 'Li', 'classes': classes, 'potential_name': name, 'materials': found} | others


def test_families_are_the_elements_of_the_framework():
    assert family('Li3PS4', 'Li') == family('Li7P3S11', 'Li') == 'P-S'
    assert family('Li', 'Li') == 'Li'
    assert family('Na3PS4', 'Li') == 'Na-P-S'


def test_whole_families_are_drawn():
    drawn = resampled_by_cluster(['a', 'b', 'a', 'c'], SETTINGS)
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert drawn[:, [0, 1, 3]].sum(axis=1) == pytest.approx(3)


def test_a_better_ranking_is_better_and_an_equal_one_is_not():
    found = compared({'xi': noisy(1.0), 'better': noisy(0.3, 1), 'same': noisy(1.0) * 2 + 3, 'other': noisy(1.0, 2)})
    assert found['xi'].difference is None
    assert found['better'].difference.lower > 0
    assert found['better'].difference.p_corrected < 0.05
    assert next(iter(found)) == 'better'
    assert found['better'].score - found['xi'].score == pytest.approx(found['better'].difference.value)
    assert found['better'].lower < found['better'].score < found['better'].upper
    same = found['same'].difference
    assert (same.value, same.error, same.lower, same.upper, same.p, same.p_corrected) == (0, 0, 0, 0, 1, 1)
    assert found['other'].difference.p > 0.05


def test_materials_of_one_family_are_not_independent():
    """Each material twenty times: the errors are those of ten, not of two hundred."""
    copies, good = [str(one % 10) for one in range(NUMBER)], np.tile(np.arange(10) < 5, 20).astype(float)
    random = np.random.default_rng(1)
    rankings = {name: np.tile(random.normal(size=10), 20) for name in ('xi', 'one')}
    settings = ScoreSettings(resamples=400, maximum_false_positive_rate=1.0)
    alone, together = (compared(rankings, good, families, settings)['one'] for families in (ALONE, copies))
    assert together.score == alone.score
    assert together.difference.value == alone.difference.value
    assert together.difference.error > 3 * alone.difference.error > 0
    assert together.error > 3 * alone.error
    assert together.upper - together.lower > 3 * (alone.upper - alone.lower)


def test_order_of_materials_does_not_matter():
    """But for the draws, which are of families by name."""
    rankings, order = {'xi': noisy(1.0), 'one': noisy(0.6, 1)}, np.random.default_rng(3).permutation(NUMBER)
    families, limits = [f'family {k % 40}' for k in range(NUMBER)], np.array([GOOD, GOOD + 1.0])
    one = compare(rankings, 'xi', GOOD, 1 - GOOD, families, SETTINGS, limits)
    shuffled = {name: values[order] for name, values in rankings.items()}
    of_shuffled = GOOD[order], 1 - GOOD[order], [families[place] for place in order]
    other = compare(shuffled, 'xi', *of_shuffled, SETTINGS, limits[:, order])
    for own, again in zip(one, other):
        assert own.ranking == again.ranking
        numbers = ('score', 'error', 'lower', 'upper', 'rank_correlation', 'precision')
        assert [getattr(own, name) for name in numbers] == [
            pytest.approx(getattr(again, name), abs=1e-12) for name in numbers
        ]


def test_random_rankings_are_hardly_ever_significant():
    """By the definition of the level, one of twenty without correction; with it, hardly one of twenty families."""
    wrong = 0
    for seed in range(20):
        rankings = {str(one): np.random.default_rng(100 * seed + one).normal(size=NUMBER) for one in range(8)}
        rows = compare(rankings, '0', GOOD, 1 - GOOD, ALONE, ScoreSettings(resamples=200))
        wrong += min(row.difference.p_corrected for row in rows if row.difference) < 0.05
    assert wrong <= 4


def test_a_material_without_a_value_is_missing_on_both_sides():
    """The difference is that on the materials that both rank."""
    worst = np.flatnonzero(GOOD)[:20]
    xi = noisy(0.2)
    xi[worst] = -10
    partial = xi.copy()
    partial[worst] = np.nan
    found = compared({'xi': xi, 'partial': partial})
    assert found['partial'].materials == NUMBER - 20
    assert found['partial'].score > found['xi'].score + 0.2
    assert (found['partial'].difference.value, found['partial'].difference.p) == (0, 1)


def test_errors_of_orderings_widen_what_they_do_not_share():
    """A common error moves both rankings alike; that of one alone is an error of their difference."""
    xi, error = noisy(0.5), np.full(NUMBER, 0.5)
    shared = compared({'xi': xi, 'one': xi}, errors={'xi': error, 'one': error})['one']
    alone = compared({'xi': xi, 'one': xi}, errors={'one': error})['one']
    without = compared({'xi': xi, 'one': xi})['one']
    assert shared.difference.error == without.difference.error == 0
    assert alone.difference.error > 0.02
    assert shared.error != without.error


@pytest.mark.parametrize(
    ('good', 'families', 'words'),
    [
        (np.eye(1, NUMBER)[0], ALONE, '1 of 200 materials are good conductors, a score needs 2'),
        (GOOD, ['P-S'] * 60 + ALONE[60:], r'all good conductors are of one family \(P-S\), an interval needs 2'),
        (GOOD, ALONE[:60] + ['O'] * 140, r'all bad conductors are of one family \(O\)'),
    ],
)
def test_too_little_is_refused(good, families, words):
    with pytest.raises(AssessmentError, match=words):
        compared({'xi': noisy(1.0)}, good, families)


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_corrected_ones_are_larger_and_keep_the_order(p):
    corrected = holm(p)
    assert all(one >= other for one, other in zip(corrected, p))
    assert [corrected[index] for index in np.argsort(p)] == sorted(corrected)


def test_precision():
    ranking, good = np.array([4.0, 3.0, 2.0, 2.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0, 0.0])
    assert precision(ranking, good, 1 - good, 1) == 1
    assert precision(ranking, good, 1 - good, 2) == 0.5
    assert precision(ranking, good, 1 - good, 3) == pytest.approx(1.5 / 3)  # half of each of two equal ones
    assert np.isnan(precision(ranking, good, 1 - good, 5))  # the share among all says nothing of a ranking
    assert np.isnan(precision(ranking, 0 * good, 0 * good, 2))


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=30))
def test_without_limits_it_is_the_coefficient_of_spearman(pairs):
    ranking, values = np.array(pairs, dtype=float).T
    assume(np.ptp(ranking) > 0 and np.ptp(values) > 0)
    assert rank_correlation(ranking, values, values) == pytest.approx(spearmanr(ranking, values).statistic, abs=1e-12)


def test_limits_decide_only_the_pairs_that_they_tell():
    ranking = np.array([3.0, 2.0, 1.0])
    known = np.array([3.0, 2.0, 1.0])
    assert rank_correlation(ranking, known, known) == pytest.approx(1)
    assert rank_correlation(-ranking, known, known) == pytest.approx(-1)
    assert np.isnan(rank_correlation(0 * ranking, known, known))
    assert np.isnan(rank_correlation(ranking, np.full(3, -np.inf), np.full(3, np.inf)))
    # An upper limit below all others is as good as a value; one above all others says nothing.
    below, above = (np.array([edge, 2.0, 1.0]) for edge in (0.5, 9.0))
    lower = np.array([-np.inf, 2.0, 1.0])
    assert rank_correlation(ranking, lower, below) == pytest.approx(spearmanr(ranking, below).statistic)
    # By hand: the ranks are 2, 2.5 and 1.5.
    assert rank_correlation(ranking, lower, above) == pytest.approx(np.corrcoef(ranking, [2, 2.5, 1.5])[0, 1])


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0, 3), st.floats(-9, 9)), min_size=3, max_size=20))
def test_limits_are_a_matter_of_order_only(entries):
    values, width, ranking = np.array(entries).T
    found = rank_correlation(ranking, values, values + width)
    assume(not np.isnan(found))
    assert -1 - 1e-9 <= found <= 1 + 1e-9
    assert rank_correlation(-ranking, values, values + width) == pytest.approx(-found)
    order = np.random.default_rng(0).permutation(len(ranking))
    assert rank_correlation(ranking[order], values[order], (values + width)[order]) == pytest.approx(found)


def test_limits_of_a_conductivity_are_those_of_its_temperature():
    def value(conductivity, limit=None, temperature=300.0):
        return {'conductivity': conductivity, 'limit': limit, 'temperature': temperature}

    of = [value(1e-3), value(1e-4), value(5.0, temperature=1000.0)]
    assert conductivity_limits({'values': of}, 300.0) == (1e-4, 1e-3)
    assert conductivity_limits({'values': of}, 1000.0) == (5.0, 5.0)
    assert conductivity_limits({'values': [value(1e-9, '<')]}, 300.0) == (-np.inf, 1e-9)
    assert conductivity_limits({'values': [value(1e-2, '>')]}, 300.0) == (1e-2, np.inf)
    assert conductivity_limits({'values': of}, 500.0) == (-np.inf, np.inf)


class TestMaterials:
    """What becomes of a set of labelled materials, in numbers, a table, sentences and a figure."""

    SETTINGS = ScoreSettings(resamples=2000)

    @pytest.fixture
    def found(self):
        """Xi is upside down, another ranking is perfect, a third repeats it, and others lack values."""
        known = materials(
            xi=lambda k: float(k), right=lambda k: -float(k), again=lambda k: 1 - 2.0 * k, none=lambda k: None,
            part=lambda k: None if k == 3 else float(k), few=lambda k: float(k) if k > 6 else None,
        )  # fmt: skip
        for one in known.values():
            one['unranked'] = {name: 'no such thing' for name, value in one['rankings'].items() if value is None}
        return compare_materials(known, 'Li', self.SETTINGS, 300.0)

    def test_content(self, found):
        rows = {row['ranking']: row for row in found['rows']}
        assert list(rows) == ['right', 'xi', 'part']
        assert rows['right']['difference']['value'] == 1
        assert (rows['right']['rank_correlation'], rows['xi']['rank_correlation']) == pytest.approx((1, -1))
        assert rows['right']['precision'] == [0.8, None]
        assert found['same_order'] == {'again': 'right'}
        assert set(found['not_compared']) == {'none', 'few'}
        assert list(found['missing']['part']) == ['s3']
        assert (found['good'], found['bad'], found['families'], found['materials']) == (8, 12, 20, 20)
        assert found['chance']['precision'] == 0.4

    def test_what_is_told(self, found):
        told = list(sentences(found))
        assert told[0].startswith('right is better than xi by 1.00 (p = 0.00')
        assert 'nothing is shown to be better' not in ' '.join(told)
        assert any('with fewer than 10 of a class' in one for one in told)
        assert any(one.startswith('p is corrected for 2 rankings (Holm)') for one in told)
        for words in (
            'the same order as right, and not counted again: again',
            'none is not compared: no such thing',
            'few is not compared: 1 of 13 materials are good conductors',
            'part has no value for 1 of 20 materials (s3): no such thing',
        ):
            assert any(words in one for one in told), words
        printed = table(found)
        assert 'materials' in printed
        assert 'random' in printed.splitlines()[-1]

    def test_what_cannot_be_seen_follows_from_the_errors(self):
        random = np.random.default_rng(0)
        noise = random.normal(scale=6, size=(3, 20))
        known = materials(**{name: lambda k, own=own: own[k] - k for name, own in zip(('xi', 'one', 'two'), noise)})
        found = compare_materials(known, 'Li', self.SETTINGS, 300.0)
        errors = [row['difference']['error'] for row in found['rows'] if row['difference']]
        told = list(sentences(found))
        assert told[0] == 'nothing is shown to be better than xi'
        assert f'differences below about {2 * np.median(errors):.2f} cannot be seen with 8 good and 12 bad' in told[1]
        few = list(sentences(found | {'resamples': 40}))
        assert '40 resamples cannot show a p below 0.1: take more' in few
        assert 'Spearman' in table(found)
        assert 'Spearman' not in table(compare_materials(known, 'Li', self.SETTINGS))

    def test_figure(self, found):
        figure = comparison_figure(found, 'set')
        traces = {unescape(trace.name): trace for trace in figure.data}
        assert set(traces) == {'xi, the reference', 'better than xi (p < 0.05)', 'no difference is shown'}
        better = traces['better than xi (p < 0.05)']
        assert (list(better.y), list(better.x)) == (['right'], [1.0])
        (row,) = (row for row in found['rows'] if row['ranking'] == 'xi')
        reference = traces['xi, the reference']
        assert reference.error_x.array[0] == pytest.approx(row['upper'] - row['score'])
        assert list(figure.layout.yaxis.categoryarray) == ['part', 'xi', 'right']
        assert figure.layout.shapes[0].x0 == found['chance']['score']
        assert verdict(row) is None

    def test_ensembles_of_the_same_order_count_if_their_errors_differ(self):
        known = materials(xi=lambda k: -float(k), one=lambda k: -float(k), two=lambda k: -float(k))
        for one in known.values():
            one['ranking_errors'] = {'xi': 1.0, 'one': 1.0, 'two': 2.0}
        found = compare_materials(known, 'Li', self.SETTINGS)
        assert found['same_order'] == {'one': 'xi'}
        assert {row['ranking'] for row in found['rows']} == {'xi', 'two'}


def without(found, name, places):
    """Those materials, of which some have no value for a ranking."""
    for place, one in enumerate(found.values()):
        if place in places:
            one['rankings'][name], one['unranked'][name] = None, 'it has none'
    return found


class TestGaps:
    def test_no_value_at_the_top_is_not_the_same_order(self):
        found = without(materials(xi=lambda place: -place, other=lambda place: -place), 'other', [0])
        told = compare_materials(found, 'Li', SETTINGS)
        assert told['same_order'] == {}
        assert [row['materials'] for row in told['rows'] if row['ranking'] == 'other'] == [19]

    def test_one_ranking_with_gaps_does_not_cost_the_others_their_comparison(self):
        """It shares no good conductor with the reference."""
        names = ('xi', 'gaps', 'complete')
        found = materials(**{name: lambda place, name=name: -place - (name == 'complete') * place**2 for name in names})
        found = without(without(found, 'xi', range(4)), 'gaps', range(4, 8))
        told = compare_materials(found, 'Li', SETTINGS)
        assert set(told['not_compared']) == {'gaps'}
        assert 'good conductors' in told['not_compared']['gaps']
        assert 'complete' in {*(row['ranking'] for row in told['rows']), *told['same_order']}

    def test_the_logarithm_of_nothing_is_the_lowest_of_all(self):
        """As before, a material without free volume is ranked last, and has a value."""
        tables = random_descriptors(24)
        for one in tables[:6]:
            one['spectrum']['connected'] = [0.0] * len(one['spectrum']['thresholds'])
        ranked = rank_values(DescriptorExpression('log10(connected(0.5))'), tables)
        plain = rank_values(DescriptorExpression('connected(0.5)'), tables)
        np.testing.assert_array_equal(rankdata(ranked.values), rankdata(plain.values))
        assert ranked.missing == {}
        assert not ranked.errors.any()


def test_rankings_of_materials():
    tables = {f's{k}': one for k, one in enumerate(random_descriptors(4))}
    tables['s2'] = tables['s2'] | {'mpe': None}
    found = rank_materials(compared_rankings(['connected(0.3) * 2', 'connected(0.4)']), tables)
    assert found['s0']['rankings']['-mpe'] == -tables['s0']['mpe']
    assert found['s0']['rankings']['fv_connected * fv_disconnected'] == pytest.approx(
        tables['s0']['fv_connected'] * tables['s0']['fv_disconnected']
    )
    assert found['s2']['rankings']['-mpe'] is None
    assert "no 'mpe'" in found['s2']['unranked']['-mpe']
    assert set(found['s1']['unranked']) == {'fv_joint', '-barrier_joint', 'connected(0.4)'}
    assert set(found['s1']['ranking_errors'].values()) == {0.0}


class TestAssessments:
    """Several assessments of the same labels."""

    def test_xi_of_the_first_is_the_reference(self):
        one, other = materials(xi=lambda k: float(k)), materials(xi=lambda k: -float(k))
        del other['s9']
        contents = {'first': content_of(one), 'second': content_of(other)}
        found = compare_assessments(contents, ScoreSettings(resamples=1000))
        assert found['reference'] == 'first: xi'
        assert found['rows'][0]['ranking'] == 'second: xi'
        assert found['rows'][0]['difference']['value'] == 1
        assert found['materials'] == 19
        assert found['left_out'] == {'first': ['s9'], 'second': []}

    @pytest.mark.parametrize(
        ('change', 'words'),
        [
            ({'species': 'Na'}, 'first and second differ in the species: Li and Na; assess both with the same'),
            ({'classes': {'temperature': 500.0}}, 'differ in the classes'),
            (
                {'materials': {'s0': {'formula': 'LiF'}}},
                'second was made by an older version: run `aiida-pesfp assess`',
            ),
            ({'materials': {'s0': material(0, {'xi': 1.0}, good=0.5)}}, 'LiF has other labels in second'),
            ({'materials': {'t': material(0, {'xi': 1.0})}}, 'of the 0 structures that all assessments have: 0 of 0'),
        ],
    )
    def test_what_does_not_compare_is_refused(self, change, words):
        one = materials(xi=lambda k: float(k))
        with pytest.raises(AssessmentError, match=words):
            compare_assessments({'first': content_of(one), 'second': content_of(one) | change})

    def test_one_alone_is_refused(self):
        with pytest.raises(AssessmentError, match='first alone is compared by `aiida-pesfp assess`: give two'):
            compare_assessments({'first': content_of(materials(xi=float))})

    def test_names(self):
        usual, large = {'cell': 'primitive', 'others': 'fixed'}, {'cell': 'size_consistent', 'cell_size': 6.5}
        contents = {
            'a': content_of({}, 'sevennet-0', **usual, spacing=0.5),
            'b': content_of({}, 'sevennet-0', **large, others='removed', spacing=0.5),
            'c': content_of({}, 'chgnet', **usual, spacing=0.5),
            'd': content_of({}, 'chgnet', **usual, spacing=0.25),
            'e': content_of({}, 'chgnet', **usual, spacing=0.25),
        }
        assert names_of(contents) == {
            'a': 'sevennet-0',
            'b': 'sevennet-0, size_consistent, 6.5 A, removed',
            'c': 'chgnet, 0.5 A',
            'd': 'chgnet, 0.25 A, d',
            'e': 'chgnet, 0.25 A, e',
        }
