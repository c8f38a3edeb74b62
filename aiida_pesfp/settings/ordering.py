"""Settings of orderings: how ordered crystals are made of a disordered one."""

from typing import Literal

from pydantic.dataclasses import dataclass

from aiida_pesfp.settings.base import Settings, setting


@dataclass(frozen=True)
class OrderingSettings(Settings):
    """Which orderings of a disordered crystal are made, in which cells, and by what they are chosen."""

    number: int = setting(
        'number of orderings of each disordered structure', 5, gt=0, le=1000, option=('-n', '--orderings')
    )
    skip_orderings: int = setting('leave out the first so many orderings of the seed', 0, ge=0, le=1000)
    seed: int = setting('seed of the random choice: the same seed gives the same orderings', 0, ge=0, lt=2**63)
    most_atoms: int = setting('largest number of atoms of an ordering', 200, gt=0, le=2000)
    deviation: float = setting(
        'largest deviation of the composition, as a part of all atoms, for which no larger cell is taken',
        0.02,
        gt=0,
        le=0.5,
    )
    hard_core: float | None = setting(
        'smallest distance between two mobile ions, by default from the radii of the element',
        None,
        unit='A',
        gt=0.3,
        le=5,
    )
    choice: Literal['random', 'electrostatic', 'monte_carlo'] = setting(
        'orderings are random, lowest in electrostatic energy, or from swaps at a temperature with the potential',
        'random',
        option='--choose',
    )
    temperature: float = setting(
        'temperature of the swaps and of Boltzmann weights',
        1000.0,
        unit='K',
        ge=1,
        le=100_000,
        option='--ordering-temperature',
    )
    sweeps: int = setting('swaps for each site with the potential', 10, gt=0, le=100_000)
    weights: Literal['equal', 'boltzmann'] = setting(
        'weights of the orderings: equal, of swaps as often as they end in it, or by their energies',
        'equal',
        option='--weigh',
    )
    relax: Literal['none', 'mobile', 'all'] = setting(
        'which atoms of an ordering are relaxed in its fixed cell', 'none', option='--relax-orderings'
    )

    def __post_init__(self):
        if self.choice == 'random' and self.weights == 'boltzmann' and self.relax == 'none':
            raise ValueError('weights = boltzmann needs energies: choose electrostatic or monte_carlo, or relax')

    @property
    def needs_potential(self) -> bool:
        """Whether orderings are made with a potential."""
        return self.choice == 'monte_carlo' or self.relax != 'none'


@dataclass(frozen=True)
class EnsembleSettings(OrderingSettings):
    """When there are enough orderings of a disordered crystal for the mean of what they have."""

    auto: bool = setting('add as many orderings again and again, until none is needed', False)
    largest_error: float = setting(
        'more orderings are needed if the mean of log10 of a free volume has a larger error', 0.15, gt=0, le=5
    )
    most_orderings: int = setting('largest number of orderings with --orderings auto', 40, gt=0, le=1000)

    def after(self, made: int) -> OrderingSettings | None:
        """The settings of the next orderings of a structure that has so many; None if it may have no more."""
        number = min(self.number, (self.most_orderings if self.auto else self.number) - made)
        own = {name: getattr(self, name) for name in OrderingSettings.known()}
        changed = {'number': number, 'skip_orderings': self.skip_orderings + made}
        return OrderingSettings(**own | changed) if number > 0 else None

    def way_out(self, are_all: bool) -> str:
        """What a person can do about an error that is too large.

        :param are_all: whether the structure has no further orderings that differ.
        """
        if are_all:
            return 'it has no more orderings that are different'
        return 'allow more orderings (--most-orderings)' if self.auto else 'scan more orderings'


def number_or_auto(chosen: int | str) -> dict:
    """The settings that ``--orderings`` stands for: a number, or ``auto``."""
    return {'auto': True} if chosen == 'auto' else {'number': chosen, 'auto': False}
