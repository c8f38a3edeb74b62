"""All descriptors of a potential energy surface: the table of quantities, and the free-volume spectrum.

Xi itself is in ``quantities.py``.
"""

from dataclasses import dataclass
from itertools import groupby

from aiida_pesfp.fingerprint.grid import grid_vectors
from aiida_pesfp.fingerprint.levels import neighbour_steps
from aiida_pesfp.fingerprint.maps import ion_maps, to_cell_frame
from aiida_pesfp.fingerprint.percolation import lowest_loop
from aiida_pesfp.fingerprint.quantities import OF_EACH_ION, QUANTITIES, Landscape, free_volumes, stopped_early
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


def describe(surface: PotentialEnergySurface, settings: DescriptorSettings = DescriptorSettings()) -> Descriptors:
    """Descriptors of a surface, aggregated over its mobile ions (Sec. II A).

    Energies of the structure are the minimum over ions, as one ion moves at a time. Free volumes are those of the union
    over ions: a place lies below t for any of them if the minimum over them does. So are those of a single ion that may
    start from several equivalent places, and its barriers are the lowest of them.
    """
    steps = neighbour_steps(grid_vectors(surface.lattice, surface.shape), settings.neighbours)
    thresholds = sorted({*settings.thresholds, settings.xi.threshold})
    highest = max(thresholds) + max(settings.smearing)
    union, ions = None, []
    for position, starts in groupby(ion_maps(surface, steps, stop_above=highest), key=lambda maps: maps.position):
        own = None
        for maps in starts:
            levels = to_cell_frame(maps.levels, maps.centre)
            one = Landscape(maps.energies, levels, maps.periodic, maps.mpe, barriers=maps.barriers)
            own = one if own is None else own.lowest(one)
        union = own if union is None else union.lowest(own)
        index = int(surface.mobile_ions[position])
        scanned = int(surface.scanned_ions[surface.representatives[position]])
        values = {quantity.name: quantity.function(own, settings) for quantity in OF_EACH_ION}
        ions.append(IonDescriptors(index, scanned, surface.fractional_coordinates[index].tolist(), values))
    # Each region of points that some ion reaches holds the site of one, so the lowest loop of all leads through one.
    joint = lowest_loop(union.periodic, steps)
    union = Landscape(union.energies, union.levels, union.periodic, joint=joint, xi_upper=surface.xi_upper)
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
