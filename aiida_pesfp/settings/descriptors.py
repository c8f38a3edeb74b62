"""Settings of the reduction of a surface to descriptors (arXiv:2411.06804, Eq. 2 to 4)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

NEIGHBOUR_RULES = ('sqrt3', '26', '6')


@dataclass(frozen=True)
class XiParameters:
    """Parameters of Eq. 4. They were tuned for one potential and lithium; another potential needs its own.

    :param threshold: energy t at which both free volumes are taken, eV.
    :param connected_cut: of log10 of the connected free volume.
    :param disconnected_cut: of log10 of the disconnected free volume.
    :param slope: of the sigmoid.
    """

    threshold: float = 0.5
    connected_cut: float = -2.00
    disconnected_cut: float = -1.15
    slope: float = 10.0


@dataclass(frozen=True)
class DescriptorSettings:
    """How a surface is reduced to descriptors.

    :param thresholds: energies t of the free-volume spectrum, eV (Fig. 3).
    :param smearing: a free volume is the mean over t + each of these, eV (the published numbers were made so).
    :param neighbours: rule of :func:`~aiida_pesfp.fingerprint.levels.neighbour_steps`.
    :param xi: parameters of Eq. 4.
    """

    thresholds: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
    smearing: tuple[float, ...] = (-0.04, -0.02, 0.0, 0.02, 0.04)
    neighbours: str = 'sqrt3'
    xi: XiParameters = field(default_factory=XiParameters)

    def __post_init__(self):
        if self.neighbours not in NEIGHBOUR_RULES:
            raise ValueError(f'unknown neighbour rule {self.neighbours!r}: take one of {", ".join(NEIGHBOUR_RULES)}')
        if not self.thresholds or not self.smearing:
            raise ValueError('at least one threshold and one smearing offset are needed')

    @classmethod
    def from_dict(cls, values: dict) -> DescriptorSettings:
        """Build from the plain dictionary that :meth:`as_dict` gives; whatever is missing has its default."""
        values = dict(values)
        for name in ('thresholds', 'smearing'):
            if name in values:
                values[name] = tuple(float(value) for value in values[name])
        return cls(**values | {'xi': XiParameters(**values.get('xi', {}))})

    def as_dict(self) -> dict:
        """As a dictionary of plain JSON types."""
        return asdict(self) | {'thresholds': list(self.thresholds), 'smearing': list(self.smearing)}
