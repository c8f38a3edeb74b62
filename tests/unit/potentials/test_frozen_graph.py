"""The graph of a moving ion against pymatgen's neighbour list of the whole structure, in skewed and thin cells."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from aiida_pesfp.potentials.frozen_graph import FrozenGraph
from tests.helpers.surfaces import skewed_cells


def sorted_edges(sources, targets, vectors):
    rows = np.column_stack([sources, targets, np.round(vectors, 6) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


@given(
    skewed_cells,
    st.lists(st.tuples(*[st.floats(-1, 2)] * 3), min_size=1, max_size=4),
    st.lists(st.tuples(*[st.floats(-2, 2)] * 3), min_size=1, max_size=3),
    st.floats(1.0, 4.0),
    st.randoms(),
)
@settings(max_examples=60, deadline=None)
def test_edges_are_those_of_the_whole_structure(lattice, atoms, places, cutoff, random):
    structure = Structure(Lattice(lattice), ['Li'] * len(atoms), atoms)
    ion = random.randrange(len(atoms))
    positions = np.array(places) @ lattice
    edges = FrozenGraph(structure, ion, cutoff).batch(positions)
    for number, place in enumerate(places):
        fractional = structure.frac_coords.copy()
        fractional[ion] = place
        moved = Structure(Lattice(lattice), structure.species, fractional)
        sources, targets, images, distances = moved.get_neighbor_list(cutoff)
        if len(distances) and (np.abs(distances - cutoff).min() < 1e-6 or distances.min() < 1e-6):
            continue  # on the border it does not matter on which side an edge falls
        vectors = moved.cart_coords[targets] - moved.cart_coords[sources] + images @ lattice
        mine = (edges.sources // len(atoms)) == number
        found = sorted_edges(
            edges.sources[mine] - number * len(atoms), edges.targets[mine] - number * len(atoms), edges.vectors[mine]
        )
        np.testing.assert_allclose(found, sorted_edges(sources, targets, vectors), atol=2e-6)


def test_an_ion_alone_in_its_cell_sees_its_own_images():
    graph = FrozenGraph(Structure(Lattice.cubic(2.0), ['Li'], [[0, 0, 0]]), 0, 3.0)
    edges = graph.batch(np.array([[0.3, 0.1, 0.0], [1.0, 1.0, 1.0]]))
    assert len(graph.fixed) == 18
    assert len(edges) == 36
    assert set(edges.sources) == {0, 1}
