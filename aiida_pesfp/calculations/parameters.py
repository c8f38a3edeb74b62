"""The parameters of a scan as a user gives them in a ``Dict``, checked and completed in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pymatgen.core import Element

from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.settings.scan import ScanSettings

_SCAN_KEYS = tuple(field.name for field in fields(ScanSettings))
_DESCRIPTOR_KEYS = tuple(field.name for field in fields(DescriptorSettings))


@dataclass(frozen=True)
class ScanParameters:
    """Mobile species, and settings of scan and descriptors."""

    species: str
    scan: ScanSettings
    descriptors: DescriptorSettings

    @classmethod
    def from_dict(cls, values: dict) -> ScanParameters:
        """From a flat dictionary; what is missing has the paper's value.

        :param values: may have ``species``, ``adaptive`` as true or false, and the other fields of
            :class:`~aiida_pesfp.fingerprint.grid.ScanSettings` and
            :class:`~aiida_pesfp.fingerprint.descriptors.DescriptorSettings`.
        :raises ValueError: naming the key, its value and what is allowed.
        """
        known = ('species', *_SCAN_KEYS, *_DESCRIPTOR_KEYS)
        for key in values:
            if key not in known:
                raise ValueError(f'unknown parameter {key!r}: known are {", ".join(known)}')
        species = values.get('species', 'Li')
        if not Element.is_valid_symbol(species):
            raise ValueError(f'the species {species!r} is not the symbol of a chemical element')
        try:
            descriptors = DescriptorSettings.from_dict({key: values[key] for key in _DESCRIPTOR_KEYS if key in values})
            chosen = {key: values[key] for key in _SCAN_KEYS if key in values}
            if 'adaptive' in chosen:
                chosen['adaptive'] = descriptors.xi.threshold if chosen['adaptive'] else None
            scan = ScanSettings(**chosen)
        except TypeError as error:
            raise ValueError(f'a parameter has a wrong type or an unknown key: {error}') from error
        return cls(species, scan, descriptors)

    def command_line(self) -> list[str]:
        """The options of ``pesfp-scan`` that mean the same."""
        xi, numbers = self.descriptors.xi, lambda values: ','.join(map(repr, values))
        return [
            f'--species={self.species}',
            f'--spacing={float(self.scan.spacing)!r}',
            f'--minimum-distance={float(self.scan.minimum_distance)!r}',
            f'--grid={self.scan.grid}',
            '--symmetry' if self.scan.symmetry else '--no-symmetry',
            *(['--adaptive'] if self.scan.adaptive is not None else []),
            f'--neighbours={self.descriptors.neighbours}',
            f'--thresholds={numbers(self.descriptors.thresholds)}',
            f'--smearing={numbers(self.descriptors.smearing)}',
            '--xi',
            *map(repr, (xi.threshold, xi.connected_cut, xi.disconnected_cut, xi.slope)),
        ]


def validate_parameters(node, _) -> str | None:
    """Validator of an input port: the error message, if any."""
    try:
        ScanParameters.from_dict(node.get_dict())
    except ValueError as error:
        return str(error)
    return None
