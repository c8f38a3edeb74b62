"""Frozen-host energy evaluators: (structure, ion, positions) -> energies.

Each folder is a family of potentials. Only the module ``potential`` of a family imports torch or the package that
evaluates, and only when a potential is loaded; the rest serves the AiiDA side too.
"""

from aiida_pesfp.potentials.registry import identify, load_potential

__all__ = ['identify', 'load_potential']
