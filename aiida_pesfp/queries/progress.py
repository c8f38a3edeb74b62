"""How far scans, screenings and molecular dynamics are, from what each running job has written where it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from aiida.common.exceptions import AiidaException
from aiida.orm import ProcessNode, StructureData

from aiida_pesfp.calculations.orderings import ordering_keys, ordering_numbers
from aiida_pesfp.calculations.program import read_run
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.errors import one_line
from aiida_pesfp.fingerprint.grid import grid_shape
from aiida_pesfp.queries.ensembles import ORDERING
from aiida_pesfp.queries.nodes import jobs_of, outputs_in, with_descendants
from aiida_pesfp.settings.scan import FingerprintSettings

#: What reading the files of a running job may raise.
_UNREADABLE = (AiidaException, OSError, ValueError, KeyError)


@dataclass
class ScanProgress:
    """State of a scan or screening.

    Of the ``total`` structures, some are ``rejected`` by the criteria, some ``done``, some ``failed``. The scans
    of some that are done ``stopped`` early.
    ``running`` jobs have not ended; ``silent`` are those whose ``run.json`` could not be read, with the reason.
    ``evaluations_per_second`` (of one job) and ``seconds_left`` are None before the first structure is done.
    """

    total: int
    rejected: int = 0
    done: int = 0
    stopped: int = 0
    failed: int = 0
    running: int = 0
    evaluations: int = 0
    evaluations_per_second: float | None = None
    seconds_left: float | None = None
    silent: dict[int, str] = field(default_factory=dict)


@dataclass
class DynamicsProgress:
    """State of one molecular dynamics run, of however many jobs.

    ``name`` says what is simulated, ``temperature`` is in K. Of ``steps``, ``done`` are done, ``picoseconds`` long.
    ``nanoseconds_per_day`` and ``seconds_left`` are None if the speed is not known; the latter is 0 at the end.
    ``silent`` says why the files of the running job could not be read.
    """

    name: str
    engine: str
    temperature: float
    steps: int
    done: int
    picoseconds: float
    state: str = ''
    nanoseconds_per_day: float | None = None
    seconds_left: float | None = None
    silent: str | None = None


def scan_progress_of(node: ProcessNode) -> ScanProgress:
    """The progress of a ``pesfp.scan.base`` or ``pesfp.screen``.

    :raises ValueError: for another process.
    """
    if not {'scan', 'structures'} <= set(node.inputs):
        raise ValueError(f'{node.process_label}<{node.pk}> is no scan and no screening')
    structures, entries, rejected = _to_scan(node), {}, set()
    progress = ScanProgress(len(structures))
    for process in node.called:
        if process.process_label == 'reject' and 'result' in process.outputs:
            rejected |= set(process.outputs.result.keys())
    further = {one.pk for child in node.called if child.process_type == node.process_type for one in jobs_of(child)}
    for job in (job for job in jobs_of(node) if job.pk not in further):
        progress.running += not job.is_terminated
        if job.process_label in ORDERING:
            continue
        try:
            entries |= read_run(job)['structures']
        except _UNREADABLE as error:
            if not job.is_terminated:
                progress.silent[job.pk] = one_line(error)
    states = [entry['state'] for entry in entries.values()]
    # Results of earlier jobs are done as well.
    described = outputs_in([node.pk], 'descriptors', DescriptorsData).get(node.pk, {})
    reused = described.keys() & structures.keys() - entries.keys()
    progress.rejected, progress.failed = len(rejected), states.count('failed')
    progress.done = states.count('done') + len(reused)
    # Speed and time left, from what the finished structures have cost.
    done = {key: entry for key, entry in entries.items() if entry['state'] == 'done' and key in structures}
    seconds = sum(entry['seconds'] for entry in done.values())
    progress.stopped = sum(bool(entry.get('stopped_early')) for entry in done.values())
    progress.evaluations = sum(entry.get('evaluations', 0) for entry in done.values())
    if seconds > 0:
        progress.evaluations_per_second = progress.evaluations / seconds
    accounted = {key for key, entry in entries.items() if entry['state'] != 'pending'} | rejected | reused
    left = [key for key in structures if key not in accounted]
    if node.is_terminated or not left:
        progress.seconds_left = 0.0
    elif seconds > 0:
        parameters = FingerprintSettings.from_dict(node.inputs.scan.parameters.get_dict())
        cost = {key: estimated_cost(structures[key], parameters) for key in (*done, *left)}
        per_cost = seconds / sum(cost[key] for key in done)
        progress.seconds_left = per_cost * sum(cost[key] for key in left) / max(1, progress.running)
    return progress


def _to_scan(node: ProcessNode) -> dict[str, StructureData]:
    """The structures of a scan or screening; orderings, once they are made, in the place of disordered ones."""
    structures, made = dict(node.inputs.structures), {}
    taken, parents = list(structures), {one.uuid: key for key, one in reversed(structures.items())}
    for process in sorted(node.called, key=lambda one: one.pk):
        if process.process_label in ORDERING and process.is_finished_ok:
            key = parents[process.inputs.structure.uuid]
            structures.pop(key, None)
            # They were made twice if the daemon was interrupted.
            numbers = [one for one in ordering_numbers(process.outputs.about.keys()) if one not in made.get(key, ())]
            made.setdefault(key, []).extend(numbers)
            keys = ordering_keys(key, numbers, taken)
            taken += keys
            structures |= {one: process.outputs[f'ordering_{number}'] for number, one in zip(numbers, keys)}
    return structures


def estimated_cost(structure: StructureData, parameters: FingerprintSettings) -> float:
    """Cost of a scan up to a factor: evaluations times atoms."""
    points = np.prod(grid_shape(np.array(structure.cell), parameters.scan.spacing))
    kinds = {kind.name: kind.symbol for kind in structure.kinds}
    of_species = sum(kinds[site.kind_name] == parameters.species for site in structure.sites)
    ions, atoms = of_species, len(structure.sites)
    if parameters.scan.others != 'fixed':
        ions, atoms = 1, atoms + 1 - (of_species if parameters.scan.others == 'removed' else 0)
    return float(points * ions * atoms)


def dynamics_of(node: ProcessNode, engines: Mapping[str, str]) -> list[DynamicsProgress]:
    """All molecular dynamics of a process, in the order in which they were started.

    :param engines: type of each process that runs dynamics -> name of its engine.
    """
    found = [process for process in with_descendants(node) if process.process_type in engines]
    return [_dynamics_progress(process, engines[process.process_type]) for process in found]


def _dynamics_progress(node: ProcessNode, engine: str) -> DynamicsProgress:
    dynamics, caller = node.inputs.md.dynamics.get_dict(), node.caller
    timestep, steps = dynamics.get('timestep', 1.0), dynamics['steps']
    done, running, seconds, silent = 0, 0, 0.0, None
    for job in jobs_of(node):
        if 'output_parameters' in job.outputs:
            done += job.outputs.output_parameters['steps']
        elif not job.is_terminated:
            try:
                running, seconds = job.process_class.steps_so_far(job)
            except _UNREADABLE as error:
                silent = one_line(error)
    done, structure = min(steps, done + running), node.inputs.md.structure
    name = (caller.label if caller is not None else '') or structure.label or structure.get_formula()
    progress = DynamicsProgress(name, engine, dynamics['temperature'], steps, done, done * timestep / 1000)
    progress.state, progress.silent = node.process_state.value, silent
    if running and seconds:
        speed = running / seconds
        progress.nanoseconds_per_day, progress.seconds_left = speed * timestep * 86400e-6, (steps - done) / speed
    if node.is_terminated:
        progress.seconds_left = 0.0
    return progress
