"""CHGNet (Deng et al., doi:10.1038/s42256-023-00716-3)."""

from pathlib import Path

from aiida_pesfp.potentials.archives import names_in
from aiida_pesfp.potentials.base import Family


class CHGNetFamily(Family):
    """Checkpoints of the package ``chgnet``."""

    kind, package, requirement = 'chgnet', 'chgnet', 'aiida-pesfp[chgnet]'
    implementation = 'aiida_pesfp.potentials.chgnet.potential:CHGNetPotential'
    accepts = 'a CHGNet checkpoint (.pth.tar)'
    embedded = {
        'chgnet-0.3.0': 'chgnet/pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar',
        'chgnet-0.2.0': 'chgnet/pretrained/0.2.0/chgnet_0.2.0_e30f77s348m32.pth.tar',
        'chgnet-r2scan': 'chgnet/pretrained/r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar',
    }

    def recognises(self, path: Path) -> bool:
        return names_in(path) >= {'model_args', 'state_dict', 'bond_basis_expansion.rbf_expansion_ag.frequencies'}
