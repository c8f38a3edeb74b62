"""``aiida-pesfp potential install``, ``list`` and ``show``."""

import yaml
from aiida.orm import load_node

from aiida_pesfp.potentials import identify

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


def test_what_is_not_there_is_said(aiida_pesfp, tmp_path):
    printed = aiida_pesfp('potential', 'install', 'mine', '--from', tmp_path / 'nothing.pth', fails=True)
    assert 'nothing.pth' in ' '.join(printed.split())
