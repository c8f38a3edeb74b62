"""Node of the conductivity at one temperature."""

from typing import Self

from aiida.orm import ArrayData

from aiida_pesfp.data.required import RequiredAttributes, attribute
from aiida_pesfp.transport.arrhenius import Point
from aiida_pesfp.transport.conductivity import Conductivity


class ConductivityData(RequiredAttributes, ArrayData):
    """Conductivity from one trajectory.

    Attributes, all to be queried: the entries of :meth:`aiida_pesfp.transport.conductivity.Conductivity.as_dict`, such
    as ``conductivity`` and ``conductivity_error`` (S/cm), ``diffusion_coefficient`` (cm^2/s), ``temperature`` (K),
    ``windows``, ``flagged``, ``flags.framework_diffuses``, ``alternatives``; besides them ``engine``,
    ``potential_name``, ``trajectory_uuid`` and whatever else is given. Arrays: the curves of
    :meth:`aiida_pesfp.transport.conductivity.Conductivity.curves`.
    """

    _REQUIRED = ('species', 'temperature', 'conductivity', 'conductivity_error', 'diffusion_coefficient', 'flags')
    _MAKER = 'from_conductivity'

    @classmethod
    def from_conductivity(cls, found: Conductivity, **attributes) -> Self:
        """An unstored node of a result.

        :param attributes: further attributes to query by, of plain JSON types.
        """
        node = cls()
        for name, array in found.curves().items():
            node.set_array(name, array)
        node.base.attributes.set_many(attributes | found.as_dict())
        return node

    temperature = attribute('temperature', 'K.')
    conductivity = attribute('conductivity', 'S/cm.')
    conductivity_error = attribute('conductivity_error', 'Half a 68.3 % confidence interval, S/cm, or None.')
    diffusion_coefficient = attribute('diffusion_coefficient', 'cm^2/s.')

    @property
    def flags(self) -> list[str]:
        """Names of the flags that apply."""
        return [flag for flag, applies in self.base.attributes.get('flags').items() if applies]

    def to_point(self, excluded: str | None = None, label: str | None = None) -> Point:
        """The point of an Arrhenius fit; ``excluded`` says why it does not enter the fit."""
        return Point(self.temperature, self.conductivity, self.conductivity_error, excluded, label)
