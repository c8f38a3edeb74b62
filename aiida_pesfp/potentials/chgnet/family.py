"""CHGNet (Deng et al., doi:10.1038/s42256-023-00716-3)."""

from pathlib import Path

from aiida_pesfp.potentials.archives import names_in
from aiida_pesfp.potentials.base import Family


class CHGNetFamily(Family):
    """Checkpoints of the package ``chgnet``."""

    kind, package, requirement = 'chgnet', 'chgnet', 'aiida-pesfp[chgnet]'
    implementation = 'aiida_pesfp.potentials.chgnet.potential:CHGNetPotential'
    accepts = 'a CHGNet checkpoint (.pth.tar)'

    def recognises(self, path: Path) -> bool:
        return names_in(path) >= {'model_args', 'state_dict', 'bond_basis_expansion.rbf_expansion_ag.frequencies'}
