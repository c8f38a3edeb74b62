"""Whether positions are wrapped into the cell, in which cell, and how they become whole paths."""

from typing import NamedTuple

import numpy as np

from aiida_pesfp.errors import InvalidTrajectory

#: Number of frames that are checked or unwrapped together, to save a second copy of a large trajectory.
_BLOCK = 1024
#: Longest step between two frames, in fractions of a cell vector, whose direction is certain. It is well below one
#: half: if some steps come close to one half, others have exceeded it unseen.
LONGEST_STEP = 0.35
#: Wrapped positions span one cell vector, or a little more if a program wraps them now and then only.
_WRAPPED_SPAN = 1.25
#: Largest relative error of the lattice vectors by which wrapped ions return, and fewest crossings that show it.
_WRONG_CELL, _CROSSINGS = 0.01, 10
#: Positions that span more than the cell end at borders if more than this share of those next to a crossing are in the
#: outer quarter, and crossings are at most so many times as long as the steps. In walks that are wrapped every third
#: frame or less often in the right cell, one of the two is never so; in those wrapped in each frame, both always are.
_SHARP, _ONE_STEP = 0.2, 1.5
#: Along a vector ions are counted in so many bins. One with less than this share of the mean is empty; a gap inside the
#: cell compares with that at the border if it is not smaller than this part of it.
_BINS, _EMPTY, _GAP = 200, 0.1, 0.7


class Motion(NamedTuple):
    """How n atoms move from frame to frame, in fractions of the cell vectors.

    :param crossed: (3,) whether there are steps of more than half a vector; ``span``: (3,) how far positions spread.
    :param returns: (3,) vectors by which ions that leave the cell return on the other side, in those of the cell.
    :param longest: largest step without whole cell vectors; ``where``: before which frame, and of which atom.
    :param still: the first frame that is the same as the one before; None if there is none.
    """

    crossed: np.ndarray
    span: np.ndarray
    returns: np.ndarray
    longest: float
    where: tuple[int, int]
    still: int | None


def motion_of(positions: np.ndarray, cell: np.ndarray) -> Motion:
    """From (s, n, 3) Cartesian positions and (3, 3) lattice vectors, A."""
    inverse, longest, where, still, crossings = np.linalg.inv(cell), 0.0, (1, 0), None, []
    lowest, highest = np.full(3, np.inf), np.full(3, -np.inf)
    squares, lengths = np.zeros((2, *positions.shape[1:]))
    for begin in range(1, len(positions), _BLOCK):
        fractional = positions[begin - 1 : begin + _BLOCK] @ inverse
        lowest = np.minimum(lowest, fractional.min(axis=(0, 1)))
        highest = np.maximum(highest, fractional.max(axis=(0, 1)))
        steps = np.diff(fractional, axis=0)
        vectors = np.rint(steps)
        frames, *places = np.nonzero(vectors)
        ends = fractional[frames, *places], fractional[frames + 1, *places]
        crossings.append(np.array([np.minimum(*ends), np.maximum(*ends), *places]))
        residuals = np.abs(steps - vectors).max(axis=2)
        if residuals.max() > longest:
            longest, (frame, atom) = float(residuals.max()), np.unravel_index(residuals.argmax(), residuals.shape)
            where = int(frame) + begin, int(atom)
        if still is None and len(same := np.flatnonzero(~steps.any(axis=(1, 2)))):
            still = int(same[0]) + begin
        steps[vectors != 0] = 0
        squares, lengths = squares + (steps**2).sum(axis=0), lengths + np.abs(steps).sum(axis=0)
    low, high, atoms, axes = np.concatenate(crossings, axis=1)
    atoms, axes = atoms.astype(int), axes.astype(int)
    # A step goes over a border with a likelihood in proportion to its length.
    usual = (squares / np.maximum(lengths, 1e-12))[atoms, axes]
    found = np.array([low - lowest[axes], highest[axes] - high, usual])
    span = highest - lowest
    returns = np.array([_vector_of_return(span[axis], *found[:, axes == axis]) for axis in range(3)])
    for axis in np.flatnonzero(returns < 1):
        if _are_hops(positions, inverse[:, axis], lowest[axis], span[axis], 1 - (high - low)[axes == axis]):
            returns[axis] = 1.0
    return Motion(np.isin(range(3), axes), span, returns, longest, where, still)


def _vector_of_return(span: float, below: np.ndarray, above: np.ndarray, usual: np.ndarray) -> float:
    """How far apart the borders are over which ions go, in the cell vector.

    Ions come close to both borders. A program that wraps positions now and then only leaves ions beyond a border, but
    fewer and fewer of them, not up to a sharp end. Its positions may hide a cell that is too large.

    :param below: (m,) distances of crossing ions from the lowest position, ``above`` from the highest.
    :param usual: (m,) usual steps of these ions.
    """
    if len(usual) < _CROSSINGS:
        return 1.0
    from_border = np.array([below, above])
    near = np.median(from_border)
    smaller = span + 2 * near / len(usual) < 1 - _WRONG_CELL
    sharp = (from_border < near / 2).mean() > _SHARP and (below + above).mean() < _ONE_STEP * usual.mean()
    return float(span) if smaller or (span > 1 + _WRONG_CELL and sharp) else 1.0


def _are_hops(positions: np.ndarray, along: np.ndarray, lowest: float, span: float, over: np.ndarray) -> bool:
    """Whether ions are seen at their sites only and so leave the border empty, as much as places inside the cell.

    Steps over the border are as long as hops elsewhere then. In a cell that is too large, they are longer.

    :param along: (3,) takes Cartesian positions to the fraction of one cell vector, from ``lowest`` over ``span``.
    :param over: (m,) lengths of the steps over the border, in that vector.
    """
    typical, found, counts = np.median(over), [], np.zeros(_BINS, dtype=int)
    for begin in range(1, len(positions), _BLOCK):
        places = positions[begin - 1 : begin + _BLOCK] @ along
        steps = np.abs(np.diff(places, axis=0))
        found.append(steps[(steps > typical / 2) & (steps < 0.5)])
        counts += np.histogram(places[1:], _BINS, (lowest, lowest + span))[0]
    filled = np.flatnonzero(counts > _EMPTY * counts.mean())
    if (np.diff(filled).max() - 1) * span / _BINS < _GAP * (1 - span):
        return False
    inside = np.concatenate(found)
    if len(inside) < len(over) / 2:
        return False
    spread = np.std(over) / np.sqrt(len(over)) + np.std(inside) / np.sqrt(len(inside))
    return abs(np.mean(inside) - np.mean(over)) < _WRONG_CELL / 2 + 2 * spread


def unwrap(positions: np.ndarray, cell: np.ndarray, unwrapped: bool = False) -> None:
    """Undo, in place, the wrapping of positions into the cell: each ion moves the shortest way between two frames.

    Positions that were never wrapped do not change.

    :param positions: (s, n, 3) Cartesian, A.
    :param unwrapped: positions are said to be so, however far ions go between two frames.
    :raises InvalidTrajectory: if two frames are the same; ions return by other vectors than those of the cell; the
        shortest step may not be the real one; or positions that are said to be unwrapped are not: ions that are never
        wrapped and go far spread beyond one cell.
    """
    crossed, span, ratios, longest, (frame, atom), still = motion_of(positions, cell)
    if still is not None:
        found = f'no atom moves from frame {still - 1} to {still}'
        raise InvalidTrajectory(f'{found}: leave out frames that are there twice')
    if unwrapped:
        if len(wrapped := np.flatnonzero(crossed & (span < _WRAPPED_SPAN))):
            found = (
                f'positions jump by whole cell vectors along lattice vector {wrapped[0] + 1} and stay within one cell'
            )
            raise InvalidTrajectory(f'{found}: they are wrapped, do not say that they are not (--unwrapped)')
        return
    if (ratios != 1).any():
        given = np.linalg.norm(cell, axis=1)
        shown, given = (', '.join(f'{one:.4g}' for one in vectors) for vectors in (given * ratios, given))
        raise InvalidTrajectory(
            f'ions that leave the cell on one side return on the other as in a cell with vectors of {shown} A, and the '
            f'cell has {given} A: give that of the dynamics (--cell)'
        )
    if not crossed.any() and (longest <= LONGEST_STEP or span.max() > 1 + 1e-3):
        return
    if longest > LONGEST_STEP:
        found = f'atom {atom} moves by {longest:.2f} of a cell vector between frames {frame - 1} and {frame}'
        certain = f'In positions wrapped into the cell, displacements are certain up to {LONGEST_STEP:g} only'
        way_out = 'Store frames more often, or give positions that are not wrapped and say so'
        raise InvalidTrajectory(f'{found}. {certain}. {way_out}')
    inverse = np.linalg.inv(cell)
    for begin in range(1, len(positions), _BLOCK):
        block = positions[begin - 1 : begin + _BLOCK]  # its first frame is whole already
        crossings = np.rint(np.diff(block @ inverse, axis=0))
        block[1:] -= np.cumsum(crossings, axis=0) @ cell
