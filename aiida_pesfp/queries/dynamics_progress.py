"""How far molecular dynamics are, from what each running job has written where it runs."""

from __future__ import annotations

from dataclasses import dataclass

from aiida.common import timezone
from aiida.common.exceptions import AiidaException
from aiida.orm import CalcJobNode, ProcessNode, WorkChainNode

from aiida_pesfp.calculations.md import MdCalculation
from aiida_pesfp.calculations.siesta_md import energies_so_far
from aiida_pesfp.queries.scan_progress import account_of
from aiida_pesfp.trajectories.siesta import CorruptFile
from aiida_pesfp.workflows.segments import SegmentsWorkChain


@dataclass
class DynamicsProgress:
    """State of one molecular dynamics, of however many jobs.

    :ivar name: what is simulated.
    :ivar engine: ``ml`` or ``siesta``.
    :ivar temperature: K.
    :ivar steps: that are wished.
    :ivar done: steps that are done.
    :ivar picoseconds: that are done.
    :ivar state: of the process.
    :ivar nanoseconds_per_day: speed of the job that runs; None if none does or nothing is known of it yet.
    :ivar seconds_left: None if the speed is not known; 0 at the end.
    :ivar silent: why nothing is known of the job that runs.
    """

    name: str
    engine: str
    temperature: float
    steps: int
    done: int
    picoseconds: float
    state: str
    nanoseconds_per_day: float | None
    seconds_left: float | None
    silent: str | None


def dynamics_of(node: ProcessNode) -> list[DynamicsProgress]:
    """All molecular dynamics of a process, in the order in which they were begun."""
    processes = [node, *sorted(node.called_descendants, key=lambda called: called.pk)]
    return [_progress(process) for process in processes if _is_dynamics(process)]


def _is_dynamics(process: ProcessNode) -> bool:
    return isinstance(process, WorkChainNode) and issubclass(process.process_class, SegmentsWorkChain)


def _progress(node: ProcessNode) -> DynamicsProgress:
    dynamics, caller = node.inputs.md.dynamics.get_dict(), node.caller
    timestep, wished = dynamics.get('timestep', 1.0), dynamics['steps']
    done, running, seconds, silent = 0, 0, 0.0, None
    for job in (called for called in node.called if isinstance(called, CalcJobNode)):
        if 'output_parameters' in job.outputs:
            done += job.outputs.output_parameters['steps']
        elif not job.is_terminated:
            try:
                running, seconds = _steps_so_far(job)
            except (AiidaException, CorruptFile, OSError, ValueError, KeyError) as error:
                silent = str(error) or type(error).__name__
    speed = running / seconds if running and seconds else None
    done = min(wished, done + running)
    left = 0.0 if node.is_terminated else (None if speed is None else (wished - done) / speed)
    structure = node.inputs.md.structure
    return DynamicsProgress(
        name=(caller.label if caller is not None else '') or structure.label or structure.get_formula(),
        engine='ml' if 'potential' in node.inputs.md else 'siesta',
        temperature=dynamics['temperature'],
        steps=wished,
        done=done,
        picoseconds=done * timestep / 1000,
        state=node.process_state.value,
        nanoseconds_per_day=None if speed is None else speed * timestep * 86400e-6,
        seconds_left=left,
        silent=silent,
    )


def _steps_so_far(job: CalcJobNode) -> tuple[int, float]:
    """Steps of a job that runs, and the seconds that they took."""
    if job.process_class is MdCalculation:
        (entry,) = account_of(job)['structures'].values()
        return (entry['last_step'] or 0) - (entry['first_step'] or 0), entry['seconds']
    with job.get_transport() as transport:
        steps = len(energies_so_far(job, transport).steps)
    seen = job.get_last_job_info()
    seconds = seen.wallclock_time_seconds if seen is not None else None
    return steps, seconds or (timezone.now() - job.ctime).total_seconds()
