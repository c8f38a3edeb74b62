"""SevenNet potentials (Park et al., doi:10.1021/acs.jctc.4c00190)."""

from pathlib import Path

from aiida_pesfp.potentials.archives import names_in
from aiida_pesfp.potentials.base import Family


class SevenNetFamily(Family):
    """Checkpoints of the package ``sevenn``."""

    kind, package = 'sevennet', 'sevenn'
    implementation = 'aiida_pesfp.potentials.sevennet.potential:SevenNetPotential'
    accepts = 'a SevenNet checkpoint (.pth)'
    has_variants = True

    def recognises(self, path: Path) -> bool:
        return names_in(path) >= {'model_state_dict', 'config', '_type_map'}
