"""The Materials Project and OPTIMADE through their own clients, against servers on this machine."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
import requests

from aiida_pesfp.crystals.optimade import from_optimade
from aiida_pesfp.errors import SourceError
from aiida_pesfp.sources.materials_project import query_materials_project
from aiida_pesfp.sources.optimade import query_optimade
from tests.helpers import servers
from tests.helpers.crystals import antifluorite, rock_salt

LICL, LI2O, NACL = rock_salt('Li', 'Cl', 5.13), antifluorite('Li', 'O', 4.62), rock_salt('Na', 'Cl', 5.64)


def document(identifier, crystal, band_gap=6.0, energy_above_hull=0.0, **others):
    return {
        'material_id': identifier,
        'structure': crystal.as_dict(),
        'elements': [str(element) for element in crystal.elements],
        'band_gap': band_gap,
        'energy_above_hull': energy_above_hull,
    } | others


class TestMaterialsProject:
    @pytest.fixture(autouse=True)
    def key(self, monkeypatch):
        pytest.importorskip('mp_api')
        monkeypatch.setenv('MP_API_KEY', servers.KEY)

    def test_search(self):
        documents = [
            document('mp-22905', LICL, 6.25),
            document('mp-1960', LI2O, 5.0, 0.001),
            document('mp-22862', NACL),
            document('mp-1', LICL, 0.1),
        ]
        with servers.serve(servers.materials_project(documents)) as url:
            entries = list(query_materials_project(endpoint=url, elements=['Li'], band_gap=(0.5, None)))
            one = list(query_materials_project(endpoint=url, material_ids=['mp-22862']))
            first = list(query_materials_project(limit=1, endpoint=url, elements=['Li']))
        assert [(entry.id, entry.band_gap, entry.energy_above_hull) for entry in entries] == [
            ('mp-22905', 6.25, 0.0),
            ('mp-1960', 5.0, 0.001),
        ]
        assert entries[0].structure == LICL
        assert entries[0].database_version == '2025.09.25'
        assert entries[0].url.endswith('/mp-22905')
        assert [entry.id for entry in one] == ['mp-22862']
        assert len(first) == 1

    def test_a_bad_entry_costs_the_others_nothing(self):
        documents = [
            document('mp-2', LICL, structure={'lattice': 'none'}),
            document('mp-3', LICL, structure=None),
            'nonsense',
            document('mp-1960', LI2O),
        ]
        with servers.serve(servers.materials_project(documents)) as url:
            entries = list(query_materials_project(endpoint=url, elements=['Li']))
        assert [entry.error is None for entry in entries] == [False, False, False, True]
        assert all('is no structure of' in entry.error for entry in entries[:2])

    def test_a_wrong_key(self, monkeypatch):
        with servers.serve(servers.materials_project([document('mp-1960', LI2O)])) as url:
            monkeypatch.setenv('MP_API_KEY', 'b' * 32)
            with pytest.raises(SourceError, match='refuses the key in MP_API_KEY'):
                list(query_materials_project(endpoint=url, elements=['Li']))
            monkeypatch.setenv('MP_API_KEY', 'short')
            with pytest.raises(SourceError, match='refuses the key in MP_API_KEY'):
                list(query_materials_project(endpoint=url, elements=['Li']))
            monkeypatch.delenv('MP_API_KEY')
            with pytest.raises(SourceError, match='no key'):
                list(query_materials_project(endpoint=url, elements=['Li']))

    @pytest.mark.parametrize(
        ('status', 'content', 'words'),
        [
            (200, '<html>', 'is not the Materials Project'),
            (200, {'status': 'OK'}, 'no db_version'),
            (500, {}, 'cannot be reached'),
            (200, 5.0, 'not answered within 0.2 s'),
        ],
    )
    def test_an_answer_that_is_none(self, status, content, words):
        with (
            servers.serve(lambda *_: (status, content)) as url,
            pytest.raises(SourceError, match=words),
        ):
            list(query_materials_project(endpoint=url, timeout=0.2, elements=['Li']))

    def test_nonsense_after_a_good_beginning(self):
        beginning = servers.materials_project([])

        def answer(path, query, headers):
            return beginning(path, query, headers) if path == '/heartbeat' else (200, '<html>')

        with servers.serve(answer) as url, pytest.raises(SourceError, match='unreadable answer'):
            list(query_materials_project(endpoint=url, elements=['Li']))


class TestOptimade:
    @pytest.fixture(autouse=True)
    def client(self):
        pytest.importorskip('optimade')

    def test_pages_properties_and_bad_entries(self):
        documents = [
            servers.optimade_document('1', LICL, _test_gap=6.2, _test_stability={'hull': 0.01}),
            servers.optimade_document('2', LI2O, lattice_vectors=None),
            servers.optimade_document('3', LI2O, nperiodic_dimensions=2),
            {'id': '4'},
            servers.optimade_document('5', LI2O, _test_gap='large'),
            servers.optimade_document('6', LI2O),
        ]
        with servers.serve(servers.optimade(documents)) as url:
            entries = list(query_optimade(url, 'elements HAS "Li"', 10, 5.0, '_test_gap', '_test_stability.hull'))
            two = list(query_optimade(url, 'elements HAS "Li"', 2, 5.0))
        assert [entry.error is None for entry in entries] == [True, False, False, False, False, True]
        good = entries[0]
        assert (good.band_gap, good.energy_above_hull) == (6.2, 0.01)
        assert (good.database, good.database_version) == ('Crystals of a test', '7')
        assert good.structure == LICL
        assert entries[5].structure == LI2O
        assert entries[5].band_gap is None
        assert 'periodic along 2 of 3' in entries[2].error
        assert [entry.id for entry in two] == ['1', '2']

    def test_what_came_before_a_failure_is_kept(self):
        good = servers.optimade([servers.optimade_document(str(number), LICL) for number in range(4)])

        def answer(path, query, headers):
            return (200, '<html>') if 'page_offset' in query else good(path, query, headers)

        found = []
        with servers.serve(answer) as url, pytest.raises(SourceError, match='not JSON'):
            found.extend(entry.id for entry in query_optimade(url, 'elements HAS "Li"', 10, 5.0))
        # The generator raised after it had yielded the first page.
        with servers.serve(answer) as url:
            generator = query_optimade(url, 'elements HAS "Li"', 10, 5.0)
            assert [next(generator).id, next(generator).id] == ['0', '1']

    @pytest.mark.parametrize(
        ('status', 'content', 'words'),
        [
            (200, 'nonsense', 'not JSON'),
            (200, {'data': 'nothing'}, 'no list of structures'),
            (200, 5.0, 'not answer in time'),
            (500, {'errors': [{'title': 'Broken', 'detail': 'down today'}]}, 'down today'),
        ],
    )
    def test_an_answer_that_is_none(self, status, content, words):
        with servers.serve(lambda *_: (status, content)) as url, pytest.raises(SourceError, match=words):
            list(query_optimade(url, 'elements HAS "Li"', 10, 0.3))

    def test_a_filter_that_is_none(self):
        with pytest.raises(SourceError, match='is not a filter of OPTIMADE'):
            list(query_optimade('http://127.0.0.1:9', 'give me lithium', 10, 0.3))

    def test_nobody_there(self):
        with pytest.raises(SourceError, match='http://127.0.0.1:9'):
            list(query_optimade('http://127.0.0.1:9', 'elements HAS "Li"', 10, 0.3))

    def test_a_shared_site(self):
        attributes = servers.optimade_document('1', LICL)['attributes']
        attributes['species'][1] = {
            'name': 'Li', 'chemical_symbols': ['Li', 'Na', 'vacancy'], 'concentration': [0.5, 0.25, 0.25]
        }  # fmt: skip
        assert from_optimade(attributes)[0].composition.as_dict() == {'Li': 0.5, 'Na': 0.25, 'Cl': 1.0}


@pytest.fixture(scope='module')
def reference_server(tmp_path_factory):
    """optimade's own reference server with its own test data; the base URL."""
    pytest.importorskip('uvicorn')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    config = tmp_path_factory.mktemp('optimade') / 'config.json'
    settings = {
        'database_backend': 'mongomock',
        'insert_test_data': True,
        'log_dir': str(config.parent),
        # The names in the test data.
        'aliases': {
            'structures': {
                'id': 'task_id',
                'immutable_id': '_id',
                'chemical_formula_descriptive': 'pretty_formula',
                'chemical_formula_reduced': 'pretty_formula',
                'chemical_formula_anonymous': 'formula_anonymous',
            }
        },
    }
    config.write_text(json.dumps(settings))
    command = [sys.executable, '-m', 'uvicorn', 'optimade.server.main:app', '--port', str(port), '--log-level', 'error']
    environment = os.environ | {'OPTIMADE_CONFIG_FILE': str(config)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f'http://127.0.0.1:{port}'
    try:
        for _ in range(240):
            try:
                requests.get(f'{url}/v1/info', timeout=5).raise_for_status()
                break
            except requests.RequestException:
                assert process.poll() is None, 'the server ended'
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait()


def test_optimade_s_own_server(reference_server):
    """Filter and pages as the reference implementation has them."""
    entries = list(query_optimade(reference_server, 'elements HAS "Ac" AND nelements>=2', 5, 30.0))
    found = requests.get(
        f'{reference_server}/v1/structures', params={'filter': 'elements HAS "Ac" AND nelements>=2'}, timeout=30
    ).json()
    assert len(entries) == min(5, found['meta']['data_returned']) > 1
    for entry, expected in zip(entries, found['data']):
        assert entry.id == expected['id']
        assert any(
            words in str(entry.error) for words in ('has no atoms', 'correct', 'too far', 'touch')
        )  # made-up cells
