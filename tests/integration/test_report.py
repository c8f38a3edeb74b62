"""``aiida-pesfp report`` on real screenings, by the command line, and on their archive in another profile."""

import asyncio
import base64
import gzip
import re

import pytest
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.manage.configuration import load_profile
from aiida.orm import Group, Int, StructureData
from aiida.storage.sqlite_temp import SqliteTempBackend
from aiida.tools.archive import create_archive, import_archive
from click.testing import CliRunner

from aiida_pesfp.cli.report import report
from aiida_pesfp.errors import NothingToReport
from aiida_pesfp.queries.descriptors import descriptors_of
from aiida_pesfp.report.collect import collect
from aiida_pesfp.workflows.screen import ScreenWorkChain
from tests.helpers.crystals import rock_salt

COARSE = {'scan': {'parameters': {'spacing': 0.8}}, 'reuse': False}


@pytest.fixture
def screen_of(code, potential):
    """Makes a builder of ``pesfp.screen`` on a coarse grid."""

    def make(structures):
        builder = ScreenWorkChain.get_builder_from_protocol(code, structures, potential, 'fast', COARSE)
        if 'LiCl' in structures:
            builder.properties = {'LiCl': {'band_gap': 6.2}}
        builder.metadata.label = 'three salts'
        return builder

    return make


def call(*arguments):
    """Call the command in this process and profile."""
    return CliRunner().invoke(report, [str(argument) for argument in arguments])


def without_pks(text):
    """The page, unpacked, but for PKs, which are each profile's own."""
    packed = re.compile(r'(id="payload-\d+">)([^<]+)')
    text = packed.sub(lambda match: match[1] + gzip.decompress(base64.b64decode(match[2])).decode(), text)
    return re.sub(r'(?<=&lt;)\d+(?=&gt;)', 'PK', text)


def test_a_screening_its_group_and_its_archive_make_the_same_report(aiida_profile, screen_of, structures, tmp_path):
    sodium = StructureData(pymatgen=rock_salt('Na', 'Cl', 5.64), label='NaCl').store()
    outputs, node = run_get_node(screen_of(structures | {'NaCl': sodium}))
    assert node.is_finished_ok, node.exit_message

    found = collect(node)
    assert [one.label for one in found.entries] == [row['key'] for row in outputs['ranking']['rows']]
    assert [one.source.uuid for one in found.entries] == [row['descriptors'] for row in outputs['ranking']['rows']]
    assert {one.label: one.surface.uuid for one in found.entries} == {
        key: pes.uuid for key, pes in outputs['pes'].items()
    }
    assert next(one.properties for one in found.entries if one.label == 'LiCl') == {'band_gap': 6.2}
    (rejected,) = found.rejected
    assert (rejected.label, rejected.formula, rejected.stage) == ('NaCl', 'ClNa', 'filter')
    assert 'no Li among its elements' in rejected.reason
    assert rejected.node.uuid == outputs['rejected'].uuid
    assert found.notes == []

    first = tmp_path / 'new' / 'first.html'
    answer = call(node.pk, '-o', first, '--figures', tmp_path / 'figures', '--top', 1)
    assert answer.exit_code == 0, answer.output
    assert '3 structures in' in answer.output
    assert len(list((tmp_path / 'figures').iterdir())) == 2 * (2 + 3)
    text = first.read_text()
    assert 'no Li among its elements' in text
    assert '<h1>Fast-ion screening: three salts</h1>' in text

    # Nothing is overwritten in silence, but a report by its successor.
    again = call(node.pk, '-o', first, '--figures', tmp_path / 'figures')
    assert again.exit_code != 0
    assert 'is not empty' in again.output
    foreign = tmp_path / 'notes.html'
    foreign.write_text('<p>my notes</p>')
    again = call(node.pk, '-o', foreign)
    assert again.exit_code != 0
    assert 'no report' in again.output
    assert foreign.read_text() == '<p>my notes</p>'
    again = call(node.pk, '-o', foreign, '--figures', tmp_path / 'figures', '--top', 0, '--overwrite')
    assert again.exit_code == 0, again.output
    assert '<h1>' in foreign.read_text()
    assert call(node.pk, '-o', first).exit_code == 0

    group = Group(label='salts').store()
    group.add_nodes([node])
    answer = call('salts', '-o', tmp_path / 'group.html')
    assert answer.exit_code == 0, answer.output
    assert 'Group&lt;' in (tmp_path / 'group.html').read_text()

    uuid = node.uuid
    create_archive([node], filename=tmp_path / 'screening.aiida')
    load_profile(SqliteTempBackend.create_profile('elsewhere'), allow_switch=True)
    try:
        import_archive(tmp_path / 'screening.aiida')
        answer = call(uuid, '-o', tmp_path / 'second.html')
    finally:
        load_profile(aiida_profile, allow_switch=True)
    assert answer.exit_code == 0, answer.output
    second = (tmp_path / 'second.html').read_text()
    assert without_pks(second) == without_pks(text)


def test_a_screening_without_a_result_says_why(screen_of, tmp_path):
    sodium = StructureData(pymatgen=rock_salt('Na', 'Cl', 5.64), label='NaCl').store()
    _, node = run_get_node(screen_of({'NaCl': sodium}))
    assert node.exit_status == ScreenWorkChain.exit_codes.ERROR_ALL_REJECTED.status
    answer = call(node.pk, '-o', tmp_path / 'report.html')
    assert answer.exit_code == 0, answer.output
    assert f'ScreenWorkChain<{node.pk}> [310]: ' in answer.output
    text = (tmp_path / 'report.html').read_text()
    assert 'No structure has descriptors' in text
    assert 'no Li among its elements' in text
    assert 'id="ranking"' not in text


def test_a_workchain_that_has_not_begun_has_nothing_to_report(screen_of, structures):
    runner = get_manager().create_runner(communicator=None)
    process = instantiate_process(runner, screen_of(structures))
    runner.close()
    with pytest.raises(NothingToReport, match=r'has not finished \(created\).*verdi process report'):
        collect(process.node)


def test_a_killed_screening_says_what_is_missing(screen_of, structures, tmp_path):
    builder = screen_of(structures)
    builder.max_structures_per_job, builder.max_concurrent_jobs = Int(1), Int(1)
    runner = get_manager().get_runner()
    process = instantiate_process(runner, builder)

    async def run_until_the_first_result():
        task = asyncio.ensure_future(process.step_until_terminated())
        while not descriptors_of(process.node):
            await asyncio.sleep(0.1)
        process.kill('enough')
        await task

    runner.loop.run_until_complete(run_until_the_first_result())
    node = process.node
    assert node.is_killed
    found = collect(node)
    assert len(found.entries) + len(found.rejected) == 3
    assert found.entries
    assert {one.stage for one in found.rejected} == {'missing'}
    assert {one.label for one in (*found.entries, *found.rejected)} == set(structures)
    answer = call(node.pk, '-o', tmp_path / 'report.html')
    assert answer.exit_code == 0, answer.output
    assert f'ScreenWorkChain<{node.pk}> was killed' in answer.output
    assert f'{len(found.rejected)} of 3 structures are missing' in answer.output
    text = (tmp_path / 'report.html').read_text()
    assert f'verdi process report {node.pk}' in text
    assert f'ScreenWorkChain&lt;{node.pk}&gt; was killed</td>' in text


def test_what_cannot_be_found_is_said(tmp_path):
    answer = call('nowhere', '-o', tmp_path / 'report.html')
    assert answer.exit_code != 0
    assert "there is no group and no node 'nowhere'" in answer.output
    Group(label='hollow').store()
    answer = call('hollow', '-o', tmp_path / 'report.html')
    assert answer.exit_code != 0
    assert "the group 'hollow' is empty" in answer.output
    assert not (tmp_path / 'report.html').exists()
