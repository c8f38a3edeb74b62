"""``pesfp.scan.base``: scans that go on until each structure has a result or a reason why it has none."""

from collections.abc import Iterable, Mapping

from aiida.common.exceptions import AiidaException
from aiida.engine import ExitCode, ProcessBuilder
from aiida.orm import (
    AbstractCode,
    CalcJobNode,
    Data,
    Dict,
    FolderData,
    Int,
    RemoteData,
    StructureData,
    load_node,
)

from aiida_pesfp.calculations.ports import structures_port
from aiida_pesfp.calculations.program import read_run
from aiida_pesfp.calculations.scan import ScanCalculation, batch_of, keys_of, take_scan
from aiida_pesfp.calculations.selection import LOST, collect_failures
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.merge_tree import MergeTreeData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import WrongResults
from aiida_pesfp.queries.nodes import how_it_ended
from aiida_pesfp.queries.results import taken_from
from aiida_pesfp.workflows import restart


class ScanBaseWorkChain(restart.StrictRestartWorkChain):
    """Run ``pesfp.scan`` on a batch of structures, and again for those that a job which was stopped has left.

    A job goes on from the files of the one before it. If a job dies without progress, its structures are tried once
    more, then in two halves, and so on down to one structure alone, so that one which kills its job costs no other its
    result. Jobs that made progress are not counted, however many they are.
    """

    _process_class = ScanCalculation
    _namespace = _protocol = _runs_like = 'scan'
    _excluded_inputs = ('batch',)
    _passed_on = ()
    _RESTARTED = (restart.OUT_OF_WALLTIME, restart.OUT_OF_MEMORY, restart.INTERRUPTED)
    #: Most jobs in a row without progress: with several structures, with one alone, and before any progress at all.
    _MOST_TOGETHER, _MOST_ALONE, _MOST_AT_FIRST = 2, restart.MOST_DEATHS, 10
    #: Batch size after a first death of unknown size, and the factor after each further one.
    _CAUTIOUS_BATCH_SIZE, _SHRINK = 8, 4

    @classmethod
    def define(cls, spec):
        super().define(spec)
        structures_port(spec, 'Structures to scan. The keys name the outputs.')
        # The default of aiida-core is for repeated attempts at one thing; most of these jobs make progress.
        spec.inputs['max_iterations'].default = lambda: Int(100)
        words = 'Surfaces by the keys of the structures, of those whose grid is kept.'
        spec.output_namespace('pes', valid_type=PesData, dynamic=True, help=words)
        words = 'Merge trees by the keys, of those of which only this is kept.'
        spec.output_namespace('trees', valid_type=MergeTreeData, dynamic=True, help=words)
        spec.output_namespace('descriptors', valid_type=DescriptorsData, dynamic=True, help='Descriptors by the keys.')
        words = 'The cells that were scanned by the keys, where they are not those of the structures.'
        spec.output_namespace('scanned', valid_type=StructureData, dynamic=True, help=words)
        words = 'Structures without a result: key -> error_type and error. `JobLost` is not the fault of the structure.'
        spec.output('failures', valid_type=Dict, required=False, help=words)
        spec.exit_code(310, 'ERROR_STRUCTURES_LOST', message='{lost} of {total} structures are lost, see `failures`.')
        spec.exit_code(321, 'ERROR_ALL_STRUCTURES_FAILED', message='No structure could be scanned, see `failures`.')

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: AbstractCode,
        structures: dict[str, StructureData],
        potential: PotentialData,
        protocol: str | None = None,
        overrides: dict | None = None,
        options: dict | None = None,
    ) -> ProcessBuilder:
        """A builder with the inputs of a protocol.

        :param structures: what to scan, by keys that name the outputs. The other parameters are those of
            :meth:`RestartWorkChain.get_builder_from_protocol`.
        """
        builder = super().get_builder_from_protocol(code, None, protocol, overrides, options, potential=potential)
        builder.structures = structures
        return builder

    @classmethod
    def job_inputs(cls, protocol: dict, structure: None, *, potential: PotentialData) -> dict:
        """Inputs of the jobs but the structures."""
        return {'potential': potential, 'parameters': protocol['scan']['parameters']}

    def setup(self) -> None:
        super().setup()
        # Keys with a result, `failures` of jobs, other reasons by key, and seconds spent so far on each structure.
        self.ctx.done, self.ctx.failures, self.ctx.others, self.ctx.seconds = [], {}, {}, {}
        self.ctx.any_progress, self.ctx.deaths = False, 0
        # What is still to be scanned, each group by one job.
        self.ctx.groups = []
        self._add_group(list(self.inputs.structures), self.inputs.scan.get('parent_folder'))

    def should_run_process(self) -> bool:
        """Whether structures are left."""
        return bool(self.ctx.groups)

    def run_process(self):
        """Run a job for the next group."""
        group, inputs = self.ctx.groups[0], self.exposed_inputs(ScanCalculation, self._namespace)
        inputs.batch = batch_of({key: self.inputs.structures[key] for key in group['keys']})
        inputs.pop('parent_folder', None)
        if group['parent'] is not None:
            inputs.parent_folder = group['parent']
        if group['shrunk']:
            size = inputs.get('batch_size', self._CAUTIOUS_BATCH_SIZE * self._SHRINK)
            inputs.batch_size = max(1, size // self._SHRINK ** group['shrunk'])
        self.ctx.inputs = inputs
        self.report(f'to scan: {", ".join(group["keys"])}')
        return super().run_process()

    def inspect_process(self) -> ExitCode | None:
        """Take what the job has finished, and decide what becomes of the rest."""
        node, group = self.ctx.children[self.ctx.iteration - 1], self.ctx.groups.pop(0)
        left = set(self._left())
        self._take(node)
        group['progress'] = self._is_longer(node) or left != set(self._left())
        group['keys'] = [key for key in group['keys'] if key in self._left()]
        self.ctx.group, self.ctx.any_progress = group, self.ctx.any_progress or group['progress']
        if not group['keys']:
            return None
        exit_code = super().inspect_process()
        if exit_code is None or exit_code.status == 0:
            if node.is_finished_ok:
                self._lose(group['keys'], f'{node.process_label}<{node.pk}> says nothing about it')
            else:
                self._go_on(node)
            return None
        self._lose(self._left(), how_it_ended(node))
        self.results()
        return exit_code

    def results(self) -> ExitCode | None:
        """Say which structures have no result."""
        if self.ctx.others or self.ctx.failures:
            self.out('failures', collect_failures(Dict(self.ctx.others), **self.ctx.failures))
        if lost := [key for key, failure in self.ctx.others.items() if failure['error_type'] == LOST]:
            return self.exit_codes.ERROR_STRUCTURES_LOST.format(lost=len(lost), total=len(self.inputs.structures))
        return None if self.ctx.done else self.exit_codes.ERROR_ALL_STRUCTURES_FAILED

    def _go_on(self, node: CalcJobNode) -> None:
        """Add what a job has left to what is to be scanned.

        A job that ends without a word mostly lacked memory: the next one has smaller batches.
        """
        group, started = self.ctx.group, 'output_parameters' in node.outputs
        keys, parent, shrunk = group['keys'], group['parent'], group['shrunk']
        if (started or node.is_excepted) and 'remote_folder' in node.outputs:
            parent = node.outputs.remote_folder
        if started and node.exit_status != restart.OUT_OF_WALLTIME:
            shrunk += 1
        deaths = 0 if group['progress'] else group['deaths'] + 1
        self.ctx.deaths += 1
        if not self.ctx.any_progress and self.ctx.deaths >= self._MOST_AT_FIRST:
            self._lose(self._left(), f'no job got anywhere, the last of {self.ctx.deaths}: {how_it_ended(node)}')
            self.ctx.groups = []
        elif deaths < (self._MOST_TOGETHER if len(keys) > 1 else self._MOST_ALONE):
            self._add_group(keys, parent, shrunk, deaths)
        elif len(keys) > 1:
            middle = len(keys) // 2
            for half in (keys[:middle], keys[middle:]):
                # A half is split at once if its job dies; a structure alone has all its attempts.
                self._add_group(half, parent, deaths=self._MOST_TOGETHER - 1 if len(half) > 1 else 0)
        else:
            self._lose(keys, f'{deaths} jobs with it alone made no progress, the last: {how_it_ended(node)}')

    def _add_group(self, keys: list[str], parent: RemoteData | None, shrunk: int = 0, deaths: int = 0) -> None:
        """Add structures for one job: where it goes on from, how often its batches were made smaller, and how many jobs
        in a row made no progress."""
        self.ctx.groups.append({'keys': keys, 'parent': parent, 'shrunk': shrunk, 'deaths': deaths})

    def _take(self, node: CalcJobNode) -> None:
        """Make outputs of what a job has finished."""
        if 'failures' in node.outputs:
            self.ctx.failures[f'job_{node.pk}'] = node.outputs.failures
        taken, wrong = results_of_job(node, self.inputs.structures)
        self.ctx.others |= wrong
        self.ctx.done += taken.get('descriptors', {})
        for name, outputs in taken.items():
            for key, output in outputs.items():
                self.out(f'{name}.{key}', output)

    def _is_longer(self, node: CalcJobNode) -> bool:
        """Whether a job has spent time on a structure that the jobs before it had not."""
        entries = read_run(node)['structures'] if 'output_parameters' in node.outputs else {}
        before, seconds = self.ctx.seconds, {key: entry['seconds'] for key, entry in entries.items()}
        self.ctx.seconds = before | seconds
        return any(seconds[key] > before.get(key, 0) for key in seconds)

    def _left(self) -> list[str]:
        """Keys of the structures that have neither a result nor a reason why not."""
        failed = {key for node in self.ctx.failures.values() for key in node.get_dict()}
        return [key for key in self.inputs.structures if key not in {*self.ctx.done, *self.ctx.others, *failed}]

    def _lose(self, keys: Iterable[str], reason: str) -> None:
        """Note structures whose jobs were lost."""
        self.report(f'lost are {", ".join(keys)}: {reason}')
        self.ctx.others |= {key: {'error_type': LOST, 'error': reason} for key in keys}


def take_results(
    results: FolderData, structures: Mapping[str, StructureData]
) -> tuple[dict[str, dict[str, Data]], dict[str, dict[str, str]]]:
    """The outputs of :func:`take_scan` for structures of a job, by name and key, and by key why a structure has none.

    What was taken before, as by a process that was lost, is not taken again.
    """
    taken, wrong, before = {}, {}, taken_from(results)
    for key, structure in structures.items():
        try:
            done, label = before.get(structure.uuid), {'call_link_label': f'take_{key}'}
            outputs = load_node(done).outputs if done else take_scan(structure, results, metadata=label)
            for name in outputs:
                taken.setdefault('trees' if name == 'tree' else name, {})[key] = outputs[name]
        except (WrongResults, AiidaException, KeyError, OSError, ValueError) as error:
            wrong[key] = {'error_type': type(error).__name__, 'error': str(error)}
    return taken, wrong


def results_of_job(job: CalcJobNode, structures: Mapping[str, StructureData]) -> tuple[dict, dict]:
    """As :func:`take_results`, of all that a job has computed."""
    if 'results' not in job.outputs:
        return {}, {}
    results = job.outputs.results
    return take_results(results, {key: structures[key] for key in keys_of(results)})
