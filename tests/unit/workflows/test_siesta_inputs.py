"""What a structure says about its SIESTA inputs."""

import numpy as np
import pytest
from aiida.orm import StructureData
from aiida_pseudo.cli.install import cmd_install_family
from click.testing import CliRunner
from pymatgen.core import Lattice, Structure

from aiida_pesfp.workflows.siesta_inputs import functional_of, is_molecular, kpoints_of, pseudos_of
from aiida_pesfp.workflows.siesta_md import SiestaMdBaseWorkChain
from aiida_pesfp.workflows.siesta_relax import SiestaRelaxWorkChain
from tests.helpers.crystals import antifluorite, rock_salt

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
    mesh, offset = kpoints_of(small, 64).get_kpoints_mesh()
    # 64 points for each A^-3 of the reciprocal cell: (64 (2 pi)^3 / 54.8)^(1/3) = 6.6.
    assert mesh == [6, 6, 6]
    assert offset == [0.0, 0.0, 0.0]
    assert max(kpoints_of(large, 64).get_kpoints_mesh()[0]) == 3


@pytest.mark.usefixtures('aiida_profile')
def test_a_missing_family_is_named_with_the_way_out():
    structure = StructureData(pymatgen=rock_salt('Li', 'I', 6.03))
    with pytest.raises(ValueError, match='name a pseudo_family'):
        pseudos_of(structure, None)
    with pytest.raises(ValueError, match='aiida-pseudo install family FOLDER mine'):
        pseudos_of(structure, 'mine')


@pytest.fixture
def family(tmp_path):
    """Made by the command that the documentation gives."""
    folder = tmp_path / 'psf'
    folder.mkdir()
    for symbol in ('Li', 'I', 'B', 'H'):
        (folder / f'{symbol}.psf').write_text(f' {symbol} pb nrel nc\n')
    label = f'family-{tmp_path.name}'
    result = CliRunner().invoke(cmd_install_family, [str(folder), label, '-P', 'pseudo.psf'], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return label


@pytest.mark.usefixtures('aiida_profile')
class TestBuilders:
    """``get_builder_from_protocol``."""

    def test_the_dynamics_of_the_paper(self, siesta_code, siesta_crystal, family):
        builder = SiestaMdBaseWorkChain.get_builder_from_protocol(
            siesta_code, siesta_crystal, 667, options={'max_wallclock_seconds': 60}, pseudo_family=family
        )
        assert builder.md.dynamics.get_dict() == {
            'temperature': 667,
            'steps': 65000,
            'timestep': 1.0,
            'stride': 1,
            'nose_mass': 100.0,
            'max_scf_iterations': 10,
        }
        assert builder.md.basis['pao-basis-size'] == 'DZP'
        assert builder.md.parameters['xc-authors'] == 'PBE'
        assert 'kpoints' not in builder.md
        assert builder.md.monitors['divergence']['entry_point'] == 'pesfp.siesta_md'
        assert builder.md.metadata.options['max_wallclock_seconds'] == 60
        assert set(builder.md.pseudos) == {'Li', 'I'}

    @pytest.mark.parametrize(('timestep', 'steps'), [(0.5, 130000), (0.25, 260000)])
    def test_the_cross_checks_of_the_paper(self, siesta_code, siesta_crystal, family, timestep, steps):
        builder = SiestaMdBaseWorkChain.get_builder_from_protocol(
            siesta_code, siesta_crystal, 667, pseudo_family=family, timestep=timestep
        )
        assert builder.md.dynamics['timestep'] == timestep
        assert builder.md.dynamics['steps'] == steps

    def test_the_functional_of_a_molecular_solid(self, siesta_code, family):
        structure = StructureData(pymatgen=with_anion('B', 'H', 1.22)).store()
        arguments = (siesta_code, structure, 500, 'fast')
        builder = SiestaMdBaseWorkChain.get_builder_from_protocol(*arguments, pseudo_family=family)
        assert (builder.md.parameters['xc-functional'], builder.md.parameters['xc-authors']) == ('VDW', 'LMKLL')
        builder = SiestaMdBaseWorkChain.get_builder_from_protocol(*arguments, pseudo_family=family, functional='pbe')
        assert builder.md.parameters['xc-authors'] == 'PBE'
        with pytest.raises(ValueError, match="unknown functional 'lda': take one of pbe, lmkll"):
            SiestaMdBaseWorkChain.get_builder_from_protocol(*arguments, pseudo_family=family, functional='lda')

    def test_relaxation_and_dynamics_have_the_same_basis(self, siesta_code, siesta_primitive, family):
        for protocol in SiestaMdBaseWorkChain.get_available_protocols():
            relax = SiestaRelaxWorkChain.get_builder_from_protocol(
                siesta_code, siesta_primitive, protocol, pseudo_family=family
            )
            dynamics = SiestaMdBaseWorkChain.get_builder_from_protocol(
                siesta_code, siesta_primitive, 500, protocol, pseudo_family=family
            )
            assert relax.relax.basis.get_dict() == dynamics.md.basis.get_dict()
            assert dynamics.md.parameters.get_dict().items() <= relax.relax.parameters.get_dict().items()
            assert relax.relax.parameters['md-variable-cell'] == 'T'
            assert max(relax.relax.kpoints.get_kpoints_mesh()[0]) > 1
