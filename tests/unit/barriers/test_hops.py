"""Which hops there are, in which supercell, and in how many dimensions they lead."""

import numpy as np
import pytest
from ase import Atoms
from pymatgen.core import Lattice, Structure

from aiida_pesfp import errors
from aiida_pesfp.barriers.hops import (
    Hop,
    check_distance,
    find_hops,
    from_lowest_ends,
    hop_between,
    of_network,
    percolation,
    with_vacancy,
)
from aiida_pesfp.barriers.methods import Barrier
from aiida_pesfp.barriers.paths import Path
from tests.helpers.crystals import antifluorite, rock_salt


@pytest.fixture
def layers():
    """Square layers of lithium, 3 A apart in the layer and 6 A between layers."""
    return Structure(Lattice.tetragonal(3.0, 6.0), ['Li', 'Cl'], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_neighbours_of_rock_salt_are_one_hop():
    [hop] = find_hops(rock_salt('Li', 'Cl', 5.13), 'Li', 5.0)
    assert len(hop.images) == 12
    assert np.linalg.norm(hop.vector(rock_salt('Li', 'Cl', 5.13))) == pytest.approx(5.13 / 2**0.5)


def test_hops_of_an_antifluorite():
    """Along the edge of a cube of ions, over its face, through cubes with an anion and without; not along two edges."""
    hops = find_hops(antifluorite('Li', 'O', 4.62), 'Li', 4.7)
    assert [len(hop.images) for hop in hops] == [12, 24, 8, 8]
    assert all(abs(hop.vector(antifluorite('Li', 'O', 4.62))).max() == pytest.approx(2.31) for hop in hops)


def test_hops_that_lead_nowhere_are_an_error():
    pairs = Structure(Lattice.cubic(9.0), ['Li', 'Li', 'Cl'], [[0, 0, 0], [0.3, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(errors.NoPath, match='hops of Li up to 5 A lead nowhere.*--longest-hop'):
        find_hops(pairs, 'Li', 5.0)


def test_a_supercell_has_one_ion_less(layers):
    hop = hop_between(layers.make_supercell([2, 1, 1]), 0, 1)
    supercell, ion, end = with_vacancy(layers, hop, 6.5)
    assert supercell.composition['Cl'] == supercell.composition['Li'] + 1
    assert min(1 / np.linalg.norm(np.linalg.inv(supercell.lattice.matrix), axis=0)) >= 6.5 - 1e-6
    assert supercell[ion].specie.symbol == 'Li'
    assert len(supercell.get_sites_in_sphere(end, 1.0)) == 0
    assert np.linalg.norm(end - supercell[ion].coords) == pytest.approx(3.0)


def test_barriers_in_each_dimension(layers):
    """The easy hops lead through a layer, the next ones from layer to layer."""
    hops = find_hops(layers, 'Li', 6.1)
    levels = [0.5 if abs(hop.vector(layers)[2]) > 1 else np.linalg.norm(hop.vector(layers)) / 10 for hop in hops]
    assert [level for level, _ in percolation(hops, levels)] == pytest.approx([0.3, 0.3, 0.5])


def test_a_chain_and_its_bridges():
    """Two sites in a cell: along a chain over both of them, across it between images of one."""
    along = [Hop(0, 1, (0, 0, 0), frozenset({(0, 1, (0, 0, 0))})), Hop(1, 0, (1, 0, 0), frozenset({(1, 0, (1, 0, 0))}))]
    across = Hop(1, 1, (0, 1, 0), frozenset({(1, 1, (0, 1, 0))}))
    assert percolation([*along, across], [0.1, 0.3, 0.7]) == [(0.3, [0, 1]), (0.7, [0, 1])]
    assert percolation(along[:1], [0.1]) == []


@pytest.mark.parametrize(
    ('start', 'end', 'message'),
    [
        (0, 1, 'atoms 0 and 1 are Li and Cl: name two sites of one species'),
        (0, 0, 'begins and ends at the same place, atom 0'),
        (0, 7, 'there is no atom 7'),
    ],
)
def test_sites_between_which_there_is_no_hop(layers, start, end, message):
    with pytest.raises(errors.NoPath, match=message):
        hop_between(layers, start, end)


def test_cells_that_are_too_small(layers):
    with pytest.raises(errors.CellTooSmall, match='image of the ion itself.*--supercell-distance'):
        with_vacancy(layers, Hop(0, 0, (1, 0, 0)), 2.0)
    with pytest.raises(errors.CellTooSmall, match='the cell has 3.00 A between its faces'):
        check_distance(layers, 6.5)


def test_all_hops_count_from_the_lowest_end():
    """The hop along the chain finds the vacancy lower than that across it, whose barrier so is higher by as much."""
    along, across = (Hop(0, 0, cell, frozenset({(0, 0, cell)})) for cell in ((1, 0, 0), (0, 1, 0)))
    found = [(along, barrier(0.5, energy=-1.0)), (across, barrier(0.2, energy=-0.9))]
    counted = [one for _, one in from_lowest_ends(found)]
    assert [one.forward for one in counted] == pytest.approx([0.5, 0.3])
    assert [one.reverse for one in counted] == pytest.approx([0.5, 0.3])
    assert [one.flags for one in counted] == [(), ('lower_end',)]
    assert counted[1].energies == pytest.approx([0.1, 0.3, 0.1])
    assert [level for level, _ in of_network(found)] == pytest.approx([0.3, 0.5])


def barrier(height: float, energy: float) -> Barrier:
    places, energies = np.linspace([0.0, 0, 0], [3.0, 0, 0], 3), np.array([0, height, 0])
    path = Path(Atoms('Li', cell=[3, 3, 3]), 0, places, energies)
    return Barrier(path, height, height, energy, [], path.lengths, energies, ())
