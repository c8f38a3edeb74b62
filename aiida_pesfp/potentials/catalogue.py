"""Weights that have a name: where they lie, who may use them, and how good they are, as catalogue.yaml says."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.downloads import Download, sha256_of
from aiida_pesfp.settings.yaml_files import load_yaml

Sha256 = Annotated[str, Field(pattern='^[0-9a-f]{64}$')]
Address = Annotated[str, Field(pattern='^https?://[^ ]+$')]
_STRICT = ConfigDict(extra='forbid', strict=True, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Licence:
    """A licence of weights.

    :param name: its SPDX identifier, or a short name if it has none.
    :param commercial: whether it allows commercial use.
    :param limits: what use it forbids, commercial or not.
    :param url: its text.
    """

    name: str
    commercial: bool
    url: Address
    limits: str | None = None

    @property
    def answer(self) -> str:
        """Whether commercial use is allowed: yes, no or limited."""
        return 'no' if not self.commercial else 'limited' if self.limits else 'yes'


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Barriers:
    """Our barriers with the framework relaxed, against DFT.

    :param hops: how many were compared.
    :param spearman: rank correlation.
    :param right_side: share that is on the same side of 0.5 eV, %.
    """

    hops: int = Field(gt=0)
    spearman: float = Field(ge=-1, le=1)
    right_side: int = Field(ge=0, le=100)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Known:
    """Weights that have a name. They lie in a package (``embedded``), at an address (``url``), or must be got by hand.

    None and nothing mean that it is not known.

    :param family: kind of the family that evaluates them.
    :param model: what a family of many kinds of networks has before the path of a file, as in ``mace:FILE``.
    :param option: what such a family has behind the path of a file: an architecture, a head or a task.
    :param embedded: file inside an installed package, as ``'package/folder/file'``.
    :param sha256: of the embedded file.
    :param url: folder of published files.
    :param files: name of each of them -> its SHA-256; None if nobody states it.
    :param megabytes: size of all of them.
    :param obtain: what a user has to do to get a file, if neither of both.
    :param variants: if they hold several potentials: what comes behind the name and a colon -> what that was trained
        on. Scores are those of the first.
    :param trained_on: sets of data.
    :param released: year, month and, if known, day.
    :param elements: number of chemical elements.
    :param licence: that of the weights.
    :param citation: address of the publication.
    :param f1: Matbench Discovery, F1 for unique prototypes.
    :param barriers: our barriers against DFT.
    :param ranking: our score of the ranking by Xi.
    """

    name: str = Field(pattern='^[a-z0-9][a-z0-9.-]*$')
    family: str
    model: str | None = None
    option: str | None = None
    embedded: str | None = Field(None, pattern='^[^/]+/.+')
    sha256: Sha256 | None = None
    url: Address | None = None
    files: Mapping[str, Sha256 | None] = Field(default_factory=dict)
    megabytes: float | None = Field(None, gt=0)
    obtain: str | None = None
    variants: Mapping[str, str] = Field(default_factory=dict)
    trained_on: str | None = None
    released: str = Field(pattern=r'^\d{4}-\d{2}(-\d{2})?$')
    elements: int | None = Field(None, gt=0, le=118)
    licence: Licence | None = None
    citation: Address
    f1: float | None = Field(None, ge=0, le=1)
    barriers: Barriers | None = None
    ranking: float | None = Field(None, ge=0, le=1)

    @model_validator(mode='after')
    def _check(self):
        if sum(map(bool, (self.embedded, self.url, self.obtain))) != 1:
            raise ValueError(f'{self.name} needs one of embedded, url and obtain')
        if bool(self.url) != bool(self.files) or bool(self.embedded) != bool(self.sha256):
            raise ValueError(f'{self.name} has an address without files, or a file without a SHA-256, or the other way')
        if self.variants and self.trained_on:
            raise ValueError(f'{self.name} has variants: each says what it was trained on')
        return self

    @property
    def names(self) -> list[str]:
        """What users call it: its name, or that of each variant."""
        return [f'{self.name}:{one}' for one in self.variants] or [self.name]

    @property
    def pinned(self) -> bool:
        """Whether the catalogue has the SHA-256 of all that it names."""
        return bool(self.sha256) or (bool(self.files) and None not in self.files.values())

    @property
    def download(self) -> Download | None:
        """How it is fetched, if it can be."""
        return Download(self.name, self.url, self.files, self.megabytes) if self.url else None

    def facts(self) -> list[dict]:
        """What is known of it, for tables: a row for each of its names, with None for what is not known.

        ``ranking``, ``f1`` and barriers are there in the first row only, because they belong to the first variant.
        """
        common = {
            'family': self.model or self.family,
            'released': self.released,
            'elements': self.elements,
            'licence': self.licence and self.licence.name,
            'commercial': self.licence.answer if self.licence else None,
            'citation': self.citation,
        }
        barriers = self.barriers and asdict(self.barriers)
        scores = {'f1': self.f1, 'barriers': barriers, 'ranking': self.ranking}
        sets = [*self.variants.values()] or [self.trained_on]
        return [
            {'name': name, **common, 'trained_on': trained_on, **(dict.fromkeys(scores) if number else scores)}
            for number, (name, trained_on) in enumerate(zip(self.names, sets))
        ]

    def spec(self, path: str | Path, variant: str | None = None) -> str:
        """How to name the weights in a file or folder, as ``mace:FILE`` or ``FILE:PBE``."""
        return ':'.join(filter(None, (self.model, str(path), variant or self.option)))

    def check(self, path: Path) -> None:
        """Compare files with the published ones: those of the same ending, as what was converted has another.

        Files of a family of many kinds of networks are not converted, and nothing else in them tells what they are.

        :raises PotentialError: if one has another SHA-256 than the catalogue, or cannot be what is published.
        """
        published = self.files if self.url else {Path(self.embedded).name: self.sha256} if self.embedded else {}
        for name, digest in published.items():
            file = path / name if path.is_dir() else path
            same_kind = file.is_file() and file.suffix == Path(name).suffix
            if self.model and not same_kind:
                raise PotentialError(f'{file} is not {name}, which {self.name} is: fetch it, or choose another name')
            if digest and same_kind and (found := sha256_of([file])) != digest:
                what = f'{file} has the SHA-256 {found}, but {name} of {self.name} has {digest}'
                raise PotentialError(f'{what}: fetch it again, or choose another name')


@cache
def catalogue() -> tuple[Known, ...]:
    """All weights of the catalogue.

    :raises ValueError: if an entry is invalid.
    """
    return read(Path(__file__).with_suffix('.yaml').read_text(encoding='utf-8'))


def read(text: str) -> tuple[Known, ...]:
    """The weights that a catalogue in YAML describes.

    :raises ValueError: if an entry is invalid, or two have the same name.
    """
    content = load_yaml(text)
    licences = {name: Licence(name=name, **told) for name, told in content['licences'].items()}
    rows = []
    for row in content['potentials']:
        if (licence := row.get('licence')) is not None and licence not in licences:
            raise ValueError(f'{row.get("name")} has the licence {licence!r}, of which nothing is said')
        barriers = Barriers(**row['barriers']) if 'barriers' in row else None
        rows.append(Known(**row | {'licence': licences.get(licence), 'barriers': barriers}))
    names = [row.name for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f'there are two of {", ".join(twice)}')
    return tuple(rows)
