"""``aiida-pesfp setup``: what the examples need, made once and checked at every call."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from aiida.cmdline.utils import decorators, echo

from aiida_pesfp.cli.parameters import DEFAULT_POTENTIAL, combined
from aiida_pesfp.cli.potential import install
from aiida_pesfp.workflows.engines import BARRIER_PROGRAM, ENGINES, Engine, Program

COMPUTER = 'localhost'
_ALL = {
    Program('pesfp-scan', 'Potential energy surfaces and descriptors', ('pesfp.scan',)): None,
    Program('pesfp-order', 'Orderings of disordered structures', ('pesfp.order',)): None,
    BARRIER_PROGRAM: None,
    **{program: engine for engine in ENGINES.values() for program in (engine.relax_program, engine.program)},
}
#: The programs that are installed with Python packages, and those that users install, by the engine that runs them.
PROGRAMS = [program for program in _ALL if program.version is None]
EXTERNAL = {engine.name: program for program, engine in _ALL.items() if program.version is not None}


@click.command('setup')
@click.option('--potential', default=DEFAULT_POTENTIAL, help='Name or path of the potential to install.')
@combined(
    *(
        click.option(f'--{name}', metavar='EXECUTABLE', help=f'A {one.purpose}, for the code {one.label}@{COMPUTER}.')
        for name, one in EXTERNAL.items()
    )
)
@decorators.with_dbenv()
def setup(potential, **executables):
    """Make computer, codes and potential for calculations on this machine, and check them.

    What exists already is kept: the command can be repeated at any time.

    \b
    aiida-pesfp setup
    aiida-pesfp setup --siesta /opt/siesta/bin/siesta    # for ab initio dynamics
    """
    external = {name: _ask_version(EXTERNAL[name], path) for name, path in executables.items() if path is not None}
    computer = _computer()
    for program in PROGRAMS:
        executable = _executable(program.label, 'install aiida-pesfp into this environment with pip')
        _code(computer, program, executable, f'{program.purpose}, of the environment of aiida-pesfp')
        answer = _run(executable, '--version')
        if answer.returncode != 0:
            echo.echo_critical(f'{executable} does not run: {answer.stderr.strip()[-500:]}')
        echo.echo_success(f'it runs: {answer.stdout.strip()}')
    for name, (executable, version, with_mpi) in external.items():
        program = EXTERNAL[name]
        _code(computer, program, executable, f'{program.purpose} {version}', with_mpi=with_mpi)
        _check_pseudopotentials(ENGINES[name])
    install(potential, label=None)


def _computer():
    from aiida.orm import Computer

    plugins = {'transport_type': 'core.local', 'scheduler_type': 'core.direct'}
    there = {'hostname': 'localhost', 'workdir': f'{tempfile.gettempdir()}/aiida_run', **plugins}
    made, computer = Computer.collection.get_or_create(COMPUTER, description='This machine', **there)
    if made:
        computer.store()
        echo.echo_success(f'made the computer {COMPUTER}')
    else:
        echo.echo_report(f'computer {COMPUTER} exists')
    if not computer.is_configured:
        computer.configure()
        computer.set_minimum_job_poll_interval(0.0)
        computer.set_default_mpiprocs_per_machine(1)
        echo.echo_success(f'configured the computer {COMPUTER}')
    return computer


def _code(computer, program: Program, executable: str, description: str, **attributes) -> None:
    from aiida.orm import AbstractCode, InstalledCode

    label = f'{program.label}@{computer.label}'
    for code in AbstractCode.collection.find({'label': program.label, 'dbcomputer_id': computer.pk}):
        if str(code.filepath_executable) == executable:
            echo.echo_report(f'code {label} exists')
            return
        # Another environment or another executable. The old code stays in the provenance of what it has run.
        echo.echo_warning(f'the code {label} is {code.filepath_executable}, not {executable}')
        code.label = f'{program.label}-{code.uuid[:8]}'
    attributes |= {'filepath_executable': executable, 'default_calc_job_plugin': program.plugins[0]}
    InstalledCode(computer=computer, label=program.label, description=description, **attributes).store()
    echo.echo_success(f'made the code {label} ({executable})')


def _run(*command: str) -> subprocess.CompletedProcess:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return subprocess.run(command, input='', capture_output=True, text=True, cwd=folder, timeout=300)
        except (OSError, subprocess.TimeoutExpired) as error:
            echo.echo_critical(f'{command[0]} does not run: {error}')


def _executable(name: str, way_out: str) -> str:
    found = shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)
    if found is None:
        echo.echo_critical(f'there is no executable {name}: {way_out}')
    return str(Path(found).absolute())


def _ask_version(program: Program, name: str) -> tuple[str, str, bool]:
    """Path and version of an external program, and whether it was built with MPI: it prints both without input."""
    title = program.purpose
    executable = _executable(name, f'give the path of a {title}')
    answer = _run(executable)
    version = re.search(program.version, answer.stdout, re.MULTILINE | re.IGNORECASE)
    if version is None:
        said = (answer.stdout + answer.stderr).strip()[-300:]
        echo.echo_critical(f'{executable} is no {title}, or does not run; it says: {said}')
    parallel = program.mpi is not None and program.mpi in answer.stdout
    echo.echo_success(f'it runs: {title} {version[1]}, {"with" if parallel else "without"} MPI')
    return executable, version[1], parallel


def _check_pseudopotentials(engine: Engine) -> None:
    """List the families of pseudopotentials, if the engine needs one: only its user can choose it."""
    from aiida_pesfp.queries.nodes import pseudo_families

    if 'pseudo_family' not in [need.name for need in engine.needs]:
        return
    if labels := pseudo_families():
        echo.echo_report(f'families of pseudopotentials: {", ".join(labels)}')
    else:
        echo.echo_warning(
            'there is no family of pseudopotentials: install one from a folder of .psf files with '
            '`aiida-pseudo install family FOLDER LABEL -P pseudo.psf`'
        )
