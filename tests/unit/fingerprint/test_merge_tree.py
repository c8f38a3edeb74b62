"""Merge trees against the grid that they stand for, and against a plain union of points written out here."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import DEGENERACY, neighbour_steps
from aiida_pesfp.fingerprint.merge_tree import MergeTree
from aiida_pesfp.fingerprint.percolation import percolation_barriers, periodic_levels, regions
from aiida_pesfp.fingerprint.quantities import Distribution, free_volumes
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.settings.descriptors import NEIGHBOUR_RULES, DescriptorSettings, XiParameters
from aiida_pesfp.settings.scan import ScanSettings
from tests.helpers import brute_force as reference
from tests.helpers.crystals import antifluorite, wurtzite
from tests.helpers.potentials import PairPotential
from tests.helpers.reference import CRYSTALS, Oracle
from tests.helpers.surfaces import make_surface, skewed_cells

LIMIT = 3.0


@st.composite
def rough_surfaces(draw):
    """One to three ions in a skewed cell: rough, with many equal energies, flat, or with a mirror; some excluded."""
    shape = draw(st.tuples(*[st.integers(1, 5)] * 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    energies = random.gamma(2.0, 0.7, size=(draw(st.integers(1, 3)), *shape))
    kind = draw(st.sampled_from(['rough', 'ties', 'flat', 'mirror', 'noise']))
    if kind == 'ties':
        energies = np.round(energies, 1)
    elif kind == 'flat':
        energies = np.round(energies / 3)
    elif kind == 'mirror':
        energies = np.minimum(energies, energies[:, ::-1])
    elif kind == 'noise':
        energies = np.round(energies, 1) + random.normal(0, DEGENERACY / 2, energies.shape)
    excluded = random.random(energies.shape) < draw(st.sampled_from([0.0, 0.3]))
    excluded[:, 0, 0, 0] = False
    return make_surface(np.where(excluded, np.nan, energies), draw(skewed_cells))


levels = st.floats(0, LIMIT - 0.25, allow_subnormal=False)


@st.composite
def descriptor_settings(draw):
    """Settings of descriptors up to the limit."""
    thresholds = tuple(draw(st.lists(levels, min_size=1, max_size=4)))
    smearing = tuple(draw(st.lists(st.floats(-0.25, 0.25, allow_subnormal=False), min_size=1, max_size=3)))
    parameters = XiParameters(threshold=draw(levels), connected_cut=draw(st.floats(-3, 0)))
    rule = draw(st.sampled_from(NEIGHBOUR_RULES))
    return DescriptorSettings(thresholds=thresholds, smearing=smearing, neighbours=rule, xi=parameters)


def stored(tree):
    """The tree as a file gives it back."""
    stream = io.BytesIO()
    tree.save(stream)
    stream.seek(0)
    return MergeTree.load(stream)


def assert_same(one, other):
    assert one.as_dict() == other.as_dict()


@given(rough_surfaces(), descriptor_settings())
@settings(max_examples=150, deadline=None)
def test_all_descriptors_are_exactly_those_of_the_grid(surface, chosen):
    tree = MergeTree.of(surface, LIMIT, chosen.neighbours)
    assert_same(describe(stored(tree), chosen), describe(surface, chosen))


@given(rough_surfaces(), st.lists(st.floats(0.05, 2.9), min_size=1, max_size=3, unique=True))
@settings(max_examples=40, deadline=None)
def test_descriptors_are_those_of_plain_loops_over_the_grid(surface, thresholds):
    chosen = DescriptorSettings(thresholds=tuple(thresholds), xi=XiParameters(threshold=thresholds[0]))
    found = describe(stored(MergeTree.of(surface, LIMIT)), chosen)
    thresholds = found.spectrum['thresholds']
    energies, vectors = surface.energies.astype(np.float64), grid_vectors(surface.lattice, surface.shape)
    mpe, connected, disconnected = reference.descriptors(energies, vectors, thresholds)
    assert found.mpe == mpe
    np.testing.assert_allclose(found.spectrum['connected'], connected, rtol=1e-12)
    np.testing.assert_allclose(found.spectrum['disconnected'], disconnected, rtol=1e-12)


@given(rough_surfaces(), st.sampled_from([0.0, 0.013, 0.5, 1.0]))
@settings(max_examples=40, deadline=None)
def test_a_threshold_that_is_an_energy_of_the_grid_counts_as_on_the_grid(surface, shift):
    """Energies on the threshold are not below it; float32 energies are not rounded."""
    threshold = float(np.sort(surface.of_ion(0), axis=None)[surface.of_ion(0).size // 2])
    if threshold + shift >= LIMIT:
        return
    chosen = DescriptorSettings(thresholds=(threshold,), smearing=(0.0, shift), xi=XiParameters(threshold=threshold))
    assert_same(describe(MergeTree.of(surface, LIMIT), chosen), describe(surface, chosen))


def plain_tree(field, steps):
    """(minimum, saddle, minimum of the region that remains) of each region, by sets of points that join."""
    order = sorted(np.ndindex(field.shape), key=lambda point: (field[point], point))
    where, found = {}, {}
    for point in order:
        around = [tuple((np.array(point) + step) % field.shape) for step in steps]
        # Regions as lists of points: the first is the minimum.
        touched = {id(where[one]): where[one] for one in around if one in where}
        touched = sorted(touched.values(), key=lambda region: (field[region[0]], region[0]))
        if not touched:
            where[point] = [point]
            found[point] = None
            continue
        oldest, *others = touched
        for region in others:
            found[region[0]] = point, oldest[0]
            oldest.extend(region)
            where.update(dict.fromkeys(region, oldest))
        oldest.append(point)
        where[point] = oldest
    return found


@given(rough_surfaces(), st.sampled_from(NEIGHBOUR_RULES))
@settings(max_examples=80, deadline=None)
def test_regions_are_those_of_a_plain_union_of_points(surface, rule):
    field, vectors = surface.of_ion(0), grid_vectors(surface.lattice, surface.shape)
    steps = neighbour_steps(vectors, rule)
    found, expected = regions(field, steps), plain_tree(field, list(reference.neighbours(vectors, rule)))
    minima = [tuple(map(int, np.unravel_index(point, field.shape))) for point in found.minima]
    assert minima == sorted(expected, key=lambda point: (field[point], point))
    for number, (minimum, saddle, parent) in enumerate(zip(minima, found.saddles, found.parents)):
        if number == 0:
            assert (saddle, parent, expected[minimum]) == (-1, 0, None)
        else:
            saddle = tuple(map(int, np.unravel_index(saddle, field.shape)))
            assert (saddle, minima[parent]) == expected[minimum]
        barriers = tuple(float(field.flat[point]) for point in found.ways[number])
        assert barriers == percolation_barriers(field, steps, minimum)


@given(rough_surfaces(), st.sampled_from(NEIGHBOUR_RULES))
@settings(max_examples=60, deadline=None)
def test_basins_are_where_the_tree_says(surface, rule):
    """Energies are those of the grid, and neighbours of a saddle are, below it, in both of the regions that merge."""
    steps = neighbour_steps(grid_vectors(surface.lattice, surface.shape), rule)
    tree = stored(MergeTree.of(surface, LIMIT, rule))
    for number, basin in enumerate(tree.basins):
        field = surface.of_ion(int(basin['ion']))
        minimum, saddle = tuple(basin['minimum']), tuple(basin['saddle'])
        assert field[minimum] == basin['energy']
        if basin['parent'] == number:
            assert saddle == (-1, -1, -1)
            assert basin['saddle_energy'] == np.inf
            assert field.min() == basin['energy']
            continue
        assert field[saddle] == basin['saddle_energy']
        assert float(basin['saddle_energy']) - float(basin['energy']) > DEGENERACY
        parent = tree.basins[basin['parent']]
        assert parent['ion'] == basin['ion']
        assert parent['energy'] <= basin['energy']
        around = [tuple((np.array(saddle) + step) % field.shape) for step in steps]
        for other in (minimum, tuple(parent['minimum'])):
            levels = reference.periodic_minimax(field.astype(float), other, steps)
            assert min(levels[point] for point in around) <= basin['saddle_energy']


@given(rough_surfaces(), st.sampled_from(NEIGHBOUR_RULES))
@settings(max_examples=60, deadline=None)
def test_what_is_kept_of_noise_leaves_barriers_between_minima_exact(surface, rule):
    steps = neighbour_steps(grid_vectors(surface.lattice, surface.shape), rule)
    tree = MergeTree.of(surface, LIMIT, rule)
    deep = set()
    for ion in range(len(surface.scanned_ions)):
        rows, field = np.flatnonzero(tree.basins['ion'] == ion), surface.of_ion(ion)
        minima = [tuple(map(int, point)) for point in tree.basins['minimum'][rows]]
        for (one, first), (other, second) in itertools.combinations(zip(rows, minima), 2):
            level = periodic_levels(field, steps, first)[0][second]
            assert tree.barrier_between(one, other) == tree.barrier_between(other, one) == level
        for row, minimum in zip(rows, minima):
            assert tuple(map(float, tree.basins['barriers'][row])) == percolation_barriers(field, steps, minimum)
        for minimum, merged in plain_tree(field, steps).items():
            height = np.inf if merged is None else float(field[merged[0]])
            if merged is None or (height - float(field[minimum]) > DEGENERACY and field[minimum] < LIMIT):
                deep.add((ion, minimum))
    assert {(int(one['ion']), tuple(map(int, one['minimum']))) for one in tree.basins} == deep


def test_two_basins_by_hand():
    """Two valleys along c in a wall of 9 eV; they merge at 0.7 eV, where a gap joins them."""
    field = np.full((4, 4, 4), 9.0)
    field[0, 0] = [0.0, 0.1, 0.3, 0.1]
    field[2, 0] = [0.2, 0.5, 0.4, 0.5]
    field[1, 0, 2] = 0.7
    tree = MergeTree.of(make_surface([field]), 1.0, '6')
    single = np.float32
    assert [tuple(map(int, place)) for place in tree.basins['minimum']] == [(0, 0, 0), (2, 0, 0), (2, 0, 2)]
    assert [tuple(map(int, place)) for place in tree.basins['saddle']] == [(-1, -1, -1), (1, 0, 2), (2, 0, 1)]
    assert tree.basins['parent'].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(tree.basins['saddle_energy'], single([np.inf, 0.7, 0.5]))
    np.testing.assert_array_equal(tree.basins['barriers'][:, 0], single([0.3, 0.5, 0.5]))
    assert (tree.basins['barriers'][:, 1:] == 9).all()
    assert tree.barrier_between(0, 2) == single(0.7)
    assert tree.barrier_between(1, 2) == single(0.5)


def scanned(crystal, **choice):
    """A surface from a pair potential."""
    return scan(crystal, PairPotential(crystal), 'Li', ScanSettings(spacing=0.8, **choice))


@pytest.mark.parametrize('crystal', [antifluorite('Li', 'S', 5.7), wurtzite('Li', 'I', 4.514, 7.311, 0.375)])
def test_ions_that_are_images_of_each_other_share_what_is_equal(crystal):
    surface = scanned(crystal)
    tree = stored(MergeTree.of(surface, 4.2))
    assert len(surface.scanned_ions) < len(surface.mobile_ions)
    assert tree.rows.max() + 1 < tree.rows.size
    assert_same(describe(tree), describe(surface))


def test_a_single_ion_with_several_starts():
    surface = scanned(wurtzite('Li', 'I', 4.514, 7.311, 0.375), others='removed')
    assert len(surface.starts) > 1
    assert_same(describe(stored(MergeTree.of(surface, 4.2))), describe(surface))


def test_an_upper_bound_of_xi_is_kept():
    surface = make_surface(np.random.default_rng(0).gamma(2.0, size=(1, 4, 4, 4)))
    surface = PotentialEnergySurface.from_arrays(surface.as_arrays() | {'xi_upper': np.float64(0.2)})
    tree = stored(MergeTree.of(surface, 4.2))
    assert tree.stopped_early
    assert describe(tree).xi_upper == describe(surface).xi_upper >= 0.2
    assert_same(describe(tree), describe(surface))


@pytest.mark.fidelity
@pytest.mark.parametrize('name', CRYSTALS)
def test_trees_of_crystals_are_exact_and_smaller_than_their_grids(name, tmp_path):
    oracle = Oracle.read(name)
    surface = make_surface(list(oracle.grids.values()), oracle.structure.lattice.matrix, list(oracle.grids))
    tree = MergeTree.of(surface, 4.2)
    surface.save(tmp_path / 'pes.npz')
    tree.save(tmp_path / 'tree.npz')
    assert_same(describe(MergeTree.load(tmp_path / 'tree.npz')), describe(surface))
    assert (tmp_path / 'tree.npz').stat().st_size < 0.5 * (tmp_path / 'pes.npz').stat().st_size


def test_what_a_tree_cannot_know_is_an_error():
    tree = MergeTree.of(make_surface(np.random.default_rng(0).gamma(2.0, size=(2, 3, 3, 3))), 1.0)
    with pytest.raises(ValueError, match=r'free volumes up to 1 eV, and 4.04 eV are asked for'):
        describe(tree)
    low = {'thresholds': (0.5,), 'smearing': (0.0,)}
    with pytest.raises(ValueError, match="with the neighbour rule 'sqrt3', not '26'"):
        describe(tree, DescriptorSettings(neighbours='26', **low))
    other = int(np.flatnonzero(tree.basins['ion'] == 1)[0])
    with pytest.raises(ValueError, match='are of two ions'):
        tree.barrier_between(0, other)
    landscape = next(tree.landscapes('sqrt3', 1.0))
    assert free_volumes(landscape.energies, [1.0], [0.0])
    with pytest.raises(ValueError, match=r'1.1 eV is above 1 eV, up to which values were kept'):
        free_volumes(landscape.energies, [1.0], [0.0, 0.1])


def test_a_file_that_is_no_tree_is_refused(tmp_path):
    surface = make_surface(np.random.default_rng(0).gamma(2.0, size=(1, 3, 3, 3)))
    surface.save(tmp_path / 'pes.npz')
    with pytest.raises(ValueError, match='holds no merge tree'):
        MergeTree.load(tmp_path / 'pes.npz')
    MergeTree.of(surface, 4.2).save(tmp_path / 'tree.npz')
    content = (tmp_path / 'tree.npz').read_bytes()
    for damaged in (content[: len(content) // 2], content[:400] + b'\0\0\0\0' + content[404:], b''):
        (tmp_path / 'tree.npz').write_bytes(damaged)
        with pytest.raises(ValueError, match='holds no merge tree'):
            MergeTree.load(tmp_path / 'tree.npz')


@given(st.lists(st.sampled_from([-1.5, -0.0, 0.0, 0.3, 1.0, 2.0, 1e-40, 3e38]) | st.floats(width=32), max_size=20))
def test_a_distribution_counts_as_the_array_does(values):
    values = np.array([value for value in values if not np.isnan(value)], dtype=np.float32)
    thresholds = [-2.0, 0.0, float(np.float32(0.3)), 0.3, 1.0]
    found = Distribution.of(values, 1.0).below(np.array(thresholds))
    assert found.tolist() == [int((values.astype(float) < threshold).sum()) for threshold in thresholds]
