"""What the docs' page for clusters says, line by line, and what goes wrong on a cluster: nothing is lost."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers import REPOSITORY
from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.documentation import DOCS, blocks
from tests.helpers.potentials import LENNARD_JONES, write_calculator

PAGE = DOCS / 'howto' / 'clusters.md'
PROFILE, CODES, LAUNCH, WATCH = blocks(PAGE, 'bash')


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    """Structures, a potential and the files of the page."""
    folder = tmp_path_factory.mktemp('cluster')
    write_calculator(folder / 'lj.yaml', 'tests.helpers.calculators.SlowAbove', atoms=0, seconds=0.05, **LENNARD_JONES)
    (folder / 'crystals').mkdir()
    for anion in ('F', 'Cl', 'Br', 'I'):
        rock_salt('Li', anion, 5.1).to(folder / 'crystals' / f'Li{anion}.cif')
    for anion in ('O', 'S'):
        antifluorite('Li', anion, 6.0).to(folder / 'crystals' / f'Li2{anion}.cif')
    for text in blocks(PAGE, 'yaml'):
        if name := re.match(r'# (\w+\.yaml)', text):
            (folder / name[1]).write_text(text)
    (folder / 'job.yaml').write_text((folder / 'job.yaml').read_text() + '\n  parameters: {spacing: 0.8}\n')
    return folder


@pytest.fixture(scope='session')
def shell(folder):
    """Runs commands as a person would; what they printed."""
    environment = os.environ | {'AIIDA_PATH': str(folder), 'PYTHONPATH': str(REPOSITORY), 'PYTHONWARNINGS': 'ignore'}

    def run(command: str) -> str:
        done = subprocess.run(
            ['bash', '-e', '-c', command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f'{command}\n{done.stdout}{done.stderr}'
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope='session')
def cluster(shell):
    """The profile, the computer and the codes of the page, and beside them those of this machine, without Slurm."""
    shell(PROFILE)
    shell('verdi config set transport.task_retry_initial_interval 1')
    shell(CODES)
    shell('aiida-pesfp setup --potential lj.yaml')
    yield
    shell('verdi daemon stop')


def ask(shell, folder, expression: str):
    (folder / 'ask.py').write_text(f'from aiida.orm import load_node\nprint(repr({expression}))\n')
    return eval(shell('verdi run ask.py').splitlines()[-1])


@pytest.fixture
def started(cluster, shell, folder):
    """Starts the screening of the page with changes; its PK."""

    def start(*changes: tuple[str, str]) -> int:
        command = LAUNCH
        for old, new in changes:
            assert old in command
            command = command.replace(old, new)
        return int(re.search(r'ScreenWorkChain<(\d+)>', shell(command))[1])

    return start


@pytest.fixture
def results_of(shell, folder):
    """Waits for a screening; its numbers by the labels of the structures, and the exit statuses of its jobs."""

    def wait(pk: int, seconds: float = 150):
        end = time.monotonic() + seconds
        while not ask(shell, folder, f'load_node({pk}).is_terminated'):
            assert time.monotonic() < end, shell(f'verdi process report {pk}; verdi process list -a; squeue; sacct')
            time.sleep(1)
        assert ask(shell, folder, f'load_node({pk}).exit_status') == 0, shell(f'verdi process report {pk}')
        descriptors = f'{{key: (node["xi"], node["mpe"]) for key, node in load_node({pk}).outputs.descriptors.items()}}'
        jobs = f'[j.exit_status for j in load_node({pk}).called_descendants if hasattr(j, "get_job_id")]'
        return ask(shell, folder, descriptors), ask(shell, folder, jobs)

    return wait


@pytest.fixture(scope='session')
def expected(cluster, shell):
    """Numbers of a scan on this machine, by structure, with the 14 digits that AiiDA stores."""
    printed = shell('pesfp-scan crystals --potential lj.yaml --spacing 0.8 --json -q 2>/dev/null')
    return {
        Path(one['structure']).stem: tuple(float(f'{one[name]:.14g}') for name in ('xi', 'mpe'))
        for one in json.loads(printed)
    }


def test_screening_of_the_page(started, results_of, expected, shell):
    pk = started()
    for line in WATCH.splitlines():
        shell(line)
    found, statuses = results_of(pk)
    assert found == expected
    assert statuses == [0] * len(statuses)


def running(shell, number: int = 1) -> list[str]:
    """The numbers of running jobs of Slurm, as soon as there are so many."""
    end = time.monotonic() + 60
    while len(jobs := shell('squeue -h -t R -o %i').split()) < number:
        assert time.monotonic() < end, shell('squeue; sacct')
        time.sleep(0.2)
    return jobs


def test_cancelled_jobs_cost_time_only(started, results_of, expected, shell):
    pk = started()
    shell(f'scancel {running(shell)[0]}')
    found, statuses = results_of(pk)
    assert found == expected
    assert 420 in statuses


def test_a_full_queue_costs_time_only(started, results_of, expected, shell):
    """`sbatch` is refused, and the jobs are paused until they are played."""
    shell('sacctmgr -i modify user root where account=me set maxsubmitjobs=0')
    try:
        pk = started()
        end = time.monotonic() + 90
        while 'pausing after' not in (told := shell('verdi process list')).lower():
            assert time.monotonic() < end, told
            time.sleep(1)
    finally:
        shell('sacctmgr -i modify user root where account=me set maxsubmitjobs=8')
    shell('verdi process play --all')
    found, _ = results_of(pk)
    assert found == expected
