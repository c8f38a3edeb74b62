"""Barriers by SevenNet-0 beside those of the literature."""

import json

import pytest
from click.testing import CliRunner
from pymatgen.core import Structure

from aiida_pesfp.programs.barrier import main
from tests.helpers import REPOSITORY


@pytest.mark.fidelity
@pytest.mark.timeout(1800)  # on a busy machine
@pytest.mark.parametrize(
    ('cells', 'expected', 'close'),
    [
        pytest.param([1, 1, 1], 0.004, 0.03, id='in the plane'),
        pytest.param([1, 1, 2], 0.58, 0.15, id='from plane to plane'),
    ],
)
def test_vacancy_of_lithium_nitride(cells, expected, close, tmp_path):
    """In the Li2N plane the vacancy hardly has a barrier; perpendicular to it, it has.

    Expected are the barriers of Sarnthein, Schwarz and Bloechl by LDA, doi:10.1103/PhysRevB.53.9084.
    """
    crystal = Structure.from_file(REPOSITORY / 'examples' / 'structures' / 'Li3N.cif').make_supercell(cells)
    crystal.to(filename=str(tmp_path / 'Li3N.json'))
    in_plane = [
        index for index, site in enumerate(crystal) if site.specie.symbol == 'Li' and abs(site.frac_coords[0]) > 0.1
    ]
    first, second = in_plane[:2]  # neighbours in the plane, or images of one site above each other
    words = [str(tmp_path / 'Li3N.json'), '--sites', str(first), str(second), '--json', '--quiet']
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    [found] = json.loads(result.stdout)
    print(f'{found["barrier_eV"]:.3f} eV, {expected} eV expected; {found["calls"]} calls, {found["seconds"]:.0f} s')
    assert found['flags'] == []
    assert found['barrier_eV'] == pytest.approx(expected, abs=close)
