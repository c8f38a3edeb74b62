"""``aiida-pesfp``: the group of all commands, in the manner of ``verdi``."""

import click
from aiida.cmdline.groups import VerdiCommandGroup
from aiida.cmdline.params import options, types
from aiida.cmdline.utils import echo
from aiida.common.exceptions import AiidaException

from aiida_pesfp import __version__
from aiida_pesfp.cli.assess import assess, calibrate
from aiida_pesfp.cli.compare import compare
from aiida_pesfp.cli.drop import drop
from aiida_pesfp.cli.export import export
from aiida_pesfp.cli.importing import import_
from aiida_pesfp.cli.launch import launch
from aiida_pesfp.cli.potential import potential
from aiida_pesfp.cli.rank import rank
from aiida_pesfp.cli.report import report
from aiida_pesfp.cli.setup import setup
from aiida_pesfp.cli.show import show
from aiida_pesfp.cli.status import status
from aiida_pesfp.errors import PesfpError


class _Commands(VerdiCommandGroup):
    """Group whose commands stop with a message if the package raises an error on purpose, or nothing can be stored."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except PesfpError as error:
            echo.echo_critical(str(error))
        except AiidaException:
            from aiida.manage import get_manager

            manager = get_manager()
            if manager.get_profile() is None or not manager.get_profile_storage().read_only:
                raise
            name = manager.get_profile().name
            words = 'choose another one by -p. To go on from an archive, import it there by `verdi archive import`'
            echo.echo_critical(f'the profile {name} is read-only, so nothing can be stored in it: {words}')


@click.group(cls=_Commands, context_settings={'help_option_names': ['--help', '-h'], 'show_default': True})
@options.PROFILE(type=types.ProfileParamType(load_profile=True), expose_value=False)
@click.version_option(__version__, package_name='aiida_pesfp', message='aiida-pesfp version %(version)s')
def main():
    """Screen crystals for fast ions: scan potential energy surfaces, rank structures, and look at the results.

    \b
    aiida-pesfp setup                  # make computer, codes and potential, and check them
    aiida-pesfp import folder cifs     # structures, with their provenance
    aiida-pesfp launch screen cifs     # scan and rank
    aiida-pesfp rank                   # look at the results
    aiida-pesfp show Li2Te

    For completion by the tab key: eval "$(_AIIDA_PESFP_COMPLETE=bash_source aiida-pesfp)"
    """


for _command in (
    setup,
    potential,
    import_,
    launch,
    status,
    rank,
    show,
    export,
    report,
    drop,
    assess,
    compare,
    calibrate,
):
    main.add_command(_command)
