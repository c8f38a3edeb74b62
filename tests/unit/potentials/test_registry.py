"""Which family recognises a file, without running anything in it, and families that other packages bring."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials import identify, load_potential
from aiida_pesfp.potentials.registry import families, files_of
from tests.helpers.crystals import rock_salt

TOY = """
    import numpy as np
    from ase.calculators.lj import LennardJones
    from aiida_pesfp.potentials.base import Evaluator, Family, Potential

    class ToyFamily(Family):
        kind, package, implementation, accepts = 'toy', 'pesfp-toy', 'toy:ToyPotential', 'a toy (.toy)'

        def recognises(self, path):
            return path.suffix == '.toy'

    class ToyPotential(Potential):
        def __init__(self, identity, device, batch_size):
            self.identity, self.device, self.energy = identity, device, float(open(identity.path).read())

        def evaluator(self, structure):
            return ToyEvaluator(self)

        def calculator(self, structure):
            return LennardJones()

    class ToyEvaluator(Evaluator):
        def __init__(self, potential):
            self.potential = potential

        def energies(self, ion, positions):
            return self.potential.energy + np.sin(positions @ [1, 2, 3])
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package of someone else, with a family of potentials among its entry points."""
    folder = tmp_path / 'site'
    monkeypatch.syspath_prepend(str(folder))

    def install(name, code, target):
        (folder / f'pesfp_{name}-1.2.dist-info').mkdir(parents=True)
        (folder / f'{name}.py').write_text(textwrap.dedent(code))
        info = folder / f'pesfp_{name}-1.2.dist-info'
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: pesfp-{name}\nVersion: 1.2\n')
        (info / 'entry_points.txt').write_text(f'[pesfp.potentials]\n{name} = {target}\n')
        monkeypatch.delitem(sys.modules, name, raising=False)
        families.cache_clear()
        return folder

    yield install
    families.cache_clear()


def test_another_package_brings_a_family(package, tmp_path):
    """In Python, and for the programs of the compute side."""
    folder = package('toy', TOY, 'toy:ToyFamily')
    (tmp_path / 'mine.toy').write_text('-1.5')
    potential = load_potential(str(tmp_path / 'mine.toy'))
    assert potential.evaluator(None).energies(0, np.zeros((2, 3))).tolist() == [-1.5, -1.5]
    identity = potential.identity
    assert (identity.name, identity.kind, identity.package_version) == ('mine', 'toy', '1.2')
    assert files_of(identity) == [tmp_path / 'mine.toy']
    with pytest.raises(PotentialError, match=r'known are .*a toy \(\.toy\)'):
        identify(sys.executable)
    rock_salt('Li', 'F', 4.0).to(str(tmp_path / 'LiF.cif'))
    command = [sys.executable, '-m', 'aiida_pesfp.programs.scan', 'LiF.cif', '--potential', 'mine.toy', '--json']
    environment = os.environ | {'PYTHONPATH': str(folder)}
    process = subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert 0 < json.loads(process.stdout)[0]['mpe'] <= 2


@pytest.mark.parametrize(
    ('code', 'target', 'reason'),
    [
        ('import no_such_module', 'broken:Family', 'ModuleNotFoundError: .*no_such_module'),
        ('', 'broken:Family', 'AttributeError'),
        ('class Family: pass', 'broken:Family', 'no subclass'),
        ('', 'aiida_pesfp.potentials.sevennet.family:SevenNetFamily', "its kind is 'sevennet'"),
    ],
)
def test_a_broken_family_is_named_and_affects_no_other(package, code, target, reason):
    package('broken', code, target)
    with pytest.warns(UserWarning, match=f"'broken' of pesfp-broken cannot be used: .*{reason}"):
        assert identify('sevennet-0').kind == 'sevennet'
    assert {'ase', 'chgnet', 'm3gnet', 'matgl', 'sevennet'} <= set(families())


def test_a_family_that_fails_while_it_looks_at_a_file_is_named(package, tmp_path):
    package('toy', TOY.replace("path.suffix == '.toy'", '1 / 0'), 'toy:ToyFamily')
    assert identify('sevennet-0').kind == 'sevennet'
    shutil.copy(identify('sevennet-0').path, tmp_path / 'copy.pth')
    assert identify(str(tmp_path / 'copy.pth')).kind == 'sevennet'
    with pytest.raises(PotentialError, match='the potential family toy failed .*ZeroDivisionError'):
        identify(sys.executable)


def test_checkpoints_are_recognised_by_their_content(tmp_path):
    """Whatever they are called, and without torch."""
    for name, spec in (('one.pth', 'sevennet-0'), ('two', 'chgnet-0.3.0')):
        if spec == 'chgnet-0.3.0':
            pytest.importorskip('chgnet', reason='the extra chgnet is not installed')
        embedded = identify(spec)
        shutil.copy(embedded.path, tmp_path / name)
        copy = identify(str(tmp_path / name))
        assert (copy.kind, copy.sha256, copy.name) == (embedded.kind, embedded.sha256, name.removesuffix('.pth'))
        assert (files_of(embedded), files_of(copy)) == ([], [tmp_path / name])
    with pytest.raises(PotentialError, match=r'several ways: one\.pth \(sevennet\), two \(chgnet\)'):
        identify(str(tmp_path))
    code = f"""
        import sys
        from aiida_pesfp.potentials import identify
        identify({str(tmp_path / 'one.pth')!r})
        assert not {{'torch', 'sevenn', 'chgnet', 'matgl'}} & set(sys.modules)
    """
    subprocess.run([sys.executable, '-c', textwrap.dedent(code)], check=True)


def test_a_copy_that_is_called_as_embedded_weights_travels(tmp_path):
    shutil.copy(identify('sevennet-0').path, tmp_path / 'sevennet-0.pth')
    assert files_of(identify(str(tmp_path / 'sevennet-0.pth'))) == [tmp_path / 'sevennet-0.pth']


def write_archive(path, **members):
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name.replace('__', '/'), content)


@pytest.mark.parametrize(
    'write',
    [
        lambda path: torch.save({'model_state_dict': torch.zeros(2)}, path),
        lambda path: torch.jit.script(torch.nn.Linear(1, 1)).save(path),
        lambda path: torch.save({'model_state_dict': {}}, path, _use_new_zipfile_serialization=False),
        lambda path: write_archive(path, text='hello'),
        lambda path: write_archive(path, a__data='', b__data='', **{'a__data.pkl': b'.', 'b__data.pkl': b'.'}),
        lambda path: write_archive(path, **{'energies.npy': b'0'}),
        lambda path: path.write_bytes(b''),
        lambda path: path.write_text('mace'),
    ],
    ids=['torch', 'script', 'old torch', 'zip', 'two pickles', 'numpy', 'empty', 'text'],
)
@pytest.mark.parametrize('suffix', ['pth', 'npz', 'model'])
def test_foreign_files_are_refused_by_name(tmp_path, write, suffix):
    path = tmp_path / f'foreign.{suffix}'
    write(path)
    with pytest.raises(PotentialError, match=rf'foreign\.{suffix} holds no potential.* known are') as refusal:
        identify(str(path))
    assert 'a SevenNet checkpoint (.pth)' in str(refusal.value)


@pytest.mark.parametrize(
    'content', [b'\x80\x02}(X\xff\xff\xff\x00', b'\x00\xff', b'\x80\x02X\x02\x00\x00\x00\xff\xff.']
)
def test_a_damaged_pickle_is_refused_by_name(tmp_path, content):
    write_archive(tmp_path / 'damaged.pth', **{'tmp__data.pkl': content})
    with pytest.raises(PotentialError, match=r'damaged\.pth is damaged .*fetch it again'):
        identify(str(tmp_path / 'damaged.pth'))


def test_flipped_bytes_are_refused_by_name(tmp_path):
    content = bytearray(Path(identify('sevennet-0').path).read_bytes())
    begin = content.index(b'model_state_dict')
    content[begin : begin + 4] = b'MODE'
    (tmp_path / 'flipped.pth').write_bytes(content)
    with pytest.raises(PotentialError, match=r'flipped\.pth is damaged .*Bad CRC'):
        identify(str(tmp_path / 'flipped.pth'))


def test_a_folder_may_hold_other_files(tmp_path):
    """Here the converted weights are those of a calculator, whose description is beside a README."""
    (tmp_path / 'README.md').write_text('about it')
    (tmp_path / 'lj.yaml').write_text(yaml.safe_dump({'calculator': 'ase.calculators.lj.LennardJones'}))
    (tmp_path / 'other.json').write_text('{}')
    assert identify(str(tmp_path)).name == 'lj'


def describe_calculator(folder, name, **parameters):
    content = {'calculator': f'tests.helpers.calculators.{name}', 'parameters': parameters}
    (folder / 'own.yaml').write_text(yaml.safe_dump(content))
    return str(folder / 'own.yaml')


def test_a_calculator_is_told_its_device(tmp_path):
    potential = load_potential(describe_calculator(tmp_path, 'OnDevice'), device='cpu')
    assert potential.device == potential.calculator(None).device == 'cpu'
    automatic = load_potential(describe_calculator(tmp_path, 'OnDevice'))
    assert automatic.device == automatic.calculator(None).device == ('cuda' if torch.cuda.is_available() else 'cpu')
    described = describe_calculator(tmp_path, 'OnDevice', device='npu')
    assert load_potential(described).calculator(None).device == 'npu'
    assert load_potential(described, device='cpu').calculator(None).device == 'cpu'
    with pytest.raises(PotentialError, match="device 'nonsense' cannot be used"):
        load_potential(described, device='nonsense')


def test_a_calculator_without_devices_refuses_them(tmp_path):
    plain = 'ase:ase.calculators.emt.EMT'
    assert load_potential(plain).device == load_potential(plain, device='cpu').device == 'cpu'
    with pytest.raises(PotentialError, match=r"EMT takes no argument device, so it cannot be put on 'cuda:1'"):
        load_potential(plain, device='cuda:1')
