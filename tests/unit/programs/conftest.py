"""The real programs in processes of their own, with a Lennard-Jones potential: fast, and known in closed form."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.helpers import REPOSITORY
from tests.helpers.potentials import LENNARD_JONES, write_calculator


@pytest.fixture(scope='session')
def lennard_jones(tmp_path_factory) -> Path:
    """A description file of an ASE calculator."""
    return write_calculator(tmp_path_factory.mktemp('potential') / 'lj.yaml', **LENNARD_JONES)


@pytest.fixture
def run_program(lennard_jones):
    """Run a program; the finished process has the parsed list as ``found`` where JSON was asked for.

    ``most_kb`` is its largest address space, as of ``ulimit -v``.
    """

    def run(program, *arguments, potential=lennard_jones, environment=None, most_kb=None):
        command = [sys.executable, '-m', f'aiida_pesfp.programs.{program}', *map(str, arguments)]
        if potential is not None:
            command += ['--potential', str(potential)]
        if most_kb is not None:
            command = ['sh', '-c', f'ulimit -v {most_kb} && exec "$0" "$@"', *command]
        paths = os.pathsep.join([str(REPOSITORY), os.environ.get('PYTHONPATH', '')])
        process = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': paths} | (environment or {}),
            timeout=300,
        )
        if '--json' in arguments and process.stdout:
            process.found = json.loads(process.stdout)
        return process

    return run


@pytest.fixture
def pesfp_scan(run_program):
    """Run ``pesfp-scan``."""
    return lambda *arguments, **options: run_program('scan', *arguments, **options)


@pytest.fixture
def invoke_program(lennard_jones):
    """As ``run_program``, in this process: quicker, but it cannot be killed."""

    def run(program, *arguments, potential=lennard_jones):
        main = importlib.import_module(f'aiida_pesfp.programs.{program}').main
        before = signal.getsignal(signal.SIGTERM)
        result = CliRunner().invoke(main, [*map(str, arguments), '--potential', str(potential)])
        signal.signal(signal.SIGTERM, before)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        found = json.loads(result.stdout) if '--json' in arguments and result.stdout else None
        return SimpleNamespace(returncode=result.exit_code, found=found, stderr=result.stderr, stdout=result.stdout)

    return run
