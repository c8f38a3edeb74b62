"""The stages of ``pesfp.screen_and_validate`` after the ranking: barriers, then molecular dynamics with each engine.

A stage is a row of :data:`STAGES`. Its candidates are the best of the stage before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiida.engine import ProcessBuilder
from aiida.orm import AbstractCode, Data, ProcessNode, Str, StructureData
from aiida.plugins import DataFactory

from aiida_pesfp.calculations.candidates import OF_ENGINE, summarise
from aiida_pesfp.calculations.ports import number_port, settings_port, validator_by
from aiida_pesfp.data.barrier import IN_TABLES, table_row
from aiida_pesfp.expressions import Expression
from aiida_pesfp.fingerprint.quantities import RANKING_NAMES
from aiida_pesfp.workflows.barrier import BarrierBaseWorkChain
from aiida_pesfp.workflows.conductivity import ConductivityWorkChain, check_run, planned
from aiida_pesfp.workflows.engines import BARRIER_PROGRAM, ENGINES, Engine, Need, Program


@dataclass(frozen=True)
class Stage:
    """One stage, which is run if its inputs are given.

    :param name: of its inputs and outputs.
    :param what: what it does, for help texts and reports.
    :param programs: the program of each of its codes, by the name of the input.
    :param needs: inputs beside the codes.
    :param results: help text of its outputs.
    :param columns: names of its values in the table of the candidates.
    """

    name: str
    what: str
    programs: dict[str, Program]
    needs: tuple[Need, ...]
    results: str
    columns: tuple[str, ...]

    def define(self, spec) -> None:
        """Add its inputs and outputs."""
        name, options = self.name, {'required': False, 'populate_defaults': False}
        spec.input_namespace(name, **options, help=f'The stage of {self.what}.')
        for code, program in self.programs.items():
            needed = code == 'code'
            words = f'Code of {program.label}.{"" if needed else " Without it nothing is relaxed."}'
            spec.input(f'{name}.{code}', valid_type=AbstractCode, required=needed, help=words)
        for need in self.needs:
            kind = DataFactory(need.data)
            spec.input(f'{name}.{need.name}', valid_type=kind, required=need.required, help=need.help)
        number_port(spec, f'{name}.candidates', 5)
        words = 'The largest value of this expression over the columns of the table comes first.'
        expression_port(spec, f'{name}.rank_by', f'{words} By default the order is that of the stage before.')
        spec.input(f'{name}.protocol', valid_type=Str, help='Protocol of its workchain.')
        settings_port(spec, f'{name}.overrides', None, 'Of that protocol.')
        jobs = 'Options of the jobs, and device.'
        spec.input(f'{name}.options', valid_type=dict, required=False, non_db=True, help=jobs)
        spec.output_namespace(name, dynamic=True, help=self.results)


class DynamicsStage(Stage):
    """Conductivities by molecular dynamics with the engine of this name."""

    @classmethod
    def of(cls, engine: Engine) -> DynamicsStage:
        """That of an engine."""
        what = f'dynamics with {engine.title}'
        results = f'Conductivities and fits by {what}: CANDIDATE.T667K, CANDIDATE.arrhenius'
        programs = {'code': engine.program, 'relax_code': engine.relax_program}
        columns = tuple(f'{engine.name}_{name}' for name in OF_ENGINE)
        return cls(engine.name, what, programs, engine.needs, results, columns)

    def known_overrides(self) -> dict:
        """What ``overrides`` may hold."""
        return ENGINES[self.name].dynamics_workchain.known_overrides()

    def check(self, species: str, protocol: str, overrides: dict) -> None:
        """Refuse before the screening what would be refused after it."""
        plan = planned(ENGINES[self.name], species, protocol, overrides)
        if plan['analysis']['species'] != species:
            raise ValueError(f'leave out analysis.species of the overrides of {self.name}: {species} is scanned')
        for temperature in plan['temperatures']:
            check_run(ENGINES[self.name].dynamics_workchain.dynamics_of(plan, temperature), plan['analysis'])

    def builder(self, stage, structure: StructureData, species: str, **needs) -> ProcessBuilder:
        """The process of one candidate."""
        return ConductivityWorkChain.get_builder_from_protocol(
            stage.code,
            structure,
            engine=self.name,
            relax_code=stage.get('relax_code'),
            species=species,
            protocol=stage.protocol.value,
            overrides=stage.overrides.get_dict(),
            options=stage.get('options'),
            **needs,
        )

    def outputs(self, node: ProcessNode) -> dict[str, Data]:
        """What the process of a candidate has found."""
        found = dict(getattr(node.outputs, 'conductivities', {}))
        return found | ({'arrhenius': node.outputs.arrhenius} if 'arrhenius' in node.outputs else {})

    def values(self, found: dict[str, Data]) -> dict:
        """The columns of a candidate."""
        return {f'{self.name}_{name}': value for name, value in summarise(found.values()).items()}

    def passed(self, candidates: list[str], rows: dict[str, dict], found: Iterable[str]) -> list[str]:
        """Those that go on to the next stage, in its order: not those without any result."""
        return [key for key in candidates if key in found]


class BarrierStage(Stage):
    """Barriers with a relaxed framework."""

    def known_overrides(self) -> dict:
        """What ``overrides`` may hold."""
        return BarrierBaseWorkChain.known_overrides()

    def check(self, species: str, protocol: str, overrides: dict) -> None:
        """Refuse before the screening what would be refused after it."""
        BarrierBaseWorkChain.get_protocol_inputs(protocol, overrides)
        given = overrides.get('barrier', {}).get('parameters', {})
        if given.get('species', species) != species:
            raise ValueError(f'leave out parameters.species of the overrides of barrier: {species} is scanned')

    def builder(self, stage, structure: StructureData, species: str, **needs) -> ProcessBuilder:
        """The process of one candidate."""
        chosen = stage.protocol.value, stage.overrides.get_dict(), stage.get('options')
        return BarrierBaseWorkChain.get_builder_from_protocol(stage.code, structure, *chosen, species=species, **needs)

    def outputs(self, node: ProcessNode) -> dict[str, Data]:
        """What the process of a candidate has found."""
        return {'barrier': node.outputs.barrier} if 'barrier' in node.outputs else {}

    def values(self, found: dict[str, Data]) -> dict:
        """The columns of a candidate."""
        return table_row(found['barrier'].base.attributes.all)

    def passed(self, candidates: list[str], rows: dict[str, dict], found: Iterable[str]) -> list[str]:
        """All of them: those whose barrier has converged change places among themselves, the lowest first."""
        known = [key for key in found if 'not_converged' not in (rows[key]['barrier_flags'] or '')]
        lowest = iter(sorted(known, key=lambda key: rows[key]['relaxed_barrier']))
        return [next(lowest) if key in known else key for key in candidates]


BARRIER = BarrierStage(
    'barrier',
    'barriers with a relaxed framework, by which candidates are ranked then',
    {'code': BARRIER_PROGRAM},
    (Need('potential', 'pesfp.potential', 'Potential of the barriers.'),),
    'Barriers: CANDIDATE.barrier',
    tuple(IN_TABLES),
)
#: The stages by name, in their order.
STAGES = {stage.name: stage for stage in (BARRIER, *map(DynamicsStage.of, ENGINES.values()))}
#: What expressions over the rows of a table may name.
COLUMNS = (
    'formula',
    *RANKING_NAMES,
    'mean_place',
    'spread',
    'disputed',
    *(name for stage in STAGES.values() for name in stage.columns),
)


def expression_port(spec, name: str, help: str) -> None:
    """Add an optional input port for an expression over the columns of the table."""
    validator = validator_by(lambda text: Expression(text, COLUMNS))
    spec.input(name, valid_type=Str, validator=validator, help=help, required=False)
