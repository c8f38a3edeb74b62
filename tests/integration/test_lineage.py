"""Where a number comes from: one structure, one record, one potential, one job, whatever else was in its batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiida.engine import run_get_node
from aiida.orm import (
    CalcJobNode,
    Computer,
    FolderData,
    Group,
    InstalledCode,
    Node,
    QueryBuilder,
    StructureData,
    WorkflowNode,
    load_node,
)
from aiida.tools.archive import create_archive
from aiida.tools.archive.abstract import get_format
from aiida.tools.visualization import Graph

from aiida_pesfp.calculations.records import structure_of_record
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.data.record import RecordData
from aiida_pesfp.sources.folder import read_folder
from aiida_pesfp.workflows.screen import ScreenWorkChain
from tests.helpers import REPOSITORY
from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator

sys.path.insert(0, str(REPOSITORY / 'examples'))


@pytest.fixture(scope='module')
def potential(aiida_profile, tmp_path_factory):
    path = write_calculator(tmp_path_factory.mktemp('potential') / 'lj.yaml', **LENNARD_JONES)
    return PotentialData.from_spec(str(path)).store()


@pytest.fixture(scope='module')
def screened(potential, tmp_path_factory):
    """A screening of three structures with a record each, all in one job."""
    tmp_path = tmp_path_factory.mktemp('lineage')
    computer = Computer('lineage', 'localhost', '', 'core.local', 'core.direct', str(tmp_path / 'run')).store()
    computer.configure()
    computer.set_minimum_job_poll_interval(0.0)
    program = str(Path(sys.executable).parent / 'pesfp-scan')
    code = InstalledCode(computer=computer, filepath_executable=program, label='lineage').store()
    folder = tmp_path / 'crystals'
    folder.mkdir()
    for name, crystal in (
        ('LiCl', rock_salt('Li', 'Cl', 5.13)),
        ('LiF', rock_salt('Li', 'F', 4.03)),
        ('Li2Te', antifluorite('Li', 'Te', 6.517)),
    ):
        crystal.to(folder / f'{name}.cif')
    records = {entry.structure.reduced_formula: RecordData.from_entry(entry).store() for entry in read_folder([folder])}
    structures = {key: structure_of_record(record) for key, record in records.items()}
    Group(label='crystals').store().add_nodes(list(structures.values()))
    overrides = {'scan': {'parameters': {'spacing': 0.8}}, 'reuse': False}
    builder = ScreenWorkChain.get_builder_from_protocol(code, structures, potential, 'fast', overrides)
    _, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert len([job for job in node.called_descendants if isinstance(job, CalcJobNode)]) == 1
    return node, structures, records


def ancestors(node, kind):
    """PKs of the nodes of a kind from which a node comes."""
    query = QueryBuilder().append(Node, filters={'id': node.pk}, tag='number')
    return sorted(query.append(kind, with_descendants='number', project='id').distinct().all(flat=True))


def test_the_ancestors_of_a_result_are_its_own(screened, potential):
    from queries.origin import behind, origin

    node, structures, records = screened
    for key, structure in structures.items():
        for result in (node.outputs.pes[key], node.outputs.descriptors[key]):
            assert ancestors(result, StructureData) == [structure.pk]
            assert ancestors(result, RecordData) == [records[key].pk]
            assert ancestors(result, PotentialData) == [potential.pk]
            (job,) = ancestors(result, CalcJobNode)
            assert ancestors(result, FolderData) == sorted(
                [load_node(job).inputs.batch.pk, load_node(job).outputs.results.pk]
            )
            assert origin(result.pk) == (potential.name, potential.sha256, job, key)
            assert [row[3] for row in behind(result.pk, RecordData)] == [f'{key}.cif']
    # Back from the structure, only its own results are found.
    query = QueryBuilder().append(StructureData, filters={'id': structures['LiF'].pk}, tag='structure')
    query.append((PesData, DescriptorsData), with_ancestors='structure', project='id')
    own = {node.outputs.pes['LiF'].pk, node.outputs.descriptors['LiF'].pk}
    assert set(query.all(flat=True)) == own


def test_the_graph_of_one_candidate(screened):
    node, structures, _ = screened
    graph = Graph()
    graph.recurse_ancestors(node.outputs.descriptors['LiF'], link_types=('input_calc', 'create'))
    found = [load_node(pk) for pk in graph.nodes]
    assert [one.pk for one in found if isinstance(one, StructureData)] == [structures['LiF'].pk]
    assert len([one for one in found if isinstance(one, RecordData)]) == 1


def contents(archive):
    """Labels of the structures, records, surfaces, descriptors and workflows in an archive."""
    with get_format().open(archive, 'r') as reader:
        kinds = (StructureData, RecordData, PesData, DescriptorsData, WorkflowNode)
        return [sorted(reader.querybuilder().append(kind, project='label').all(flat=True)) for kind in kinds]


def test_an_archive_of_one_candidate_holds_one(screened, aiida_pesfp, tmp_path):
    node, _, _ = screened
    surface, descriptors = node.outputs.pes['LiF'], node.outputs.descriptors['LiF']
    create_archive([surface], tmp_path / 'core.aiida', call_calc_backward=False, call_work_backward=False)
    aiida_pesfp('export', 'archive', descriptors.pk, '-o', tmp_path / 'ours.aiida')
    for name in ('core', 'ours'):
        assert contents(tmp_path / f'{name}.aiida') == [['LiF'], ['LiF'], ['LiF'], ['LiF'], []]


def test_an_archive_of_a_group_holds_its_results(screened, aiida_pesfp, tmp_path):
    archive, (node, _, _) = tmp_path / 'two.aiida', screened
    aiida_pesfp('export', 'archive', 'crystals', '--where', 'formula != "LiF"', '-o', archive)
    assert contents(archive) == [['Li2Te', 'LiCl']] * 4 + [[]]
    assert 'exists' in aiida_pesfp('export', 'archive', 'crystals', '-o', archive, fails=True)

    environment, programs = os.environ | {'AIIDA_PATH': str(tmp_path)}, Path(sys.executable).parent

    def elsewhere(program, *arguments):
        command = [str(programs / program), *map(str, arguments)]
        return subprocess.run(
            command, env=environment, cwd=REPOSITORY, check=True, capture_output=True, text=True
        ).stdout

    elsewhere('verdi', 'presto', '--use-zeromq', '--non-interactive')
    elsewhere('verdi', 'archive', 'import', archive)
    rows = json.loads(elsewhere('aiida-pesfp', 'rank', '--format', 'json'))
    assert {row['label']: row['xi'] for row in rows} == {
        key: node.outputs.descriptors[key].xi for key in ('Li2Te', 'LiCl')
    }
    (row,) = [row for row in rows if row['label'] == 'LiCl']
    printed = elsewhere('verdi', 'run', 'examples/queries/origin.py', row['pk'])
    assert 'LiCl.cif' in printed
    assert 'Li2Te' not in printed
