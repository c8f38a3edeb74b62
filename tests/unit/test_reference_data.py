"""The files of ``tests/data`` are whole, and belong to the crystals that the tests write."""

import numpy as np
import pytest
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_pesfp.fingerprint.grid import grid_shape
from tests.helpers import DATA
from tests.helpers.reference import CRYSTALS, TABLE_1, Oracle, tensorflow_entries

#: Number and formula of the space group in the primitive cell.
SPACE_GROUPS = {'Li2S': 225, 'LiPaO3': 221, 'LiCl-wurtzite': 186, 'Li3N': 191, 'LiH': 225, 'Li2Te': 225}
TABLE_GROUPS = {'LiB3H8': 63, 'Li2B12H12': 202, 'LiI': 186, 'Li2Te': 225, 'LiBH4': 186}


@pytest.mark.parametrize(
    ('structure', 'number'),
    [(CRYSTALS[name], number) for name, number in SPACE_GROUPS.items()]
    + [(TABLE_1[name][0], number) for name, number in TABLE_GROUPS.items()],
    ids=[*SPACE_GROUPS, *(f'{name} of Table I' for name in TABLE_GROUPS)],
)
def test_crystals_have_their_space_groups(structure, number):
    assert SpacegroupAnalyzer(structure, 1e-3).get_space_group_number() == number
    assert len(structure.get_primitive_structure()) == len(structure)


@pytest.mark.parametrize('name', CRYSTALS)
def test_grids_belong_to_their_crystals(name):
    oracle = Oracle.read(name)
    ions = [index for index, site in enumerate(oracle.structure) if site.specie.symbol == 'Li']
    assert list(oracle.grids) == ions
    assert {int(ion) for ion in oracle.descriptors['mpe_per_ion']} == set(ions)
    for grid in oracle.grids.values():
        assert grid.shape == tuple(grid_shape(oracle.structure.lattice.matrix, 0.25))
        assert np.isfinite(grid).all()
    spectrum = [oracle.descriptors[key] for key in ('thresholds', 'connected', 'disconnected')]
    assert [len(column) for column in spectrum] == [16] * 3
    assert (np.diff(spectrum) >= 0).all()


def test_structures_of_tensorflow_are_whole():
    for entry in tensorflow_entries().values():
        atoms = len(Structure(entry['lattice'], entry['species'], entry['frac_coords']))
        for precision in ('tf', 'tf64'):
            forces = np.array(entry[f'{precision}_forces'])
            assert forces.shape == (atoms, 3)
            assert np.abs(forces.sum(axis=0)).max() < 1e-3


def test_everything_is_described_and_small():
    """The folder travels with each clone; the README says how each of its folders and runs was computed."""
    text = (DATA / 'README.md').read_text()
    for path in (*DATA.iterdir(), *(DATA / 'siesta').iterdir()):
        assert f'`{path.name}' in text or path.name == 'README.md', path
    assert sum(path.stat().st_size for path in DATA.rglob('*') if path.is_file()) < 3e6
