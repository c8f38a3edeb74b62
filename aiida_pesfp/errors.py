"""What can go wrong with one structure, or with a potential, in words that name the value and the way out.

Both sides of the package import this module; it imports nothing. The class name of a :class:`StructureError` is stored
with the result (``error_type``), so a query can tell a structure without lithium from a structure that ran out of
memory. The message does not name the structure: whoever handles several structures puts the name in front.
"""


class PesfpError(Exception):
    """Base class of every error that this package raises on purpose."""


class StructureError(PesfpError):
    """One structure cannot be treated. Never costs other structures their result."""


class UnreadableStructure(StructureError):
    """A file does not hold a crystal structure in a known format."""


class DuplicateStructure(StructureError):
    """The same structure was given before in the same request."""


class NoMobileSpecies(StructureError):
    """The structure has no atom of the mobile species."""


class PartialOccupancy(StructureError):
    """A site is shared by several species or partly vacant."""


class OverlappingAtoms(StructureError):
    """Two atoms lie on top of each other."""


class InvalidCell(StructureError):
    """The cell has no volume or is not periodic in three dimensions."""


class UnsupportedElement(StructureError):
    """The potential was not made for an element of the structure."""


class GridTooLarge(StructureError):
    """The scan grid needs more memory than the machine has."""


class NoAllowedPoint(StructureError):
    """Every grid point is closer to the framework than the minimum distance."""


class NonFiniteEnergy(StructureError):
    """The potential returned NaN or infinity for a grid point."""


class EvaluationFailed(StructureError):
    """The potential raised an error while it evaluated a structure."""


class DynamicsDiverged(StructureError):
    """Molecular dynamics has come to energies at which no crystal exists."""


class NotConverged(StructureError):
    """A relaxation did not come to its end within the steps that were allowed."""


class RelaxationDiverged(StructureError):
    """A relaxation has come to a cell that is no longer that of the structure."""


class CannotContinue(StructureError):
    """What an earlier run left does not belong to what is asked for now."""


class TransportError(PesfpError):
    """A trajectory, or a table of conductivities, from which no trustworthy number follows."""


class InvalidTrajectory(TransportError):
    """A trajectory cannot be read, or its files, frames or numbers do not fit together."""


class MixedTimeSteps(InvalidTrajectory):
    """The frames of a trajectory are not equally spaced in time."""


class VariableCell(InvalidTrajectory):
    """The cell changes during the trajectory."""


class AmbiguousUnwrapping(InvalidTrajectory):
    """Ions go so far between two frames that nobody can tell through which face they left the cell."""


class TrajectoryTooShort(TransportError):
    """A trajectory holds less than one window, or a window has too few frames for a fit."""


class NoArrheniusFit(TransportError):
    """The conductivities do not determine an activation energy."""


class AssessmentError(PesfpError):
    """Descriptors cannot be judged, or a ranking cannot be learned or applied."""


class LabelError(AssessmentError):
    """A table of labels, or one of its rows, cannot be used."""


class ExpressionError(AssessmentError):
    """An expression is not understood, or makes no sense."""


class NoValue(ExpressionError):
    """An expression has no value for one structure."""


class PotentialError(PesfpError):
    """A potential cannot be found, loaded or trusted. Ends the whole request: there is nothing to evaluate with."""


class SourceError(PesfpError):
    """A source of structures cannot be reached, refuses, or answers with nonsense."""


class OutOfMemory(PesfpError):
    """Not even one configuration at a time fits into the memory of the device."""


class NothingToReport(PesfpError):
    """A workchain or group leads to no candidate, not even a rejected one."""
