"""``aiida-pesfp potential install``, ``list`` and ``show``."""

import yaml
from aiida.orm import load_node

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


def test_the_paper_s_own_from_its_published_folder(aiida_pesfp, shared):
    folder = shared / 'weights' / 'MP-2021.2.8-EFS-checkpoint'
    printed = aiida_pesfp('potential', 'install', 'm3gnet-mp-2021.2.8', '--from', folder)
    assert 'm3gnet-mp-2021.2.8' in printed
    assert load_node('m3gnet-mp-2021.2.8').base.attributes.get('kind') == 'm3gnet'


def test_what_is_not_there_is_said(aiida_pesfp, tmp_path):
    printed = aiida_pesfp('potential', 'install', 'mine', '--from', tmp_path / 'nothing.pth', fails=True)
    assert 'nothing.pth' in ' '.join(printed.split())
