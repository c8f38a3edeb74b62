"""``pesfp.md.base``: molecular dynamics with a machine-learned potential, of any length."""

from aiida.orm import StructureData

from aiida_pesfp.calculations.md import MdCalculation
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.settings.md import PotentialMdSettings
from aiida_pesfp.workflows.segments import SegmentsWorkChain


class MdBaseWorkChain(SegmentsWorkChain):
    """Run ``pesfp.md`` until all steps are there, each job exactly from where the last one ended."""

    _process_class = MdCalculation
    _protocol = 'md'
    SETTINGS = PotentialMdSettings

    @classmethod
    def job_inputs(cls, protocol: dict, structure: StructureData, *, potential: PotentialData) -> dict:
        """Inputs of the jobs but the dynamics. The paper's potential is SevenNet-0."""
        return {'structure': structure, 'potential': potential}
