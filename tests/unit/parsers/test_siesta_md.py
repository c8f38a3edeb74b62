"""The parsers of SIESTA on genuine output."""

import re
import shutil

import numpy as np
import pytest
from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Dict, FolderData, RemoteData, StructureData
from aiida.plugins import ParserFactory
from ase import Atoms
from ase.data import chemical_symbols

from aiida_pesfp.calculations.siesta_md import SiestaMdCalculation
from aiida_pesfp.trajectories.siesta import read_xv
from aiida_pesfp.trajectories.siesta_dynamics import BOHR
from tests.helpers import DATA

CODES = SiestaMdCalculation.exit_codes
SUFFIXES = ('MD', 'MDE', 'ANI', 'XV', 'NOSE_RESTART')

pytestmark = pytest.mark.usefixtures('aiida_profile')


def first_structure(run):
    """The input structure of a genuine run, as its output prints it."""
    text = (run / 'siesta.out').read_text()
    restart = read_xv(run / 'siesta.XV')
    cell = restart.cell * BOHR
    kind, block = re.search(r'outcoor: Atomic coordinates \((\w+)\):\s*\n((?:.+\n)+)', text).groups()
    places = np.array([line.split()[:3] for line in block.splitlines()], dtype=float)
    symbols = [chemical_symbols[number] for number in restart.numbers]
    scaled = {'scaled_positions': places} if kind in ('fractional', 'scaled') else {'positions': places}
    return StructureData(ase=Atoms(symbols, cell=cell, pbc=True, **scaled))


@pytest.fixture
def parse(aiida_localhost, tmp_path):
    """Parses a genuine run as if a job had left it; ``spoil`` gets the folder before."""

    def run_parser(name, steps=20, parent=None, spoil=None, stride=1, parser='pesfp.siesta_md', exit_status=None):
        run = tmp_path / name
        shutil.copytree(DATA / 'siesta' / name, run, dirs_exist_ok=True)
        calculation = 'siesta.siesta' if parser == 'pesfp.siesta_relax' else 'pesfp.siesta_md'
        node = CalcJobNode(computer=aiida_localhost, process_type=f'aiida.calculations:{calculation}')
        for option, value in (('prefix', 'siesta'), ('output_filename', 'siesta.out'), ('parser_name', parser)):
            node.set_option(option, value)
        structure = (
            first_structure(run) if (run / 'siesta.XV').exists() else StructureData(ase=Atoms('Li', cell=[5] * 3))
        )
        if spoil:
            spoil(run)
        node.base.links.add_incoming(structure.store(), LinkType.INPUT_CALC, 'structure')
        dynamics = Dict({'temperature': 600, 'steps': steps, 'stride': stride}).store()
        node.base.links.add_incoming(dynamics, LinkType.INPUT_CALC, 'dynamics')
        if parent is not None:
            # What the job itself copies beside its own files.
            shutil.copy(parent[0] / 'siesta.XV', run / SiestaMdCalculation.PARENT_XV)
            node.base.links.add_incoming(parent[1], LinkType.INPUT_CALC, 'parent_folder')
        node.store()
        node.set_exit_status(exit_status)
        retrieved = FolderData()
        for path in run.iterdir():
            if path.suffix.removeprefix('.') not in SUFFIXES or parser == 'pesfp.siesta_relax':
                retrieved.base.repository.put_object_from_file(str(path), path.name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        outputs, calcfunction = ParserFactory(parser).parse_from_node(
            node, store_provenance=False, retrieved_temporary_folder=str(run)
        )
        return outputs, calcfunction, node, run

    return run_parser


def as_parent(outputs, node, run):
    """The remote folder of a parsed run, with its parameters, for the run that goes on from it."""
    remote = RemoteData(remote_path=str(run), computer=node.computer)
    for label, output in (('remote_folder', remote), ('output_parameters', outputs['output_parameters'])):
        output.base.links.add_incoming(node, LinkType.CREATE, label)
        output.store()
    return run, remote


def test_a_whole_run(parse):
    outputs, finished, _, run = parse('01_nose_md')
    assert finished.exit_status == 0
    parameters, trajectory = outputs['output_parameters'].get_dict(), outputs['trajectory']
    columns = np.loadtxt(run / 'siesta.MDE')
    np.testing.assert_array_equal(trajectory.get_array('temperatures'), columns[:, 1])
    np.testing.assert_array_equal(trajectory.get_array('energies'), columns[:, 2])
    np.testing.assert_array_equal(trajectory.get_array('conserved'), columns[:, 3])
    np.testing.assert_array_equal(trajectory.get_array('steps'), columns[:, 0] - 1)
    assert parameters['temperature_mean'] == pytest.approx(columns[:, 1].mean())
    assert parameters['energy_drift'] == pytest.approx(np.polyfit(columns[:, 0] * 1e-3, columns[:, 3] / 8, 1)[0])
    assert parameters | {'temperature_mean': 0, 'temperature_std': 0, 'energy_drift': 0} == {
        'steps': 20,
        'last_step': 19,
        'temperature_mean': 0,
        'temperature_std': 0,
        'energy_drift': 0,
        'seconds': 44.653,
        'unconverged_steps': 0,
        'restartable': True,
        'source': 'MD',
        'siesta_version': '4.1.5',
        'messages': [],
    }


def test_a_continued_run_counts_on(parse):
    outputs, finished, node, run = parse('02b_first10', steps=10)
    assert finished.exit_status == 0
    parent = as_parent(outputs, node, run)
    again, finished, *_ = parse('02c_restart10', steps=10, parent=parent)
    assert finished.exit_status == 0
    assert again['trajectory'].get_array('steps').tolist() == list(range(10, 20))
    assert again['trajectory'].get_array('times')[0] == pytest.approx(0.010)
    assert again['output_parameters']['last_step'] == 19
    whole, *_ = parse('02a_cont20')
    for name in ('positions', 'energies', 'temperatures', 'conserved', 'steps', 'times'):
        joined = np.concatenate([part['trajectory'].get_array(name) for part in (outputs, again)])
        np.testing.assert_allclose(joined, whole['trajectory'].get_array(name), atol=1e-7, err_msg=name)


def test_a_run_that_lost_its_thermostat_is_noticed(parse):
    outputs, _, node, run = parse('02b_first10', steps=10)
    _, finished, *_ = parse('02e_noNose', steps=10, parent=as_parent(outputs, node, run))
    assert finished.exit_status == CODES.ERROR_NOT_RESTARTED.status


@pytest.mark.parametrize(
    ('name', 'steps', 'code', 'words', 'done'),
    [
        ('15_xml_walltime', 50, 'ERROR_OUT_OF_WALLTIME', '', 12),
        ('05_abort_splitnorm', 5, 'SPLIT_NORM', '', 0),
        ('09_scf_mustconv', 3, 'ERROR_SCF_FAILED', 'SCF_NOT_CONV', 0),
        ('04_vdw', 3, None, '', 3),
        ('08_scf_nonconv', 3, None, '', 3),
    ],
)
def test_how_runs_ended(parse, name, steps, code, words, done):
    outputs, finished, *_ = parse(name, steps=steps)
    assert finished.exit_status == (0 if code is None else getattr(CODES, code).status)
    assert words in (finished.exit_message or '')
    if done:
        assert outputs['output_parameters']['steps'] == done
        assert len(outputs['trajectory'].get_array('steps')) == done
    if name == '08_scf_nonconv':
        assert outputs['output_parameters']['unconverged_steps'] == 3


def cut(name, size):
    def spoil(run):
        path = run / name
        path.write_bytes(path.read_bytes()[:size])
        (run / 'MESSAGES').write_text('')

    return spoil


@pytest.mark.parametrize(
    ('spoil', 'done', 'restartable'),
    [
        (cut('siesta.MD', 396 * 13 + 100), 13, False),
        (cut('siesta.MDE', 69 * 8 + 5), 7, False),
        (cut('siesta.XV', 300), 20, False),
        (cut('siesta.NOSE_RESTART', 300), 20, False),
    ],
)
def test_a_kill_leaves_the_whole_steps(parse, spoil, done, restartable):
    outputs, finished, *_ = parse('01_nose_md', steps=25, spoil=spoil)
    assert finished.exit_status == CODES.ERROR_INTERRUPTED.status
    assert outputs['output_parameters']['steps'] == done
    assert outputs['output_parameters']['restartable'] is restartable
    reference, *_ = parse('01_nose_md')
    np.testing.assert_array_equal(
        outputs['trajectory'].get_array('positions'), reference['trajectory'].get_array('positions')[:done]
    )


@pytest.mark.parametrize(
    ('status', 'expected'),
    [
        (CODES.ERROR_SCHEDULER_OUT_OF_MEMORY.status, CODES.ERROR_OUT_OF_MEMORY.status),
        (CODES.ERROR_SCHEDULER_OUT_OF_WALLTIME.status, CODES.ERROR_OUT_OF_WALLTIME.status),
    ],
)
def test_what_the_scheduler_said_counts(parse, status, expected):
    _, finished, *_ = parse('01_nose_md', steps=25, spoil=cut('siesta.MD', 3000), exit_status=status)
    assert finished.exit_status == expected


def remove(*names):
    return lambda run: [(run / name).unlink() for name in names]


def test_the_animation_stands_in_for_a_missing_file(parse):
    outputs, finished, *_ = parse('01_nose_md', spoil=remove('siesta.MD'))
    exact, *_ = parse('01_nose_md')
    assert finished.exit_status == 0
    assert outputs['output_parameters']['source'] == 'ANI'
    assert not outputs['output_parameters']['restartable']
    for name, tolerance in (('positions', 6e-7), ('velocities', 2e-3)):
        np.testing.assert_allclose(
            outputs['trajectory'].get_array(name), exact['trajectory'].get_array(name), atol=tolerance
        )


def test_missing_and_corrupt_files(parse):
    _, finished, *_ = parse('01_nose_md', spoil=remove('siesta.MD', 'siesta.ANI'))
    assert finished.exit_status == CODES.ERROR_CORRUPT_OUTPUT.status
    assert 'neither siesta.MD nor siesta.ANI' in finished.exit_message
    nothing = remove('siesta.MDE', 'MESSAGES', 'siesta.out')
    _, finished, *_ = parse('01_nose_md', spoil=nothing)
    assert finished.exit_status == CODES.ERROR_INTERRUPTED.status  # killed before its first word

    def refuses_to_run(run):
        nothing(run)
        (run / 'exit_status').write_text('127')

    _, finished, *_ = parse('01_nose_md', spoil=refuses_to_run)
    assert finished.exit_status == CODES.ERROR_NO_OUTPUT.status

    def scramble(run):
        content = bytearray((run / 'siesta.MD').read_bytes())
        content[396 * 5 - 4] ^= 255
        (run / 'siesta.MD').write_bytes(content)

    outputs, finished, *_ = parse('01_nose_md', spoil=scramble)
    assert finished.exit_status == CODES.ERROR_CORRUPT_OUTPUT.status
    assert outputs['output_parameters']['steps'] == 4


def change_energies(pattern, replacement):
    def spoil(run):
        text = (run / 'siesta.MDE').read_text()
        changed = re.sub(pattern, replacement, text)
        assert changed != text
        (run / 'siesta.MDE').write_text(changed)

    return spoil


def test_nonsense_is_recognised(parse):
    _, finished, *_ = parse('01_nose_md', spoil=change_energies(r'-1318\.82735', '        NaN'))
    assert finished.exit_status == CODES.ERROR_DIVERGED.status
    assert 'not a number at step 3' in finished.exit_message
    _, finished, *_ = parse('01_nose_md', spoil=change_energies(r'444\.52', '9444.52'))
    assert finished.exit_status == CODES.ERROR_DIVERGED.status
    assert '9445 K at step 19' in finished.exit_message


def test_a_hopeless_scf_is_recognised(parse):
    def spoil(run):
        lines = [
            f'WARNING: SCF_NOT_CONV: SCF did not converge in maximum number of steps.\n'
            f' (info): Geom step, scf iteration, dmax: {step:4d}    10    0.500000\n'
            for step in range(1, 21)
        ]
        (run / 'MESSAGES').write_text(''.join(lines) + 'INFO: Job completed\n')

    outputs, finished, *_ = parse('01_nose_md', spoil=spoil)
    assert finished.exit_status == CODES.ERROR_SCF_FAILED.status
    assert outputs['output_parameters']['unconverged_steps'] == 20


def test_an_unfinished_relaxation_is_noticed(parse):
    """Exit status 0, no warning in MESSAGES: only the output says "Final (unrelaxed)"."""
    outputs, finished, _, run = parse('03_vcrelax', parser='pesfp.siesta_relax')
    assert finished.exit_status == CODES.GEOM_NOT_CONV.status
    parameters = outputs['output_parameters'].get_dict()
    assert not parameters['relaxed']
    assert parameters['energy'] == float(re.findall(r'E_KS\(eV\) = *(\S+)', (run / 'siesta.out').read_text())[-1])
    assert outputs['output_structure'].get_cell_volume() == pytest.approx(218.7562, abs=2e-4)
    cell = np.array(outputs['output_structure'].cell)
    printed = re.findall(r'outcell: Unit cell vectors \(Ang\):\n((?:.+\n){3})', (run / 'siesta.out').read_text())[-1]
    np.testing.assert_allclose(cell, np.array(printed.split(), dtype=float).reshape(3, 3), atol=1e-6)


def test_fatal_stops_of_a_relaxation(parse):
    _, finished, *_ = parse('05_abort_splitnorm', parser='pesfp.siesta_relax')
    assert finished.exit_status == CODES.SPLIT_NORM.status
    _, finished, *_ = parse('09_scf_mustconv', parser='pesfp.siesta_relax')
    assert finished.exit_status == CODES.SCF_NOT_CONV.status
