"""What a structure says about its SIESTA inputs."""

import numpy as np
import pytest
from aiida.orm import StructureData
from pymatgen.core import Lattice, Structure

from aiida_pesfp.workflows.siesta_inputs import functional_of, is_molecular, kpoints_of, pseudos_of
from tests.crystals import antifluorite, rock_salt

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)


def with_anion(centre, corner, length, a=5.5):
    """Rock salt of lithium and a tetrahedral ion that sticks out of the cell."""
    lattice = Lattice.cubic(a)
    places = [[a / 2, a / 2, a / 2], [0, 0, 0], *(TETRAHEDRON * length)]
    return Structure(lattice, ['Li', centre, *[corner] * 4], places, coords_are_cartesian=True)


@pytest.mark.parametrize(
    ('structure', 'expected'),
    [
        (with_anion('B', 'H', 1.22), True),  # LiBH4: "hydroborates are molecular solids"
        (with_anion('P', 'S', 2.05), False),  # thiophosphates are not
        (rock_salt('Li', 'H', 4.08), False),  # an ionic hydride has no bond
        (antifluorite('Li', 'S', 5.72), False),
        (Structure(Lattice.cubic(2.2), ['Li', 'H', 'B'], [[0.5] * 3, [0, 0, 0], [0.5, 0, 0]]), False),  # endless chain
        (Structure(Lattice.cubic(3.5), ['Li'], [[0, 0, 0]]), False),
    ],
)
def test_molecular_solids(structure, expected):
    assert is_molecular(structure) is expected


@pytest.mark.usefixtures('aiida_profile')
def test_functionals():
    assert functional_of(StructureData(pymatgen=with_anion('B', 'H', 1.22))) == 'lmkll'
    assert functional_of(StructureData(pymatgen=rock_salt('Li', 'I', 6.03))) == 'pbe'


@pytest.mark.usefixtures('aiida_profile')
def test_kpoints_become_fewer_in_larger_cells():
    small = StructureData(pymatgen=rock_salt('Li', 'I', 6.03))
    large = StructureData(pymatgen=rock_salt('Li', 'I', 6.03).make_supercell(2, in_place=False))
    mesh, offset = kpoints_of(small).get_kpoints_mesh()
    # 64 points for each A^-3 of the reciprocal cell: (64 (2 pi)^3 / 54.8)^(1/3) = 6.6.
    assert mesh == [6, 6, 6]
    assert offset == [0.0, 0.0, 0.0]
    assert max(kpoints_of(large).get_kpoints_mesh()[0]) == 3


@pytest.mark.usefixtures('aiida_profile')
def test_a_missing_family_is_named_with_the_way_out():
    structure = StructureData(pymatgen=rock_salt('Li', 'I', 6.03))
    with pytest.raises(ValueError, match='name a pseudo_family'):
        pseudos_of(structure, None)
    with pytest.raises(ValueError, match='aiida-pseudo install family FOLDER mine'):
        pseudos_of(structure, 'mine')
