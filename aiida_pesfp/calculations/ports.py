"""Ports, exit codes and files that several processes have. A validator returns the error message, if any."""

from collections.abc import Callable, Mapping
from typing import Any

from aiida.common.datastructures import CalcInfo
from aiida.engine.processes.process_spec import ProcessSpec
from aiida.orm import Data, Dict, Int, RemoteData, StructureData, TrajectoryData
from pydantic.fields import FieldInfo

from aiida_pesfp.crystals.names import unique_names
from aiida_pesfp.errors import PesfpError
from aiida_pesfp.settings.base import Settings, check_value
from aiida_pesfp.settings.jobs import JobSettings

Validator = Callable[[Any, Any], str | None]

#: File in the folder of a job that holds the exit status of its program.
EXIT_STATUS = 'exit_status'


def validator_by(check: Callable[[Any], Any], limits: FieldInfo | dict | None = None) -> Validator:
    """The validator of a port, by a function that raises an error for a wrong value, or for one of several inputs.

    :param limits: what is known of plain values, for overrides: becomes an attribute of the validator.
    """

    def validate(given: Any, _) -> str | None:
        try:
            if given is not None:
                check(given.value if isinstance(given, Data) else given)
        except KeyError:
            return None  # an input that is missing has its own message
        except (ValueError, PesfpError) as error:
            return str(error)

    validate.limits = limits
    return validate


def validator_of(settings: type[Settings]) -> Validator:
    """The validator of a ``Dict`` that holds some settings."""
    return validator_by(settings.from_dict, settings.limits())


def limited(name: str, settings: type[Settings] = JobSettings) -> Validator:
    """The validator of an input with the limits of the key of that name."""
    info = settings.known()[name]
    return validator_by(lambda value: check_value(name, value, info), info)


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

    def check(structures: Mapping) -> None:
        if not structures:
            raise ValueError('the list of structures is empty: give at least one StructureData')
        if wrong := {key: name for key, name in zip(structures, unique_names(structures)) if key != name}:
            raise ValueError(f'the keys name folders: rename {wrong}')

    options = {'dynamic': True, 'validator': validator_by(check), 'help': help}
    spec.input_namespace('structures', valid_type=StructureData, **options)


def number_port(spec: ProcessSpec, name: str, default: int | None = None) -> None:
    """Add an input port for a number of ``JobSettings``, which has a default or may be left out."""
    key = name.rpartition('.')[2]
    optional = {'required': False} if default is None else {'default': lambda: Int(default)}
    spec.input(name, valid_type=Int, validator=limited(key), help=JobSettings.help_of(key), **optional)


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
    """Add the exit codes of all jobs, whatever program they run, and the limits of their options."""
    for name in ('max_wallclock_seconds', 'max_memory_kb'):
        spec.inputs['metadata']['options'][name].validator = limited(name)
    spec.exit_code(300, 'ERROR_NO_OUTPUT', message='The job left no output: {reason}')
    spec.exit_code(301, 'ERROR_CORRUPT_OUTPUT', message='The output cannot be read: {reason}')
    spec.exit_code(340, 'ERROR_DIVERGED', message='The calculation diverged: {reason}')
    spec.exit_code(400, 'ERROR_OUT_OF_WALLTIME', message='The wallclock time was over before all was done.')
    spec.exit_code(410, 'ERROR_OUT_OF_MEMORY', message='The job was killed for its use of memory.')
    spec.exit_code(420, 'ERROR_INTERRUPTED', message='The job ended before all was done, for an unknown reason.')
