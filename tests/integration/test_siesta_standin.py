"""aiida-siesta's own calculation and parser take the stand-in for SIESTA."""

import io

import pytest
from aiida.engine import run_get_node
from aiida.orm import Dict, InstalledCode, KpointsData, StructureData
from aiida.plugins import CalculationFactory, DataFactory

from tests.helpers.crystals import rock_salt
from tests.helpers.siesta_standin import write_launcher


@pytest.fixture
def builder(aiida_computer_local, tmp_path):
    """A SiestaCalculation of rock-salt LiI; nobody reads its pseudopotentials."""
    code = InstalledCode(
        computer=aiida_computer_local(label='localhost'),
        filepath_executable=str(write_launcher(tmp_path / 'siesta')),
        label='siesta',
    )
    builder = CalculationFactory('siesta.siesta').get_builder()
    builder.code = code
    builder.structure = StructureData(pymatgen=rock_salt('Li', 'I', 5.8))
    psf = DataFactory('pseudo.psf')
    builder.pseudos = {
        label: psf(io.BytesIO(f' {label} pb nrl nc\n'.encode()), f'{label}.psf') for label in ('Li', 'I')
    }
    kpoints = KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2])
    builder.kpoints = kpoints
    builder.metadata.options.max_wallclock_seconds = 300
    builder.metadata.options.resources = {'num_machines': 1}
    return builder


def test_relaxation(builder):
    builder.parameters = Dict(
        {
            'md-type-of-run': 'CG',
            'md-variable-cell': True,
            'md-num-cg-steps': 30,
            'md-max-force-tol': '0.02 eV/Ang',
            'md-max-stress-tol': '0.5 GPa',
        }
    )
    results, node = run_get_node(builder)
    assert node.exit_status == 0, node.exit_message
    assert results['output_structure'].get_cell_volume() > builder.structure.get_cell_volume()
    parameters = results['output_parameters'].get_dict()
    assert parameters['variable_geometry'] is True
    assert parameters['E_KS_units'] == 'eV'
    assert parameters['global_time'] > 0
    assert results['forces_and_stress'].get_array('forces').shape == (len(builder.structure.sites), 3)
    assert abs(results['forces_and_stress'].get_array('forces')).max() < 0.02


def test_unfinished_relaxation(builder):
    builder.parameters = Dict({'md-type-of-run': 'CG', 'md-variable-cell': True, 'md-num-cg-steps': 1})
    _, node = run_get_node(builder)
    assert node.exit_status == node.process_class.exit_codes.GEOM_NOT_CONV.status


def test_scf_that_does_not_converge(builder):
    builder.parameters = Dict({'max-scf-iterations': 3, 'scf-must-converge': True})
    _, node = run_get_node(builder)
    assert node.exit_status == node.process_class.exit_codes.SCF_NOT_CONV.status
