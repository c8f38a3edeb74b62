"""``aiida-pesfp`` and the examples of queries from import to export, on real scans."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from aiida.cmdline.commands.cmd_verdi import verdi
from aiida.engine import calcfunction
from aiida.orm import Dict, Float, InstalledCode, Int, QueryBuilder, StructureData, TrajectoryData, load_node
from aiida.tools.archive import create_archive
from ase.io import read
from ase.io.cube import read_cube

from aiida_pesfp.calculations.scan import ScanCalculation
from aiida_pesfp.calculations.transport import arrhenius, conductivity
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.data.record import RecordData
from aiida_pesfp.queries.screening import unranked
from aiida_pesfp.workflows.screen import ScreenWorkChain
from tests.helpers import REPOSITORY
from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator
from tests.helpers.walks import sites

sys.path.insert(0, str(REPOSITORY / 'examples'))
CODE = 'commands-scan@commands'


def add_potential(folder, label, calculator='ase.calculators.lj.LennardJones', **parameters):
    path = write_calculator(folder / f'{label}.yaml', calculator, **LENNARD_JONES | parameters)
    node = PotentialData.from_spec(str(path))
    node.label = label
    return node.store()


@pytest.fixture(scope='module')
def folder(tmp_path_factory, aiida_profile):
    """Crystals with a table, and what a launch needs: code and potentials."""
    from aiida.orm import Computer

    folder = tmp_path_factory.mktemp('commands')
    computer = Computer('commands', 'localhost', '', 'core.local', 'core.direct', str(folder / 'run')).store()
    computer.configure()
    computer.set_minimum_job_poll_interval(0.0)
    InstalledCode(
        computer=computer,
        filepath_executable=str(Path(sys.executable).parent / 'pesfp-scan'),
        label='commands-scan',
        default_calc_job_plugin='pesfp.scan',
        prepend_text=f'export PYTHONPATH={REPOSITORY}',
    ).store()
    add_potential(folder, 'commands-lj')
    add_potential(folder, 'commands-slow', 'tests.helpers.calculators.SlowAbove', atoms=1, seconds=0.6)
    crystals = folder / 'commands'
    crystals.mkdir()
    for name, crystal in (
        ('LiCl', rock_salt('Li', 'Cl', 5.13)),
        ('salt', rock_salt('Li', 'Cl', 5.10)),
        ('Li2Te', antifluorite('Li', 'Te', 6.517)),
        ('LiF', rock_salt('Li', 'F', 4.03)),
    ):
        crystal.to(crystals / f'{name}.cif')
    (crystals / 'broken.cif').write_text('nonsense')
    (folder / 'table.csv').write_text('id,band_gap,energy_above_hull\nLiCl,6.2,0\nLi2Te,2.5,0.001\nLiF,8.7,0.2\n')
    (folder / 'coarse.yaml').write_text('scan: {parameters: {spacing: 0.7}}\n')
    return folder


def options(folder, potential='commands-lj'):
    return ['--code', CODE, '--potential', potential, '--overrides', folder / 'coarse.yaml', '--protocol', 'fast']


@pytest.fixture(scope='module')
def screened(folder):
    """What importing and screening of the folder printed, and the workchain."""
    from click.testing import CliRunner

    from aiida_pesfp.cli.main import main

    printed = []
    for command in (
        ['import', 'folder', folder / 'commands', '--table', folder / 'table.csv'],
        ['launch', 'screen', 'commands', *options(folder), '--num-cores', '1', '--label', 'first'],
    ):
        result = CliRunner().invoke(main, [str(part) for part in command])
        assert result.exit_code == 0, result.output
        printed.append(result.output)
    query = QueryBuilder().append(ScreenWorkChain, filters={'label': 'first'})
    return printed[1], query.one()[0]


@pytest.fixture(scope='module')
def pes(screened):
    """Surface of Li2Te."""
    return screened[1].outputs.pes.Li2Te


def test_screen_takes_properties_from_the_records(screened):
    printed, node = screened
    assert node.inputs.properties.get_dict() == {
        'LiCl': {'band_gap': 6.2, 'energy_above_hull': 0.0},
        'Li2Te': {'band_gap': 2.5, 'energy_above_hull': 0.001},
        'LiF': {'band_gap': 8.7, 'energy_above_hull': 0.2},
    }
    reasons = node.outputs.rejected.get_dict()
    assert reasons['salt']['reason'] == 'the same structure as LiCl'
    assert 'energy above hull of 0.2' in reasons['LiF']['reason']
    assert set(node.outputs.descriptors) == {'LiCl', 'Li2Te'}
    assert 'LiF: energy above hull of 0.2 eV/atom' in printed
    assert f'aiida-pesfp rank {node.pk}' in printed


def test_rank(aiida_pesfp, screened):
    rows = json.loads(aiida_pesfp('rank', screened[1].pk, '--format', 'json'))
    assert [row['pk'] for row in rows] == [
        load_node(row['descriptors']).pk for row in screened[1].outputs.ranking['rows']
    ]
    gaps = {row['label']: (row['band_gap'], row['id'], row['source']) for row in rows}
    assert gaps == {'LiCl': (6.2, 'LiCl.cif', 'folder'), 'Li2Te': (2.5, 'Li2Te.cif', 'folder')}
    rows = json.loads(aiida_pesfp('rank', 'commands', '--where', 'band_gap > 3', '--format', 'json'))
    assert [row['label'] for row in rows] == ['LiCl']


def test_status_at_the_end(aiida_pesfp, screened):
    output = aiida_pesfp('status', screened[1].pk)
    assert 'finished [0]' in output
    assert 'structures done   2 of 2' in output
    assert 'left out          2 of 4' in output
    jobs = [job for job in screened[1].called_descendants if job.process_class is ScanCalculation]
    evaluations = sum(job.outputs.output_parameters['evaluations'] for job in jobs)
    assert f'evaluations       {evaluations}, ' in output


def test_show(aiida_pesfp, screened, pes):
    output = aiida_pesfp('show', pes.pk)
    node = screened[1].outputs.descriptors.Li2Te
    for words in (
        f'Li2Te (DescriptorsData<{node.pk}>)',
        f'{node.xi:.4f}',
        'Mobile ions',
        'commands-lj',
        'Fm-3m (225)',
        'Li2Te.cif',
        '2.5 eV',
        'ScreenWorkChain',
    ):
        assert words in output
    assert 'Mobile ions' in aiida_pesfp('show', node.pk, '--ion', '1')


def test_what_was_left_out_says_why(aiida_pesfp, screened):
    for label, words in (('LiF', 'energy above hull of 0.2 eV/atom'), ('salt', 'the same structure as LiCl')):
        for command in ('show', 'rank'):
            output = ' '.join(aiida_pesfp(command, screened[1].inputs.structures[label].pk, fails=True).split())
            assert f'{words}' in output
            assert f'ScreenWorkChain<{screened[1].pk}>' in output
    # Whatever is rejected on purpose is not missing.
    assert 'missing' not in aiida_pesfp('rank', screened[1].pk)


def test_export_ranking(aiida_pesfp, screened, tmp_path):
    pk = screened[1].pk
    for ending in ('csv', 'json', 'extxyz'):
        aiida_pesfp('export', 'ranking', pk, '-o', tmp_path / f'top.{ending}')
    table = list(csv.DictReader((tmp_path / 'top.csv').read_text().splitlines()))
    entries = json.loads((tmp_path / 'top.json').read_text())
    images = read(tmp_path / 'top.extxyz', index=':')
    assert [float(row['xi']) for row in table] == [row['xi'] for row in entries] == [i.info['xi'] for i in images]
    assert [image.get_chemical_formula() for image in images] == [
        load_node(row['structure_uuid']).get_ase().get_chemical_formula() for row in entries
    ]
    again = aiida_pesfp('export', 'ranking', pk, '-o', tmp_path / 'top.csv', fails=True)
    assert 'overwrite it with --force' in again
    aiida_pesfp('export', 'ranking', pk, '-o', tmp_path / 'top.csv', '--force', '--limit', '1')
    assert len((tmp_path / 'top.csv').read_text().splitlines()) == 2


@pytest.mark.parametrize(('command', 'prefix'), [(None, ['export', 'pes']), (verdi, ['data', 'pesfp.pes', 'export'])])
def test_export_of_a_surface(aiida_pesfp, pes, tmp_path, command, prefix):
    def run(*arguments, fails=False):
        chosen = {} if command is None else {'command': command}
        return aiida_pesfp(*prefix, pes.pk, *arguments, fails=fails, **chosen)

    run('-o', tmp_path / 'energy.cube')
    with open(tmp_path / 'energy.cube') as stream:
        assert read_cube(stream)['data'].shape == tuple(pes.base.attributes.get('shape'))
    run('-o', tmp_path / 'level.xsf', '--kind', 'level', '--ion', '0')
    assert 'BEGIN_BLOCK_DATAGRID_3D' in (tmp_path / 'level.xsf').read_text()
    run('-o', tmp_path / 'path.csv')
    assert len((tmp_path / 'path.csv').read_text().splitlines()) > 2
    assert 'the ending has to be one of' in run('-o', tmp_path / 'energy.pdf', fails=True)
    assert 'exists: overwrite it with --force' in run('-o', tmp_path / 'path.csv', fails=True)
    assert 'cannot be written' in run('-o', tmp_path / 'other.cube', '--ion', '99', fails=True)


def test_verdi_data(aiida_pesfp, pes):
    lines = aiida_pesfp('data', 'pesfp.pes', 'list', command=verdi).splitlines()
    assert any(line.split()[:3] == [str(pes.pk), 'Li2Te', 'Li2Te'] for line in lines)
    assert 'potential_name: commands-lj' in aiida_pesfp('data', 'pesfp.pes', 'show', pes.pk, command=verdi)


def test_launch_scan_of_a_folder_and_a_node(aiida_pesfp, folder, screened):
    """No selection here; what is imported already is not stored again."""
    records = QueryBuilder().append(RecordData).count()
    pk = screened[1].inputs.structures.LiF.pk
    output = aiida_pesfp('launch', 'scan', folder / 'commands' / 'LiCl.cif', pk, *options(folder))
    assert QueryBuilder().append(RecordData).count() == records
    assert 'finished ScanBaseWorkChain' in output
    table = [line.split()[2] for line in output.splitlines() if line[:2].strip().isdigit()]
    assert set(table) == {'LiCl', 'LiF'}


def test_nothing_is_submitted_without_a_daemon(aiida_pesfp, folder, screened, stopped_daemon_client):
    output = aiida_pesfp('launch', 'screen', 'commands', *options(folder), '--submit', fails=True)
    assert 'the daemon is not running: start it with `verdi daemon start`' in ' '.join(output.split())


def test_status_of_a_running_job(aiida_pesfp, status_when, folder, screened, patient_daemon):
    """One structure is done and the next takes long: the account comes from the folder of the job."""
    output = aiida_pesfp(
        'launch', 'screen', 'commands', *options(folder, 'commands-slow'), '--submit', '--walltime', '90s'
    )
    pk = int(output.split('submitted ScreenWorkChain<')[1].split('>')[0])
    printed = status_when('structures done   1 of 2', pk)
    assert f'ScreenWorkChain<{pk}> 4 structures, fast: waiting' in printed
    assert 'jobs running      1' in printed
    assert 'time left         about 0:' in printed
    assert 'per second and job' in printed
    assert 'ScanBaseWorkChain' not in printed  # it belongs to the screening
    aiida_pesfp('process', 'kill', pk, command=verdi)
    end = time.monotonic() + 60
    while not load_node(pk).is_terminated and time.monotonic() < end:
        time.sleep(0.5)
    left = {one.label: (one.stage, one.reason) for one in unranked(load_node(pk))}
    assert set(left) == {'LiCl', 'Li2Te', 'LiF', 'salt'}
    assert left['LiF'][0] == left['salt'][0] == 'filter'
    assert left['LiCl'] == left['Li2Te'] == ('missing', f'ScreenWorkChain<{pk}> was killed')


# ------------------------------------------------------------------------------------------------ examples


@calcfunction
def dynamics(structure: StructureData, temperature: Float, coefficient: Float, melted: Float) -> TrajectoryData:
    """Random walks in place of dynamics, with the species of a structure."""
    rng = np.random.default_rng(round(temperature.value))
    frames, symbols = 601, [*['Li'] * 16, *['Te'] * 8]
    steps = rng.normal(size=(frames, 24, 3)) * np.sqrt(0.2 * coefficient.value)
    steps[:, 16:] *= melted.value
    positions = np.cumsum(steps, axis=0) + sites(rng, 24) + rng.normal(size=(frames, 24, 3)) * 0.05
    node = TrajectoryData()
    cells = np.tile(np.diag([12.0, 12.0, 12.0]), (frames, 1, 1))
    node.set_trajectory(symbols, positions, cells=cells, times=np.arange(frames) * 0.1)
    node.base.attributes.set('temperature', temperature.value)
    return node


@pytest.fixture(scope='module')
def fitted(screened):
    """Conductivities of Li2Te at three temperatures, the hottest of them melted, and the fit."""
    structure = screened[1].inputs.structures.Li2Te
    points = {
        f'T{temperature}': conductivity(
            dynamics(structure, Float(temperature), Float(coefficient), Float(temperature == 1000)), Dict({})
        )
        for temperature, coefficient in ((500, 0.02), (667, 0.05), (1000, 0.12))
    }
    return points, arrhenius(Dict({}), **points)


class TestQueries:
    def test_best(self, screened, fitted):
        from queries.best import best_structures, with_activation_energies

        rows = {row[0]: row[1:] for row in best_structures(-1)}
        node = screened[1].outputs.descriptors.Li2Te
        assert rows[node.pk] == ('Li2Te', node.xi, node.mpe)
        assert node.pk not in {row[0] for row in best_structures(node.xi)}
        energy = fitted[1].activation_energy
        found = with_activation_energies(-1)
        assert ('Li2Te', node.xi, energy, fitted[1].activation_energy_error, fitted[1]['conductivity_300K']) in found
        assert with_activation_energies(-1, energy) == []

    def test_computed_with(self, screened, pes):
        from queries.potential import computed_with

        rows = computed_with('commands-lj')
        assert {row[0] for row in rows} == {'ScanCalculation', 'take_scan', 'rank'}
        assert ('PesData', pes.pk, 'Li2Te') in {row[2:] for row in rows}
        assert computed_with('nowhere') == []

    def test_from_a_number_back_to_its_record(self, fitted, pes, screened):
        """A surface and its descriptors come from one record, although their job has scanned several structures."""
        from queries.origin import behind

        for node in (fitted[0]['T500'], fitted[1], pes, screened[1].outputs.descriptors.Li2Te):
            (row,) = behind(node.pk, RecordData)
            assert row[2:4] == ('folder', 'Li2Te.cif')
            assert load_node(row[0])['band_gap'] == 2.5

    def test_melted(self, fitted):
        from queries.melted import flagged

        rows = flagged()
        assert [row[:2] for row in rows] == [(fitted[0]['T1000'].pk, 1000.0)]
        assert rows[0][3]

    def test_two_potentials(self, aiida_pesfp, folder, screened):
        from queries.compare_potentials import on_the_same_structures

        add_potential(folder, 'commands-wide', sigma=2.3)
        pk = screened[1].inputs.structures.Li2Te.pk
        aiida_pesfp('launch', 'scan', pk, *options(folder, 'commands-wide'))
        (row,) = on_the_same_structures('commands-lj', 'commands-wide')
        assert row[:2] == ('Li2Te', screened[1].outputs.descriptors.Li2Te.xi)
        assert row[3:] != row[1:3]

    def test_pandas(self, screened, fitted):
        from queries.table import to_pandas

        table = to_pandas()
        row = table.loc[screened[1].outputs.descriptors.Li2Te.pk]
        assert (row['xi'], row['band_gap']) == (screened[1].outputs.descriptors.Li2Te.xi, 2.5)
        assert row['activation_energy'] == fitted[1].activation_energy

    @pytest.mark.parametrize(
        ('name', 'arguments', 'words'),
        [
            ('best', ['-1'], 'of these with an activation energy'),
            ('composition', ['Li2Te'], 'commands-lj'),
            ('potential', ['commands-lj'], 'PesData'),
            ('melted', [], '1000'),
            ('table', [], 'Li2Te'),
            ('origin', ['PES'], 'Li2Te.cif'),
            ('compare_potentials', ['commands-lj', 'commands-lj'], 'Li2Te'),
        ],
    )
    def test_each_runs_as_a_script(self, aiida_pesfp, pes, fitted, name, arguments, words):
        arguments = [str(pes.pk) if argument == 'PES' else argument for argument in arguments]
        path = REPOSITORY / f'examples/queries/{name}.py'
        assert words in aiida_pesfp('run', '--', path, *arguments, command=verdi)


def test_aiida_shell(pes):
    """What the program says is what the surface says, and the graph leads from it back to the surface."""
    pytest.importorskip('skimage')
    from shell_isosurface import isosurface

    found, node = isosurface(pes, 0.5)
    surface = pes.to_surface()
    energies = np.minimum.reduce([surface.of_ion(position) for position in range(len(surface.mobile_ions))])
    assert found['fraction'] == pytest.approx((energies < 0.5).mean(), abs=1e-6)
    assert found['pieces'] >= 1
    assert 0 < found['area/A^2'] < 10 * abs(np.linalg.det(surface.lattice)) ** (2 / 3)
    query = QueryBuilder().append(PesData, tag='pes', project='id')
    assert query.append(type(node), filters={'id': node.pk}, with_ancestors='pes').all(flat=True) == [pes.pk]


def test_a_read_only_profile_says_so(tmp_path):
    """An archive that is a profile can be looked at; what would store something tells what to do."""
    create_archive([Int(1).store()], tmp_path / 'all.aiida')
    (tmp_path / 'LiF.cif').write_text(rock_salt('Li', 'F', 4.03).to(fmt='cif'))
    environment = os.environ | {'AIIDA_PATH': str(tmp_path)}

    def run(program, *arguments):
        command = [str(Path(sys.executable).with_name(program)), *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    archive = ('--profile-name', 'archive', '--filepath', tmp_path / 'all.aiida', '--email', 'a@b.c')
    made = run('verdi', 'profile', 'setup', 'core.sqlite_zip', '--non-interactive', *archive, '--set-as-default')
    assert made.returncode == 0, made.stderr
    told = run('aiida-pesfp', 'import', 'folder', tmp_path / 'LiF.cif')
    assert told.returncode == 1
    assert 'the profile archive is read-only, so nothing can be stored in it: choose another one' in told.stderr
    assert 'Traceback' not in told.stderr
    assert 'nothing is running' in run('aiida-pesfp', 'status').stdout
