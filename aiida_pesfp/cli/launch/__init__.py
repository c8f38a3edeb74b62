"""``aiida-pesfp launch``: its commands, and the options that they share."""

import click
from aiida.cmdline.groups import VerdiCommandGroup

from aiida_pesfp.cli.launch.barrier import launch_barrier
from aiida_pesfp.cli.launch.conductivity import launch_conductivity
from aiida_pesfp.cli.launch.scan import launch_scan, launch_screen
from aiida_pesfp.cli.launch.screen_and_validate import launch_screen_and_validate


@click.group(cls=VerdiCommandGroup)
def launch():
    """Run or submit calculations.

    Structures are named by the label of a group, by PK, UUID or label of a StructureData, or by a folder or file, which
    is imported first. Several can be mixed.
    """


for _command in (launch_scan, launch_screen, launch_barrier, launch_conductivity, launch_screen_and_validate):
    launch.add_command(_command)
