"""The real ``pesfp-scan`` in a process of its own, with a Lennard-Jones potential: fast, and known in closed form."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

LENNARD_JONES = {'sigma': 2.1, 'epsilon': 0.3, 'rc': 5.0, 'smooth': True}
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope='session')
def lennard_jones(tmp_path_factory) -> Path:
    """A description file of an ASE calculator."""
    path = tmp_path_factory.mktemp('potential') / 'lj.yaml'
    path.write_text(yaml.safe_dump({'calculator': 'ase.calculators.lj.LennardJones', 'parameters': LENNARD_JONES}))
    return path


@pytest.fixture
def pesfp_scan(lennard_jones):
    """Run ``pesfp-scan``; returns the finished process, with the parsed list as ``found`` where JSON was asked for."""

    def run(*arguments, potential=lennard_jones, environment=None):
        command = [sys.executable, '-m', 'aiida_pesfp.runners.scan', *map(str, arguments)]
        if potential is not None:
            command += ['--potential', str(potential)]
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
