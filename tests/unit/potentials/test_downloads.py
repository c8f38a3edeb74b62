"""Published weights: downloaded from a server on this machine, resumed, cached and refused."""

import hashlib
import subprocess
import sys
import time

import pytest

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials import identify, load_potential
from aiida_pesfp.potentials.downloads import Download
from aiida_pesfp.potentials.registry import files_of
from tests.helpers.crystals import rock_salt
from tests.helpers.servers import WeightServer

CONTENT = {'a.index': b'index' * 40, 'a.data': bytes(range(256)) * 1000}
PATHS = [f'toy-1/{name}' for name in CONTENT]


@pytest.fixture
def toy():
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    return Download('toy-1', 'http://127.0.0.1:9/published', hashes, 0.3)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A mirror of the toy's files, and an empty cache."""
    monkeypatch.setenv('PESFP_CACHE', str(tmp_path / 'cache'))
    with WeightServer(dict(zip(PATHS, CONTENT.values()))) as server:
        monkeypatch.setenv('PESFP_WEIGHTS_URL', f'{server.url}/')
        yield server


def is_whole(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != '.lock'} == CONTENT


def test_files_are_downloaded_once(toy, server, tmp_path):
    folder = toy.fetch()
    assert folder == tmp_path / 'cache' / 'toy-1'
    assert is_whole(folder)
    assert toy.fetch() == folder
    assert server.requests == [(path, None) for path in PATHS]


def test_only_what_is_missing_or_damaged_is_downloaded(toy, server):
    folder = toy.fetch()
    (folder / 'a.data').write_bytes(CONTENT['a.data'][:-1] + b'!')
    server.requests.clear()
    assert is_whole(toy.fetch())
    assert server.requests == [(PATHS[1], None)]


@pytest.mark.parametrize('ranges', [True, False])
def test_an_interrupted_download_is_resumed(toy, server, ranges, tmp_path):
    """With a server that sends parts of files; another one sends the whole file again."""
    server.break_after, server.ranges = 100_000, ranges
    with pytest.raises(PotentialError, match='Run the same command again to resume'):
        toy.fetch()
    arrived = (tmp_path / 'cache' / 'toy-1' / 'a.data.part').stat().st_size
    assert 50_000 < arrived <= 100_000
    server.requests.clear()
    server.break_after = None
    assert is_whole(toy.fetch())
    assert server.requests == [(PATHS[1], f'bytes={arrived}-')]


@pytest.mark.parametrize('left', [CONTENT['a.data'] + b'more', CONTENT['a.data'], b'?' * 5000])
def test_what_an_earlier_download_left_does_no_harm(toy, server, left, tmp_path):
    folder = tmp_path / 'cache' / 'toy-1'
    folder.mkdir(parents=True)
    (folder / 'a.data.part').write_bytes(left)
    if left.startswith(b'?'):
        with pytest.raises(PotentialError, match=r'hash of downloaded file .*a\.data'):
            toy.fetch()
    assert is_whole(toy.fetch())


@pytest.mark.parametrize('wrong', [CONTENT['a.data'][:1000], CONTENT['a.data'][::-1]], ids=['truncated', 'other'])
def test_a_wrong_file_is_refused_and_not_kept(toy, server, wrong):
    server.files[PATHS[1]] = wrong
    with pytest.raises(PotentialError, match=r'toy-1 .*hash of downloaded file .*a\.data'):
        toy.fetch()
    server.files[PATHS[1]] = CONTENT['a.data']
    assert is_whole(toy.fetch())


def test_a_file_that_the_server_lacks_is_named(toy, server):
    del server.files[PATHS[1]]
    with pytest.raises(PotentialError, match=r'404 .*toy-1/a\.data'):
        toy.fetch()


def test_without_a_server_the_error_is_quick_and_names_the_way_out(toy, monkeypatch, tmp_path):
    monkeypatch.setenv('PESFP_CACHE', str(tmp_path))
    monkeypatch.delenv('PESFP_WEIGHTS_URL', raising=False)
    begin = time.monotonic()
    with pytest.raises(PotentialError, match=r'from http://127\.0\.0\.1:9/published .*copy a\.index, a\.data .*--from'):
        toy.fetch()
    assert time.monotonic() - begin < 5


def test_a_cache_that_can_only_be_read_suffices(toy, server):
    folder = toy.fetch()
    (folder / '.lock').unlink()
    folder.chmod(0o555)
    server.requests.clear()
    try:
        assert toy.fetch() == folder
    finally:
        folder.chmod(0o755)
    assert not server.requests
    assert not (folder / '.lock').exists()


@pytest.mark.parametrize(
    ('name', 'sent', 'words'),
    [
        ('a.model', b'\n <!DOCTYPE html><html><body>Log in first</body></html>', 'a page or a pointer'),
        ('a.nqx', b'version https://git-lfs.github.com/spec/v1\noid sha256:0', 'a page or a pointer'),
        ('a.pt', b'Not found', "no file of torch in the place of a.pt: b'Not found'"),
        ('a.json', b'Not found', 'no JSON in the place of a.json'),
    ],
)
def test_what_servers_send_in_the_place_of_weights_is_refused(server, name, sent, words):
    """Also where no hash is known, and the right file is fetched when the server has it."""
    download = Download('toy-1', 'http://127.0.0.1:9/published', {name: None})
    server.files[f'toy-1/{name}'] = sent
    with pytest.raises(PotentialError, match=words):
        download.fetch()
    server.files[f'toy-1/{name}'] = b'{}' if name == 'a.json' else b'PK\x03\x04'
    assert [path.name for path in download.fetch().iterdir() if path.name != '.lock'] == [name]


def test_files_without_a_known_hash_are_confirmed_once(toy, server):
    """By the SHA-256 of the lines that ``sha256sum`` prints for them; from then on they are as good as others."""
    unknown = Download(toy.name, toy.url, dict.fromkeys(toy.files))
    lines = ''.join(f'{toy.files[name]}  {name}\n' for name in sorted(toy.files))
    digest = hashlib.sha256(lines.encode()).hexdigest()
    folder = unknown.fetch()
    for wrong in (None, '0' * 64):
        with pytest.raises(PotentialError, match=f'{digest}.*{wrong or "--sha256"}'):
            unknown.confirm(wrong)
    unknown.confirm(digest)
    server.requests.clear()
    unknown.fetch()
    unknown.confirm(None)
    assert not server.requests
    assert (folder / 'SHA256SUMS').read_text() == lines
    (folder / 'a.data').write_bytes(b'?')
    assert (unknown.fetch() / 'a.data').read_bytes() == CONTENT['a.data']
    server.files[PATHS[1]] = b'changed by its publisher'
    (folder / 'a.data').unlink()
    with pytest.raises(PotentialError, match=rf'a\.data.*{toy.files["a.data"]}'):
        unknown.fetch()


def test_the_paper_s_potential_comes_from_a_mirror(m3gnet_weights, monkeypatch, tmp_path):
    """By its name everywhere: in Python and for the programs of the compute side, which share the cache."""
    published = identify(m3gnet_weights)
    files = {f'{m3gnet_weights}/{path.name}': path.read_bytes() for path in files_of(published)}
    monkeypatch.setenv('PESFP_CACHE', str(tmp_path / 'cache'))
    with WeightServer(files) as server:
        monkeypatch.setenv('PESFP_WEIGHTS_URL', server.url)
        potential = load_potential(m3gnet_weights, device='cpu')
        assert potential.identity.sha256 == published.sha256
        rock_salt('Li', 'F', 4.0).to(str(tmp_path / 'LiF.cif'))
        command = [sys.executable, '-m', 'aiida_pesfp.programs.scan', 'LiF.cif', '--potential', m3gnet_weights, '-q']
        subprocess.run([*command, '--spacing', '1.0'], check=True, cwd=tmp_path)
    assert sorted(path for path, _ in server.requests) == sorted(files)
