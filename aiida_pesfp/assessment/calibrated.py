"""Which cuts of Xi belong to a potential: those of its calibration, for the ion and the scans it was made for.

The cuts of the paper were made for its own potential. A calibration is a ranking model of the kind ``xi``: a node made
by ``aiida-pesfp calibrate``, or one of the files in ``calibrations/`` that come with the package, which hold the same
and what they were made from. A potential is known by the SHA-256 of its content, never by its name.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from aiida_pesfp.assessment.comparable import mismatch
from aiida_pesfp.assessment.models import RankingModel
from aiida_pesfp.errors import ExpressionError
from aiida_pesfp.fingerprint.quantities import XI_CALIBRATED, stopped_early
from aiida_pesfp.settings.descriptors import XiParameters

FOLDER = Path(__file__).parent / 'calibrations'
#: What ranks structures of a potential without a calibration, in words.
BY_VOLUMES = 'free volumes'


@dataclass(frozen=True)
class Calibration:
    """Cuts of Xi with what they were made for and from: the content of a file, or the attributes of a node.

    :param name: for people: that of the file, or label and PK of the node with this ``uuid``.
    :param content: ``parameters`` of Xi; ``species``, ``potential_name``, ``potential_sha256``, and those settings of
        scans and descriptors that must be the same; ``calibration`` as from
        :func:`~aiida_pesfp.assessment.calibration.calibrate`; those of a file also ``provenance`` and ``softening``.
    """

    name: str
    content: dict = field(hash=False, compare=False)
    uuid: str | None = None

    @property
    def parameters(self) -> XiParameters:
        """The parameters of Xi."""
        return XiParameters.from_dict(self.content['parameters'])

    @property
    def fitted(self) -> dict:
        """What was found for the potential, as from ``calibrate``; for that of the paper, a check of its cuts."""
        return self.content['calibration'].get('refit', self.content['calibration'])

    @property
    def softening(self) -> dict | None:
        """Of the barriers of the potential: their ``slope`` against DFT, its ``error``, ``hops`` and ``method``."""
        return self.content.get('softening')

    def fits(self, descriptors: Mapping) -> bool:
        """Whether it was made for descriptors like these, by their attributes."""
        return mismatch(self.content, descriptors) is None

    def value(self, descriptors: Mapping) -> float | None:
        """Xi with these cuts; None if the spectrum lacks the threshold.

        :param descriptors: with their ``spectrum``.
        """
        try:
            return float(RankingModel.from_xi(self.parameters).rank_values([descriptors])[0])
        except ExpressionError:
            return None

    def __str__(self) -> str:
        errors = self.content.get('calibration', {}).get('errors', {})
        both = (('connected', 'connected_cut'), ('disconnected', 'disconnected_cut'))
        words = (
            f'{word} {getattr(self.parameters, name):.2f}' + (f' +- {errors[name]:.2f}' if name in errors else '')
            for word, name in both
        )
        return f'the cuts {self.name} ({", ".join(words)})'


@cache
def shipped() -> tuple[Calibration, ...]:
    """Those that come with the package."""
    return tuple(Calibration(path.stem, json.loads(path.read_text())) for path in sorted(FOLDER.glob('*.json')))


@dataclass(frozen=True)
class Calibrations:
    """What ranks structures, potential by potential.

    :param own: of the user, the most important first; those shipped come after them.
    """

    own: tuple[Calibration, ...] = ()

    def of(self, descriptors: Mapping) -> Calibration | None:
        """The calibration for descriptors, by their attributes."""
        return next((one for one in (*self.own, *shipped()) if one.fits(descriptors)), None)

    def rank_values(self, descriptors: Mapping) -> dict:
        """``xi_calibrated`` (None without a calibration) and ``ranked_by``, the words for what ranks them.

        :param descriptors: their attributes with the ``spectrum``.
        """
        found = self.of(descriptors)
        value = found and found.value(descriptors)
        return {XI_CALIBRATED.name: value, 'ranked_by': BY_VOLUMES if value is None else f'Xi, {found.name}'}

    def explain(self, descriptors: Iterable[Mapping]) -> tuple[list[str], list[str]]:
        """What ranks some structures, in sentences for each potential and ion, and warnings.

        :param descriptors: their attributes; of ``stop_xi`` the cuts by which their scan may have stopped early.
        """
        kinds = {}
        for one in descriptors:
            found = self.of(one)
            name = one.get('potential_name') or 'a potential without a name', one.get('species') or 'unknown ion'
            kinds.setdefault((*name, found), []).append(one)
        told, warnings = [], []
        for (potential, ion, found), those in kinds.items():
            what = f'{potential}, {ion}'
            if found is None:
                warnings.append(
                    f'{what}: ranked by free volumes, connected times disconnected: {self._reason(those[0])}'
                )
            else:
                told.append(f'{what}: ranked by Xi with {found}{softening_words(found.softening)}')
            cuts = found and found.parameters
            if unsafe := [one for one in those if stopped_early(one) and cuts not in _stopped_by(one)]:
                number = f'{len(unsafe)} of {len(those)} scans stopped early'
                way_out = 'they are last, and may belong further up: scan them again without --stop-below'
                warnings.append(f'{what}: {number} by other cuts of Xi than those that rank: {way_out}')
        return told, warnings

    def _reason(self, descriptors: Mapping) -> str:
        """Why there is no calibration for descriptors, and the way out."""
        way_out = 'find them with `aiida-pesfp calibrate`'
        known = [one for one in (*self.own, *shipped()) if one.fits({**descriptors, **_same_way(one)})]
        if not known:
            return f'no cuts of Xi are known for this potential and ion: {way_out}'
        return f'{mismatch(known[0].content, descriptors, f"the cuts {known[0].name}")}, or {way_out}'


def softening_words(softening: Mapping | None) -> str:
    """The softening of a potential, after a list of cuts; empty if it is not known."""
    if softening is None:
        return ''
    value = f'{softening["slope"]:.2f} +- {softening["error"]:.2f}'
    return f'; its relaxed barriers are {value} of those by DFT ({softening["hops"]} hops), not applied here'


def _same_way(calibration: Calibration) -> dict:
    """What it was made for but the ion and the potential."""
    others = {name: value for name, value in calibration.content.items() if value is not None}
    return {name: value for name, value in others.items() if name not in ('species', 'potential_sha256')}


def _stopped_by(descriptors: Mapping) -> list[XiParameters]:
    """The cuts with which Xi is certainly small, where a scan stopped early."""
    given = (descriptors.get('settings') or {}).get('xi', {}), descriptors.get('stop_xi')
    return [XiParameters.from_dict(one) for one in given if one is not None]
