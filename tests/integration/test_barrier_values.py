"""Barriers by SevenNet-0 beside those of the literature."""

import json

import pytest
from click.testing import CliRunner

from aiida_pesfp.programs.barrier import main
from tests.helpers import REPOSITORY


@pytest.mark.fidelity
@pytest.mark.timeout(1800)  # on a busy machine
def test_vacancy_of_lithium_nitride():
    """In the Li2N plane the vacancy hardly has a barrier: 0.004 eV by LDA.

    Sarnthein, Schwarz and Bloechl, doi:10.1103/PhysRevB.53.9084.
    """
    path = REPOSITORY / 'examples' / 'structures' / 'Li3N.cif'
    result = CliRunner().invoke(main, [str(path), '--sites', '1', '2', '--json', '--quiet'])
    assert result.exit_code == 0, result.output
    [found] = json.loads(result.stdout)
    print(f'{found["barrier_eV"]:.3f} eV, 0.004 eV expected; {found["calls"]} calls, {found["seconds"]:.0f} s')
    assert found['flags'] == []
    assert found['barrier_eV'] == pytest.approx(0.004, abs=0.03)
