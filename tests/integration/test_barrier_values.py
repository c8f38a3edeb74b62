"""Barriers by SevenNet-0 beside those of the literature."""

import json

import pytest
from click.testing import CliRunner

from aiida_pesfp.programs.barrier import main
from tests.helpers import REPOSITORY


@pytest.mark.fidelity
def test_vacancy_of_lithium_nitride():
    """In the Li2N plane the vacancy hardly has a barrier; from plane to plane it has.

    Sarnthein, Schwarz and Bloechl, doi:10.1103/PhysRevB.53.9084 (LDA): 0.004 eV and 0.58 eV.
    """
    path = REPOSITORY / 'examples' / 'structures' / 'Li3N.cif'
    result = CliRunner().invoke(main, [str(path), '--json', '--quiet', '--longest-hop', '4.0'])
    assert result.exit_code == 0, result.output
    [found] = json.loads(result.stdout)
    print(found['barrier_eV'], found['barrier_3d_eV'], found['calls'], found['seconds'], found['flags'])
    assert found['converged']
    assert found['barrier_eV'] == found['barrier_2d_eV'] == pytest.approx(0.004, abs=0.03)
    assert found['barrier_3d_eV'] == pytest.approx(0.58, abs=0.15)
