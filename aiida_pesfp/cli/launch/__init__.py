"""``aiida-pesfp launch``: its commands, and the options that they share."""

from aiida_pesfp.cli.launch import commands  # noqa: F401  (adds them to the group)
