"""The engines: who runs molecular dynamics. Workchains, commands and tables read what they need of them here.

A new engine is a row of :data:`ENGINES`, its workchains with their jobs and parsers, and its protocol. The workchains
are named by their entry points and loaded when they are needed, so that this table is quick to import.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida.plugins import WorkflowFactory

if TYPE_CHECKING:
    from aiida.orm import AbstractCode


@dataclass(frozen=True)
class Program:
    """An executable of an engine.

    :param label: label of its code, such as ``pesfp-md`` of ``pesfp-md@localhost``.
    :param purpose: what it does, for people.
    :param plugins: entry points of the calculation jobs that run it, ours first.
    :param version: regular expression that finds its version in what it prints without input. None for a program that
        is installed with its engine's Python package.
    :param mpi: text that it then prints if it was built with MPI.
    """

    label: str
    purpose: str
    plugins: tuple[str, ...]
    version: str | None = None
    mpi: str | None = None


@dataclass(frozen=True)
class Need:
    """An input that an engine needs beside code and structure: a keyword of its ``get_builder_from_protocol``.

    :param data: entry point of the class of its node.
    :param required: whether the protocol cannot supply it.
    """

    name: str
    data: str
    help: str
    required: bool = True


@dataclass(frozen=True)
class Engine:
    """One engine.

    :param name: names its inputs and outputs, and stands in the attribute ``engine`` of its trajectories.
    :param title: its name in headings.
    :param dynamics: entry point of the workchain of the dynamics, a
        :class:`~aiida_pesfp.workflows.segments.SegmentsWorkChain`. Its jobs have a static method ``steps_so_far``,
        which ``aiida-pesfp status`` asks while they run.
    :param relaxation: entry point of the workchain of the relaxation, with an input namespace ``relax``.
    :param relaxed: output of the relaxation that is the relaxed structure.
    :param by_default: whether ``launch screen-and-validate`` has this stage without being asked for it.
    """

    name: str
    title: str
    dynamics: str
    relaxation: str
    program: Program
    relax_program: Program
    needs: tuple[Need, ...] = ()
    relaxed: str = 'structure'
    by_default: bool = False

    @property
    def dynamics_workchain(self) -> type:
        """Class of the workchain of the dynamics."""
        return WorkflowFactory(self.dynamics)

    @property
    def relaxation_workchain(self) -> type:
        """Class of the workchain of the relaxation."""
        return WorkflowFactory(self.relaxation)

    def problem(self, names: Iterable[str]) -> str | None:
        """Why inputs of these names are not what the engine needs; None if they are."""
        unknown = sorted(set(names) - {need.name for need in self.needs})
        if unknown:
            return f'the engine {self.name} takes no {unknown[0]}'
        missing = [need.name for need in self.needs if need.required and need.name not in names]
        return f'the engine {self.name} needs a {missing[0]}' if missing else None


#: What computes barriers, between the ranking and the dynamics of all engines.
BARRIER_PROGRAM = Program('pesfp-barrier', 'Migration barriers with a relaxed framework', ('pesfp.barrier',))
_VERSION = r'^\s*(?:Siesta )?Version\s*:\s*(\S+)'
_SIESTA = Program('siesta', 'SIESTA', ('pesfp.siesta_md', 'siesta.siesta'), _VERSION, mpi='PARALLEL version')

#: The engines by name, in the order in which ``pesfp.screen_and_validate`` runs them.
ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            name='ml',
            title='ML',
            dynamics='pesfp.md.base',
            relaxation='pesfp.relax.base',
            program=Program('pesfp-md', 'Molecular dynamics with a machine-learned potential', ('pesfp.md',)),
            relax_program=Program('pesfp-relax', 'Relaxation with a machine-learned potential', ('pesfp.relax',)),
            needs=(Need('potential', 'pesfp.potential', 'Potential of the dynamics.'),),
            by_default=True,
        ),
        Engine(
            name='siesta',
            title='SIESTA',
            dynamics='pesfp.siesta_md.base',
            relaxation='pesfp.siesta_relax',
            relaxed='output_structure',
            program=_SIESTA,
            relax_program=_SIESTA,
            needs=(Need('pseudo_family', 'core.str', 'Label of a family of pseudopotentials, for SIESTA.', False),),
        ),
    )
}
#: Type of the process that runs dynamics -> name of its engine.
DYNAMICS = {f'aiida.workflows:{engine.dynamics}': name for name, engine in ENGINES.items()}


def check_plugin(code: AbstractCode, *plugins: str) -> None:
    """Refuse a code that is known to run none of some calculation jobs.

    :raises ValueError: if so.
    """
    if code.default_calc_job_plugin not in (None, *plugins):
        runs = f'the code {code.full_label} runs {code.default_calc_job_plugin}'
        raise ValueError(f'{runs}, not {" or ".join(plugins)}: name another')


def engine_of_code(code: AbstractCode, needs: Iterable[str] = ()) -> Engine:
    """The engine of a code: that of its default plugin or, if it has none, the first that takes the inputs beside it.

    :param needs: names of these inputs.
    :raises ValueError: if there is no such engine.
    """
    plugin, engines = code.default_calc_job_plugin, list(ENGINES.values())
    for engine in engines:
        if plugin in engine.program.plugins or (plugin is None and engine.problem(needs) is None):
            return engine
    if plugin is None:
        raise ValueError('; '.join(engine.problem(needs) for engine in engines))
    check_plugin(code, *(name for engine in engines for name in engine.program.plugins))
