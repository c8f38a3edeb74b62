"""The potential energy surface of a structure: the result of a scan, and all that the descriptors need."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, ClassVar, Self

import numpy as np
from pymatgen.core import Structure

from aiida_pesfp.fingerprint.levels import lowest_point


@dataclass(frozen=True, kw_only=True)
class ScannedIons:
    """The ions of a structure that were scanned: what a surface and its merge tree have in common.

    Only the symmetrically inequivalent ions are scanned. A symmetry operation maps the surface of its representative
    onto that of any other ion.

    :param reference_energies: (n_scanned,) float64, total energy of the cell with the ion at its lowest point, eV.
    :param scanned_ions: (n_scanned,) indices of the scanned atoms.
    :param mobile_ions: (m,) indices of all atoms of the mobile species.
    :param representatives: (m,) position in ``scanned_ions`` of the ion that stands for each mobile ion.
    :param rotations: (m, 3, 3) integers W; with the (m, 3) ``translations`` w, x' = W x + w maps fractional coordinates
        on the representative's surface to those with the same energy on the mobile ion's, and the grid onto itself.
    :param lattice: (3, 3) lattice vectors as rows, A.
    :param fractional_coordinates: (n, 3) of all atoms of the structure, with their (n,) ``atomic_numbers``.
    :param evaluations: number of evaluated energies.
    :param starts: (s, 3) grid indices of all places that are equally good for a single ion without a site of its own
        (``others`` removed or interstitial): its lowest point and the images of it by the symmetry of its surroundings.
        Empty if each ion starts at its lowest point.
    :param xi_upper: if the scan stopped early, an upper bound of Xi, and energies are estimates; else NaN.
    :cvar FILE: name of its file in the folder of a structure.
    """

    FILE: ClassVar[str] = 'ions.npz'

    reference_energies: np.ndarray
    scanned_ions: np.ndarray
    mobile_ions: np.ndarray
    representatives: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    lattice: np.ndarray
    fractional_coordinates: np.ndarray
    atomic_numbers: np.ndarray
    evaluations: int
    starts: np.ndarray = field(default_factory=lambda: np.empty((0, 3), dtype=int))
    xi_upper: float = np.nan

    @property
    def stopped_early(self) -> bool:
        """Whether the scan stopped as soon as it was certain that Xi is small."""
        return not np.isnan(self.xi_upper)

    def numbers(self) -> dict[str, int | bool]:
        """What nodes of surfaces and merge trees have as attributes."""
        return {
            'number_of_mobile_ions': len(self.mobile_ions),
            'number_of_scanned_ions': len(self.scanned_ions),
            'evaluations': self.evaluations,
            'stopped_early': self.stopped_early,
        }

    @property
    def crystal(self) -> Structure:
        """What was scanned, without an ion that has no site of its own."""
        atoms = np.setdiff1d(np.arange(len(self.atomic_numbers)), self.mobile_ions if len(self.starts) else [])
        return Structure(self.lattice, self.atomic_numbers[atoms], self.fractional_coordinates[atoms])

    def position_of(self, ion: int) -> int:
        """Position of atom ``ion`` in :attr:`mobile_ions`; ``ValueError`` if it is not a mobile ion."""
        found = np.flatnonzero(self.mobile_ions == ion)
        if not len(found):
            raise ValueError(f'atom {ion} is not a mobile ion: these are {", ".join(map(str, self.mobile_ions))}')
        return int(found[0])

    def ions(self) -> 'ScannedIons':
        """What it has in common with the others."""
        return ScannedIons(**{one.name: getattr(self, one.name) for one in fields(ScannedIons)})

    def as_arrays(self) -> dict[str, np.ndarray]:
        """The fields as arrays by name, as files and nodes hold them."""
        return {one.name: np.asarray(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_arrays(cls, arrays) -> Self:
        """Build from a mapping of :meth:`as_arrays`; ``KeyError`` if an array is missing that has no default."""
        later = ('starts', 'xi_upper')
        names = (one.name for one in fields(cls) if one.name not in later or one.name in arrays)
        values = {name: np.asarray(arrays[name]) for name in names}
        # What is no array is a number or a word.
        return cls(**{name: value if value.ndim else value.item() for name, value in values.items()})

    def save(self, path: str | Path | IO[bytes]) -> None:
        """Write as compressed .npz."""
        np.savez_compressed(path, **self.as_arrays())

    @classmethod
    def load(cls, path: str | Path | IO[bytes]) -> Self:
        """Read what :meth:`save` wrote."""
        with np.load(path) as arrays:
            return cls.from_arrays(arrays)


@dataclass(frozen=True, kw_only=True)
class PotentialEnergySurface(ScannedIons):
    """Energies of every mobile ion of a structure on the scan grid, one grid per scanned ion.

    :param energies: (n_scanned, N1, N2, N3), eV relative to the lowest point of the same ion; NaN where it was not
        evaluated. A scan has double precision; ``PesData`` stores single precision, which all derived numbers have.
    """

    FILE: ClassVar[str] = 'pes.npz'

    energies: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of grid points along each lattice vector."""
        return self.energies.shape[1:]

    def starts_of(self, position: int) -> list[tuple[int, int, int]]:
        """Grid indices of the points from which the mobile ion at ``position`` starts."""
        return [tuple(map(int, start)) for start in self.starts] or [lowest_point(self.of_ion(position))]

    def on_grid(self, position: int) -> np.ndarray:
        """(N1, N2, N3) energies, eV, of the mobile ion at ``position`` in :attr:`mobile_ions`; NaN where excluded."""
        return self.moved(self.energies[self.representatives[position]], position)

    def moved(self, values: np.ndarray, position: int) -> np.ndarray:
        """(N1, N2, N3) values for the mobile ion at ``position``, from those for its representative."""
        rotation, translation = self.rotations[position], self.translations[position]
        if np.array_equal(rotation, np.eye(3, dtype=int)) and not translation.any():
            return values
        shape = np.asarray(self.shape)
        places = np.stack(np.unravel_index(np.arange(values.size), self.shape), axis=-1) / shape
        images = np.rint((places @ rotation.T + translation) * shape).astype(int) % shape
        mapped = np.empty_like(values)
        mapped[tuple(images.T)] = values.ravel()
        return mapped

    def of_ion(self, position: int) -> np.ndarray:
        """As :meth:`on_grid`, but points that were not evaluated have the largest evaluated energy of the ion.

        In single precision, so that descriptors are identical before and after storage.
        """
        energies = self.on_grid(position).astype(np.float32)
        return np.where(np.isnan(energies), np.nanmax(energies), energies)
