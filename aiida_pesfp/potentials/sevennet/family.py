"""SevenNet potentials (Park et al., doi:10.1021/acs.jctc.4c00190)."""

from pathlib import Path

from aiida_pesfp.potentials.archives import names_in
from aiida_pesfp.potentials.base import Family


class SevenNetFamily(Family):
    """Checkpoints of the package ``sevenn``."""

    kind, package = 'sevennet', 'sevenn'
    implementation = 'aiida_pesfp.potentials.sevennet.potential:SevenNetPotential'
    accepts = 'a SevenNet checkpoint (.pth)'
    embedded = {
        'sevennet-0': 'sevenn/pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth',
        'sevennet-0-2024-05-22': 'sevenn/pretrained_potentials/SevenNet_0__22May2024/checkpoint_sevennet_0.pth',
        'sevennet-l3i5': 'sevenn/pretrained_potentials/SevenNet_l3i5/checkpoint_l3i5.pth',
        'sevennet-mf-0': 'sevenn/pretrained_potentials/SevenNet_MF_0/checkpoint_sevennet_mf_0.pth',
    }
    variants = {'sevennet-mf-0': ('PBE', 'R2SCAN')}

    def recognises(self, path: Path) -> bool:
        return names_in(path) >= {'model_state_dict', 'config', '_type_map'}
