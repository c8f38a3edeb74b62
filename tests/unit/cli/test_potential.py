"""``aiida-pesfp potential install``, ``list`` and ``show``."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from aiida.orm import load_node

from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.potentials import identify
from aiida_pesfp.potentials.registry import families, known
from aiida_pesfp.queries.nodes import stored
from tests.helpers import SHARED
from tests.helpers.servers import WeightServer

NAME = 'installed'


def test_install_list_show(aiida_pesfp, tmp_path):
    """A calculator of one's own; the same content is not stored twice, whatever it is called."""
    path = tmp_path / 'own.yaml'
    content = {'calculator': 'ase.calculators.lj.LennardJones', 'parameters': {'sigma': 2.1234}}
    path.write_text(yaml.safe_dump(content))
    assert f'stored the potential {NAME}' in aiida_pesfp('potential', 'install', NAME, '--from', path)
    node = load_node(NAME)
    assert f'potential {NAME}<{node.pk}> exists' in aiida_pesfp('potential', 'install', 'other', '--from', path)
    (line,) = (line for line in aiida_pesfp('potential', 'list').splitlines() if NAME in line)
    assert line.split()[0] == str(node.pk)
    assert node.sha256[:12] in line
    assert yaml.safe_load(aiida_pesfp('potential', 'show', NAME))['sha256'] == node.sha256


def test_the_paper_s_own_is_downloaded_or_read_from_a_folder(aiida_pesfp, m3gnet_weights):
    assert m3gnet_weights in aiida_pesfp('potential', 'install', m3gnet_weights)
    node = load_node(m3gnet_weights)
    assert (node.name, node.kind, len(node.filenames)) == (m3gnet_weights, 'm3gnet', 3)
    printed = aiida_pesfp('potential', 'install', m3gnet_weights, '--from', identify(m3gnet_weights).path)
    assert f'potential {m3gnet_weights}<{node.pk}> exists' in printed


def test_weights_that_cannot_be_downloaded_say_how_to_go_on(aiida_pesfp, monkeypatch, tmp_path):
    monkeypatch.setenv('PESFP_CACHE', str(tmp_path))
    monkeypatch.setenv('PESFP_WEIGHTS_URL', 'http://127.0.0.1:9')
    printed = ' '.join(aiida_pesfp('potential', 'install', 'm3gnet-mp-2021.2.8', fails=True).split())
    assert 'could not be downloaded from http://127.0.0.1:9/m3gnet-mp-2021.2.8' in printed
    assert '`aiida-pesfp potential install m3gnet-mp-2021.2.8 --from FOLDER`' in printed


def test_known_potentials_are_listed_whether_stored_or_not(aiida_pesfp):
    """As tables of 120 columns, JSON and CSV, with all that is known of them."""
    aiida_pesfp('potential', 'install', 'SEVENNET_0')
    digest = known()['sevennet-0'].sha256  # other tests may have stored it too
    pks = sorted(node.pk for node in stored(PotentialData) if node.sha256 == digest)
    printed = aiida_pesfp('potential', 'list')
    assert max(map(len, printed.splitlines())) <= 120
    rows = {line.split()[0]: line for line in printed.splitlines() if line}
    assert {name for row in known().values() for name in row.names} <= set(rows)
    assert rows['sevennet-0'].split()[1:3] == ['PK', f'{pks[0]}{"," * (len(pks) > 1)}']
    assert rows['sevennet-0'].split()[-9:] == ['2024-07', 'MPtrj', '0.724', '0.69', '74%', '(31)', '0.42', 'MIT', 'yes']
    assert rows['mace-omat-0'].split()[-2:] == ['ASL', 'no']
    assert rows['uma-s-1.2'].split()[-2:] == ['FAIR-', 'limited']
    assert rows['tensornet-matpes-pbe-2025.2'].split()[-2:] == ['unknown', 'unknown']
    told = {row['name']: row for row in json.loads(aiida_pesfp('potential', 'list', '-f', 'json'))}
    assert (sorted(told['sevennet-0']['pks']), told['sevennet-0']['barriers']['hops']) == (pks, 31)
    assert told['nequix-omat-1']['pks'] == []
    assert (told['m3gnet-mp-2021.2.8']['get'], told['sevennet-l3i5']['get']) == ('download', 'package')
    assert (told['tensornet-matpes-pbe-2025.2']['get'], told['mace-mp-0']['commercial']) == ('confirm', 'yes')
    flat = {row['name']: row for row in csv.DictReader(aiida_pesfp('potential', 'list', '-f', 'csv').splitlines())}
    assert (flat['sevennet-0']['pks'].split()[0], flat['sevennet-0']['barriers_spearman']) == (str(pks[0]), '0.69')


def test_kinds_of_files_are_listed(aiida_pesfp):
    printed = aiida_pesfp('potential', 'list', '--files')
    assert all(family.kind in printed and family.package in printed for family in families().values())


def test_what_is_not_stored_is_shown(aiida_pesfp):
    shown = yaml.safe_load(aiida_pesfp('potential', 'show', 'UMA-S-1.1'))['known']
    assert 'https://huggingface.co/facebook/UMA' in shown['by_hand']
    assert shown['limits'].startswith('not in every country')
    assert (shown['f1'], shown['commercial']) == ('unknown', 'limited')
    assert yaml.safe_load(aiida_pesfp('potential', 'show', 'sevennet-mf-0:PBE'))['known']['licence'] == 'MIT'
    assert 'Did you mean mace-mpa-0?' in ' '.join(aiida_pesfp('potential', 'show', 'mace-mpa-1', fails=True).split())


@pytest.fixture
def unpinned(monkeypatch, tmp_path):
    """A known name whose SHA-256 is not known, and its file and hash; a mirror has it."""
    name, embedded = 'tensornet-matpes-pbe-2025.2', SHARED / 'weights' / 'matgl-TensorNet-MatPES-PBE-v2025.1-PES'
    if not embedded.is_dir():
        pytest.skip('needs the reference data')
    monkeypatch.setenv('PESFP_CACHE', str(tmp_path / 'cache'))
    with WeightServer({f'{name}/{file}': (embedded / file).read_bytes() for file in known()[name].files}) as server:
        monkeypatch.setenv('PESFP_WEIGHTS_URL', server.url)
        yield name, identify(str(embedded)).sha256


def test_what_nobody_can_verify_has_to_be_confirmed(aiida_pesfp, unpinned):
    name, digest = unpinned
    printed = ' '.join(aiida_pesfp('potential', 'install', name, fails=True).split())
    assert f'`aiida-pesfp potential install {name} --sha256 {digest}`' in printed
    assert f'{digest}, not {"0" * 64}' in ' '.join(
        aiida_pesfp('potential', 'install', name, '--sha256', '0' * 64, fails=True).split()
    )
    assert 'has not the 64' in aiida_pesfp('potential', 'install', name, '--sha256', digest[:-1], fails=True)
    assert f'stored the potential {name}' in aiida_pesfp('potential', 'install', name, '--sha256', digest.upper())
    assert f'potential {name}<{load_node(name).pk}> exists' in aiida_pesfp('potential', 'install', name)


def test_own_files_are_compared_with_what_they_are_called(aiida_pesfp, m3gnet_weights, tmp_path):
    """As far as their names are those of published files."""
    for file in Path(identify(m3gnet_weights).path).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / 'm3gnet.json').write_text('{}')
    printed = aiida_pesfp('potential', 'install', m3gnet_weights, '--from', tmp_path, fails=True)
    assert 'but m3gnet.json of m3gnet-mp-2021.2.8 has 1aff67d1a07d' in ' '.join(printed.split())


def test_what_is_not_there_is_said(aiida_pesfp, tmp_path):
    printed = aiida_pesfp('potential', 'install', 'mine', '--from', tmp_path / 'nothing.pth', fails=True)
    assert 'nothing.pth' in ' '.join(printed.split())
