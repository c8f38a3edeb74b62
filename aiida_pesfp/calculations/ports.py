"""Ports, exit codes and files that several processes have. A validator returns the error message, if any."""

from collections.abc import Callable, Mapping
from typing import Any

from aiida.common.datastructures import CalcInfo
from aiida.engine.processes.process_spec import ProcessSpec
from aiida.orm import Dict, Int, RemoteData, StructureData, TrajectoryData

from aiida_pesfp.crystals.names import unique_names
from aiida_pesfp.settings.base import Settings

#: File in the folder of a job that holds the exit status of its program.
EXIT_STATUS = 'exit_status'


def validator_of(settings: type[Settings]) -> Callable[[Dict | None, Any], str | None]:
    """The validator of a ``Dict`` that holds some settings."""

    def validate(node: Dict | None, _) -> str | None:
        try:
            if node is not None:
                settings.from_dict(node.get_dict())
        except ValueError as error:
            return str(error)

    return validate


def settings_port(spec: ProcessSpec, name: str, settings: type[Settings] | None, help: str = '') -> None:
    """Add an input port for settings; None: for any dictionary. Without a required key it may be left out."""
    validator, needed = None, False
    if settings is not None:
        validator, help = validator_of(settings), f'{help} {settings.describe()}'.strip()
        needed = any(key.is_required() for key in settings.known().values())
    default = {} if needed else {'default': Dict}
    spec.input(name, valid_type=Dict, validator=validator, help=help, **default)


def structures_port(spec: ProcessSpec, help: str) -> None:
    """Add the input namespace ``structures``, which must not be empty and whose keys must be safe names."""

    def validate(structures: Mapping, _) -> str | None:
        if not structures:
            return 'the list of structures is empty: give at least one StructureData'
        wrong = {key: name for key, name in zip(structures, unique_names(structures)) if key != name}
        return f'the keys name folders: rename {wrong}' if wrong else None

    spec.input_namespace('structures', valid_type=StructureData, dynamic=True, validator=validate, help=help)


def positive_port(spec: ProcessSpec, name: str, default: int | None, help: str) -> None:
    """Add an input port for a positive whole number. Without a default it may be left out."""

    def validate(node: Int | None, _) -> str | None:
        return f'{node.value} is not a positive number' if node is not None and node.value < 1 else None

    optional = {'required': False} if default is None else {'default': lambda: Int(default)}
    spec.input(name, valid_type=Int, validator=validate, help=help, **optional)


def keep_exit_status(info: CalcInfo) -> None:
    """Let a job keep the exit status of its program: without it, the job died before the program ended."""
    info.append_text = f'echo $? > {EXIT_STATUS}'
    info.retrieve_list.append(EXIT_STATUS)


def dynamics_ports(spec: ProcessSpec) -> None:
    """Add the restart, the trajectory and the exit codes that the jobs of every engine have."""
    words = 'Remote folder of the job to restart from, with positions, velocities and thermostat.'
    spec.input('parent_folder', valid_type=RemoteData, required=False, help=words)
    spec.output('trajectory', valid_type=TrajectoryData, required=False, help='The stored steps.')
    spec.exit_code(305, 'ERROR_NOT_RESTARTED', message='The run did not restart from its parent folder: {reason}')
    spec.exit_code(330, 'ERROR_ENERGY_DRIFT', message='The conserved quantity drifts by {drift:.3f} eV/atom/ps.')


def job_exit_codes(spec: ProcessSpec) -> None:
    """Add the exit codes of all jobs, whatever program they run."""
    spec.exit_code(300, 'ERROR_NO_OUTPUT', message='The job left no output: {reason}')
    spec.exit_code(301, 'ERROR_CORRUPT_OUTPUT', message='The output cannot be read: {reason}')
    spec.exit_code(340, 'ERROR_DIVERGED', message='The calculation diverged: {reason}')
    spec.exit_code(400, 'ERROR_OUT_OF_WALLTIME', message='The wallclock time was over before all was done.')
    spec.exit_code(410, 'ERROR_OUT_OF_MEMORY', message='The job was killed for its use of memory.')
    spec.exit_code(420, 'ERROR_INTERRUPTED', message='The job ended before all was done, for an unknown reason.')
