"""Finds families of potentials by their entry points, and potentials by name or path."""

import warnings
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from itertools import product
from pathlib import Path

from aiida_pesfp.errors import PotentialError, closest, one_line
from aiida_pesfp.potentials.base import Family, Potential, PotentialIdentity
from aiida_pesfp.potentials.catalogue import Known, catalogue
from aiida_pesfp.potentials.downloads import sha256_of


@cache
def families() -> dict[str, Family]:
    """All installed families by their kind. A family that fails is left out, with a warning that names it."""
    found: dict[str, Family] = {}
    for point in entry_points(group='pesfp.potentials'):
        try:
            family = point.load()()
            if not isinstance(family, Family):
                raise TypeError(f'{point.value} is no subclass of {Family.__module__}.Family')
            if family.kind != point.name:
                raise ValueError(f'its kind is {family.kind!r}, not the name of its entry point')
            if found.setdefault(family.kind, family) is not family:
                raise ValueError('another package offers a family of this name')
        except Exception as error:  # a package of someone else may fail in any way
            package = point.dist.name if point.dist else 'an unknown package'
            reason = f'{type(error).__name__}: {error}'
            warnings.warn(f'the potential family {point.name!r} of {package} cannot be used: {reason}', stacklevel=2)
    return found


def known() -> dict[str, Known]:
    """All weights that have a name, by it: those of the catalogue, and what families of other packages bring."""
    rows = {row.name: row for row in catalogue()}
    others = {row.name: row for family in families().values() for row in family.known}
    return rows | {name: row for name, row in others.items() if name not in rows}


def find(spec: str) -> tuple[Known, str | None] | None:
    """Weights by their name, and the variant behind a colon, in any case and with any hyphens; None for other specs."""
    whole, _, variant = spec.rpartition(':')
    rows = known()
    by_plain = {_plain(name): row for name, row in rows.items()}
    for name, of_name in ((spec, None), (whole, variant)):
        if (row := rows.get(name) or by_plain.get(_plain(name))) is not None:
            by_plain = {_plain(one): one for one in row.variants}
            return row, of_name and by_plain.get(_plain(of_name), of_name)
    return None


def _plain(name: str) -> str:
    return name.lower().replace('_', '-').replace(' ', '-')


def identify(spec: str, sha256: str | None = None) -> PotentialIdentity:
    """Find a potential by name or path, without running code from its weights.

    :param spec: a known name (embedded weights, published weights that are fetched), or one of a family, such as
        ``ase:package.module.Calculator``; the path of a file or folder that a family recognises, or of a folder with
        one such file; or a name in the public collection of a family. Where the weights hold several potentials, a
        colon and the modality follow.
    :param sha256: what the weights must have (:func:`~aiida_pesfp.potentials.downloads.sha256_of` their files). It is
        needed once for published weights of which the catalogue does not have it.
    :raises PotentialError: if there is no such potential, it cannot be read or is damaged, or has another hash.
    """
    try:
        identity = _identify(spec, sha256)
        if sha256 is not None and (found := _sha256_of(identity)) != sha256:
            raise PotentialError(f'the potential {spec!r} has the SHA-256 {found}, not {sha256}')
        return identity
    except (OSError, ValueError, RuntimeError) as error:  # no permission, or no possible name of a file
        raise PotentialError(f'the potential {spec!r} cannot be read: {one_line(error)}') from error


def _identify(spec: str, sha256: str | None = None) -> PotentialIdentity:
    whole, _, variant = spec.rpartition(':')
    for name, of_name in ((spec, None), (whole, variant)):
        model, _, rest = name.rpartition(':')
        row = known().get(rest)  # mace:mace-mpa-0 is mace-mpa-0
        if row is not None and model in ('', row.model):
            return _of_known(row, of_name, sha256)
        for family in families().values():
            if (identity := family.by_name(name)) is not None:
                return family.with_variant(identity, of_name)
        path = Path(name).expanduser()
        if name and path.exists():
            family, weights = _recognise(path)
            identity = family.identity(weights, weights.stem if weights.is_file() else weights.name)
            return family.with_variant(identity, of_name)
    if found := find(spec):
        return _of_known(*found, sha256)
    # Letters after a dot are those of a file; digits, as in chgnet-0.3.0, belong to a name.
    if any(Path(one).suffix[1:].isalpha() for one in (spec, whole)) or spec.startswith(('.', '/', '~')):
        raise PotentialError(f'there is no file {spec!r}; {_known()}')
    problems = []
    for family in families().values():
        try:
            if (weights := family.online(spec)) is not None:
                return family.identity(weights, spec)
        except PotentialError as error:
            problems.append(str(error))
    meant = closest(spec, [name for row in known().values() for name in row.names])
    what = f'{spec!r} is no file and no known name'
    raise PotentialError(f'{what}: did you mean {meant}?' if meant else '; '.join([what, *problems, _known()]))


def _of_known(row: Known, variant: str | None, sha256: str | None) -> PotentialIdentity:
    """The potential of a known name, fetched if need be.

    :raises PotentialError: if it is not on this machine and cannot be fetched, verified or read.
    """
    family = _family_of(row, variant)
    if row.obtain:
        by_hand = f'`aiida-pesfp potential install {row.name} --from FILE`'
        raise PotentialError(f'{row.name} cannot be fetched by its name: {row.obtain}. Then run {by_hand}')
    if row.embedded:
        identity = family.identity(family.embedded_file(row), row.name)
    else:
        folder = row.download.fetch()
        path = folder if len(row.files) > 1 else folder / next(iter(row.files))
        try:
            identity = replace(_at(row, family, path), name=row.name)
        except PotentialError as error:
            raise PotentialError(f'{error}; without {folder} it would be fetched again') from error
        row.download.confirm(sha256)
    return identity.with_variant(variant) if variant else identity


def _at(row: Known, family: Family, path: Path) -> PotentialIdentity:
    """The potential of a known name in a file or folder."""
    if row.model:
        return _identify(row.spec(path))
    if not family.recognises(path):
        raise PotentialError(f'{path} is not {family.accepts}')
    return family.identity(path, row.name)


def in_file(name: str, path: str) -> str:
    """What names the weights in a file or folder, which a user may call as known ones are called.

    :param name: any name, or a known one, with its variant.
    :raises PotentialError: if a known one has no family here, its variant is not named, or files that are called as
        published ones are not these.
    """
    found = find(name)
    if found is None:
        return path
    row, variant = found
    _family_of(row, variant)
    row.check(Path(path).expanduser())
    return row.spec(path, variant)


def _family_of(row: Known, variant: str | None) -> Family:
    """The family that evaluates known weights.

    :raises PotentialError: if it is not installed, or the variant is not named or none of them.
    """
    if variant and not row.variants:
        raise PotentialError(f'{row.name} holds one potential: leave out :{variant}')
    if row.variants and variant not in row.variants:
        what = f'{row.name} holds several potentials, of which {variant!r} is none' if variant else row.name
        raise PotentialError(f'{what}: name one, {" or ".join(row.names)}')
    if (family := families().get(row.family)) is None:
        what = f'{row.name} ({row.model})' if row.model else row.name
        there = f'there are {", ".join(families())}'
        raise PotentialError(f'{what} needs the family of potentials {row.family!r}, which is not installed: {there}')
    return family


def _sha256_of(identity: PotentialIdentity) -> str:
    """That of the files, as their publisher would state it; of an ASE calculator without a file, its own."""
    family = families()[identity.kind]
    return sha256_of(family.files(Path(identity.path))) if identity.path else identity.sha256


def load_potential(
    spec: str,
    *,
    device: str = 'auto',
    batch_size: int | None = None,
    expected_sha256: str | None = None,
    trusted: bool = False,
) -> Potential:
    """Load a potential by name or path (see :func:`identify`).

    :param device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; ``'auto'`` takes a GPU if there is one.
    :param batch_size: largest number of configurations that are evaluated at once; by default, it follows from memory.
    :param expected_sha256: hash that the potential must have.
    :param trusted: whether its weights may run code when they are read.
    :raises PotentialError: if it is not found, damaged, unsupported, or has another hash.
    """
    identity = replace(identify(spec), trusted=trusted)
    if expected_sha256 is not None and identity.sha256 != expected_sha256:
        raise PotentialError(
            f'the potential {spec!r} of this machine has the SHA-256 {identity.sha256}, but {expected_sha256} is asked '
            f'for: install the same version of {identity.package} here, or give the path of the weights; files that a '
            'description names must be the same, at the same full paths'
        )
    return families()[identity.kind].load(identity, device, batch_size)


def files_of(identity: PotentialIdentity) -> list[Path]:
    """The files that have to travel to another machine; none for weights inside an installed package."""
    family = families()[identity.kind]
    path = identity.path and Path(identity.path).absolute()
    row = known().get(identity.name.removesuffix(f':{identity.variant}'))
    is_embedded = row is not None and row.embedded and path == family.embedded_file(row)
    return [] if path is None or is_embedded else family.files(path)


def _recognise(path: Path) -> tuple[Family, Path]:
    """The family of a file or folder, and its weights: the path itself or the only weights in the folder."""
    matches, problems = _matches([path])
    if not matches and path.is_dir():
        visible = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith('.')]
        inside, more = _matches(visible)
        problems += more
        belonging = {file for family, weights in inside for file in family.files(weights) if file != weights}
        matches = [(family, weights) for family, weights in inside if weights not in belonging]
    if len(matches) > 1:
        found = ', '.join(f'{weights.name} ({family.kind})' for family, weights in matches)
        raise PotentialError(f'{path} can be read in several ways: {found}. Give the path of one file')
    if not matches:
        if path.is_dir() or not problems:
            problems.append(f'{path} holds no potential of an installed family; {_known()}')
        raise PotentialError('; '.join(dict.fromkeys(problems)))
    return matches[0]


def _matches(paths: list[Path]) -> tuple[list[tuple[Family, Path]], list[str]]:
    """Paths with the families that recognise them, and what went wrong."""
    matches, problems = [], []
    for path, family in product(paths, families().values()):
        try:
            if family.recognises(path):
                matches.append((family, path))
        except PotentialError as error:
            problems.append(str(error))
        except Exception as error:  # a package of someone else may fail in any way
            problems.append(f'the potential family {family.kind} failed at {path} ({type(error).__name__}: {error})')
    return matches, problems


def _known() -> str:
    files = '; '.join(family.accepts for family in families().values())
    return f'known are the names that `aiida-pesfp potential list` shows, and {files}'
