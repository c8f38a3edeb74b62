"""Models of torch-sim: found by name everywhere; evaluated where torch-sim is, which needs Python 3.12."""

import importlib.util
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from ase.calculators.lj import LennardJones
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_pesfp import errors
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.potentials import identify, load_potential
from aiida_pesfp.potentials.registry import files_of
from aiida_pesfp.potentials.torchsim.family import models
from tests.helpers import SHARED
from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.potentials import CELLS, by_calculator, random_places
from tests.helpers.reference import compare

needs_torchsim = pytest.mark.skipif(
    importlib.util.find_spec('torch_sim') is None, reason='torch-sim is not installed: see tests/torchsim.sh'
)
LENNARD_JONES = {'sigma': 2.1, 'epsilon': 0.3, 'cutoff': 5.0}
NEQUIX = SHARED / 'weights' / 'nequix-mp-1.nqx'


class TestNames:
    """What needs no package of a potential."""

    @pytest.mark.parametrize('model', models())
    def test_the_weights_are_the_identity(self, tmp_path, model):
        (tmp_path / 'mine.model').write_bytes(b'weights')
        variant = ':one' if models()[model].has_variants else ''
        identity = identify(f'{model}:{tmp_path}/mine.model{variant}')
        assert (identity.kind, identity.model, identity.name) == ('torchsim', model, f'{model}:mine{variant}')
        assert files_of(identity) == [tmp_path / 'mine.model']
        assert identity.package == models()[model].package
        (tmp_path / 'mine.model').write_bytes(b'other weights')
        assert identify(f'{model}:{tmp_path}/mine.model{variant}').sha256 != identity.sha256

    @pytest.mark.parametrize('model', models())
    def test_a_job_finds_what_is_stored(self, tmp_path, model, monkeypatch):
        (tmp_path / 'mine.model').write_bytes(b'weights')
        variant = ':one' if models()[model].has_variants else ''
        node = PotentialData.from_spec(f'{model}:{tmp_path}/mine.model{variant}')
        assert node.spec == f'{model}:potential{variant}'
        (tmp_path / 'job' / node.FOLDER).mkdir(parents=True)
        for name in node.filenames:
            (tmp_path / 'job' / node.FOLDER / name).write_bytes(node.base.repository.get_object_content(name, 'rb'))
        monkeypatch.chdir(tmp_path / 'job')
        assert identify(node.spec).sha256 == node.sha256

    def test_a_variant_is_another_potential(self, tmp_path):
        (tmp_path / 'w').write_bytes(b'weights')
        assert len({identify(f'mace:{tmp_path}/w{head}').sha256 for head in ('', ':a', ':b')}) == 3

    @pytest.mark.parametrize(
        ('spec', 'words'),
        [
            ('mace:{}/none.model', 'there is no file'),
            ('mace:none', 'there is no file'),
            ('mace:', 'give the file of the weights'),
            ('nequix:{}/w:pbe', 'holds one potential: leave out :pbe'),
            ('orb:{}/w', 'say which of its architectures'),
            ('torchsim:none.such.Model', 'aiida-pesfp.torchsim|is not here'),
        ],
    )
    def test_wrong_names_are_told(self, tmp_path, spec, words):
        (tmp_path / 'w').write_bytes(b'weights')
        with pytest.raises(errors.PotentialError, match=words):
            load_potential(spec.format(tmp_path), device='cpu')

    def test_descriptions_are_told_apart(self, tmp_path):
        for key, kind in (('calculator', 'ase'), ('model', 'torchsim')):
            path = tmp_path / f'{key}.yaml'
            path.write_text(yaml.safe_dump({key: 'package.module.Class', 'parameters': {'a': 1}}))
            assert identify(str(path)).kind == kind
        path.write_text(yaml.safe_dump({'calculator': 'a', 'model': 'b'}))
        with pytest.raises(errors.PotentialError, match='must have the key calculator .* or model'):
            identify(str(path))

    @pytest.mark.skipif(importlib.util.find_spec('torch_sim') is not None, reason='torch-sim is here')
    def test_without_torchsim_the_way_out_is_told(self, tmp_path):
        (tmp_path / 'w').write_bytes(b'weights')
        with pytest.raises(errors.PotentialError, match=r'aiida-pesfp\[torchsim\].*Python 3.12'):
            load_potential(f'mace:{tmp_path}/w', device='cpu')


def small_mace(folder: Path):
    """A MACE of three elements, from a seed, and its own calculator."""
    modules = pytest.importorskip('mace.modules', reason='mace-torch is not installed')
    from e3nn.o3 import Irreps
    from mace.calculators import MACECalculator

    block = modules.interaction_classes['RealAgnosticResidualInteractionBlock']
    network = modules.ScaleShiftMACE(
        r_max=4.0,
        num_bessel=4,
        num_polynomial_cutoff=5,
        max_ell=2,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=3,
        hidden_irreps=Irreps('8x0e+8x1o'),
        MLP_irreps=Irreps('4x0e'),
        gate=torch.nn.functional.silu,
        atomic_energies=np.array([[-1.0, -2.0, -3.0]]),
        avg_num_neighbors=8.0,
        atomic_numbers=[3, 17, 52],
        correlation=2,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )
    torch.save(network, folder / 'small.model')

    def calculator():  # it does not ask torch to read more than numbers, and its own files are more
        os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'
        try:
            return MACECalculator(model_paths=folder / 'small.model', device='cpu', default_dtype='float32')
        finally:
            del os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD']

    return f'mace:{folder}/small.model', calculator


def small_mattersim(folder: Path):
    """A MatterSim from a seed, and its own calculator."""
    pytest.importorskip('mattersim.torchsim', reason='mattersim is not installed')
    from mattersim.forcefield import MatterSimCalculator
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet

    network = M3Gnet(num_blocks=2, units=16, device='cpu')
    rest = {key: {} for key in ('optimizer', 'ema', 'scheduler')} | {'last_epoch': 0, 'validation_metrics': {}}
    content = {'model_name': 'm3gnet', 'model': network.state_dict(), 'model_args': network.get_model_args()}
    torch.save(content | rest | {'description': ''}, folder / 'small.pth')
    path = str(folder / 'small.pth')
    return f'mattersim:{path}', lambda: MatterSimCalculator(load_path=path, device='cpu')


def seeded_orb(folder: Path):
    """An ORB v3 from a seed, and its own calculator."""
    pretrained = pytest.importorskip('orb_models.forcefield.pretrained', reason='orb-models is not installed')
    from orb_models.forcefield.inference.calculator import ORBCalculator

    torch.save(pretrained.orb_v3_conservative_architecture(device='cpu').state_dict(), folder / 'orb.ckpt')
    name, options = 'orb-v3-conservative-inf-omat', {'precision': 'float32-highest', 'compile': False}
    make = pretrained.ORB_PRETRAINED_MODELS[name]
    path = str(folder / 'orb.ckpt')
    return f'orb:{path}:{name}', lambda: ORBCalculator(*make(path, 'cpu', **options), device='cpu')


def pairs_of_metatomic(folder: Path):
    """A metatomic model of exp(-r) for each pair, and its own calculator."""
    if 'torch_geometric' in sys.modules and 'metatensor.torch' not in sys.modules:
        pytest.skip('torch_geometric is loaded, after which metatensor cannot be')
    metatomic = pytest.importorskip('metatomic.torch', reason='metatomic-torch is not installed')
    pytest.importorskip('metatomic_torchsim', reason='metatomic-torchsim is not installed')
    from metatomic_ase import MetatomicCalculator

    from tests.helpers.metatomic_pairs import Pairs

    capabilities = metatomic.ModelCapabilities(
        outputs={'energy': metatomic.ModelOutput(unit='eV', sample_kind='system')},
        atomic_types=[3, 17, 52],
        interaction_range=4.0,
        length_unit='angstrom',
        supported_devices=['cpu'],
        dtype='float64',
    )
    model = metatomic.AtomisticModel(Pairs().eval(), metatomic.ModelMetadata(name='pairs'), capabilities)
    model.save(str(folder / 'pairs.pt'))
    path = str(folder / 'pairs.pt')
    return f'metatomic:{path}', lambda: MetatomicCalculator(path, device='cpu')


def published_nequix(folder: Path):
    """Published weights, and their own calculator, which is JAX's."""
    calculator = pytest.importorskip('nequix.calculator', reason='nequix is not installed')
    if not NEQUIX.exists():
        pytest.skip('the weights of Nequix are not here')
    return f'nequix:{NEQUIX}', lambda: calculator.NequixCalculator(model_path=NEQUIX, backend='jax', use_kernel=False)


#: That of metatomic comes first, as others load torch_geometric.
MODELS = [pairs_of_metatomic, small_mace, small_mattersim, seeded_orb, published_nequix]


@needs_torchsim
@pytest.mark.parametrize('make', MODELS)
class TestModels:
    @pytest.fixture(autouse=True)
    def seed(self):
        torch.manual_seed(0)

    def load(self, made):
        return load_potential(made[0], device='cpu', trusted=made[0].startswith('mace')), made[1]()

    def test_it_equals_its_own_calculator(self, tmp_path, make):
        potential, calculator = self.load(make(tmp_path))
        for structure in CELLS[:2]:
            ion = next(index for index, site in enumerate(structure) if site.specie.symbol == 'Li')
            places = random_places(structure, ion)
            found = potential.evaluator(structure).energies(ion, places)
            expected = by_calculator(structure, ion, places, calculator)
            compare(structure.formula, f'{potential.identity.name} (eV)', found, expected, abs=1e-4)
            atoms = AseAtomsAdaptor.get_atoms(structure)
            atoms.rattle(0.1, seed=3)
            atoms.calc = potential.calculator(structure)
            energy, forces, stress = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()
            atoms.calc = calculator
            assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
            np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-4)
            np.testing.assert_allclose(stress, atoms.get_stress(), atol=1e-5)

    def test_structures_together_are_those_one_by_one(self, tmp_path, make):
        potential, calculator = self.load(make(tmp_path))
        structures = [rock_salt('Li', 'Cl', 5.13), antifluorite('Li', 'Te', 6.5), rock_salt('Li', 'Cl', 5.3)]
        structures[1].perturb(0.05, seed=1)
        together = potential.energies_and_forces(structures)
        for structure, energy, (again, forces) in zip(structures, potential.energies(structures), together):
            atoms = AseAtomsAdaptor.get_atoms(structure)
            atoms.calc = calculator
            assert energy == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
            assert again == pytest.approx(energy, abs=1e-5)
            np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-4)

    def test_forces_are_those_of_the_energy(self, tmp_path, make):
        potential, _ = self.load(make(tmp_path))
        structure = antifluorite('Li', 'Te', 6.5)
        step, places = 0.05, structure.cart_coords[0] + np.array([[0.3, 0.1, 0.2]])
        along = places + step * np.array([[-1, 0, 0], [1, 0, 0]])
        energies = potential.evaluator(structure).energies(0, along)
        structure.translate_sites([0], structure.lattice.get_fractional_coords([0.3, 0.1, 0.2]))
        ((_, forces),) = potential.energies_and_forces([structure])
        slope = (energies[0] - energies[1]) / (2 * step)
        assert forces[0, 0] == pytest.approx(slope, abs=0.02 * abs(slope) + 1e-3)

    def test_nothing_is_written_beside_the_weights(self, tmp_path, make):
        spec, _ = make(tmp_path)
        folder = Path(spec.split(':')[1]).parent
        before = sorted(folder.iterdir())
        load_potential(spec, device='cpu', trusted=spec.startswith('mace'))
        assert sorted(folder.iterdir()) == before


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@needs_torchsim
class TestTrust:
    @pytest.mark.parametrize('model', ['mace', 'mattersim', 'orb', 'nequix', 'metatomic', 'nequip', 'fairchem'])
    @pytest.mark.parametrize('zipped', [True, False, None])
    def test_weights_run_nothing(self, tmp_path, model, zipped):
        path, trace = tmp_path / 'evil.pt', tmp_path / 'trace'
        content = {'model_name': 'm3gnet', 'model': Runs(trace), 'config': Runs(trace)}
        if zipped is None:
            path.write_bytes(pickle.dumps(content))
        else:
            torch.save(content, path, _use_new_zipfile_serialization=zipped)
        variant = ':orb-v3-conservative-inf-omat' if model == 'orb' else ''
        with pytest.raises(errors.PotentialError):
            load_potential(f'{model}:{path}{variant}', device='cpu')
        assert not trace.exists()

    def test_what_would_be_called_is_told(self, tmp_path):
        spec, _ = small_mace(tmp_path)
        with pytest.raises(errors.PotentialError, match=r'would call mace\.\S+ when it is read.*--trust-weights'):
            load_potential(spec, device='cpu')


@needs_torchsim
class TestDescriptions:
    def described(self, tmp_path, **parameters):
        path = tmp_path / 'lj.yaml'
        model = 'torch_sim.models.lennard_jones.LennardJonesModel'
        path.write_text(yaml.safe_dump({'model': model, 'parameters': LENNARD_JONES | parameters}))
        return str(path)

    def test_a_model_needs_no_code(self, tmp_path):
        potential = load_potential(self.described(tmp_path, dtype='float64'), device='cpu')
        atoms = AseAtomsAdaptor.get_atoms(rock_salt('Li', 'Cl', 5.13))
        atoms.rattle(0.1, seed=0)
        atoms.calc = potential.calculator(rock_salt('Li', 'Cl', 5.13))
        forces = atoms.get_forces()
        atoms.calc = LennardJones(sigma=LENNARD_JONES['sigma'], epsilon=LENNARD_JONES['epsilon'], rc=5.0)
        np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-6)

    def test_wrong_parameters_are_told(self, tmp_path):
        with pytest.raises(errors.PotentialError, match='sigmaa'):
            load_potential(self.described(tmp_path, sigmaa=1), device='cpu')

    @pytest.mark.parametrize('model', ['os.system', 'torch_sim.models.none.Model', 'pathlib.Path', 'x'])
    def test_nothing_else_is_called(self, tmp_path, model):
        path = tmp_path / 'evil.yaml'
        path.write_text(yaml.safe_dump({'model': model, 'parameters': {'command': f'touch {tmp_path}/trace'}}))
        with pytest.raises(errors.PotentialError, match=r"no class of torch-sim's models|is not here"):
            load_potential(str(path), device='cpu')
        assert not (tmp_path / 'trace').exists()
