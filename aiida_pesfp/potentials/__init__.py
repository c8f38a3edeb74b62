"""Frozen-host energy evaluators: (structure, ion, positions) -> energies.

torch is imported in this folder only, and only once a network is loaded: :mod:`~aiida_pesfp.potentials.registry`, which
the AiiDA side uses too, does without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.registry import identify

if TYPE_CHECKING:
    from aiida_pesfp.potentials.base import Potential


def load_potential(
    spec: str, *, device: str = 'auto', batch_size: int | None = None, expected_sha256: str | None = None
) -> Potential:
    """Load a potential by name or path (see :func:`~aiida_pesfp.potentials.registry.identify` for what is known).

    :param device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; ``'auto'`` takes a GPU if there is one.
    :param batch_size: most configurations that are evaluated at once; chosen from memory if not given.
    :param expected_sha256: of the content that the caller means.
    :raises PotentialError: if it is not found, damaged, unsupported, or not the one that was expected.
    """
    identity = identify(spec)
    if expected_sha256 is not None and identity.sha256 != expected_sha256:
        raise PotentialError(
            f'the potential {spec!r} of this machine has the SHA-256 {identity.sha256}, but {expected_sha256} is asked '
            f'for: install the same version of {identity.package} here, or give the path of the weights'
        )
    match identity.kind:
        case 'ase':
            from aiida_pesfp.potentials.ase.potential import AsePotential

            return AsePotential(identity, spec)
        case 'sevennet':
            from aiida_pesfp.potentials.sevennet.potential import SevenNetPotential

            return SevenNetPotential(identity, device, batch_size)
        case 'chgnet':
            from aiida_pesfp.potentials.chgnet.potential import CHGNetPotential

            return CHGNetPotential(identity, device, batch_size)
        case 'm3gnet':
            from aiida_pesfp.potentials.m3gnet.potential import M3GNetPotential

            return M3GNetPotential(identity, device, batch_size)
        case 'matgl':
            from aiida_pesfp.potentials.matgl.potential import MatglPotential

            return MatglPotential(identity, device, batch_size)
    raise PotentialError(f'there is no evaluator for a potential of kind {identity.kind!r}')
