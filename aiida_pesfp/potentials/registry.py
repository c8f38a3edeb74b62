"""Finds families of potentials by their entry points, and potentials by name or path."""

import warnings
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from itertools import product
from pathlib import Path

from aiida_pesfp.errors import PotentialError, one_line
from aiida_pesfp.potentials.base import Family, Potential, PotentialIdentity


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


def identify(spec: str) -> PotentialIdentity:
    """Find a potential by name or path, without running code from its weights.

    :param spec: a name that a family has reserved (embedded weights, published weights that are fetched,
        ``ase:package.module.Calculator``); the path of a file or folder that a family recognises, or of a folder with
        one such file; or a name in the public collection of a family. Where the weights hold several potentials, a
        colon and the modality follow.
    :raises PotentialError: if there is no such potential, or it cannot be read or is damaged.
    """
    try:
        return _identify(spec)
    except (OSError, ValueError, RuntimeError) as error:  # no permission, or no possible name of a file
        raise PotentialError(f'the potential {spec!r} cannot be read: {one_line(error)}') from error


def _identify(spec: str) -> PotentialIdentity:
    whole, _, variant = spec.rpartition(':')
    for name, of_name in ((spec, None), (whole, variant)):
        for family in families().values():
            if of_name and any(name == download.name for download in family.downloads):
                raise PotentialError(f'{name} holds one potential: leave out :{of_name}')
            if (identity := family.by_name(name)) is not None:
                return family.with_variant(identity, of_name)
        path = Path(name).expanduser()
        if name and path.exists():
            family, weights = _recognise(path)
            identity = family.identity(weights, weights.stem if weights.is_file() else weights.name)
            return family.with_variant(identity, of_name)
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
    raise PotentialError('; '.join([f'{spec!r} is no file and no known name', *problems, _known()]))


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
    name = identity.name.removesuffix(f':{identity.variant}')
    is_embedded = name in family.embedded and path == family.embedded_file(name)
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
    known = families().values()
    names = [name for family in known for name in family.names]
    return f'known are the names {", ".join(names)}, and {"; ".join(family.accepts for family in known)}'
