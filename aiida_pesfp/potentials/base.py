"""What a potential and a family of potentials are to the rest of the package.

The AiiDA side imports this module too, so it needs neither torch nor the package of any potential.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from aiida_pesfp.errors import PotentialError, UnsupportedElement
from aiida_pesfp.potentials.downloads import Download

if TYPE_CHECKING:
    import numpy as np
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure


@dataclass(frozen=True)
class PotentialIdentity:
    """Which potential it is.

    :param name: for people: the name that was asked for, or that of the file or folder.
    :param kind: the family that evaluates it, such as ``'sevennet'``.
    :param sha256: hash of the weights; of an ASE calculator, hash of its description.
    :param package: distribution that evaluates it.
    :param package_version: version of that distribution on this machine.
    :param path: file or folder of the weights on this machine; None for an ASE calculator without a file.
    """

    name: str
    kind: str
    sha256: str
    package: str
    package_version: str
    path: str | None

    def as_dict(self) -> dict:
        """As a dictionary of plain JSON types."""
        return asdict(self)


class Evaluator(ABC):
    """Energies of one structure. What depends on the structure but not on the place of the ion is computed once.

    :ivar points_per_call: how many positions a caller should pass at once, so that its own work does not show.
    """

    points_per_call: int = 64

    @abstractmethod
    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        """(M,) total energies of the cell, eV, with atom ``ion`` and its images at each of the (M, 3) ``positions``, A.

        All other atoms stay where they are in the structure.

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

    @abstractmethod
    def evaluator(self, structure: Structure) -> Evaluator:
        """The evaluator of one structure.

        :raises UnsupportedElement: if the potential was not made for one of its elements.
        """

    @abstractmethod
    def calculator(self, structure: Structure) -> Calculator:
        """An ASE calculator of the energy, the forces on all atoms and, if the potential has it, the stress.

        It serves dynamics or a relaxation of this structure, with atoms in any place and any cell.

        :raises UnsupportedElement: if the potential was not made for one of its elements.
        """

    def check_elements(self, structure: Structure) -> None:
        """Raise :class:`~aiida_pesfp.errors.UnsupportedElement` unless the potential knows all elements."""
        unknown = sorted(set(structure.symbol_set).difference(self.symbols))
        if unknown:
            raise UnsupportedElement(
                f'the potential {self.identity.name} does not know {", ".join(unknown)}: take another potential'
            )


class Family(ABC):
    """A kind of potential: how its files are recognised, which files belong together, and how it is loaded.

    A package offers a family by an entry point of the group ``pesfp.potentials`` that names a subclass. The module of
    the subclass must import neither torch nor the package that evaluates: identification has to be quick and to run no
    code from the weights.

    :cvar kind: name of the family; it is stored as ``kind`` with each potential.
    :cvar package: distribution that evaluates it.
    :cvar requirement: what ``pip install`` needs for it, if that is not ``package``.
    :cvar implementation: ``'module:Class'`` of the :class:`Potential`. The class is called with identity, device and
        batch size, and its module is imported only when a potential is loaded.
    :cvar accepts: what it recognises, in words, for messages.
    :cvar embedded: weights inside an installed package: name -> file, as ``'package/folder/file'``.
    :cvar downloads: published weights that are fetched by name.
    """

    kind: ClassVar[str]
    package: ClassVar[str]
    requirement: ClassVar[str | None] = None
    implementation: ClassVar[str]
    accepts: ClassVar[str]
    embedded: ClassVar[Mapping[str, str]] = {}
    downloads: ClassVar[tuple[Download, ...]] = ()

    @property
    def names(self) -> list[str]:
        """The names of embedded and published weights."""
        return [*self.embedded, *(download.name for download in self.downloads)]

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether a file or folder looks like weights of this family.

        :raises PotentialError: if it does but is damaged.
        """

    def files(self, path: Path) -> list[Path]:
        """The files of the weights at a path: those that have to travel to another machine."""
        return [path]

    def sha256(self, path: Path) -> str:
        """Hash of the weights at a path, independent of where they lie.

        :raises PotentialError: if the weights are damaged.
        """
        return hash_files(self.files(path))

    def identity(self, path: Path, name: str) -> PotentialIdentity:
        """The identity of the weights at a path.

        :raises PotentialError: if the weights are damaged.
        """
        return PotentialIdentity(name, self.kind, self.sha256(path), self.package, version(self.package), str(path))

    def by_name(self, name: str) -> PotentialIdentity | None:
        """The potential of a name that this family has reserved; None if it has not.

        :raises PotentialError: if its weights are not on this machine and cannot be fetched.
        """
        if name in self.embedded:
            return self.identity(self.embedded_file(name), name)
        for download in self.downloads:
            if name == download.name:
                return self.identity(download.fetch(), name)
        return None

    def online(self, name: str) -> Path | None:
        """Weights of any other name in a public collection of this family, fetched; None if there is no collection.

        :raises PotentialError: if the collection has no such name or cannot be reached.
        """
        return None

    def embedded_file(self, name: str) -> Path:
        """The file of embedded weights.

        :raises PotentialError: if the package is not installed, or has no such file.
        """
        package, _, file = self.embedded[name].partition('/')
        found = importlib.util.find_spec(package)  # of a top-level package, this does not import it
        if found is None or not found.submodule_search_locations:
            raise PotentialError(f'the Python package {package} is not installed here: {self._remedy()}')
        path = Path(found.submodule_search_locations[0]) / file
        if not path.is_file():
            raise PotentialError(f'{self.package} {version(self.package)} lacks {file}: {self._remedy("--upgrade ")}')
        return path

    def load(self, identity: PotentialIdentity, device: str, batch_size: int | None) -> Potential:
        """Load a potential of this family.

        :raises PotentialError: if the package or the device is missing, or the weights cannot be loaded or trusted.
        """
        try:
            implementation = pkgutil.resolve_name(self.implementation)
        except ImportError as error:
            raise PotentialError(
                f'the Python package {self.package} cannot be imported ({error}): {self._remedy()}'
            ) from error
        return implementation(identity, device, batch_size)

    def _remedy(self, option: str = '') -> str:
        return f'pip install {option}{self.requirement or self.package}'


def version(package: str) -> str:
    """Version of an installed distribution, ``'unknown'`` if there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return 'unknown'


def hash_files(files: list[Path]) -> str:
    """SHA-256 of the content of one file; of the names and hashes of several, so that a copy elsewhere has the same."""
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    if len(files) == 1:
        return digests[0]
    listing = ''.join(f'{digest}  {file.name}\n' for file, digest in sorted(zip(files, digests)))
    return hashlib.sha256(listing.encode()).hexdigest()
