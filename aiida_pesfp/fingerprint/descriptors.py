"""All descriptors of a potential energy surface: the table of quantities, and the free-volume spectrum.

Xi itself is in ``quantities.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from aiida_pesfp.fingerprint.maps import landscapes
from aiida_pesfp.fingerprint.merge_tree import MergeTree
from aiida_pesfp.fingerprint.quantities import OF_EACH_ION, QUANTITIES, free_volumes, stopped_early
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.settings.descriptors import DescriptorSettings


class _WithValues:
    """Gives each quantity in ``values`` as an attribute."""

    def __getattr__(self, name: str) -> float:
        if name not in self.__dict__.get('values', {}):
            raise AttributeError(f'{type(self).__name__} has no {name!r}')
        return self.values[name]


@dataclass(frozen=True)
class IonDescriptors(_WithValues):
    """The descriptors of one mobile ion on its own; each quantity is an attribute too.

    :param index: of the atom in the structure, with its ``fractional_coordinates``.
    :param equivalent_to: index of the equivalent atom that was scanned; its own if it was scanned itself.
    :param values: name -> value of each of :data:`~aiida_pesfp.fingerprint.quantities.OF_EACH_ION`.
    """

    index: int
    equivalent_to: int
    fractional_coordinates: list[float]
    values: dict[str, float]

    def as_dict(self) -> dict:
        """As a flat dictionary of plain JSON types."""
        return {name: value for name, value in vars(self).items() if name != 'values'} | self.values


@dataclass(frozen=True)
class Descriptors(_WithValues):
    """The fingerprint of one structure; each quantity is an attribute too: ``descriptors.xi``.

    :param values: name -> value of each of :data:`~aiida_pesfp.fingerprint.quantities.QUANTITIES`.
    :param spectrum: ``thresholds`` (eV) and the ``connected`` and ``disconnected`` free volumes at each.
    :param ions: every mobile ion on its own.
    """

    values: dict[str, float]
    spectrum: dict[str, list[float]]
    ions: list[IonDescriptors]

    def as_dict(self) -> dict:
        """As a dictionary of plain JSON types, with the quantities at the top level."""
        found = {'stopped_early': stopped_early(self.values), 'spectrum': self.spectrum}
        return self.values | found | {'ions': [ion.as_dict() for ion in self.ions]}

    @classmethod
    def from_dict(cls, content: Mapping) -> Self:
        """From what :meth:`as_dict` gave; ``KeyError`` if it is older than a quantity."""
        own = ('index', 'equivalent_to', 'fractional_coordinates')
        ions = [
            IonDescriptors(*(ion[name] for name in own), {one.name: ion[one.name] for one in OF_EACH_ION})
            for ion in content['ions']
        ]
        return cls({one.name: content[one.name] for one in QUANTITIES}, content['spectrum'], ions)


def describe(
    surface: PotentialEnergySurface | MergeTree, settings: DescriptorSettings = DescriptorSettings()
) -> Descriptors:
    """Descriptors of a surface, aggregated over its mobile ions (Sec. II A); the same from its merge tree.

    Energies of the structure are the minimum over ions, as one ion moves at a time. Free volumes are those of the union
    over ions: a place lies below t for any of them if the minimum over them does. So are those of a single ion that may
    start from several equivalent places, and its barriers are the lowest of them.

    :raises ValueError: if a merge tree is of another neighbour rule, or holds no free volumes at such thresholds.
    """
    thresholds = sorted({*settings.thresholds, settings.xi.threshold})
    if isinstance(surface, MergeTree):
        found = surface.landscapes(settings.neighbours, settings.highest)
    else:
        found = landscapes(surface, settings.neighbours, settings.highest)
    ions = []
    for index, representative, own in zip(surface.mobile_ions, surface.representatives, found):
        values = {quantity.name: quantity.function(own, settings) for quantity in OF_EACH_ION}
        place = surface.fractional_coordinates[index].tolist()
        ions.append(IonDescriptors(int(index), int(surface.scanned_ions[representative]), place, values))
    union = next(found)
    values = {
        one.name: one.over_ions([ion.values[one.name] for ion in ions])
        if one.over_ions
        else one.function(union, settings)
        for one in QUANTITIES
    }
    spectrum = {
        'thresholds': thresholds,
        'connected': free_volumes(union.levels, thresholds, settings.smearing),
        'disconnected': free_volumes(union.energies, thresholds, settings.smearing),
    }
    return Descriptors(values, spectrum, ions)
