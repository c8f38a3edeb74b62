"""CHGNet on a frozen graph against its own converter and calculator."""

import contextlib
import io
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_pesfp import errors
from aiida_pesfp.potentials import load_potential
from aiida_pesfp.potentials.registry import families, find
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import CELLS, by_calculator, compare_with_its_calculator, random_places
from tests.helpers.reference import compare

pytest.importorskip('chgnet', reason='the extra chgnet is not installed')


#: Smaller than the range of bonds, and often than that of angles; not so small that there are thousands of angles.
skewed_cells = st.builds(
    lambda lengths, skews: np.diag(lengths) + np.array([[0, 0, 0], [skews[0], 0, 0], [skews[1], skews[2], 0]]),
    st.tuples(*[st.floats(2.2, 5.0)] * 3),
    st.tuples(*[st.floats(-3.0, 3.0)] * 3),
)


@pytest.fixture(scope='module')
def chgnet():
    return load_potential('chgnet-0.3.0', device='cpu')


@pytest.fixture(scope='module')
def calculator():
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        from chgnet.model import CHGNetCalculator

        return CHGNetCalculator(use_device='cpu')


def predicted(calculator, structure):
    """Total energy, eV, by CHGNet's own path."""
    return float(calculator.model.predict_structure(structure, task='e')['e']) * len(structure)


@pytest.mark.fidelity
@pytest.mark.parametrize('structure', CELLS, ids=lambda structure: structure.composition.reduced_formula)
def test_it_equals_its_own_calculator(chgnet, calculator, structure):
    ion = next(index for index, site in enumerate(structure) if site.specie.symbol == 'Li')
    places = random_places(structure, ion)
    found = chgnet.evaluator(structure).energies(ion, places)
    expected = by_calculator(structure, ion, places, calculator)
    compare(structure.formula, 'CHGNet, its calculator (eV)', found, expected, abs=1e-4)


@pytest.mark.fidelity
@pytest.mark.parametrize('name', ['chgnet-0.2.0', 'chgnet-r2scan'])
def test_older_and_other_ones_equal_their_own_calculators(name):
    compare_with_its_calculator(name, CELLS[1], 5e-5)


def test_its_calculator_is_of_the_same_potential(chgnet):
    structure = rock_salt('Li', 'Cl', 5.13)
    atoms = AseAtomsAdaptor.get_atoms(structure)
    atoms.calc = chgnet.calculator(structure)
    expected = chgnet.evaluator(structure).energies(0, structure.cart_coords[:1])[0]
    assert atoms.get_potential_energy() == pytest.approx(expected, abs=1e-4)
    assert np.abs(atoms.get_forces()).max() < 1e-3


@given(
    skewed_cells,
    st.lists(st.tuples(*[st.floats(-1, 2)] * 3), min_size=1, max_size=3),
    st.lists(st.tuples(*[st.floats(-2, 2)] * 3), min_size=1, max_size=2),
    st.randoms(),
)
@settings(max_examples=40, deadline=None)
def test_graphs_are_those_of_its_own_converter(chgnet, calculator, lattice, atoms, places, random):
    """Bonds and angles, not energies: where atoms come as close as here, those are large and in single precision."""
    structure = Structure(Lattice(lattice), ['Li'] * len(atoms), atoms)
    ion = random.randrange(len(atoms))
    evaluator = chgnet.evaluator(structure)
    evaluator._set_ion(ion)
    graph = evaluator.batch_graph(np.array(places) @ lattice)
    for number, place in enumerate(places):
        fractional = structure.frac_coords.copy()
        fractional[ion] = place
        moved = Structure(Lattice(lattice), structure.species, fractional)
        distances = moved.get_neighbor_list(6.0)[3]
        if not len(distances) or distances.min() < 0.1 or min(np.abs(distances - c).min() for c in (3, 6)) < 1e-5:
            continue  # on the border it does not matter on which side a bond falls
        expected = own_graph(calculator, moved)
        mine = (graph.batched_atom_graph[:, 0] // len(atoms)) == number
        directed = graph.batched_atom_graph[mine] - number * len(atoms)
        np.testing.assert_allclose(
            sums_of_bonds(directed, graph.bond_bases_ag[graph.directed2undirected[mine]], len(atoms)),
            sums_of_bonds(
                expected.batched_atom_graph, expected.bond_bases_ag[expected.directed2undirected], len(atoms)
            ),
            rtol=1e-4,
            atol=1e-3,
        )
        of_angles = graph.batched_bond_graph[(graph.batched_bond_graph[:, 0] // len(atoms)) == number]
        assert len(of_angles) == len(expected.batched_bond_graph)
        if len(of_angles):
            basis = graph.angle_bases[(graph.batched_bond_graph[:, 0] // len(atoms)) == number]
            np.testing.assert_allclose(
                sums_of_angles(
                    of_angles[:, 0] - number * len(atoms), of_angles, graph.bond_bases_bg, basis, len(atoms)
                ),
                sums_of_angles(
                    expected.batched_bond_graph[:, 0],
                    expected.batched_bond_graph,
                    expected.bond_bases_bg,
                    expected.angle_bases,
                    len(atoms),
                ),
                rtol=1e-3,
                atol=1e-2,
            )


def own_graph(calculator, structure):
    """The graph as CHGNet's converter and network make it."""
    from chgnet.model.model import BatchedGraph

    network = calculator.model
    with torch.no_grad():
        graphs = [network.graph_converter(structure)]
        return BatchedGraph.from_graphs(graphs, network.bond_basis_expansion, network.angle_basis_expansion)


def sums_of_bonds(ends, features, number):
    """For each pair of atoms, the number of its directed bonds and the sum of their features."""
    table = torch.cat([torch.ones(len(ends), 1), features.detach()], dim=1).double()
    pairs = ends[:, 0].long() * number + ends[:, 1].long()
    return torch.zeros(number**2, table.shape[1], dtype=torch.double).index_add_(0, pairs, table).numpy()


def sums_of_angles(centres, angles, radial, basis, number):
    """For each atom, the sum over its angles of products of the features of both bonds and of the angle."""
    one, other = radial[angles[:, 1].long()][:, :3].detach(), radial[angles[:, 2].long()][:, :3].detach()
    products = torch.einsum('ai,aj,ak->aijk', one, other, basis.detach()[:, 1:20:6]).double().flatten(1)
    return torch.zeros(number, products.shape[1], dtype=torch.double).index_add_(0, centres.long(), products).numpy()


@pytest.mark.parametrize('seed', range(4))
def test_random_cells_have_the_energies_of_its_own_path(chgnet, calculator, seed):
    random = np.random.default_rng(seed)
    lattice = np.diag(random.uniform(2.6, 5.0, 3)) + np.tril(random.uniform(-1.5, 1.5, (3, 3)), -1)
    number = seed + 1
    structure = Structure(lattice, ['Li', 'O', 'P', 'S'][:number], random.random((number, 3)))
    places = random.random((3, 3)) @ lattice
    found = chgnet.evaluator(structure).energies(0, places)
    for place, energy in zip(places, found):
        moved = structure.copy()
        moved.replace(0, 'Li', place, coords_are_cartesian=True)
        expected = predicted(calculator, moved)
        assert energy == pytest.approx(expected, abs=1e-4, rel=1e-5)


def test_an_isolated_ion_is_evaluated_as_its_calculator_does(chgnet, calculator):
    """A slab beside a wide gap, in the middle of which nothing is within reach of the ion."""
    structure = Structure(Lattice.orthorhombic(7, 7, 16), ['Li', 'Li', 'F'], [[0, 0, 0.5], [0, 0, 0], [0.28, 0, 0]])
    places = np.array([[0, 0, 8.0], [0, 0, 6.01], [0, 0, 5.99], [2.0, 2.0, 1.0]])
    found = chgnet.evaluator(structure).energies(0, places)
    np.testing.assert_allclose(found, by_calculator(structure, 0, places, calculator), atol=1e-4)
    assert found[1] == pytest.approx(found[2], abs=1e-5)  # nothing jumps at the cutoff


def test_an_atom_alone_has_an_energy(chgnet):
    structure = Structure(Lattice.cubic(20), ['Li'], [[0, 0, 0]])
    energies = chgnet.evaluator(structure).energies(0, np.array([[0, 0, 0], [1.0, 2, 3]]))
    assert np.isfinite(energies).all()
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)


def test_it_does_not_depend_on_the_batch_or_the_order_of_ions(chgnet):
    structure = CELLS[1]
    evaluator = chgnet.evaluator(structure)
    places = random_places(structure, 1, 7)
    whole = evaluator.energies(1, places)
    evaluator.energies(0, random_places(structure, 0, 2))
    np.testing.assert_array_equal(evaluator.energies(1, places), whole)
    one_by_one = load_potential('chgnet-0.3.0', device='cpu', batch_size=1).evaluator(structure).energies(1, places)
    np.testing.assert_allclose(one_by_one, whole, atol=2e-5)


def test_elements_it_was_not_trained_on_are_refused_by_name(chgnet):
    with pytest.raises(errors.UnsupportedElement, match='chgnet-0.3.0 does not know Po'):
        chgnet.evaluator(rock_salt('Li', 'Po', 6.0))


def test_loading_prints_nothing(capfd):
    load_potential('chgnet-0.3.0', device='cpu')
    assert capfd.readouterr().out == ''


def test_other_potentials_do_without_the_package():
    code = (
        "import sys; from aiida_pesfp.potentials import load_potential; load_potential('sevennet-0', device='cpu'); "
        "assert 'chgnet' not in sys.modules"
    )
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], check=True)


@pytest.mark.parametrize(
    ('embedded', 'words'),
    [
        ('no_such_package/none.tar', r'no_such_package is not .* pip install aiida-pesfp\[chgnet\]'),
        ('chgnet/pretrained/9.9.9/none.tar', r'lacks pretrained/9\.9\.9/none\.tar: pip install --upgrade'),
    ],
)
def test_a_missing_extra_is_named(embedded, words):
    absent = replace(find('chgnet-0.3.0')[0], embedded=embedded)
    with pytest.raises(errors.PotentialError, match=words):
        families()['chgnet'].embedded_file(absent)
