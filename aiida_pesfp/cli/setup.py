"""``aiida-pesfp setup``: what the examples need, made once and checked at every call."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import DEFAULT_POTENTIAL
from aiida_pesfp.cli.potential import install

COMPUTER = 'localhost'
#: Program -> what it is for, and the calculation job that runs it.
CODES = {
    'pesfp-scan': ('Potential energy surfaces and descriptors', 'pesfp.scan'),
    'pesfp-relax': ('Relaxation with a machine-learned potential', 'pesfp.relax'),
    'pesfp-md': ('Molecular dynamics with a machine-learned potential', 'pesfp.md'),
}


@click.command('setup')
@click.option(
    '--potential', default=DEFAULT_POTENTIAL, show_default=True, help='Name or path of the potential to install.'
)
@click.option('--siesta', metavar='EXECUTABLE', help='A SIESTA on this machine, to become the code siesta@localhost.')
@decorators.with_dbenv()
def setup(potential, siesta):
    """Make computer, codes and potential for calculations on this machine, and check them.

    Whatever exists already is kept: the command can be called again at any time.

    \b
    aiida-pesfp setup
    aiida-pesfp setup --siesta /opt/siesta/bin/siesta    # for ab initio dynamics
    """
    if siesta is not None:
        siesta, version, with_mpi = _ask_siesta(siesta)
    computer = _computer()
    for name, (purpose, plugin) in CODES.items():
        executable = _executable(name)
        _code(computer, name, executable, f'{purpose}, of the environment of aiida-pesfp', plugin)
        _check_answer(executable)
    if siesta is not None:
        _code(computer, 'siesta', siesta, f'SIESTA {version}', 'pesfp.siesta_md', with_mpi=with_mpi)
        _check_pseudopotentials()
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


def _code(computer, name, executable, description, plugin, **attributes):
    from aiida.common.exceptions import NotExistent
    from aiida.orm import InstalledCode, load_code

    label = f'{name}@{computer.label}'
    try:
        code = load_code(label)
        if str(code.filepath_executable) != executable:
            # The environment was made anew, or another SIESTA is meant: what the old code has run keeps it.
            echo.echo_warning(f'the code {label} is {code.filepath_executable}, not {executable}')
            code.label = f'{name}-{code.uuid[:8]}'
            raise NotExistent
        echo.echo_report(f'code {label} exists')
    except NotExistent:
        InstalledCode(
            computer=computer,
            filepath_executable=executable,
            label=name,
            description=description,
            default_calc_job_plugin=plugin,
            **attributes,
        ).store()
        echo.echo_success(f'made the code {label} ({executable})')


def _check_answer(executable):
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


def _ask_siesta(name: str) -> tuple[str, str, bool]:
    """Path and version of a SIESTA, and whether it was built with MPI: it says so before it misses its input."""
    executable = shutil.which(name)
    if executable is None:
        echo.echo_critical(f'there is no executable {name}: give the path of a SIESTA')
    executable = str(Path(executable).absolute())
    with tempfile.TemporaryDirectory() as folder:
        try:
            answer = subprocess.run(
                [executable], input='', capture_output=True, text=True, check=False, cwd=folder, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            echo.echo_critical(f'{executable} does not run: {error}')
    version = re.search(r'^\s*(?:Siesta )?Version\s*:\s*(\S+)', answer.stdout, re.MULTILINE | re.IGNORECASE)
    if version is None:
        said = (answer.stdout + answer.stderr).strip()[-300:]
        echo.echo_critical(f'{executable} is no SIESTA, or does not run; it says: {said}')
    parallel = 'PARALLEL version' in answer.stdout
    echo.echo_success(f'it runs: SIESTA {version[1]}, {"with" if parallel else "without"} MPI')
    return executable, version[1], parallel


def _check_pseudopotentials() -> None:
    """SIESTA needs a family of them, which only its user can choose."""
    from aiida.orm import QueryBuilder
    from aiida_pseudo.groups.family import PseudoPotentialFamily

    labels = QueryBuilder().append(PseudoPotentialFamily, project='label').all(flat=True)
    if labels:
        echo.echo_report(f'families of pseudopotentials: {", ".join(sorted(labels))}')
    else:
        echo.echo_warning(
            'there is no family of pseudopotentials: install one from a folder of .psf files with '
            '`aiida-pseudo install family FOLDER LABEL -P pseudo.psf`'
        )
