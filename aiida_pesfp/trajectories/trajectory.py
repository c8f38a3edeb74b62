"""A trajectory for the analysis: positions that are not wrapped, equal time steps, one cell."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from ase.data import atomic_masses, atomic_numbers, covalent_radii
from ase.neighborlist import primitive_neighbor_list

from aiida_pesfp.errors import InvalidTrajectory, NoMobileSpecies, TrajectoryTooShort
from aiida_pesfp.trajectories.wrapping import unwrap

#: Largest relative changes of a cell vector and of a time step that count as rounding.
_CELL_TOLERANCE, _TIME_TOLERANCE = 1e-4, 1e-3
#: No ion is farther away, and no lattice vector longer, A. Atoms of the densest crystals have 5 A^3 each.
_FARTHEST, _LEAST_VOLUME = 1e6, 1.0
#: So many atoms of a crystal span more than this share of the cell; less than the second is doubtful if it is empty.
_MANY_ATOMS, _LEAST_SPAN, _DOUBTFUL_SPAN = 8, 0.4, 0.7
#: Volume of the atoms' covalent spheres in that of the cell: 0.12 to 1.0 in 358 ordered crystals, 6.7 times less if the
#: cell is in Bohr. Open frameworks have less than the first.
_LEAST_FILLING, _DOUBTFUL_FILLING, _MOST_FILLING = 0.1, 0.15, 1.5
#: Distance of the nearest atom by the sum of covalent radii: the least, and the median over atoms. In these crystals,
#: with atoms moved by 0.26 A, they are at least 0.33, and 0.73 to 1.08. With positions in Bohr in a cell in A, the
#: least is below 0.33 in all; with both in Bohr, they are 1.9 times as large.
_LEAST_CONTACT, _MEDIAN_CONTACT = 0.33, (0.65, 1.35)


@dataclass(frozen=True)
class Trajectory:
    """Positions of n atoms at s instants.

    :param symbols: of the n atoms.
    :param positions: (s, n, 3) Cartesian, not wrapped, A.
    :param times: (s,) ps.
    :param cell: (3, 3) lattice vectors as rows, A.
    :raises InvalidTrajectory: if shapes do not match, a number is not finite, the cell has no volume, or the instants
        are not equally spaced.
    """

    symbols: tuple[str, ...]
    positions: np.ndarray
    times: np.ndarray
    cell: np.ndarray

    def __post_init__(self):
        shape = (len(self.times), len(self.symbols), 3)
        if self.positions.shape != shape:
            found = self.positions.shape
            raise InvalidTrajectory(f'{shape[0]} times and {shape[1]} symbols, but positions of the shape {found}')
        _check_cell(self.cell, len(self.symbols))
        check_finite(self.positions)
        _check_times(self.times)

    @property
    def volume(self) -> float:
        """Volume of the cell, A^3."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def time_step(self) -> float:
        """Time between two frames, ps."""
        return float((self.times[-1] - self.times[0]) / (len(self.times) - 1))

    @property
    def duration(self) -> float:
        """Time between the first and the last frame, ps."""
        return float(self.times[-1] - self.times[0])

    def indices(self, species: str) -> np.ndarray:
        """Indices of the atoms of an element; :class:`~aiida_pesfp.errors.NoMobileSpecies` if there is none."""
        found = np.flatnonzero(np.array(self.symbols) == species)
        if not len(found):
            known = ', '.join(sorted(set(self.symbols)))
            raise NoMobileSpecies(
                f'no {species} among the elements of the trajectory ({known}): name the mobile species'
            )
        return found

    def framework_drift(self, species: str) -> np.ndarray:
        """(s, 3) displacement of the centre of mass of all but the mobile species since the first frame, A."""
        masses = np.array([atomic_masses[atomic_numbers[symbol]] for symbol in self.symbols])
        masses[self.indices(species)] = 0
        if not masses.any():
            return np.zeros((len(self.times), 3))
        centre = np.einsum('sni,n->si', self.positions, masses / masses.sum())
        return centre - centre[0]

    def after(self, equilibration: float) -> Self:
        """The trajectory without its first ``equilibration`` ps; an error if fewer than two frames remain."""
        first = int(np.searchsorted(self.times - self.times[0], equilibration - 1e-6 * self.time_step))
        if len(self.times) - first < 2:
            length = f'{self.duration:g} ps, all of them within the equilibration of {equilibration:g} ps'
            raise TrajectoryTooShort(f'the trajectory has {length}')
        return Trajectory(self.symbols, self.positions[first:], self.times[first:], self.cell)


def check_finite(positions: np.ndarray) -> None:
    """Raise :class:`~aiida_pesfp.errors.InvalidTrajectory` if one of (s, n, 3) positions is no number, or absurd."""
    if positions.size and not (positions.min() > -_FARTHEST and positions.max() < _FARTHEST):  # NaN is neither
        frame, atom, axis = np.argwhere(~(np.abs(positions) < _FARTHEST))[0]
        value = positions[frame, atom, axis]
        found = f'is {value:g} A from the origin' if np.isfinite(value) else 'is not a number'
        where = f'the position of atom {atom} in frame {frame} {found}'
        raise InvalidTrajectory(f'{where}: the dynamics failed there, use the frames before it')


def check_scale(symbols: tuple[str, ...], positions: np.ndarray, cell: np.ndarray) -> list[str]:
    """Check that (n, 3) positions and the cell of n atoms are in one unit, A; returns notes on a doubtful cell.

    :raises InvalidTrajectory: if atoms overlap, or are as far apart as in no solid, or fill a corner of the cell.
    """
    radii = covalent_radii[[atomic_numbers[symbol] for symbol in symbols]]
    filling = (4 / 3 * np.pi * radii**3).sum() / abs(np.linalg.det(cell))
    span, several = np.ptp(positions @ np.linalg.inv(cell), axis=0).max(), len(symbols) >= _MANY_ATOMS
    if several and (span < _LEAST_SPAN or (span < _DOUBTFUL_SPAN and filling < _DOUBTFUL_FILLING)):
        fault = f'lie within {100 * span:.0f} % of the cell vectors'
    else:
        nearest = _nearest(radii, positions, cell) if filling <= _MOST_FILLING else np.zeros(1)
        (least, most), median = _MEDIAN_CONTACT, np.median(nearest)
        overlap = nearest.min() < _LEAST_CONTACT or (several and median < least)
        far = several and len(set(symbols)) > 1 and median > most
        fault = 'overlap' if overlap else 'are too far apart' if far else None
    if fault:
        way_out = 'give positions and cell in the same unit, A (not Bohr, nm or fractions)'
        raise InvalidTrajectory(f'atoms of the first frame {fault}: {way_out}')
    empty = several and filling < _LEAST_FILLING
    return [f'atoms fill {100 * filling:.0f} % of the cell only: is it in A, not in Bohr?'] if empty else []


def _nearest(radii: np.ndarray, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """(n,) distance of each atom's nearest neighbour by the sum of their (n,) radii; infinite if it is far."""
    reach, nearest = 2 * _MEDIAN_CONTACT[1] * radii.max(), np.full(len(radii), np.inf)
    first, second, distances = primitive_neighbor_list('ijd', (True,) * 3, cell, positions, reach)
    np.minimum.at(nearest, first, distances / (radii[first] + radii[second]))
    return nearest


def _check_cell(cell: np.ndarray, atoms: int = 1) -> None:
    """Check that a cell is one, with room for a number of atoms."""
    cell = np.asarray(cell, dtype=float)
    if cell.shape != (3, 3) or not (np.abs(cell) < _FARTHEST).all() or not np.linalg.det(cell):
        raise InvalidTrajectory(f'the cell {cell.tolist()} has no volume: give the cell of the simulation')
    if (volume := abs(np.linalg.det(cell))) < _LEAST_VOLUME * atoms:
        way_out = 'give the cell of the simulation in A'
        raise InvalidTrajectory(f'the cell of {volume:.3g} A^3 is too small for {atoms} atoms: {way_out}')


def _check_times(times: np.ndarray) -> None:
    """Check that there are at least two instants, equally spaced and in order."""
    if len(times) < 2:
        raise TrajectoryTooShort(f'a trajectory of {len(times)} frames has no displacement')
    steps = np.diff(np.asarray(times, dtype=float))
    if not np.isfinite(steps).all() or steps[0] <= 0:
        raise InvalidTrajectory(f'time goes from {times[0]:g} to {times[1]:g} ps at the first step')
    wrong = np.flatnonzero(np.abs(steps - steps[0]) > _TIME_TOLERANCE * steps[0])
    if len(wrong):
        frame = int(wrong[0])
        found = f'{steps[0]:g} ps at first and {steps[frame]:g} ps from frame {frame} to {frame + 1}'
        way_out = 'frames are missing, or were not stored at equal intervals; analyse the parts separately'
        raise InvalidTrajectory(f'the time step is {found}: {way_out}')


def constant_cell(cells: np.ndarray) -> np.ndarray:
    """The cell of a trajectory at constant volume, from the (s, 3, 3) cells of its frames, A.

    :raises InvalidTrajectory: if they differ by more than rounding.
    """
    cells = np.asarray(cells, dtype=float)
    _check_cell(cells[0])
    change = np.linalg.norm(cells - cells[0], axis=2) / np.linalg.norm(cells[0], axis=1)
    frame, vector = np.unravel_index(np.argmax(change), change.shape)
    if not change[frame, vector] <= _CELL_TOLERANCE:
        found = f'lattice vector {vector + 1} changes by {100 * change[frame, vector]:.3g} % until frame {frame}'
        way_out = 'run the production at constant volume'
        raise InvalidTrajectory(f'{found}: the conductivity needs a constant cell, {way_out}')
    return cells[0]


def whole_trajectory(
    symbols: tuple[str, ...], positions: np.ndarray, times: np.ndarray, cell: np.ndarray, unwrapped: bool = False
) -> tuple[Trajectory, list[str]]:
    """Check what a program wrote, undo the wrapping of positions into the cell in place, and note what is doubtful.

    Parameters and further errors are those of :class:`Trajectory`, :func:`check_scale` and :func:`unwrap`.

    :raises InvalidTrajectory: if a frame is the same as the one before.
    """
    trajectory = Trajectory(symbols, positions, times, cell)  # NaN is no long step
    notes = check_scale(symbols, positions[0], cell)
    unwrap(positions, cell, unwrapped)
    return trajectory, notes
