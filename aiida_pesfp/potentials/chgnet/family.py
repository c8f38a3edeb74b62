"""CHGNet (Deng et al., doi:10.1038/s42256-023-00716-3)."""

from pathlib import Path

from aiida_pesfp.potentials.archives import strings_of
from aiida_pesfp.potentials.base import Family


class CHGNetFamily(Family):
    """Checkpoints of the package ``chgnet``."""

    kind, package, requirement = 'chgnet', 'chgnet', 'aiida-pesfp[chgnet]'
    implementation = 'aiida_pesfp.potentials.chgnet.potential:CHGNetPotential'
    accepts = 'a CHGNet checkpoint (.pth.tar)'
    embedded = {'chgnet-0.3.0': 'pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar'}

    def recognises(self, path: Path) -> bool:
        return strings_of(path) >= {'model_args', 'state_dict', 'bond_basis_expansion.rbf_expansion_ag.frequencies'}
