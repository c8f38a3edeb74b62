"""Potentials against the ASE calculators of the same packages, and what they refuse."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.fd import calculate_numerical_forces
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_pesfp import errors
from aiida_pesfp.memory import Memory
from aiida_pesfp.potentials import batching, load_potential
from aiida_pesfp.potentials.batching import BatchedEvaluator, NetworkPotential
from aiida_pesfp.potentials.registry import identify
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import CELLS, by_calculator, compare_with_its_calculator, random_places
from tests.helpers.reference import compare

#: Of lattice parameters, in units of the right ones.
SIZES = np.linspace(0.9, 1.1, 21)


@pytest.fixture(scope='module')
def sevennet():
    return load_potential('sevennet-0', device='cpu')


@pytest.fixture(scope='module')
def sevennet_calculator():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator('7net-0', device='cpu')


@pytest.mark.fidelity
@pytest.mark.parametrize('structure', CELLS, ids=lambda structure: structure.composition.reduced_formula)
def test_sevennet_equals_its_own_calculator(sevennet, sevennet_calculator, structure):
    ion = next(index for index, site in enumerate(structure) if site.specie.symbol == 'Li')
    places = random_places(structure, ion)
    found = sevennet.evaluator(structure).energies(ion, places)
    # Both sum in single precision, in different orders: 2e-6 eV is the most that was seen, on energies of 10 eV.
    expected = by_calculator(structure, ion, places, sevennet_calculator)
    compare(structure.formula, 'SevenNet-0, its calculator (eV)', found, expected, abs=2e-5)


@pytest.mark.fidelity
@pytest.mark.parametrize(
    'name', ['sevennet-0-2024-05-22', 'sevennet-l3i5', 'sevennet-mf-0:PBE', 'sevennet-mf-0:R2SCAN']
)
def test_every_sevennet_of_the_wheel_equals_its_own_calculator(name):
    compare_with_its_calculator(name, CELLS[1], 2e-5)
    potential, structure = load_potential(name, device='cpu'), CELLS[1]
    [(energy, _)] = potential.energies_and_forces([structure])
    assert energy == pytest.approx(potential.energies([structure])[0], abs=2e-5)


def test_a_modality_is_named(tmp_path):
    for spec, words in {
        'sevennet-mf-0': 'sevennet-mf-0: name one, sevennet-mf-0:PBE or sevennet-mf-0:R2SCAN',
        'sevennet-mf-0:HSE': "of which 'HSE' is none: name one, sevennet-mf-0:PBE",
        'm3gnet-mp-2021.2.8:PBE': 'holds one potential: leave out :PBE',
        'sevennet-0:PBE': 'sevennet-0 holds one potential: leave out :PBE',
        'none.pth:PBE': "there is no file 'none.pth:PBE'",
    }.items():
        with pytest.raises(errors.PotentialError, match=words):
            identify(spec)
    path = tmp_path / 'my:weights.pth'
    shutil.copy(identify('sevennet-mf-0:PBE').path, path)
    names = [identify(spec) for spec in (str(path), f'{path}:PBE', f'{path}:R2SCAN', f'{tmp_path}:PBE')]
    assert [one.name for one in names] == ['my:weights', 'my:weights:PBE', 'my:weights:R2SCAN', 'my:weights:PBE']
    assert names[1].sha256 == names[3].sha256 == identify('sevennet-mf-0:PBE').sha256
    assert len({one.sha256 for one in names}) == 3
    with pytest.raises(errors.PotentialError, match='several modalities: add one of them to its name, :R2SCAN or :PBE'):
        load_potential(str(path), device='cpu')
    with pytest.raises(errors.PotentialError, match="no modality 'HSE': it has R2SCAN, PBE"):
        load_potential(f'{path}:HSE', device='cpu')
    with pytest.raises(errors.PotentialError, match="no modality 'PBE': it has none"):
        load_potential(f'{identify("sevennet-0").path}:PBE', device='cpu')


def test_sevennet_does_not_depend_on_the_batch(sevennet):
    structure = CELLS[1]
    places = random_places(structure, 0, 7)
    whole = sevennet.evaluator(structure).energies(0, places)
    one_by_one = load_potential('sevennet-0', device='cpu', batch_size=1).evaluator(structure).energies(0, places)
    np.testing.assert_allclose(one_by_one, whole, atol=2e-5)


@pytest.mark.parametrize('structure', CELLS, ids=lambda structure: structure.composition.reduced_formula)
def test_sevennet_equals_its_edge_by_edge_evaluation(sevennet, structure, monkeypatch):
    places = random_places(structure, 1, 4)
    fast = sevennet.evaluator(structure).energies(1, places)
    monkeypatch.setattr('aiida_pesfp.potentials.sevennet.potential.MEMORY_OF_KERNELS', 0)
    np.testing.assert_allclose(fast, sevennet.evaluator(structure).energies(1, places), atol=1e-5)


def test_evaluators_take_ions_in_any_order(sevennet):
    structure = CELLS[1]
    evaluator = sevennet.evaluator(structure)
    places = random_places(structure, 1, 3)
    first = evaluator.energies(1, places)
    evaluator.energies(0, random_places(structure, 0, 3))
    np.testing.assert_array_equal(evaluator.energies(1, places), first)


@pytest.fixture(scope='module')
def new_m3gnet(tmp_path_factory):
    """A small M3GNet with random weights as matgl 4 saves it."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from matgl.apps.pes import Potential
        from matgl.models import M3GNet

        torch.manual_seed(0)
        network = M3GNet(element_types=('Li', 'O', 'S', 'Cl', 'Te', 'I'), is_intensive=False, units=16)
        path = tmp_path_factory.mktemp('matgl')
        Potential(network, element_refs=np.arange(6.0), data_std=3.0).save(path)
    return path


def matgl_calculator(path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        import matgl
        from matgl.ext.ase import PESCalculator

        return PESCalculator(matgl.load_model(path), stress_unit='eV/A3')


@pytest.mark.fidelity
@pytest.mark.parametrize('structure', CELLS, ids=lambda structure: structure.composition.reduced_formula)
def test_matgl_equals_its_own_calculator(new_m3gnet, structure):
    places = random_places(structure, 0)
    found = load_potential(str(new_m3gnet), device='cpu').evaluator(structure).energies(0, places)
    expected = by_calculator(structure, 0, places, matgl_calculator(new_m3gnet))
    compare(structure.formula, 'matgl M3GNet, its calculator (eV)', found, expected, abs=2e-5)


class TestOldMatgl:
    """M3GNet-MP-2021.2.8-PES of matgl 1, which matgl 4 loads without an error and evaluates wrong."""

    @pytest.fixture(scope='class')
    def folder(self, shared):
        return shared / 'weights' / 'matgl-M3GNet-MP-2021.2.8-PES'

    def test_it_has_the_energies_it_was_trained_for(self, folder, shared):
        potential = load_potential(str(folder), device='cpu')
        lithium_chloride = rock_salt('Li', 'Cl', 5.13)
        energy = potential.evaluator(lithium_chloride).energies(0, np.zeros((1, 3)))[0] / 2
        assert energy == pytest.approx(-3.688, abs=1e-3)
        compared = 0
        for entry in json.loads((shared / 'm3gnet' / 'reference.json').read_text())['structures']:
            structure = Structure(Lattice(entry['lattice']), entry['species'], entry['frac_coords'])
            found = potential.evaluator(structure).energies(0, structure.cart_coords[:1])[0]
            # matgl 1 mis-indexed its triples, which matters by up to 1.2e-3 eV.
            assert found == pytest.approx(entry['matgl113_dgl_legacy_energy'], abs=1.3e-3)
            compared += 1
        assert compared == 26

    def test_it_is_recognised_by_its_lattice_parameters_too(self, folder, tmp_path):
        """With arguments that both the old and the new versions saved, only physics can tell."""
        shutil.copytree(folder, tmp_path / 'model')
        saved = json.loads((tmp_path / 'model' / 'model.json').read_text())
        saved['kwargs']['model']['init_args']['dropout'] = None
        (tmp_path / 'model' / 'model.json').chmod(0o644)
        (tmp_path / 'model' / 'model.json').write_text(json.dumps(saved))
        potential = load_potential(str(tmp_path / 'model'), device='cpu')
        energy = potential.evaluator(rock_salt('Li', 'Cl', 5.13)).energies(0, np.zeros((1, 3)))[0] / 2
        assert energy == pytest.approx(-3.688, abs=1e-3)

    @pytest.mark.parametrize('name', ['M3GNet', 'TensorNet'])
    def test_matpes_models_know_simple_crystals(self, shared, name):
        """Lattice parameters by PBE (Materials Project), and energies of atomization at 298 K (CODATA, NIST-JANAF)."""
        path = shared / 'weights' / f'matgl-{name}-MatPES-PBE-v2025.1-PES'
        potential, theirs = load_potential(str(path), device='cpu'), matgl_calculator(path)
        references, off = potential.network.element_refs.property_offset, []
        for cation, anion, a, atomization in (
            ('Li', 'F', 4.08, 8.86),
            ('Na', 'Cl', 5.69, 6.63),
            ('Mg', 'O', 4.26, 10.34),
            ('K', 'Cl', 6.39, 6.70),
        ):
            crystals = [Structure.from_ase_atoms(bulk(cation + anion, 'rocksalt', a * part)) for part in SIZES]
            energies = [potential.evaluator(one).energies(0, one.cart_coords[:1])[0] for one in crystals]
            assert SIZES[np.argmin(energies)] == pytest.approx(1, abs=0.021)
            of_atoms = sum(float(references[potential.symbols.index(one)]) for one in (cation, anion))
            assert of_atoms - min(energies) == pytest.approx(atomization, abs=0.5)
            atoms = AseAtomsAdaptor.get_atoms(crystals[len(SIZES) // 2])
            atoms.calc = potential.calculator(crystals[0])
            atoms.rattle(0.1, seed=1)
            np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, eps=0.01), atol=0.02)
            off.append(theirs.get_potential_energy(atoms) - atoms.get_potential_energy())
        assert min(off) > 0.2  # matgl 4 alone evaluates old weights wrong

    def test_what_cannot_be_told_is_refused(self, new_m3gnet, tmp_path):
        """Random weights know no lattice parameters; without matgl 4's own arguments they cannot be trusted."""
        shutil.copytree(new_m3gnet, tmp_path / 'model')
        saved = json.loads((tmp_path / 'model' / 'model.json').read_text())
        del saved['kwargs']['compile_model']
        (tmp_path / 'model' / 'model.json').write_text(json.dumps(saved))
        with pytest.raises(errors.PotentialError, match='cannot be trusted.*Take a model saved by matgl 4'):
            load_potential(str(tmp_path / 'model'))


def test_ase_calculators_by_name():
    structure = Structure(
        Lattice.cubic(3.6), ['Cu', 'Cu', 'Ni', 'Cu'], [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    )
    potential = load_potential('ase:ase.calculators.emt.EMT')
    places = random_places(structure, 0)
    np.testing.assert_allclose(
        potential.evaluator(structure).energies(0, places), by_calculator(structure, 0, places, EMT())
    )
    with pytest.raises(errors.EvaluationFailed, match=r'failed with ion 0 \(Li\)'):
        potential.evaluator(CELLS[0]).energies(0, np.zeros((1, 3)))


def test_elements_that_a_network_does_not_know_are_refused_by_name(sevennet, new_m3gnet):
    with pytest.raises(errors.UnsupportedElement, match='sevennet-0 does not know Po'):
        sevennet.evaluator(rock_salt('Li', 'Po', 6.0))
    with pytest.raises(errors.UnsupportedElement, match='does not know F, Na'):
        load_potential(str(new_m3gnet)).evaluator(rock_salt('Na', 'F', 4.6))


class Known(NetworkPotential):
    symbols, cutoff = ('Li', 'Cl'), 3.0

    evaluator = calculator = None


class NeedsMemory(BatchedEvaluator):
    """The energies are known; batches above some size do not fit."""

    def __init__(self, batch_size, fits):
        super().__init__(Known(None, 'cpu', batch_size), CELLS[0])
        self.fits, self.sizes = fits, []

    def batch_energies(self, positions):
        if len(positions) > self.fits:
            raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 20.00 GiB')
        self.sizes.append(len(positions))
        return torch.tensor(positions.sum(axis=1))


def test_batches_that_do_not_fit_are_halved_until_they_do():
    positions = np.random.default_rng(0).random((37, 3))
    evaluator = NeedsMemory(32, fits=5)
    np.testing.assert_array_equal(evaluator.energies(0, positions), positions.sum(axis=1))
    assert max(evaluator.sizes) == 4
    with pytest.raises(errors.OutOfMemory, match='one configuration does not fit'):
        NeedsMemory(8, fits=0).energies(0, positions)


def test_batches_of_a_cpu_shrink_with_the_memory_of_the_job(monkeypatch):
    class Wide(NeedsMemory):
        edges_in_cache, bytes_per_edge = 1000, 2**20

    def fitting(free):
        monkeypatch.setattr(batching, 'available_memory', lambda: Memory(free, free, 'a job'))
        return Wide.fitting(torch.device('cpu'), edges=10)

    assert fitting(2**40) == 100  # as its caches say
    assert fitting(2**29) == 25  # of 10 MiB each in half of 512 MiB
    assert fitting(0) == 1
    monkeypatch.setattr(Wide, 'side_by_side', True)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 5)
    assert fitting(2**29) == 5


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    class Broken(NeedsMemory):
        def batch_energies(self, positions):
            raise RuntimeError('shapes do not match')

    with pytest.raises(RuntimeError, match='shapes do not match'):
        Broken(8, 8).energies(0, np.zeros((2, 3)))


def test_identity_tells_content_not_names(new_m3gnet, tmp_path):
    shutil.copytree(new_m3gnet, tmp_path / 'elsewhere')
    assert identify(str(tmp_path / 'elsewhere')).sha256 == identify(str(new_m3gnet)).sha256
    (tmp_path / 'alone').mkdir()
    weights = identify('sevennet-0')
    shutil.copy(weights.path, tmp_path / 'alone' / 'copy.pth')
    assert identify(str(tmp_path / 'alone')).sha256 == weights.sha256
    with open(tmp_path / 'elsewhere' / 'model.json', 'a') as stream:
        stream.write(' ')
    assert identify(str(tmp_path / 'elsewhere')).sha256 != identify(str(new_m3gnet)).sha256


def test_damaged_and_missing_weights_are_refused(tmp_path):
    content = Path(identify('sevennet-0').path).read_bytes()
    (tmp_path / 'truncated.pth').write_bytes(content[: len(content) // 2])
    with pytest.raises(errors.PotentialError, match=r'truncated\.pth is damaged'):
        load_potential(str(tmp_path / 'truncated.pth'))
    torch.save({'weights': torch.zeros(3)}, tmp_path / 'foreign.pth')
    with pytest.raises(errors.PotentialError, match=r'foreign\.pth holds no potential.*a SevenNet checkpoint'):
        load_potential(str(tmp_path / 'foreign.pth'))
    (tmp_path / 'empty').mkdir()
    with pytest.raises(errors.PotentialError, match='empty holds no potential'):
        load_potential(str(tmp_path / 'empty'))
    with pytest.raises(errors.PotentialError, match='there is no file'):
        load_potential(str(tmp_path / 'missing.pth'))


MODULE = 'calculator: ase.calculators.lj'
LJ = f'{MODULE}.LennardJones\nparameters: '


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('calculator: no.such.Module', 'no ASE calculator'),
        (f'{MODULE}.NoSuchClass', 'no ASE calculator'),
        ('parameters: {rc: 1}', 'must have the key calculator'),
        (LJ + '{rc: [}', 'neither YAML nor JSON'),
        (LJ + '{sgima: 2.2}', "has no parameter 'sgima': it has .*sigma"),
        # Its class has arguments of its own and hands the others on.
        ('calculator: chgnet.model.dynamics.CHGNetCalculator\nparameters: {modle: x}', "has no parameter 'modle'"),
        (LJ + '{sigma: 2, sigma: 3}', "has 'sigma' twice"),
        (LJ + '{rc: 5, ro: 8}', 'ro = 8 is beyond rc = 5, where the ASE calculator'),
        (LJ + '{sigma: 1, ro: 4}', 'ro = 4 is beyond rc = 3'),
        (f'{MODULE[:-2]}morse.MorsePotential\nparameters: {{rcut1: 3}}', 'rcut1 = 3 is beyond rcut2 = 2.7'),
        (LJ + '{sigma: 220, rc: 600}', "'sigma': 220.*'rc': 600.*: give them in A, up to 30"),
        (f'{MODULE[:-2]}morse.MorsePotential\nparameters: {{r0: 250}}', "'r0': 250.*: give them in A"),
        *((LJ + f'{{sigma: 3.4, rc: {rc}}}', 'rc = .* cuts off all attraction.* = 3.82 A') for rc in (3.0, 3.8)),
        *((LJ + f'{{epsilon: {value}}}', 'epsilon = .* no depth of a pair: up to 5 eV') for value in (10.3, -0.5, 0)),
        (f'{MODULE[:-2]}morse.MorsePotential\nparameters: {{epsilon: 96.5}}', 'epsilon = 96.5 eV is no depth'),
        *((LJ + f'{{smooth: {value}}}', 'smooth .* valid boolean') for value in ('"no"', 'n', '.false.', 1)),
        *((LJ + f'{{sigma: {value}}}', 'sigma .* number') for value in ('"2.2"', '2.2 A', 'on', '.nan', '')),
        *((LJ + f'{{rc: {value}}}', 'rc .* (quotes|finite)') for value in ('"5"', '"off"', '.inf')),
        ('calculator: tests.helpers.calculators.KilledAfter\nparameters: {after: "3"}', 'after .* valid number'),
    ],
)  # fmt: skip
def test_descriptions_of_calculators_are_checked(tmp_path, content, words):
    (tmp_path / 'calculator.yaml').write_text(content)
    with pytest.raises(errors.PotentialError, match=words):
        load_potential(str(tmp_path / 'calculator.yaml'))


@pytest.mark.parametrize('name', ['lj.yaml', 'lj.YAML', 'lj.Yml', 'lj.json'])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_descriptions_of_calculators_as_people_have_them(tmp_path, name, encoding):
    content = '{"calculator": "ase.calculators.lj.LennardJones", "parameters": {"epsilon": 1e-2, "smooth": true}}'
    (tmp_path / name).write_text(content, encoding=encoding)
    calculator = load_potential(str(tmp_path / name)).calculator(CELLS[0])
    assert (calculator.parameters.epsilon, calculator.parameters.smooth) == (0.01, True)


@pytest.mark.parametrize('form', ['{}', '[{}]', '{{one: "pair_coeff * * {} Li"}}'])
def test_files_that_a_description_names_are_part_of_it(tmp_path, form):
    """Changed weights are another potential; the same ones in another folder are not."""
    found = []
    for name, content in (('one.pt', 'a'), ('one.pt', 'b'), ('two.pt', 'a')):
        (tmp_path / name).write_text(content)
        path = tmp_path / 'calculator.yaml'
        path.write_text(f'calculator: no.such.Calculator\nparameters: {{model: {form.format(tmp_path / name)}}}')
        found.append(identify(str(path)).sha256)
    assert found[0] == found[2] != found[1]


def test_an_unexpected_hash_is_refused():
    with pytest.raises(errors.PotentialError, match='is asked for'):
        load_potential('sevennet-0', expected_sha256='0' * 64)


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip('this machine has a GPU')
    with pytest.raises(errors.PotentialError, match="'cuda' cannot be used"):
        load_potential('sevennet-0', device='cuda')
