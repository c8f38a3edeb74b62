"""The monitor of ``pesfp.siesta_md``: what it says of the files of a running job."""

import pytest
from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Dict, StructureData
from aiida.plugins import TransportFactory

from aiida_pesfp.calculations.siesta_md import stop_diverging
from tests.helpers.crystals import rock_salt

HEADER = '# Step     T (K)     E_KS (eV)    E_tot (eV)   Vol (A^3)    P (kBar)\n'
GOOD = '     1    600.00   -1318.83027   -1318.28740     219.256      20.907\n'
HOT = '     2   9999.71   -1318.82991   -1318.28730     219.256      21.670\n'


@pytest.fixture
def node(aiida_profile, aiida_localhost, tmp_path):
    node = CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:pesfp.siesta_md')
    node.set_option('prefix', 'aiida')
    structure = StructureData(pymatgen=rock_salt('Li', 'I', 6.03)).store()
    dynamics = Dict({'temperature': 600, 'steps': 10}).store()
    node.base.links.add_incoming(structure, LinkType.INPUT_CALC, 'structure')
    node.base.links.add_incoming(dynamics, LinkType.INPUT_CALC, 'dynamics')
    node.store()
    node.set_remote_workdir(str(tmp_path))
    return node


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, None),
        ('', None),
        (HEADER + GOOD, None),
        (HEADER + GOOD + HOT, 'the temperature is 10000 K at step 1'),
        (HEADER + GOOD + HOT[:30], None),  # a line being written
        (HEADER + GOOD + GOOD.replace('-1318.28740', '        NaN'), 'not a number at step 1'),
    ],
)
def test_what_it_says(node, tmp_path, content, words):
    if content is not None:
        (tmp_path / 'aiida.MDE').write_text(content)
    with TransportFactory('core.local')() as transport:
        result = stop_diverging(node, transport)
        if words is None:
            assert result is None
        else:
            assert words in result.message
            assert not result.override_exit_code
            # More is allowed if asked for.
            relaxed = stop_diverging(node, transport, temperature_factor=20)
            assert (relaxed is None) == ('temperature is' in words)
