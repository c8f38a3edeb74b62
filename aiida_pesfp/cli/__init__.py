"""``aiida-pesfp``: the command line, in the manner of ``verdi``."""

from __future__ import annotations

import click
from aiida.cmdline.groups import VerdiCommandGroup
from aiida.cmdline.params import options, types

from aiida_pesfp import __version__


@click.group(cls=VerdiCommandGroup, context_settings={'help_option_names': ['--help', '-h']})
@options.PROFILE(type=types.ProfileParamType(load_profile=True), expose_value=False)
@click.version_option(__version__, package_name='aiida_pesfp', message='aiida-pesfp version %(version)s')
def main():
    """Screen crystals for fast ions: scan potential energy surfaces, rank, and look at what was found.

    \b
    aiida-pesfp setup                  # make computer, codes and potential, and check them
    aiida-pesfp import folder cifs     # structures, with their provenance
    aiida-pesfp launch screen cifs     # scan and rank
    aiida-pesfp rank                   # look at the results
    aiida-pesfp show Li2Te

    For completion by the tab key: eval "$(_AIIDA_PESFP_COMPLETE=bash_source aiida-pesfp)"
    """


from aiida_pesfp.cli import (  # noqa: E402, F401  (they add their commands to the group)
    assess,
    export,
    importing,
    launch,
    potential,
    rank,
    report,
    setup,
    show,
    status,
)
