"""``pesfp.md.base``: molecular dynamics with a machine-learned potential, of any length."""

from __future__ import annotations

from aiida.engine import ProcessBuilder
from aiida.orm import AbstractCode, Dict, Int, StructureData

from aiida_pesfp.calculations.md import MdCalculation
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.workflows.protocols import merge
from aiida_pesfp.workflows.segments import SegmentsWorkChain


class MdBaseWorkChain(SegmentsWorkChain):
    """Run ``pesfp.md`` until all steps are there, each job exactly from where the last one ended."""

    _process_class = MdCalculation
    _protocol = 'md'

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structure: StructureData,
        temperature: float,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
        *,
        potential: PotentialData,
        timestep: float | None = None,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param code: ``pesfp-md`` on some computer.
        :param structure: the supercell.
        :param temperature: K.
        :param protocol: ``fast``, ``paper`` (default) or ``stringent``.
        :param overrides: inputs that take precedence, nested like the builder.
        :param options: ``metadata.options`` of the jobs that take precedence.
        :param potential: the paper's is SevenNet-0.
        :param timestep: fs. The simulated time stays the same.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        md = inputs['md']
        dynamics = md['dynamics'] | ({} if timestep is None else {'timestep': timestep})
        dynamics.setdefault('steps', round(inputs['duration_ps'] * 1000 / dynamics['timestep']))
        builder = cls.get_builder()
        builder.md.code = code
        builder.md.structure = structure
        builder.md.potential = potential
        builder.md.dynamics = Dict(dynamics | {'temperature': temperature})
        builder.md.metadata.options = merge(md['metadata']['options'], options or {})
        if 'device' in md:
            builder.md.device = md['device']
        builder.max_iterations = Int(inputs['max_iterations'])
        if 'max_steps_per_job' in inputs:
            builder.max_steps_per_job = Int(inputs['max_steps_per_job'])
        return builder
