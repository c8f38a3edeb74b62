"""From a path through a frozen framework to a barrier with a relaxed one, cheapest first.

Every barrier counts from the end of the path with all atoms relaxed, the ion too: from the same energy for all methods.
So the barrier of an ion that is held at the highest of all places of its path bounds that of a band on the same path
from above, if the framework follows it without a jump.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.mep import NEB
from ase.optimize import FIRE
from scipy.signal import find_peaks

from aiida_pesfp import errors
from aiida_pesfp.barriers.paths import SAME_PLACE, Path
from aiida_pesfp.barriers.relaxation import Relaxer, State
from aiida_pesfp.crystals.periodic import minimum_image

#: An atom that moves farther than this, A, has left its site; it is less than half of any hop between sites.
LEAVES = 1.0
#: The depth of a place on the way, eV, from which on the ion can rest there.
DEPTH = 0.1
#: Force at which the highest image begins to climb, in units of the force at the end.
BEGINS_TO_CLIMB = 5.0
#: Energies that are different, eV: more than forces of 0.05 eV/A leave open.
DIFFERENCE = 0.02


@dataclass(frozen=True)
class Barrier:
    """The barrier along one path.

    :param path: with all else frozen.
    :param forward: from the first to the last place, eV; ``reverse`` back.
    :param energy: that the barrier counts from, eV: of the first image, or a lower one of another path with this end.
    :param images: configurations along the path, with their energies, both ends included.
    :param lengths: (n,) distance that the ion has moved, A; ``energies`` (n,) relative to ``energy``, eV.
    :param flags: what a person should know of it, see :data:`FLAGS`.
    """

    path: Path
    forward: float
    reverse: float
    energy: float
    images: list[Atoms]
    lengths: np.ndarray
    energies: np.ndarray
    flags: tuple[str, ...]

    @property
    def frozen(self) -> float:
        """Forward with all else frozen, eV."""
        return self.path.barrier

    @property
    def converged(self) -> bool:
        """Whether all relaxations and bands have converged."""
        return 'not_converged' not in self.flags

    @property
    def saddle(self) -> int:
        """Index of the highest image."""
        return int(np.argmax(self.energies))


#: What each flag means.
FLAGS = {
    'not_converged': 'a relaxation or a band ended before its forces were small',
    'end_left': 'an ion at an end of the path relaxed away from its place',
    'framework_left': 'an atom of the framework left its site between the first end and the saddle',
    'others_left': 'another mobile ion left its site between the first end and the saddle',
    'lower_end': 'an end of the path is lower in the framework of another hop, from which the barrier counts',
    'other_path': 'the band left the path that it began on',
    'lower_place': 'a place on the way is lower than the first end',
    'no_barrier': 'no place on the way is higher than both ends',
    'hop_failed': 'a hop of the network has no barrier, without which the network may percolate too high',
    'pinned_below_neb': 'the ion held at the saddle is lower than the band: the band is not on the lowest path',
}


def pinned(path: Path, relaxer: Relaxer, name: str = '') -> Barrier:
    """The ion is held at the saddle of the frozen path, and all else relaxes."""
    first, last, saddle = _pinned(path, relaxer, name)
    return _barrier(path, relaxer, [first, saddle, last])


def profile(path: Path, relaxer: Relaxer, name: str = '') -> Barrier:
    """The ion is held at points at equal distances along the path, and at its frozen saddle."""
    first, last, saddle = _pinned(path, relaxer, name)
    held = {float(path.lengths[path.saddle]): saddle}
    for length in np.linspace(0, path.lengths[-1], relaxer.settings.images + 2)[1:-1]:
        held[float(length)] = _held(path, relaxer, f'{name}held-{length:.3f}', length, first, last)
    return _barrier(path, relaxer, [first, *(held[length] for length in sorted(held)), last])


def neb(path: Path, relaxer: Relaxer, name: str = '') -> Barrier:
    """A band with a climbing image between all places on the path where the ion can rest.

    Climbing image: doi:10.1063/1.1329672; improved tangent: doi:10.1063/1.1323224.
    """
    first, last, saddle = _pinned(path, relaxer, name)
    upper = max(first.energy, saddle.energy, last.energy) - first.energy
    states = [first]
    for (a, begin), (b, end) in pairwise(_stops(path, relaxer, name, first, last)):
        part = path.part(a, b)
        band = _band(part, relaxer, f'{name}band{a}-{b}', begin, end)
        inner = zip(band.positions[1:-1], band.energy[1:-1])
        states += [replace(band, positions=positions, energy=float(energy)) for positions, energy in inner]
        states.append(end)
    found = _barrier(path, relaxer, states)
    flags = set(found.flags)
    if path.distance_of(found.images[found.saddle].positions[path.ion]) > LEAVES:
        flags.add('other_path')
    if found.forward > upper + DIFFERENCE:
        flags.add('pinned_below_neb')
    return replace(found, flags=in_order(flags))


METHODS = {'pinned': pinned, 'profile': profile, 'neb': neb}


def _pinned(path: Path, relaxer: Relaxer, name: str) -> tuple[State, State, State]:
    """Both ends with all atoms relaxed, and the state with the ion held at the saddle.

    Around the saddle the framework may relax into another basin than at the ends, as where it loses a symmetry. So both
    ends also relax from there, and the lower one counts.
    """
    first = relaxer.relax(f'{name}first', path.atoms.positions)
    last = _shifted(first, path) if path.returns else relaxer.relax(f'{name}last', path.end)
    moved = np.linalg.norm(minimum_image(last.positions - first.positions, path.atoms.cell.array), axis=1)[path.ion]
    if moved < SAME_PLACE and not path.returns:
        what = f'both ends relax to the same minimum (ion {path.ion} to {moved:.2f} A)'
        raise errors.NoPath(f'{what}: one of them is no minimum, name other sites or another potential')
    saddle = _held(path, relaxer, f'{name}saddle', path.lengths[path.saddle], first, last)
    first = _lower(path, relaxer, f'{name}first again', first, saddle)
    last = _shifted(first, path) if path.returns else _lower(path, relaxer, f'{name}last again', last, saddle)
    return first, last, saddle


def _shifted(first: State, path: Path) -> State:
    """The end of a path to an image of its first place."""
    positions = first.positions.copy()
    positions[path.ion] += path.places[-1] - path.places[0]
    return replace(first, positions=positions)


def _held(path: Path, relaxer: Relaxer, name: str, length: float, first: State, last: State) -> State:
    """All relaxed but the ion, which is held after this length of the path, A."""
    positions = _between(path, first, last, length)
    positions[path.ion] = path.place_at(length)
    return relaxer.relax(name, positions, held=True)


def _lower(path: Path, relaxer: Relaxer, name: str, end: State, saddle: State) -> State:
    """The state at an end, or that with the framework of the saddle if it is lower and the ion stays there."""
    positions = saddle.positions.copy()
    positions[path.ion] = end.positions[path.ion]
    state = relaxer.relax(name, positions)
    stays = np.linalg.norm(state.positions[path.ion] - end.positions[path.ion]) < SAME_PLACE
    return state if stays and state.energy < end.energy - DIFFERENCE else end


def _between(path: Path, first: State, last: State, length: float) -> np.ndarray:
    """(n, 3) positions after this length of the path, moved by as much as they relaxed at the ends, A."""
    part = length / path.lengths[-1]
    begin, end = (state.positions - path.positions_at(at) for state, at in ((first, 0.0), (last, path.lengths[-1])))
    return path.positions_at(length) + (1 - part) * begin + part * end


def _stops(path: Path, relaxer: Relaxer, name: str, first: State, last: State) -> list[tuple[int, State]]:
    """Indices of the places where the ion can rest, both ends included, with all atoms relaxed."""
    stops = [(0, first)]
    for index in find_peaks(-path.energies, prominence=DEPTH)[0]:
        positions = _between(path, first, last, path.lengths[index])
        positions[path.ion] = path.places[index]
        state = relaxer.relax(f'{name}stop{index}', positions)
        others = (stops[-1][1], last)
        if all(np.linalg.norm(state.positions - one.positions, axis=1).max() > LEAVES / 2 for one in others):
            stops.append((int(index), state))
    return [*stops, (len(path.places) - 1, last)]


def _band(path: Path, relaxer: Relaxer, name: str, first: State, last: State) -> State:
    """A band between two relaxed states, whose ion begins on the path, or which goes on from where it was."""
    settings, begun = relaxer.settings, relaxer.states.get(name)
    if begun and (begun.converged or begun.steps >= settings.steps):
        return begun
    lengths = np.linspace(0, path.lengths[-1], settings.images + 2)
    guess = begun.positions if begun else [_between(path, first, last, length) for length in lengths]
    images = [relaxer.image(positions) for positions in guess]
    for image, state in ((images[0], first), (images[-1], last)):
        image.calc = SinglePointCalculator(image, energy=state.energy, forces=np.zeros_like(state.positions))
    band = _Together(images, climb=False, method='improvedtangent')
    band.prepare = relaxer.forces.prepare
    optimizer, step = FIRE(band, logfile=None), begun.steps if begun else 0
    for climbs, limit in ((False, BEGINS_TO_CLIMB * settings.fmax), (True, settings.fmax)):
        band.climb = climbs
        for converged in optimizer.irun(limit, settings.steps - step):
            step += 1
            positions = np.array([image.positions for image in images])
            force = np.sqrt((band.get_forces() ** 2).sum(axis=1).max())
            relaxer.states[name] = State(
                positions, band.energies.copy(), float(force), step, bool(climbs and converged)
            )
    return relaxer.states[name]


class _Together(NEB):
    """A band whose images are computed together where the potential can."""

    prepare: Callable[[list[Atoms]], None]

    def get_forces(self):
        self.prepare(self.images[1:-1])
        return super().get_forces()


def _barrier(path: Path, relaxer: Relaxer, states: list[State]) -> Barrier:
    """The result of states from one end of a path to the other.

    :raises NoBarrier: if all between them are lower than both ends: nothing is known of what lies between.
    """
    energies, cell = np.array([state.energy for state in states]), path.atoms.cell.array
    relative, positions = energies - energies[0], np.array([state.positions for state in states])
    top, flags = int(np.argmax(relative)), set()
    if not all(state.converged for state in states):
        flags.add('not_converged')
    for found, place in ((positions[0], path.places[0]), (positions[-1], path.places[-1])):
        if np.linalg.norm(minimum_image(found[path.ion] - place, cell)) > LEAVES:
            flags.add('end_left')
    highest, lower = relative[1:-1].max(), min(0, relative[-1])
    if highest < lower - DIFFERENCE:
        what = f'on its way ion {path.ion} is lower by {lower - highest:.3f} eV than at both ends'
        raise errors.NoBarrier(f'{what} with this potential: relax the crystal, name other sites, or take --method neb')
    if top in (0, len(states) - 1):
        flags.add('no_barrier')
    if relative[1:-1].min(initial=0.0) < -DIFFERENCE:
        flags.add('lower_place')
    moved = np.linalg.norm(minimum_image(positions[top] - positions[0], cell), axis=1)
    moved[path.ion], framework = 0, np.isin(np.arange(len(moved)), relaxer.framework)
    if moved[framework].max(initial=0) > LEAVES:
        flags.add('framework_left')
    if moved[~framework].max(initial=0) > LEAVES:
        flags.add('others_left')
    images = [relaxer.image(state.positions) for state in states]
    for image, energy in zip(images, energies):
        image.set_constraint()
        image.calc = SinglePointCalculator(image, energy=float(energy))
    lengths = np.linalg.norm(np.diff(positions[:, path.ion], axis=0), axis=1)
    values = float(relative.max()), float(relative.max() - relative[-1]), float(energies[0])
    return Barrier(path, *values, images, np.concatenate([[0.0], np.cumsum(lengths)]), relative, in_order(flags))


def in_order(flags: set[str]) -> tuple[str, ...]:
    return tuple(flag for flag in FLAGS if flag in flags)
