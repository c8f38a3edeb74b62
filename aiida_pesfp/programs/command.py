"""The commands of all programs with a potential: a function that makes a request becomes one."""

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from aiida_pesfp import __version__, errors
from aiida_pesfp.crystals.files import read_named_structures
from aiida_pesfp.programs.request import Request
from aiida_pesfp.settings.options import options_of, take
from aiida_pesfp.settings.program import ProgramSettings

#: The end of every help text.
HELP = """A STRUCTURE is a CIF, POSCAR, (extended) XYZ or JSON file, compressed or not, or a folder of such; what is
passed over in a folder is printed. If one has no result, the reason is printed, and the others are not affected. The
exit status is 0 if all succeeded, 1 if some did not, 2 if the potential or the output folder is unusable, 3 if the run
was stopped before its end, and 4 if a structure did not fit into memory."""


def program(**changes: dict[str, Any] | None) -> Callable[[Callable[..., Request]], click.Command]:
    """A decorator that makes a command of a function.

    The function takes the structures, the :class:`ProgramSettings` and its own options, and returns the request.

    :param changes: of the options of ``ProgramSettings``, see :func:`~aiida_pesfp.settings.options.options_of`.
    """

    def decorate(function: Callable[..., Request]) -> click.Command:
        @functools.wraps(function)
        def command(structures: tuple[Path, ...], **options):
            sys.stdout.reconfigure(errors='backslashreplace')  # names of files may be any bytes
            with contextlib.redirect_stdout(sys.stderr):  # whatever libraries print is not our output
                program_settings = take(ProgramSettings, options)
                found = read_named_structures(structures, functools.partial(click.echo, err=True))
                if not found:
                    raise click.UsageError(f'no structure file in {", ".join(map(str, structures))}')
                request = function(found, program_settings, **options)
                try:
                    request.run()
                except errors.OutputError as error:
                    raise click.UsageError(str(error)) from None
            request.finish()

        command = click.version_option(__version__)(options_of(ProgramSettings, **changes)(command))
        path = click.Path(path_type=Path)
        command = click.argument('structures', nargs=-1, required=True, type=path, metavar='STRUCTURE...')(command)
        context = {'help_option_names': ['-h', '--help'], 'show_default': True}
        return click.command(context_settings=context, help=f'{inspect.getdoc(function)}\n\n{HELP}')(command)

    return decorate
