"""What a potential and a family of potentials are to the rest of the package.

The AiiDA side imports this module too, so it needs neither torch nor the package of any potential.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from aiida_pesfp.errors import PotentialError, UnsupportedElement
from aiida_pesfp.potentials.catalogue import Known
from aiida_pesfp.potentials.downloads import sha256_of
from aiida_pesfp.potentials.trust import reason, without_code

if TYPE_CHECKING:
    import numpy as np
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure


@dataclass(frozen=True)
class PotentialIdentity:
    """Which potential it is.

    :param name: for people: the requested name, or that of the file or folder.
    :param kind: its family, such as ``'sevennet'``.
    :param sha256: hash of the weights, or of the description of an ASE calculator.
    :param package: distribution that evaluates it, in the ``package_version`` of this machine.
    :param path: file or folder of the weights on this machine; None for an ASE calculator without a file.
    :param trusted: whether the weights may run code when they are read.
    :param variant: which of several potentials in one file: its modality, head, or task.
    :param model: what evaluates the weights, where that is no property of theirs: a model of torch-sim.
    """

    name: str
    kind: str
    sha256: str
    package: str
    package_version: str
    path: str | None
    trusted: bool = False
    variant: str | None = None
    model: str | None = None

    def with_variant(self, variant: str) -> PotentialIdentity:
        """One of the potentials in the file, which has a hash of its own."""
        digest = hashlib.sha256(f'{self.sha256}:{variant}'.encode()).hexdigest()
        return replace(self, name=f'{self.name}:{variant}', sha256=digest, variant=variant)


class Evaluator(ABC):
    """Energies of one structure. What depends on the structure but not on the place of the ion is computed once.

    :ivar points_per_call: how many positions a caller should pass at once, so that its own work does not show.
    """

    points_per_call: int = 64

    @abstractmethod
    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        """(M,) total energies of the cell, eV, with atom ``ion`` and its images at each of the (M, 3) ``positions``, A.

        :raises StructureError: if the structure cannot be evaluated.
        :raises OutOfMemory: if not even one configuration fits into the device's memory.
        """


class Potential(ABC):
    """A potential that is loaded once and evaluates any number of structures.

    :ivar identity: which potential it is.
    :ivar device: where it runs.
    :ivar symbols: the elements that it was made for; None if that is not known.
    """

    identity: PotentialIdentity
    device: object
    symbols: Collection[str] | None = None

    @property
    def is_parallel(self) -> bool:
        """Whether many configurations at once take little longer than one, as for a network on a GPU."""
        return False

    @abstractmethod
    def evaluator(self, structure: Structure) -> Evaluator:
        """The evaluator of one structure.

        :raises UnsupportedElement: if the potential was not made for one of its elements.
        """

    def energies(self, structures: Sequence[Structure]) -> list[float]:
        """Total energies of whole structures, eV: many at once where that is quicker.

        :raises StructureError: if one cannot be evaluated.
        """
        return [float(self.evaluator(one).energies(0, one.cart_coords[:1])[0]) for one in structures]

    def energies_and_forces(self, structures: Sequence[Structure]) -> list[tuple[float, np.ndarray]] | None:
        """Total energies of whole structures, eV, and their (n, 3) forces, eV/A, all at once.

        None if the potential can compute only one after the other, as its calculator does.

        :raises StructureError: if one cannot be evaluated.
        """
        return None

    @abstractmethod
    def calculator(self, structure: Structure) -> Calculator:
        """An ASE calculator for dynamics or relaxation: energy, forces and, if the potential has it, stress.

        :raises UnsupportedElement: if the potential was not made for one of its elements.
        """

    def check_elements(self, structure: Structure) -> None:
        """Raise :class:`~aiida_pesfp.errors.UnsupportedElement` unless the potential knows all elements."""
        unknown = sorted(set(structure.symbol_set).difference(self.symbols))
        if unknown:
            what = f'the potential {self.identity.name} does not know {", ".join(unknown)}'
            raise UnsupportedElement(f'{what}: take another potential')


class Family(ABC):
    """A kind of potential: how its files are recognised, which files belong together, and how it is loaded.

    A package offers a subclass by an entry point of the group ``pesfp.potentials``. The module of the subclass must not
    import torch or the package that evaluates: identification has to be quick and to run no code from the weights.

    :cvar kind: name of the family and of its entry point.
    :cvar package: distribution that evaluates it.
    :cvar requirement: what ``pip install`` needs for it, if that is not ``package``.
    :cvar implementation: ``'module:Class'`` of the :class:`Potential`. The class is called with identity, device and
        batch size, and its module is imported only when a potential is loaded.
    :cvar accepts: for messages, what it recognises.
    :cvar known: weights that have a name and stand in no catalogue of this package.
    :cvar has_variants: whether weights may hold several potentials, of which one is named behind a colon.
    """

    kind: ClassVar[str]
    package: ClassVar[str]
    requirement: ClassVar[str | None] = None
    implementation: ClassVar[str]
    accepts: ClassVar[str]
    known: ClassVar[tuple[Known, ...]] = ()
    has_variants: ClassVar[bool] = False

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether a file or folder looks like weights of this family.

        :raises PotentialError: if it does but is damaged.
        """

    def files(self, path: Path) -> list[Path]:
        """The files of the weights at a path: those that have to travel to another machine."""
        return [path]

    def sha256(self, path: Path) -> str:
        """SHA-256 of one file; if several belong together, that of their names and hashes, wherever they lie.

        :raises PotentialError: if the weights are damaged.
        """
        return sha256_of(self.files(path))

    def identity(self, path: Path, name: str) -> PotentialIdentity:
        """:raises PotentialError: if the weights at the path are damaged."""
        return PotentialIdentity(name, self.kind, self.sha256(path), self.package, version(self.package), str(path))

    def by_name(self, name: str) -> PotentialIdentity | None:
        """The potential of a name that only this family can read, such as one with a prefix; None for any other name.

        :raises PotentialError: if it is a name of this family, but there is no such potential.
        """
        return None

    def online(self, name: str) -> Path | None:
        """Weights from a public collection of this family, fetched now; None if there is no collection.

        :raises PotentialError: if the collection has no such name or cannot be reached.
        """
        return None

    def with_variant(self, identity: PotentialIdentity, variant: str | None) -> PotentialIdentity:
        """One of the potentials in the weights of an identity; the identity itself if no variant is named.

        :raises PotentialError: if these weights do not hold several.
        """
        if variant and not self.has_variants:
            raise PotentialError(f'{identity.name} holds one potential: leave out :{variant}')
        return identity.with_variant(variant) if variant else identity

    def embedded_file(self, known: Known) -> Path:
        """The file of embedded weights.

        :raises PotentialError: if the package is not installed, or has no such file.
        """
        package, _, file = known.embedded.partition('/')
        found = importlib.util.find_spec(package)  # of a top-level package, this does not import it
        if found is None or not found.submodule_search_locations:
            raise PotentialError(f'the Python package {package} is not installed here: {self._remedy()}')
        path = Path(found.submodule_search_locations[0]) / file
        if not path.is_file():
            raise PotentialError(f'{self.package} {version(self.package)} lacks {file}: {self._remedy("--upgrade ")}')
        return path

    def load(self, identity: PotentialIdentity, device: str, batch_size: int | None) -> Potential:
        """:raises PotentialError: if package or device are missing, or the weights cannot be loaded or trusted."""
        try:
            with without_code(identity.trusted):
                return pkgutil.resolve_name(self.implementation)(identity, device, batch_size)
        except PotentialError:
            raise
        except ImportError as error:
            what = f'the Python package {self.package} cannot be imported ({error})'
            raise PotentialError(f'{what}: {self._remedy()}') from error
        except (Exception, SystemExit) as error:  # a package of someone else may fail in any way
            raise PotentialError(f'the potential {identity.name} cannot be loaded: {reason(error)}') from error

    def _remedy(self, option: str = '') -> str:
        return f'pip install {option}{self.requirement or self.package}'


def version(package: str) -> str:
    """Version of an installed distribution, ``'unknown'`` if there is none."""
    try:
        return importlib.metadata.version(package)
    except (importlib.metadata.PackageNotFoundError, ValueError):  # an empty name
        return 'unknown'
