"""What the commands of all programs with a potential share: arguments, options, and the order of events."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from aiida_pesfp import __version__
from aiida_pesfp.crystals.files import read_named_structures
from aiida_pesfp.programs.request import Request
from aiida_pesfp.settings.options import options_of, take
from aiida_pesfp.settings.program import ProgramSettings


def program(**changes: dict[str, Any] | None) -> Callable[[Callable[..., Request]], click.Command]:
    """A decorator that makes a command of a function.

    The function takes the structures, the :class:`ProgramSettings` and its own options, and returns the request.

    :param changes: of the options of ``ProgramSettings``, see :func:`~aiida_pesfp.settings.options.options_of`.
    """

    def decorate(function: Callable[..., Request]) -> click.Command:
        @functools.wraps(function)
        def command(structures: tuple[Path, ...], **options):
            with contextlib.redirect_stdout(sys.stderr):  # whatever libraries print is not our output
                program_settings = take(ProgramSettings, options)
                found = read_named_structures(structures)
                if not found:
                    raise click.UsageError(f'no structure file in {", ".join(map(str, structures))}')
                request = function(found, program_settings, **options)
                request.run()
            request.finish()

        command = click.version_option(__version__)(options_of(ProgramSettings, **changes)(command))
        path = click.Path(path_type=Path)
        command = click.argument('structures', nargs=-1, required=True, type=path, metavar='STRUCTURE...')(command)
        return click.command(context_settings={'help_option_names': ['-h', '--help'], 'show_default': True})(command)

    return decorate
