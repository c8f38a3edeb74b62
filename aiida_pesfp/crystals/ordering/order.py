"""Orderings of a disordered crystal: each step from its occupancies to ordered structures."""

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from ase.units import kB
from pymatgen.core import Structure

from aiida_pesfp.crystals.ordering.arrange import Task, explained, prepare, with_fewer_ions
from aiida_pesfp.crystals.ordering.charges import UNKNOWN, oxidation_states, stated_states
from aiida_pesfp.crystals.ordering.choose import Chosen, choose, drawn
from aiida_pesfp.crystals.ordering.counts import Counts, possible_counts
from aiida_pesfp.crystals.ordering.exclusion import CLOSEST, USUAL
from aiida_pesfp.crystals.ordering.groups import find_groups
from aiida_pesfp.crystals.ordering.parent import Parent
from aiida_pesfp.crystals.ordering.sampling import Sampler
from aiida_pesfp.crystals.ordering.swaps import Evaluate
from aiida_pesfp.errors import CannotOrder
from aiida_pesfp.settings.ordering import OrderingSettings

#: So many larger cells are tried if a cell has fewer different orderings than this, however many are wanted: the first
#: ones of a seed are always the same.
LARGER, ENOUGH = 3, 5
#: The end of a doubt that a relaxation settles.
RELAX_FIRST = 'relax them before a scan (--relax-orderings)'


@dataclass(frozen=True)
class Ordering:
    """An ordered structure made of a disordered one, and how.

    :param structure: the ordered crystal.
    :param supercell: rows are the vectors of its cell in units of those of the parent's canonical primitive cell.
    :param counts: for each orbit of sites what it has by its occupancies, and what it has here.
    :param composition_deviation: the largest difference of the atomic fraction of an element from the parent's.
    :param charge: e; None if the oxidation states are unknown.
    :param oxidation_states: by element; ``oxidation_source`` is ``file``, ``guessed`` or ``unknown``.
    :param contacts: which hard cores it keeps, of ``exclusion.CONTACTS``, with the distances by pair of elements, A.
    :param weight: those of all orderings of a parent sum to 1.
    :param energy: eV, of the choice or the weights; None for a random choice.
    :param count: how many chains of swaps end in it.
    """

    structure: Structure
    supercell: list[list[int]]
    counts: list[dict]
    composition_deviation: float
    charge: float | None
    oxidation_states: dict[str, float]
    oxidation_source: str
    contacts: dict
    seed: int
    weight: float
    energy: float | None = None
    count: int = 1
    doubts: tuple[str, ...] = ()

    def provenance(self) -> dict:
        """All but the structure, as plain JSON types."""
        found = asdict(replace(self, structure=None))
        del found['structure']
        return found | {'doubts': list(self.doubts)}

    def as_dict(self) -> dict:
        """All of it, as plain JSON types."""
        return self.provenance() | {'structure': self.structure.as_dict()}

    @classmethod
    def from_dict(cls, content: dict) -> 'Ordering':
        """From what :meth:`as_dict` gives."""
        own = {'structure': Structure.from_dict(content['structure']), 'doubts': tuple(content['doubts'])}
        return cls(**content | own)


def order(
    structure: Structure,
    settings: OrderingSettings = OrderingSettings(),
    mobile: str = 'Li',
    given: Mapping[str, float] | None = None,
    evaluate: Evaluate | None = None,
) -> list[Ordering]:
    """Ordered structures of a disordered one, different up to symmetry; fewer than asked for if there are no more.

    Those of a seed are one sequence: a larger number adds to what a smaller one gives.

    :param mobile: symbol of the mobile ion, whose number balances the charge.
    :param given: oxidation states by element, of the structure itself by default.
    :param evaluate: energies of ordered structures, for swaps at a temperature (``monte_carlo``).
    :raises OrderedStructure: if the structure is not disordered.
    :raises CannotOrder: if it has no ordering that fits; the message names the sites and the way out.
    """
    parent, _ = find_groups(Parent.of(structure), mobile)
    amounts = dict(zip(parent.species[1:], parent.amounts[1:].tolist()))
    states, source = oxidation_states(amounts, given or stated_states(structure))
    _check_choice(settings, states, evaluate)
    counts = possible_counts(parent, mobile, states, settings.most_atoms, settings.deviation)[: 1 + LARGER]
    charges = states, source
    try:
        task, sampler, at_random = _roomiest(parent, counts, mobile, charges, settings)
    except CannotOrder as error:
        failure = explained(structure, error, mobile, states, settings)
        if (fewer := with_fewer_ions(parent, counts[0], mobile, states, settings)) is None:
            raise failure from None
        try:
            task, sampler, at_random = _roomiest(parent, [fewer], mobile, charges, settings)
        except CannotOrder:
            raise failure from None
    chosen = choose(task, sampler, at_random, settings, evaluate)
    return _orderings(task, chosen, _doubts_of_shared_sites(parent, mobile), settings)


def _roomiest(
    parent: Parent, counts: Sequence[Counts], mobile: str, charges: tuple, settings: OrderingSettings
) -> tuple[Task, Sampler, Iterator[np.ndarray]]:
    """The first cell with enough different orderings, or the one with most, its sampler, and what it draws at random.

    :raises CannotOrder: if none has any.
    """
    tried, failures = [], []
    for one in counts:
        try:
            task, sampler = prepare(parent, one, mobile, charges, settings)
        except CannotOrder as error:
            failures.append(error)
            continue
        at_random = drawn(task, copy.deepcopy(sampler))
        found = list(itertools.islice(at_random, ENOUGH))
        tried.append((len(found), task, sampler, itertools.chain(found, at_random)))
        if len(found) == ENOUGH:
            break
    if not tried:
        raise failures[0]
    return max(tried, key=lambda one: one[0])[1:]


def weights(energies: Sequence[float | None], counts: Sequence[int], settings: OrderingSettings) -> list[float]:
    """Weights of orderings, whose sum is 1: by their counts, or by their energies at the temperature of the settings.

    :param energies: eV; None where they are not known.
    """
    if settings.weights == 'equal' or None in energies:
        return (np.array(counts) / sum(counts)).tolist()
    factors = np.exp(-(np.array(energies) - min(energies)) / (kB * settings.temperature))
    return (factors / factors.sum()).tolist()


def _doubts_of_shared_sites(parent: Parent, mobile: str) -> tuple[str, ...]:
    """Mobile ions on sites of the framework, which may not be mobile."""
    if mobile not in parent.species:
        return ()
    ion = parent.species.index(mobile)
    shared = [
        parent.describe(orbit)
        for orbit, shares in enumerate(parent.shares)
        if shares[ion] > 0 and shares[1:].sum() > shares[ion]
    ]
    return (f'{mobile} shares sites with others: {", ".join(shared)}',) if shared else ()


def _check_choice(settings: OrderingSettings, states: Mapping[str, float], evaluate: Evaluate | None) -> None:
    if settings.choice == 'electrostatic' and not states:
        way_out = 'give the oxidation states in the file, or choose at random'
        raise CannotOrder(f'its oxidation states are unknown, so it has no electrostatic energies: {way_out}')
    if settings.choice == 'monte_carlo' and evaluate is None:
        raise ValueError('choice = monte_carlo needs energies of whole structures')


def _orderings(task: Task, chosen: list[Chosen], doubts: tuple[str, ...], settings: OrderingSettings) -> list[Ordering]:
    doubts, distances = (*doubts, *_doubts(task, chosen, settings)), task.distances()
    shares = weights([one.energy for one in chosen], [one.count for one in chosen], settings)
    return [
        Ordering(
            structure=task.structure(one.state),
            supercell=task.supercell.matrix.tolist(),
            counts=task.orbits(one.state),
            composition_deviation=task.counts.composition_deviation,
            charge=task.counts.charge,
            oxidation_states=task.states,
            oxidation_source=task.source,
            contacts={'kind': task.contacts, 'distances': distances},
            seed=settings.seed,
            weight=weight,
            energy=one.energy,
            count=one.count,
            doubts=doubts,
        )
        for one, weight in zip(chosen, shares)
    ]


def _doubts(task: Task, chosen: list[Chosen], settings: OrderingSettings) -> tuple[str, ...]:
    """What a person should know of the orderings of one parent."""
    doubts = []
    if task.source == UNKNOWN:
        doubts.append('its oxidation states are unknown, so the charge is not balanced: give them in the file')
    deviation = task.counts.composition_deviation
    if deviation > settings.deviation:
        doubts.append(f'its orderings have a composition that is off by {100 * deviation:.1f} % of all atoms')
    numbers = task.counts.numbers.sum(axis=0)
    lost = [symbol for symbol, number in zip(task.parent.species, numbers) if symbol and not number]
    if lost:
        doubts.append(f'its orderings have no {", ".join(lost)}, as there is no room for the ions that balance it')
    if task.contacts != USUAL:
        words = f'its orderings have {task.closest_alike([one.state for one in chosen])}, closer than in most crystals'
        doubts.append(f'{words}: {RELAX_FIRST}' if task.contacts == CLOSEST else words)
    found = settings.skip_orderings + len(chosen)
    if settings.choice != 'monte_carlo' and len(chosen) < settings.number:
        doubts.append(f'it has {found} different orderings in {settings.most_atoms} atoms, or more are hard to find')
    return tuple(doubts)
