"""Any calculator of ASE (Larsen et al., doi:10.1088/1361-648X/aa680e)."""

from pathlib import Path

from aiida_pesfp.potentials.base import Family, PotentialIdentity, version
from aiida_pesfp.potentials.description import describe, digest

PREFIX = 'ase:'


class AseFamily(Family):
    """Calculators named by their class, or described in a YAML or JSON file with their parameters."""

    kind, package = 'ase', 'ase'
    implementation = 'aiida_pesfp.potentials.ase.potential:AsePotential'
    accepts = f'{PREFIX}package.module.Calculator, or a YAML or JSON file with the keys calculator and parameters'

    def recognises(self, path: Path) -> bool:
        return 'calculator' in (describe(path) or ())

    def by_name(self, name: str) -> PotentialIdentity | None:
        named = name.startswith(PREFIX)
        return self._identity(name, {'calculator': name.removeprefix(PREFIX)}, None) if named else None

    def identity(self, path: Path, name: str) -> PotentialIdentity:
        return self._identity(name, describe(path), str(path))

    def _identity(self, name: str, description: dict, path: str | None) -> PotentialIdentity:
        package = description['calculator'].partition('.')[0]
        return PotentialIdentity(name, self.kind, digest(description, package), package, version(package), path)
