"""Scans whose jobs die in the wrong moment: nothing is lost but what kills its own job."""

import random
import sys
import time
from pathlib import Path

import psutil
import pytest
from aiida.engine import run_get_node, submit
from aiida.orm import InstalledCode, StructureData, load_node

from aiida_pesfp.calculations.scan import ScanCalculation
from aiida_pesfp.workflows.md import MdBaseWorkChain
from aiida_pesfp.workflows.restart import MOST_DEATHS
from aiida_pesfp.workflows.scan import ScanBaseWorkChain
from aiida_pesfp.workflows.screen import ScreenWorkChain
from tests.helpers.crystals import rock_salt, wurtzite
from tests.helpers.graph import jobs_of
from tests.helpers.potentials import LENNARD_JONES

PROGRAMS = Path(sys.executable).parent
COARSE = {'scan': {'parameters': {'spacing': 0.8}}}
STATUS = {code.status: label for label, code in ScanCalculation.exit_codes.items()}


ANIONS = ('F', 'Cl', 'Br', 'I', 'O', 'S', 'Se', 'Te', 'N', 'P', 'As', 'Sb')


def salts(number):
    """Rock salts of lithium, by their anions."""
    return {anion: StructureData(pymatgen=rock_salt('Li', anion, 5.1)) for anion in ANIONS[:number]}


@pytest.fixture
def code_that(aiida_computer_local, tmp_path):
    """Makes a code that does something before it becomes the program, as often as a number says."""

    def make(misfortune, times, program='pesfp-scan'):
        script = tmp_path / 'unlucky'
        script.write_text(
            f'#!/bin/bash\necho >> {tmp_path}/calls\n'
            f'if [ $(wc -l < {tmp_path}/calls) -le {times} ]; then {misfortune}; fi\nexec {PROGRAMS / program} "$@"\n'
        )
        script.chmod(0o755)
        computer = aiida_computer_local(label='localhost')
        return InstalledCode(computer=computer, filepath_executable=str(script), label='unlucky').store()

    return make


def run(code, structures, potential):
    return run_get_node(ScanBaseWorkChain.get_builder_from_protocol(code, structures, potential, 'fast', COARSE))


@pytest.mark.parametrize('misfortune', ['kill -9 $$', 'rm -rf "$PWD"; kill -9 $$', 'kill -9 $PPID $$'])
def test_a_death_before_the_first_word_is_tried_again(code_that, potential, misfortune):
    """The program was killed at its start, its folder is gone, or the whole job was killed."""
    structures = salts(2)
    results, node = run(code_that(misfortune, 3), structures, potential)
    assert node.is_finished_ok, node.exit_message
    assert set(results['descriptors']) == set(structures)
    assert [STATUS.get(job.exit_status) for job in jobs_of(node)[:3]] == ['ERROR_INTERRUPTED'] * 3


def test_a_program_that_refuses_to_run_is_not_tried_again(code_that, potential):
    results, node = run(code_that('echo no such module >&2; exit 1', 99), salts(2), potential)
    assert node.exit_status == ScanBaseWorkChain.exit_codes.ERROR_JOB_FAILED.status
    assert 'no such module' in node.exit_message
    assert len(jobs_of(node)) == 1
    assert results['failures']['F']['error_type'] == 'JobLost'


def test_where_no_job_gets_anywhere_it_ends(code_that, potential):
    results, node = run(code_that('kill -9 $$', 999), salts(4), potential)
    assert node.exit_status == ScanBaseWorkChain.exit_codes.ERROR_STRUCTURES_LOST.status
    assert len(jobs_of(node)) == ScanBaseWorkChain._MOST_AT_FIRST
    assert {failure['error_type'] for failure in results['failures'].get_dict().values()} == {'JobLost'}


def test_a_parent_folder_that_is_gone_costs_time_only(code_that, potential, structures):
    code = code_that('true', 0)
    _, first = run(code, {'LiCl': structures['LiCl']}, potential)
    folder = jobs_of(first)[0].outputs.remote_folder
    folder._clean()
    builder = ScanBaseWorkChain.get_builder_from_protocol(code, structures, potential, 'fast', COARSE)
    builder.scan.parent_folder = folder
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert set(results['descriptors']) == set(structures)


@pytest.mark.parametrize(('deaths', 'jobs'), [(MOST_DEATHS - 1, MOST_DEATHS), (999, MOST_DEATHS)])
def test_dynamics_whose_jobs_die_are_tried_again(code_that, potential, deaths, jobs):
    """A kill says nothing about the dynamics: a job that dies is no job that gets nowhere."""
    code, structure = code_that('kill -9 $$', deaths, 'pesfp-md'), StructureData(pymatgen=rock_salt('Li', 'Cl', 4.6))
    overrides = {'md': {'dynamics': {'steps': 8, 'stride': 4}}}
    common = (code, structure, 300, 'fast', overrides)
    results, node = run_get_node(MdBaseWorkChain.get_builder_from_protocol(*common, potential=potential))
    assert len(jobs_of(node)) == jobs
    if deaths < jobs:
        assert node.is_finished_ok, node.exit_message
        assert results['output_parameters']['steps'] == 8
    else:
        assert node.exit_status == MdBaseWorkChain.exit_codes.ERROR_NO_PROGRESS.status
        assert node.exit_message.startswith(f'{MOST_DEATHS} jobs in a row made no step')


@pytest.mark.timeout(1200)
def test_what_kills_its_job_costs_itself_only(code, potential_of, with_test_calculators):
    """Two of seven kill their job at once, wherever they stand."""
    structures = salts(5)
    for key, length in (('a_killer', 4.5), ('Cm_killer', 4.8)):
        structures[key] = StructureData(pymatgen=wurtzite('Li', 'I', length, 7.3, 0.375))
    potential = potential_of('tests.helpers.calculators.KilledAbove', atoms=2, **LENNARD_JONES)
    results, node = run(code, structures, potential)
    assert node.exit_status == ScanBaseWorkChain.exit_codes.ERROR_STRUCTURES_LOST.status
    assert '2 of 7' in node.exit_message
    assert set(results['descriptors']) == set(salts(5))
    failures = results['failures'].get_dict()
    assert set(failures) == {'a_killer', 'Cm_killer'}
    assert all(failure['error_type'] == 'JobLost' and 'alone' in failure['error'] for failure in failures.values())


def test_jobs_out_of_time_that_made_progress_are_not_counted(code, potential_of, with_test_calculators, structures):
    """Many jobs for one structure, each of which evaluates a few points, are more than a structure alone may have
    without progress."""
    with_test_calculators.setenv('PESFP_TEST_KILL', 'SIGTERM')
    potential = potential_of('tests.helpers.calculators.KilledAfter', after=20, **LENNARD_JONES)
    overrides = {'scan': {'parameters': {'spacing': 0.5, 'symmetry': False}, 'batch_size': 8}}
    chosen = {'LiCl': structures['LiCl']}
    _, node = run_get_node(ScanBaseWorkChain.get_builder_from_protocol(code, chosen, potential, 'fast', overrides))
    assert node.is_finished_ok, node.exit_message
    statuses = [STATUS.get(job.exit_status) for job in jobs_of(node)]
    assert statuses == ['ERROR_OUT_OF_WALLTIME'] * (len(statuses) - 1) + [None]
    assert len(statuses) > ScanBaseWorkChain._MOST_ALONE + 1


def test_a_job_that_ends_makes_room_for_the_next(code_that, potential, tmp_path):
    """The first of two jobs at once ends after the last has begun: no round waits for its slowest job."""
    is_last = f'[ $(wc -l < {tmp_path}/calls) -ge 4 ]'
    patience = f'for _ in $(seq 120); do {is_last} && touch {tmp_path}/overtaken && break; sleep 1; done'
    overrides = COARSE | {'max_structures_per_job': 1, 'max_concurrent_jobs': 2, 'reuse': False}
    inputs = (code_that(patience, 1), salts(4), potential, 'fast', overrides)
    results, node = run_get_node(ScreenWorkChain.get_builder_from_protocol(*inputs))
    assert node.is_finished_ok, node.exit_message
    assert (tmp_path / 'overtaken').exists()
    assert len(results['ranking']['rows']) == len(jobs_of(node)) == 4
    # Never more than two at once.
    for one in node.called:
        others = [other for other in node.called if other.process_label == one.process_label == 'ScanBaseWorkChain']
        assert sum(other.ctime < one.ctime < other.mtime for other in others) < 2


def runners(folder):
    """The programs that run in the folders of jobs below a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and 'pesfp-scan' in ' '.join(process.cmdline()):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.timeout(1800)
def test_runners_are_killed_at_random(code, potential_of, with_test_calculators, patient_daemon):
    """With the daemon: `kill -9` at early moments, again and again, and one structure that always kills its job."""
    structures = salts(12)
    structures['killer'] = StructureData(pymatgen=wurtzite('Li', 'I', 4.514, 7.311, 0.375))
    potential = potential_of('tests.helpers.calculators.KilledAbove', atoms=2, **LENNARD_JONES)
    overrides = COARSE | {'max_structures_per_job': 5, 'max_concurrent_jobs': 3, 'reuse': False}
    builder = ScreenWorkChain.get_builder_from_protocol(code, structures, potential, 'fast', overrides)
    pk, folder = submit(builder).pk, Path(code.computer.get_workdir())
    moments, kills, end = random.Random(0), 0, time.monotonic() + 1500
    while not load_node(pk).is_terminated:
        assert time.monotonic() < end
        if (running := runners(folder)) and kills < 8:
            time.sleep(moments.uniform(0, 1.5))
            for process in running[:1]:
                if process.is_running():
                    process.kill()
                    kills += 1
        time.sleep(0.2)
    node = load_node(pk)
    assert kills > 4  # the jobs may be done before the eighth
    assert set(node.outputs.descriptors) == set(structures) - {'killer'}
    assert set(node.outputs.rejected.keys()) == {'killer'}
    assert node.outputs.rejected['killer']['error_type'] == 'JobLost'
