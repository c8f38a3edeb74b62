"""Errors that name the value and what to do, but not the structure: code that handles several puts its name in front.

The class name of a :class:`StructureError` is stored with the result (``error_type``), for queries.
"""

import difflib
from collections.abc import Iterable


class PesfpError(Exception):
    """Base class of every error that this package raises on purpose."""


class StructureError(PesfpError):
    """One structure has no result. This does not affect other structures."""


class UnreadableStructure(StructureError):
    """A file does not hold a crystal structure in a known format."""


class InconsistentFile(StructureError):
    """What a file says of its crystal (formula, density, symmetry, cell) contradicts its own atoms."""


class AmbiguousSymmetry(StructureError):
    """A file names a space group that has several settings, and nothing in it decides between them."""


class DuplicateStructure(StructureError):
    """The request has the same structure twice."""


class NoMobileSpecies(StructureError):
    """The structure has no atom of the mobile species."""


class NoFramework(StructureError):
    """All atoms of the structure are mobile ions, and nothing is left without them."""


class PartialOccupancy(StructureError):
    """A site is shared by several species or partly vacant."""


class OrderedStructure(StructureError):
    """The structure is to be ordered, and all its sites are full."""


class CannotOrder(StructureError):
    """A disordered structure has no ordering that keeps its composition, its charge and the distances of its atoms."""


class OverlappingAtoms(StructureError):
    """Two atoms lie on top of each other."""


class InvalidCell(StructureError):
    """The cell has no volume or is not periodic in three dimensions."""


class UnsupportedElement(StructureError):
    """The potential does not know an element of the structure."""


class GridTooLarge(StructureError):
    """The scan grid needs more memory than the machine or the job has."""


class NoAllowedPoint(StructureError):
    """Every grid point is closer to the framework than the minimum distance."""


class NonFiniteEnergy(StructureError):
    """The potential returned NaN or infinity for a grid point."""


class FlatSurface(StructureError):
    """The energy is the same wherever the ion is: the potential does not see it."""


class StoppedEarly(StructureError):
    """The scan stopped as soon as it was certain that Xi is small: its surface is an estimate."""


class NoPath(StructureError):
    """An ion has no path to where it is to go, or the path is none."""


class Blocked(NoPath):
    """All ways between two places lead through atoms."""


class NoBarrier(StructureError):
    """All places on the way of an ion are lower than both its ends."""


class CellTooSmall(StructureError):
    """An ion is too near to its own images for the barrier of a single ion."""


class EvaluationFailed(StructureError):
    """The potential raised an error for a structure."""


class DynamicsDiverged(StructureError):
    """Molecular dynamics has reached energies at which no crystal exists."""


class NotConverged(StructureError):
    """A relaxation did not converge within the allowed steps."""


class RelaxationDiverged(StructureError):
    """A relaxation has deformed the cell beyond recognition."""


class CannotContinue(StructureError):
    """The files of an earlier run do not belong to this request."""


class ForeignFolder(StructureError):
    """The folder for the results of a structure holds files that none of our programs wrote."""


class ProgramDied(StructureError):
    """Each time that a program began with the structure, it ended without a word."""


class OutputError(PesfpError):
    """Results cannot be written."""


class InvalidTrajectory(PesfpError):
    """A trajectory cannot be read, or its files, frames, cells or times give no reliable displacements."""


class TrajectoryTooShort(PesfpError):
    """A trajectory is shorter than one window, or a window has too few frames for a fit."""


class NoArrheniusFit(PesfpError):
    """The conductivities do not determine an activation energy."""


class AssessmentError(PesfpError):
    """Descriptors cannot be assessed, or a ranking model cannot be learned or applied."""


class LabelError(AssessmentError):
    """A table of labels, or one of its rows, cannot be used."""


class ImplausibleValue(LabelError):
    """A number cannot be right in its unit."""


class ExpressionError(AssessmentError):
    """An expression is invalid."""


class NoValue(ExpressionError):
    """An expression has no value for one structure."""


class PotentialError(PesfpError):
    """A potential cannot be found, loaded or trusted. This ends the whole request."""


class TableError(PesfpError):
    """A table cannot be read, or has not the columns that are needed."""


class SourceError(PesfpError):
    """A source of structures cannot be reached, refuses the request or sends an invalid answer."""


class OutOfMemory(PesfpError):
    """A single configuration does not fit into the memory of the device."""


class GridDropped(PesfpError):
    """The grid of a surface was dropped to make room: what follows from it alone is no longer to be had."""


class WrongResults(PesfpError):
    """Results belong to another structure or potential than those that they are asked for."""


class NothingToReport(PesfpError):
    """A workchain or group has no results to report, not even a rejected structure."""


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, whatever its case; None if none is close."""
    by_case = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), by_case, n=1, cutoff=0.75)
    return by_case[found[0]] if found else None


def some_of(names: Iterable[str], most: int = 8) -> str:
    """The first of some names, and how many more there are."""
    names = list(names)
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more


def shortened(notes: Iterable[str]) -> list[str]:
    """Notes of one line each. Those that say the same of several things, behind a colon, become one."""
    alike: dict[str, list[str]] = {}
    for note in notes:
        what, colon, said = note.rpartition(': ')
        alike.setdefault(colon + said, []).append(what)
    return [one_line(some_of(dict.fromkeys(filter(None, names)), 5) + said) for said, names in alike.items()]


def one_line(error: Exception | str, length: int = 200) -> str:
    """The message of any error on one line of at most ``length`` characters; its type if it has no message."""
    text = ' '.join(str(error).split()) or type(error).__name__
    return text if len(text) <= length else f'{text[: length - 4]} ...'
