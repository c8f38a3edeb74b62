"""``pesfp.siesta_md.base``: molecular dynamics with SIESTA of any length, in as many jobs as it takes."""

from __future__ import annotations

from aiida.engine import ProcessBuilder, ProcessHandlerReport, process_handler
from aiida.orm import AbstractCode, CalcJobNode, Dict, Int, StructureData

from aiida_pesfp.calculations.siesta_md import SiestaMdCalculation
from aiida_pesfp.workflows.segments import OUT_OF_MEMORY, SegmentsWorkChain
from aiida_pesfp.workflows.siesta_inputs import functional_of, options_of, pseudos_of


class SiestaMdBaseWorkChain(SegmentsWorkChain):
    """Run ``pesfp.siesta_md`` until all steps are there, each job exactly from where the last one ended.

    A job whose files would make the next one lose a step (killed within the milliseconds in which SIESTA writes them)
    is run again from its own beginning.
    """

    _process_class = SiestaMdCalculation
    _protocol = 'siesta_md'

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
        pseudo_family: str | None = None,
        functional: str | None = None,
        timestep: float | None = None,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param code: SIESTA on some computer.
        :param structure: the supercell.
        :param temperature: K.
        :param protocol: ``fast``, ``paper`` (default) or ``stringent``.
        :param overrides: inputs that take precedence, nested like the builder.
        :param options: ``metadata.options`` of the jobs that take precedence.
        :param pseudo_family: label of a family of ``psf`` or ``psml``; by default that of the protocol.
        :param functional: name of an entry of ``functionals`` of the protocol; by default by the rule of
            :func:`~aiida_pesfp.workflows.siesta_inputs.functional_of`.
        :param timestep: fs. The simulated time stays the same. The paper checked 0.25 and 0.5 fs against 1 fs.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        md = inputs['md']
        functional = functional or functional_of(structure)
        if functional not in inputs['functionals']:
            raise ValueError(f'unknown functional {functional!r}: take one of {", ".join(inputs["functionals"])}')
        dynamics = md['dynamics'] | ({} if timestep is None else {'timestep': timestep})
        dynamics.setdefault('steps', round(inputs['duration_ps'] * 1000 / dynamics['timestep']))

        builder = cls.get_builder()
        builder.md.code = code
        builder.md.structure = structure
        builder.md.pseudos = pseudos_of(structure, pseudo_family or inputs['pseudo_family'])
        builder.md.basis = Dict(md['basis'])
        builder.md.parameters = Dict(inputs['functionals'][functional] | md['parameters'])
        builder.md.dynamics = Dict(dynamics | {'temperature': temperature})
        builder.md.monitors = {name: Dict(monitor) for name, monitor in md['monitors'].items()}
        builder.md.metadata.options = options_of(code, inputs, options)
        builder.max_iterations = Int(inputs['max_iterations'])
        if 'max_steps_per_job' in inputs:
            builder.max_steps_per_job = Int(inputs['max_steps_per_job'])
        return builder

    @process_handler(priority=400, exit_codes=OUT_OF_MEMORY)
    def handle_out_of_memory(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Go on from the last step: SIESTA's memory grows in the course of some runs."""
        return self.go_on(node, 'ran out of memory')

    @process_handler(priority=200, exit_codes=SiestaMdCalculation.exit_codes.SPLIT_NORM)
    def handle_split_norm(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Let SIESTA correct the table from which it chooses the second zeta, as its message asks."""
        basis = self.ctx.inputs.basis.get_dict() if 'basis' in self.ctx.inputs else {}
        if 'pao-fix-split-table' in basis:
            return None
        self.ctx.inputs.basis = Dict(basis | {'pao-fix-split-table': 'T'})
        self.report(f'{node.process_label}<{node.pk}> could not split its orbitals: again with PAO.FixSplitTable')
        return ProcessHandlerReport(True)

    def can_go_on_from(self, node: CalcJobNode) -> bool:
        if node.outputs.output_parameters['restartable']:
            return True
        self.report(f'{node.process_label}<{node.pk}> cannot be continued without losing a step: it is repeated')
        return False
