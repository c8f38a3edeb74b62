"""The paper's potential against TensorFlow m3gnet 0.2.4, and its fast path against the plain one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from aiida_pesfp import errors
from aiida_pesfp.potentials import load_potential
from aiida_pesfp.potentials.m3gnet.network import CUTOFF, Bonds, radial_basis, three_body_radial
from aiida_pesfp.potentials.m3gnet.potential import M3GNetPotential
from aiida_pesfp.potentials.m3gnet.weights import load_weights
from aiida_pesfp.potentials.registry import identify
from tests.helpers import DATA
from tests.helpers.crystals import rock_salt
from tests.helpers.plain_m3gnet import PlainM3GNet
from tests.helpers.reference import compare, tensorflow_entries
from tests.helpers.surfaces import skewed_cells

#: Of the tensors, which a conversion by other means has given too.
SHA256 = 'eb3a9c8cfc15a49e7cf379231a54dd83027cd89edf3e77e74b86e647a5703604'


@pytest.fixture(scope='session')
def checkpoint(m3gnet_weights):
    """Folder of the published checkpoint."""
    return Path(identify(m3gnet_weights).path)


@pytest.fixture(scope='session')
def converted(checkpoint, tmp_path_factory):
    """The same weights as a file of numpy."""
    weights, path = load_weights(checkpoint), tmp_path_factory.mktemp('weights') / 'converted.npz'
    np.savez(path, element_refs=weights.element_references, **weights.tensors)
    return path


@pytest.fixture(scope='session')
def potentials(m3gnet_weights):
    """The potential in single and double precision."""
    identity = identify(m3gnet_weights)
    return {dtype: M3GNetPotential(identity, 'cpu', dtype=dtype) for dtype in (torch.float32, torch.float64)}


ENTRIES = tensorflow_entries()


@pytest.fixture(params=ENTRIES)
def entry(request):
    """A structure with the results of TensorFlow's M3GNet."""
    return ENTRIES[request.param]


def structure_of(entry):
    return Structure(Lattice(entry['lattice']), entry['species'], entry['frac_coords'])


def in_tensorflow_order(potential, structure, energy):
    """The energy with the reference energies summed as TensorFlow does, atom by atom in single precision."""
    references = potential.element_references[list(structure.atomic_numbers)]
    total = np.float32(0)
    for reference in references.astype(np.float32):
        total += reference
    return float(np.float32(energy - references.sum()) + total)


@pytest.mark.fidelity
def test_energies_and_forces_are_those_of_tensorflow(potentials, entry):
    name, structure = entry['name'], structure_of(entry)
    energy, forces = potentials[torch.float32].energy_and_forces(structure)
    energy = in_tensorflow_order(potentials[torch.float32], structure, energy)
    compare(name, 'energy, single precision (eV)', energy, entry['tf_energy'], abs=1e-4)
    compare(name, 'forces, single precision (eV/A)', forces, entry['tf_forces'], abs=1e-4)
    energy, forces = potentials[torch.float64].energy_and_forces(structure)
    compare(name, 'energy, double precision (eV)', energy, entry['tf64_energy'], abs=5e-6)
    compare(name, 'forces, double precision (eV/A)', forces, entry['tf64_forces'], abs=1e-4)


@pytest.mark.fidelity
def test_sums_over_atoms_are_the_sums_over_pairs_of_bonds(potentials, entry, checkpoint):
    """The addition theorem, and the split of the first layers, change nothing."""
    plain = PlainM3GNet(load_weights(checkpoint), torch.float64)
    structure = structure_of(entry)
    energy, forces, _ = plain.energies([structure], derivatives=True)
    expected = potentials[torch.float64].energy_and_forces(structure)
    compare(entry['name'], 'energy of the plain twin (eV)', expected[0], energy[0], abs=1e-8)
    compare(entry['name'], 'forces of the plain twin (eV/A)', expected[1], forces, abs=1e-7)


@pytest.mark.fidelity
def test_basis_functions_are_those_of_the_specification():
    expected = json.loads((DATA / 'm3gnet' / 'basis.json').read_text())
    r = torch.tensor(expected['r'], dtype=torch.float64)
    compare('M3GNet', 'radial basis', radial_basis(r), expected['rbf'], abs=1e-9)
    cosines = np.array(expected['cos'])
    legendre = np.stack([np.ones_like(cosines), cosines, (3 * cosines**2 - 1) / 2], axis=1)
    found = three_body_radial(r).numpy() * np.repeat(legendre, 3, axis=1)
    compare('M3GNet', 'three-body basis', found, expected['three_body_sbf_Yl0'], abs=1e-6)


def test_the_frozen_graph_gives_the_same_energies(potentials, entry):
    potential, structure = potentials[torch.float64], structure_of(entry)
    ion = next(index for index, site in enumerate(structure) if site.specie.symbol == 'Li')
    places = np.vstack([structure.cart_coords[ion], structure.cart_coords[ion] + [[0.2, -0.1, 0.3], [7.0, 1.0, -9.0]]])
    found = potential.evaluator(structure).energies(ion, places)
    for energy, place in zip(found, places):
        moved = structure.copy()
        moved.replace(ion, 'Li', place, coords_are_cartesian=True)
        assert energy == pytest.approx(potential.energy_and_forces(moved)[0], abs=1e-8)
    assert found[0] == pytest.approx(entry['tf64_energy'], abs=5e-6)


@given(
    skewed_cells,
    st.lists(st.tuples(st.sampled_from(['Li', 'O', 'S', 'H']), *[st.floats(0, 1)] * 3), min_size=0, max_size=3),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_the_frozen_graph_gives_the_same_energies_in_any_cell(potentials, lattice, atoms, seed):
    """Skewed cells thinner than the cutoff, where the ion meets many of its own images; double precision."""
    potential = potentials[torch.float64]
    coordinates = [[0, 0, 0], *[atom[1:] for atom in atoms]]
    structure = Structure(Lattice(lattice * 1.4), ['Li', *[atom[0] for atom in atoms]], coordinates)
    place = np.random.default_rng(seed).random((1, 3)) @ structure.lattice.matrix
    moved = structure.copy()
    moved.replace(0, 'Li', place[0], coords_are_cartesian=True)
    if moved.get_neighbor_list(0.5)[3].size:
        return  # meaningless energies of up to 1e6 eV
    found = potential.evaluator(structure).energies(0, place)[0]
    assert found == pytest.approx(potential.energy_and_forces(moved)[0], abs=1e-7)


def test_single_precision_suffices(potentials, entry):
    structure = structure_of(entry)
    ion = next(index for index, site in enumerate(structure) if site.specie.symbol == 'Li')
    places = structure.cart_coords[ion] + np.random.default_rng(0).normal(scale=0.3, size=(12, 3))
    single = potentials[torch.float32].evaluator(structure).energies(ion, places)
    double = potentials[torch.float64].evaluator(structure).energies(ion, places)
    np.testing.assert_allclose(single, double, atol=1e-4, rtol=0)


@given(
    skewed_cells,
    st.lists(st.tuples(st.sampled_from(['Li', 'O', 'S', 'H']), *[st.floats(0, 1)] * 3), min_size=0, max_size=5),
)
@settings(max_examples=25, deadline=None)
def test_fused_blocks_give_what_plain_ones_give(potentials, lattice, atoms):
    """In single precision, whatever the number of bonds: none, less than a tile, several tiles and a rest."""
    network, fused = potentials[torch.float32].network, potentials[torch.float32].blocks
    coordinates = [[0, 0, 0], *[atom[1:] for atom in atoms]]
    structure = Structure(Lattice(lattice * 1.4), ['Li', *[atom[0] for atom in atoms]], coordinates)
    centres, neighbours, images, distances = structure.get_neighbor_list(CUTOFF)
    if distances.size and distances.min() < 0.8:
        return  # far from anything the network was made for, where its numbers are too large to compare
    places = structure.cart_coords
    vectors = places[neighbours] - places[centres] + images @ structure.lattice.matrix
    with torch.inference_mode():
        bonds = Bonds.from_vectors(
            torch.tensor(centres), torch.tensor(neighbours), torch.tensor(vectors, dtype=torch.float32)
        )
        h, e = network.atom_embedding[list(structure.atomic_numbers)], network.initial_bonds(bonds)
        for plain, ours in zip(network.blocks, fused, strict=True):
            expected, found = plain(h, e, bonds), ours(h, e.clone(), bonds)
            for one, other in zip(expected, found):
                scale = float(one.abs().max()) if one.numel() else 1.0
                np.testing.assert_allclose(one.numpy(), other.numpy(), atol=2e-6 * max(1.0, scale), rtol=1e-5)
            h, e = expected


def test_batches_side_by_side_give_the_same_energies(potentials, monkeypatch):
    structure = rock_salt('Li', 'Cl', 5.13)
    places = np.random.default_rng(0).random((150, 3)) @ structure.lattice.matrix
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(torch, 'get_num_threads', lambda threads=threads: threads)
        potential = M3GNetPotential(potentials[torch.float32].identity, 'cpu', batch_size=11)
        found.append(potential.evaluator(structure).energies(0, places))
    np.testing.assert_array_equal(*found)


def test_one_atom_and_no_bonds(potentials):
    alone = Structure(Lattice.cubic(8.0), ['Li'], [[0, 0, 0]])
    potential = potentials[torch.float64]
    energies = potential.evaluator(alone).energies(0, np.array([[0.0, 0, 0], [1.0, 2.0, 3.0]]))
    assert np.isfinite(energies).all()
    assert energies[0] == pytest.approx(energies[1], abs=1e-10)
    assert potential.energy_and_forces(alone)[0] == pytest.approx(energies[0], abs=1e-10)


@pytest.mark.parametrize('symbol', ['Po', 'At', 'Rn', 'Fr', 'Ra'])
def test_elements_that_were_never_trained_are_refused(potentials, symbol):
    with pytest.raises(errors.UnsupportedElement, match=f'does not know {symbol}'):
        potentials[torch.float32].evaluator(rock_salt('Li', symbol, 6.0))


def test_a_converted_file_is_the_same_potential(converted, potentials):
    checkpoint, converted = potentials[torch.float32], load_potential(str(converted), device='cpu')
    assert checkpoint.identity.sha256 == converted.identity.sha256 == SHA256
    structure = rock_salt('Li', 'Cl', 5.13)
    places = np.random.default_rng(0).random((3, 3))
    np.testing.assert_array_equal(
        checkpoint.evaluator(structure).energies(0, places), converted.evaluator(structure).energies(0, places)
    )


@pytest.mark.parametrize('file', ['m3gnet.index', 'm3gnet.data-00000-of-00001', 'm3gnet.json'])
def test_a_damaged_checkpoint_is_refused(checkpoint, tmp_path, file):
    folder = tmp_path / 'checkpoint'
    shutil.copytree(checkpoint, folder)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(errors.PotentialError, match='no whole weights'):
        load_potential(str(folder))
    (folder / file).unlink()
    with pytest.raises(errors.PotentialError):
        load_potential(str(folder))


def test_damaged_or_foreign_arrays_are_refused(converted, tmp_path):
    content = converted.read_bytes()
    (tmp_path / 'truncated.npz').write_bytes(content[: len(content) // 2])
    np.savez(tmp_path / 'foreign.npz', element_refs=np.zeros(3))
    for name in ('truncated', 'foreign'):
        with pytest.raises(errors.PotentialError, match=rf'{name}\.npz'):
            load_potential(str(tmp_path / f'{name}.npz'))
