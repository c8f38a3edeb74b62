"""Weights and descriptions run no code, neither when they are recognised nor when they are loaded."""

import json
import os
import pickle
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials import identify, load_potential
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator

#: Keys by which checkpoints are recognised.
KEYS = {
    'sevennet': ('model_state_dict', 'config', '_type_map'),
    'chgnet': ('model', 'model_args', 'state_dict', 'bond_basis_expansion.rbf_expansion_ag.frequencies'),
}


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class Inside(dict):
    """A dictionary whose state holds something that runs."""

    def __init__(self, path):
        super().__init__(a=1)
        self.own = Runs(path)


@pytest.fixture
def trace(tmp_path):
    """The folder that code from weights would make."""
    yield tmp_path / 'trace'
    assert not (tmp_path / 'trace').exists()


def refused(path, words, **options):
    """It is refused with these words, however it is asked for."""
    for ask in (identify, lambda spec: load_potential(spec, device='cpu', **options)):
        try:
            ask(str(path))
        except PotentialError as error:
            reason = str(error)
    assert words in reason
    return reason


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('ending', ['.pth', '.pt', '.pth.tar', '.model', ''])
@pytest.mark.parametrize('family', KEYS)
def test_checkpoints_run_nothing(tmp_path, trace, family, ending, protocol):
    if family == 'chgnet':
        pytest.importorskip('chgnet', reason='the extra chgnet is not installed')
    for what in (Runs(trace), Inside(trace), [Runs(trace)]):
        torch.save(dict.fromkeys(KEYS[family], what), tmp_path / f'evil{ending}', pickle_protocol=protocol)
        assert '--trust-weights' in refused(tmp_path / f'evil{ending}', f'cannot load {tmp_path}/evil')


@pytest.mark.parametrize('ending', ['.pth', '.pt', '.pth.tar', '.model', '.pkl', '.npz', '.npy'])
def test_other_pickles_are_not_even_opened(tmp_path, trace, ending):
    path = tmp_path / f'evil{ending}'
    path.write_bytes(pickle.dumps(dict.fromkeys(KEYS['sevennet'], Runs(trace))))
    refused(path, 'holds no potential')
    torch.save(dict.fromkeys(KEYS['sevennet'], Runs(trace)), path, _use_new_zipfile_serialization=False)
    refused(path, 'holds no potential')


def test_arrays_of_objects_in_an_npz_run_nothing(tmp_path, trace):
    np.savez(tmp_path / 'evil.npz', atom_embedding=np.array([Runs(trace)], dtype=object))
    refused(tmp_path / 'evil.npz', 'no whole weights')


def test_who_trusts_them_runs_their_code(tmp_path):
    """Only then; and the order counts: nothing runs before the user has said so."""
    path = tmp_path / 'mine.pth'
    torch.save(dict.fromkeys(KEYS['sevennet'], Runs(tmp_path / 'trace')), path)
    refused(path, 'it would call posix.mkdir when it is read: take other weights, or, if you trust')
    assert not (tmp_path / 'trace').exists()
    with pytest.raises(PotentialError, match='cannot load'):  # these are no weights, but their code ran
        load_potential(str(path), device='cpu', trusted=True)
    assert (tmp_path / 'trace').exists()


@pytest.fixture(scope='module')
def matgl_model(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from matgl.apps.pes import Potential
        from matgl.models import M3GNet

        torch.manual_seed(0)
        network = M3GNet(element_types=('Li', 'Cl'), is_intensive=False, units=8)
        path = tmp_path_factory.mktemp('matgl')
        Potential(network).save(path)
    return path


CALLS = {
    'another package': {'@module': 'os', '@class': 'mkdir'},
    'a function of matgl': {'@module': 'matgl.utils.io', '@class': 'create_repo'},
    'a module inside': {'@module': 'matgl.models', '@class': 'os'},
    'no text': {'@module': ['matgl.models'], '@class': 3},
}


@pytest.mark.parametrize('name', CALLS)
@pytest.mark.parametrize('where', ['model.json', 'model.pt', 'nested'])
def test_a_matgl_model_names_no_foreign_class(matgl_model, tmp_path, trace, where, name):
    shutil.copytree(matgl_model, folder := tmp_path / 'model')
    call = CALLS[name] | {'init_args': {'path': str(trace)}, '@model_version': 1}
    if where == 'model.json':
        content = json.loads((folder / where).read_text())
        (folder / where).write_text(json.dumps(content | call))
    else:
        content = torch.load(folder / 'model.pt')
        content |= {'model': call} if where == 'model.pt' else {'data_mean': [{'a': call}]}
        torch.save(content, folder / 'model.pt')
    refused(folder, 'which is no network of matgl')


def test_files_of_a_matgl_model_run_nothing(matgl_model, tmp_path, trace):
    for name in ('model.pt', 'state.pt'):
        shutil.copytree(matgl_model, folder := tmp_path / name[:-3])
        torch.save({'a': Runs(trace)}, folder / name)
        refused(folder, '--trust-weights')


@pytest.mark.parametrize('lazy', [False, True])
def test_weights_of_a_calculator_run_nothing(tmp_path, trace, invoke, lazy):
    """Whether it reads them when it is made or when it is first called."""
    torch.save(Runs(trace), tmp_path / 'evil.model')
    parameters = {'weights': str(tmp_path / 'evil.model'), 'lazy': lazy, **LENNARD_JONES}
    path = write_calculator(tmp_path / 'own.yaml', 'tests.helpers.calculators.ReadsWeights', **parameters)
    rock_salt('Li', 'Cl', 5.13).to(str(tmp_path / 'LiCl.cif'))
    result = invoke(tmp_path / 'LiCl.cif', '--potential', path, '--spacing', 2)
    assert result.exit_code == (1 if lazy else 2)
    assert 'posix.mkdir' in result.output


@pytest.fixture
def invoke():
    from click.testing import CliRunner

    from aiida_pesfp.programs.scan import main

    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    'name',
    [
        'os.system',
        'subprocess.Popen',
        'builtins.exec',
        'tests.helpers.calculators.begins',
        'tests.helpers.calculators.Begins',
        'ase.calculators.emt',
        'ase.Atoms',
    ],
)
def test_only_calculators_are_called(tmp_path, trace, name):
    path = write_calculator(tmp_path / 'evil.yaml', name, command=f'mkdir {trace}', args=['mkdir', str(trace)])
    refused(path, 'is no class of ASE calculators')
    refused(f'ase:{name}', 'is no class of ASE calculators')


@pytest.mark.parametrize(
    'content',
    [
        b'\xff\xfe\x00',
        b'calculator: \xe9',
        b'',
        b'null',
        b'[]',
        b'calculator: null',
        b'calculator: [a]',
        b'calculator: 3',
        b'calculator: ""',
        b'calculator: "."',
        b'calculator: "a b:c"',
        b'calculator: "\\0"',
        b'calculator: ase.calculators.emt.EMT\nparameters: 3',
        b'calculator: ase.calculators.emt.EMT\nparameters: [a]',
        b'calculator: ase.calculators.emt.EMT\nparameters: {1: 2}',
        b'calculator: ase.calculators.emt.EMT\nparameters: {a: 2001-99-01}',
        b'calculator: ase.calculators.emt.EMT\nparameters: {a: ' + b'9' * 5000 + b'}',
        b'calculator: !!python/object/apply:os.system [exit]',
        b'a: &a [1]\nb: *a',
        b'a: &a [*a]',
        b'[' * 5000,
        b'- ' * 20000,
        b'{"a":' * 20000,
        b'x' * 200_000,
        b'a: &a ["l","l"]\n' + b''.join(b'%c: &%c [*%c,*%c]\n' % (i + 1, i + 1, i, i) for i in range(97, 118)),
    ],
)
@pytest.mark.parametrize('ending', ['yaml', 'json'])
def test_descriptions_of_any_content_are_refused_in_a_sentence(tmp_path, content, ending):
    path = tmp_path / f'odd.{ending}'
    path.write_bytes(content)
    reason = refused(path, 'odd')
    assert len(reason) < 2000


@pytest.mark.parametrize('spec', ['', '\0', '~nobody/x', 'x' * 5000 + '.pth', 'ase:', 'ase:.', '/dev/null', '..'])
def test_names_of_any_content_are_refused_in_a_sentence(spec):
    with pytest.raises(PotentialError):
        load_potential(spec, device='cpu')


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, 'geteuid') else True, reason='root may read everything')
def test_files_without_permission_are_refused_by_name(tmp_path):
    shutil.copy(identify('sevennet-0').path, tmp_path / 'closed.pth')
    (tmp_path / 'closed.pth').chmod(0)
    refused(tmp_path / 'closed.pth', 'closed.pth')


def test_damaged_weights_of_the_papers_potential_are_refused_in_a_sentence(tmp_path):
    """Bytes of its index and description are changed at random."""
    generator = np.random.default_rng(0)
    for number in range(int(os.environ.get('PESFP_FUZZ', 300))):
        folder = tmp_path / str(number)
        folder.mkdir()
        index = bytearray(generator.integers(0, 256, generator.integers(0, 300), dtype=np.uint8).tobytes())
        index += (0xDB4775248B80FB57).to_bytes(8, 'little')
        (folder / 'm3gnet.index').write_bytes(index)
        (folder / 'm3gnet.data-00000-of-00001').write_bytes(b'0' * 64)
        config = {'max_n': 3, 'max_l': 3, 'n_blocks': 3, 'units': 64, 'cutoff': 5.0, 'threebody_cutoff': 4.0}
        config |= {'include_states': False, 'is_intensive': False, 'mean': 0.0, 'std': 1.0, 'element_refs': [0.0]}
        content = [{'config': config}, {'config': None}, [], 'null', {'config': config | {'std': 'x'}}][number % 5]
        (folder / 'm3gnet.json').write_text(json.dumps(content))
        refused(folder, 'M3GNet')  # an empty index has no tensors, others are no index
        shutil.rmtree(folder)


def test_the_python_of_yaml_is_not_read(tmp_path, trace):
    (tmp_path / 'evil.yaml').write_text(yaml.dump({'calculator': Runs(trace)}, Dumper=yaml.Dumper))
    refused(tmp_path / 'evil.yaml', 'it has a tag (!): write values plainly')
    assert 'torch' in sys.modules
