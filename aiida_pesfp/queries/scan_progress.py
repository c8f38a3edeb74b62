"""How far a scan or a screening is, from the account that each job gives in ``run.json``."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from aiida.common.exceptions import AiidaException, NotExistent
from aiida.orm import CalcJobNode, ProcessNode

from aiida_pesfp.calculations.scan import ScanCalculation
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.workflows.screen import estimated_cost

_ACCOUNT = f'{ScanCalculation.RESULTS}/run.json'


@dataclass
class Progress:
    """State of a scan or screening.

    :ivar total: structures that were given.
    :ivar rejected: those that the filter left out.
    :ivar done: those with results.
    :ivar failed: those that cannot be scanned.
    :ivar running: jobs that are not at their end.
    :ivar evaluations_per_second: of one job; None before the first structure is done.
    :ivar seconds_left: None if nothing is done yet; 0 at the end.
    :ivar silent: jobs that run and whose account could not be read, with the reason.
    """

    total: int
    rejected: int = 0
    done: int = 0
    failed: int = 0
    running: int = 0
    evaluations: int = 0
    evaluations_per_second: float | None = None
    seconds_left: float | None = None
    silent: dict[int, str] = field(default_factory=dict)


def progress_of(node: ProcessNode) -> Progress:
    """The progress of a ``pesfp.scan``, ``pesfp.scan.base`` or ``pesfp.screen``.

    What a running job has done is read from its folder on the computer where it runs.

    :raises ValueError: for another process.
    """
    inputs = node.inputs.scan if 'scan' in node.inputs else node.inputs
    holder = node.inputs if 'structures' in node.inputs else inputs
    if 'structures' not in holder or 'potential' not in inputs:
        raise ValueError(f'{node.process_label}<{node.pk}> is no scan and no screening')
    structures = dict(holder.structures)
    progress = Progress(len(structures))
    entries, rejected = {}, set()
    processes = [node, *sorted(node.called_descendants, key=lambda called: called.pk)]
    for process in processes:
        if process.process_label == 'reject' and 'result' in process.outputs:
            rejected |= set(process.outputs.result.keys())
        if isinstance(process, CalcJobNode) and process.process_class is ScanCalculation:
            progress.running += not process.is_terminated
            try:
                entries |= account_of(process)['structures']  # of a restart it holds what the job before has done
            except (AiidaException, OSError, ValueError, KeyError) as error:
                if not process.is_terminated:
                    progress.silent[process.pk] = str(error) or type(error).__name__
    states = [entry['state'] for entry in entries.values()]
    progress.rejected, progress.done, progress.failed = len(rejected), states.count('done'), states.count('failed')
    _estimate(progress, node, structures, entries, rejected)
    return progress


def _estimate(progress: Progress, node: ProcessNode, structures: dict, entries: dict, rejected: set) -> None:
    """Speed and time left, from what the finished structures have cost."""
    done = {key: entry for key, entry in entries.items() if entry['state'] == 'done' and key in structures}
    seconds = sum(entry['seconds'] for entry in done.values())
    progress.evaluations = sum(entry.get('evaluations', 0) for entry in done.values())
    if seconds > 0:
        progress.evaluations_per_second = progress.evaluations / seconds
    accounted = {key for key, entry in entries.items() if entry['state'] != 'pending'} | rejected
    left = [key for key in structures if key not in accounted]
    if node.is_terminated or not left:
        progress.seconds_left = 0.0
    elif seconds > 0:
        inputs = node.inputs.scan if 'scan' in node.inputs else node.inputs
        parameters = FingerprintSettings.from_dict(inputs.parameters.get_dict())
        cost = {key: estimated_cost(structures[key], parameters) for key in (*done, *left)}
        per_cost = seconds / sum(cost[key] for key in done)
        progress.seconds_left = per_cost * sum(cost[key] for key in left) / max(1, progress.running)


def account_of(job: CalcJobNode) -> dict:
    """``run.json`` of a job, from the graph or, while it runs, from the remote folder."""
    if 'retrieved' in job.outputs:
        return json.loads(job.outputs.retrieved.base.repository.get_object_content(_ACCOUNT))
    workdir = job.get_remote_workdir()
    if workdir is None:
        raise NotExistent('not yet uploaded')
    with tempfile.TemporaryDirectory() as folder, job.get_transport() as transport:
        local = Path(folder) / 'run.json'
        transport.getfile(f'{workdir}/{_ACCOUNT}', str(local))
        return json.loads(local.read_text())
