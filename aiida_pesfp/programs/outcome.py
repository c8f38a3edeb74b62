"""What a program found for one structure of its request."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from aiida_pesfp.crystals.files import NamedStructure


@dataclass
class Outcome(ABC):
    """The result of one structure; ``state`` is ``done``, ``failed`` or ``pending``."""

    input: NamedStructure
    state: str = field(default='pending', kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)
    error: Exception | None = field(default=None, kw_only=True)
    attempts: int = field(default=0, kw_only=True)
    saved_bytes: int = field(default=0, kw_only=True)
    #: What a person should look at, although there is a result.
    doubts: list[str] = field(default_factory=list, kw_only=True)

    def __post_init__(self):
        self.doubts.extend(self.input.doubts)

    @property
    def name(self) -> str:
        """Unique in the request; names the results."""
        return self.input.name

    @property
    def formula(self) -> str | None:
        """Reduced formula, if the structure could be read."""
        structure = self.input.structure
        return None if structure is None else structure.composition.reduced_formula

    @abstractmethod
    def results(self) -> dict:
        """What was found, as plain JSON types; without a result the same keys with None."""

    def fail(self, error: Exception) -> None:
        """Note why there is no result."""
        self.state, self.error = 'failed', error

    def summary(self) -> dict:
        """The object that ``--json`` prints for this structure."""
        return {
            'structure': self.input.source,
            'formula': self.formula,
            **self.results(),
            'seconds': round(self.seconds, 3),
            'doubts': self.doubts,
            'error': self.error and f'{self.input.source}: {self.error}',
        }

    def report(self) -> dict:
        """The entry of this structure in ``run.json``."""
        return {
            'state': self.state,
            'structure': self.input.source,
            'formula': self.formula,
            'doubts': self.doubts,
            'error': self.error and str(self.error),
            'error_type': self.error and type(self.error).__name__,
            'seconds': round(self.seconds, 3),
            'attempts': self.attempts,
            'saved_bytes': self.saved_bytes,
        }
