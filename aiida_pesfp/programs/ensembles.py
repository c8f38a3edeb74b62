"""The orderings that stand for each disordered structure of a scan, and whether they are enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from aiida_pesfp.crystals.files import NamedStructure
from aiida_pesfp.crystals.names import folder_name
from aiida_pesfp.crystals.ordering.order import weights
from aiida_pesfp.fingerprint.ensemble import Ensemble, pool
from aiida_pesfp.programs.members import Orderer
from aiida_pesfp.programs.outcome import Outcome
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.ordering import EnsembleSettings


@dataclass
class Members:
    """What stands for one structure: itself, or orderings of it.

    :param asked: so many orderings were asked for.
    :param are_all: whether there are no further ones.
    """

    given: NamedStructure
    settings: EnsembleSettings
    outcomes: list[Outcome] = field(default_factory=list)
    asked: int = 0
    are_all: bool = False

    def add(self, orderer: Orderer, take: Callable[[NamedStructure], Outcome], taken: Sequence[str]) -> list[Outcome]:
        """Make its first orderings, or more of them, and give those that are new.

        :param take: makes the outcome.
        :param taken: names of other structures.
        """
        settings = self.settings.after(self.asked)
        found, added = replace(orderer, settings=settings).members(self.given, len(self.outcomes)), []
        for one in found:
            names = [*taken, *(other.name for other in self.outcomes)]
            name = one.name if one.parent is None else folder_name(one.name, names)
            added.append(take(replace(one, name=name)))
            self.outcomes.append(added[-1])
        self.asked += settings.number
        is_whole = len(found) == settings.number or settings.choice == 'monte_carlo'
        self.are_all = not is_whole or any(one.parent is None for one in found)
        orderings = [one for one in self.outcomes if one.input.parent is not None]
        how = [one.input.ordering for one in orderings]
        shares = weights([one['energy'] for one in how], [one['count'] for one in how], self.settings)
        for one, share in zip(orderings, shares):
            one.input = replace(one.input, weight=share)
        return added

    @property
    def done(self) -> list[Outcome]:
        """The orderings that have a result."""
        return [one for one in self.outcomes if one.state == 'done' and one.input.parent is not None]

    def pooled(self, xi: XiParameters) -> Ensemble | None:
        """The mean of what is done."""
        values, shares = [one.descriptors.as_dict() for one in self.done], [one.input.weight for one in self.done]
        return pool(values, shares, xi) if values else None

    def shortfall(self, ensemble: Ensemble) -> str | None:
        """Why there are too few of them."""
        return ensemble.shortfall(self.settings.largest_error, self.settings.way_out(self.are_all))

    def is_short(self, xi: XiParameters) -> bool:
        """Whether more should be added, and can be."""
        if not self.asked:
            return True
        if not self.settings.auto or self.are_all or self.settings.after(self.asked) is None:
            return False
        ensemble = self.pooled(xi)
        return ensemble is not None and self.shortfall(ensemble) is not None
