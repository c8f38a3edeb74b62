"""``aiida-pesfp setup``: what the examples need, made once and checked at every call."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli import main
from aiida_pesfp.cli.potential import install

COMPUTER, POTENTIAL = 'localhost', 'sevennet-0'
#: Program -> what it is for, and the calculation job that runs it.
CODES = {
    'pesfp-scan': ('Potential energy surfaces and descriptors', 'pesfp.scan'),
    'pesfp-relax': ('Relaxation with a machine-learned potential', 'pesfp.relax'),
    'pesfp-md': ('Molecular dynamics with a machine-learned potential', 'pesfp.md'),
}


@main.command('setup')
@click.option('--potential', default=POTENTIAL, show_default=True, help='Name or path of the potential to install.')
@decorators.with_dbenv()
def setup(potential):
    """Make computer, codes and potential for calculations on this machine, and check them.

    Whatever exists already is kept: the command can be called again at any time.
    """
    computer = _computer()
    for name in CODES:
        _code(computer, name)
    install(potential, label=None)


def _computer():
    from aiida.common.exceptions import NotExistent
    from aiida.orm import Computer, load_computer

    try:
        computer = load_computer(COMPUTER)
        echo.echo_report(f'computer {COMPUTER} exists')
    except NotExistent:
        workdir = Path(tempfile.gettempdir()) / 'aiida_run'
        computer = Computer(COMPUTER, 'localhost', 'This machine', 'core.local', 'core.direct', str(workdir)).store()
        echo.echo_success(f'made the computer {COMPUTER}')
    if not computer.is_configured:
        computer.configure()
        computer.set_minimum_job_poll_interval(0.0)
        computer.set_default_mpiprocs_per_machine(1)
        echo.echo_success(f'configured the computer {COMPUTER}')
    return computer


def _code(computer, name):
    from aiida.common.exceptions import NotExistent
    from aiida.orm import InstalledCode, load_code

    executable = _executable(name)
    label = f'{name}@{computer.label}'
    purpose, plugin = CODES[name]
    try:
        code = load_code(label)
        if str(code.filepath_executable) != executable:
            # The environment was moved or made anew: the old code stays for the calculations that used it.
            echo.echo_warning(f'the code {label} is {code.filepath_executable}, not that of this environment')
            code.label = f'{name}-{code.uuid[:8]}'
            raise NotExistent
        echo.echo_report(f'code {label} exists')
    except NotExistent:
        InstalledCode(
            computer=computer,
            filepath_executable=executable,
            label=name,
            description=f'{purpose}, of the environment of aiida-pesfp',
            default_calc_job_plugin=plugin,
        ).store()
        echo.echo_success(f'made the code {label} ({executable})')
    answer = subprocess.run([executable, '--version'], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        echo.echo_critical(f'{executable} does not run: {answer.stderr.strip()[-500:]}')
    echo.echo_success(f'it runs: {answer.stdout.strip()}')


def _executable(name) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        echo.echo_critical(f'there is no executable {name}: install aiida-pesfp into this environment with pip')
    return found
