"""``aiida-pesfp launch``: its commands, and the options that they share."""

from __future__ import annotations

from aiida_pesfp.cli import main


@main.group('launch')
def launch():
    """Run or submit calculations.

    Structures are named by the label of a group, by PK, UUID or label of a StructureData, or by a folder or file, which
    is imported first. Several can be mixed.
    """


from aiida_pesfp.cli.launch import conductivity, scan, screen_and_validate  # noqa: E402, F401  (they add commands)
