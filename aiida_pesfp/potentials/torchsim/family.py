"""Models of torch-sim (Cohen et al., doi:10.1088/3050-287X/ae1799)."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.base import Family, PotentialIdentity, version
from aiida_pesfp.potentials.description import describe, digest
from aiida_pesfp.settings.yaml_files import load_yaml

PREFIX = 'torchsim:'


@dataclass(frozen=True)
class Model:
    """A row of ``models.yaml``, which says what they mean."""

    model: str
    package: str
    weights: str | None = None
    before: str | None = None
    variant: str | None = None
    choices: str | None = None
    elements: str | None = None
    parameters: dict = field(default_factory=dict)
    code: str | None = None

    @property
    def has_variants(self) -> bool:
        return bool(self.variant or self.before)


@cache
def models() -> dict[str, Model]:
    """The models that have a name."""
    rows = load_yaml(Path(__file__).with_name('models.yaml').read_text())
    return {name: Model(**row) for name, row in rows.items()}


class TorchSimFamily(Family):
    """``NAME:FILE`` of a model with a name, a class of torch-sim's models, or a file that describes one."""

    kind, package = 'torchsim', 'torch-sim-atomistic'
    requirement = "'aiida-pesfp[torchsim]' and the package of the model, with Python 3.12 or newer"
    implementation = 'aiida_pesfp.potentials.torchsim.potential:TorchSimPotential'
    has_variants = True

    @property
    def accepts(self) -> str:
        named = ', '.join(f'{name}:FILE' for name in models())
        return f'{named}, {PREFIX}package.module.Model, or a YAML or JSON file with the keys model and parameters'

    def recognises(self, path: Path) -> bool:
        return 'model' in (describe(path) or ())

    def by_name(self, name: str) -> PotentialIdentity | None:
        before, colon, rest = name.partition(':')
        if name.startswith(PREFIX):
            if not all(part.isidentifier() for part in rest.split('.')):
                raise PotentialError(f'{rest!r} is no package.module.Model of torch-sim')
            return self._described(name, {'model': rest, 'parameters': {}}, None)
        if not colon or before not in models():
            return None
        if not rest.strip(':. '):
            raise PotentialError(f'{name}: give the file of the weights, as {before}:FILE')
        path = Path(rest).expanduser()
        if path.is_dir() and len(files := list(path.iterdir())) == 1:  # that of a job, which holds nothing else
            path = files[0]
        if path.is_file():
            return self._weights(before, path)
        without, colon, _ = rest.rpartition(':')
        if colon and Path(without).expanduser().exists():
            return None  # with a variant, which is asked for next
        raise PotentialError(
            f'there is no file {rest!r}, nor are known weights of {before} called so: see `aiida-pesfp potential list`'
        )

    def with_variant(self, identity: PotentialIdentity, variant: str | None) -> PotentialIdentity:
        if variant and (identity.model is None or not models()[identity.model].has_variants):
            raise PotentialError(f'{identity.name} holds one potential: leave out :{variant}')
        if not variant and identity.model and models()[identity.model].before:
            raise PotentialError(f'say which of its architectures {identity.name} has: {identity.model}:FILE:NAME')
        return identity.with_variant(variant) if variant else identity

    def identity(self, path: Path, name: str) -> PotentialIdentity:
        return self._described(name, describe(path), str(path))

    def _weights(self, model: str, path: Path) -> PotentialIdentity:
        package = models()[model].package
        sha256 = self.sha256(path)
        name = f'{model}:{path.stem}'
        return PotentialIdentity(name, self.kind, sha256, package, version(package), str(path), model=model)

    def _described(self, name: str, description: dict, path: str | None) -> PotentialIdentity:
        package = description['model'].partition('.')[0]
        if package == 'torch_sim':  # the name of its distribution is another
            package = self.package
        return PotentialIdentity(name, self.kind, digest(description, package), package, version(package), path)
