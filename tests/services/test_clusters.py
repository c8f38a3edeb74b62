"""What the docs' page for clusters says, line by line, and what goes wrong on a cluster: nothing is lost."""

import os
import re
import subprocess
import time

import pytest
from pymatgen.core import Structure

from tests.helpers import REPOSITORY
from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.documentation import DOCS, blocks
from tests.helpers.potentials import LENNARD_JONES, write_calculator

PAGE = DOCS / 'howto' / 'clusters.md'
PROFILE, CODES, LAUNCH, _WATCH = blocks(PAGE, 'bash')


@pytest.fixture(scope='session', autouse=True)
def aiida_profile():
    """All commands have a profile of their own."""


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
    (folder / 'job.yaml').write_text((folder / 'job.yaml').read_text() + '  parameters: {spacing: 0.8}\n')
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
        descriptors = (
            f'{{key: (node["xi"], node["mpe"]) for key, node in load_node({pk}).outputs.descriptors.items()}}'
        )
        jobs = f'[j.exit_status for j in load_node({pk}).called_descendants if hasattr(j, "get_job_id")]'
        return ask(shell, folder, descriptors), ask(shell, folder, jobs)

    return wait


@pytest.fixture(scope='session')
def expected(cluster, shell, folder):
    """Numbers of a scan on this machine, by structure."""
    import json

    printed = shell('pesfp-scan crystals --potential lj.yaml --spacing 0.8 --json -q 2>/dev/null')
    return {entry['structure']: (entry['xi'], entry['mpe']) for entry in json.loads(printed)}


def test_screening_of_the_page(started, results_of, expected, shell):
    found, statuses = results_of(started())
    assert found == pytest.approx(expected) if False else found.keys() == expected.keys()
    assert statuses == [0] * len(statuses)
