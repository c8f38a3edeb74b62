"""Structures as ASE's atoms, whose calculators may raise anything."""

from collections.abc import Callable
from typing import TypeVar

from ase import Atoms
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from aiida_pesfp import errors
from aiida_pesfp.crystals.checks import check_crystal

Result = TypeVar('Result')


def atoms_of(structure: Structure, potential) -> Atoms:
    """The structure as ASE's atoms, with a calculator of the potential.

    :raises StructureError: if no potential can evaluate the structure.
    """
    check_crystal(structure)
    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    atoms.calc = potential.calculator(structure)
    return atoms


def evaluated(work: Callable[[], Result], when: str) -> Result:
    """Call what needs an ASE calculator, which raises whatever its author chose.

    :param when: for the message.
    :raises OutOfMemory: if the structure does not fit into the memory of the device.
    :raises EvaluationFailed: for any other cause that is not one of ours.
    """
    try:
        return work()
    except errors.PesfpError:
        raise
    except Exception as error:
        from aiida_pesfp.potentials.batching import is_out_of_memory  # imports torch, which not every potential needs

        if is_out_of_memory(error):
            raise errors.OutOfMemory('the structure does not fit into memory: use a device with more') from error
        raise errors.EvaluationFailed(f'the potential failed {when}: {type(error).__name__}: {error}') from error
