"""The catalogue: what it says is valid and true, its names are found, and what it cannot verify is not trusted."""

import datetime
import re
from dataclasses import replace
from pathlib import Path

import pytest

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials import identify, registry
from aiida_pesfp.potentials.base import Family
from aiida_pesfp.potentials.catalogue import catalogue, read
from aiida_pesfp.potentials.downloads import sha256_of
from aiida_pesfp.potentials.registry import families, find, in_file
from tests.helpers import REPOSITORY, SHARED
from tests.helpers.servers import WeightServer

ROWS = {row.name: row for row in catalogue()}
RESULTS = REPOSITORY / 'benchmarks' / 'results'
#: Licences that have no SPDX identifier.
NAMED = {'ASL', 'FAIR-Chemistry', 'GPL-3.0'}


@pytest.mark.parametrize('row', ROWS.values(), ids=ROWS)
def test_facts(row):
    """Beyond what reading checks."""
    day = row.released if row.released.count('-') == 2 else f'{row.released}-01'
    assert datetime.date(2020, 1, 1) < datetime.date.fromisoformat(day) <= datetime.date.today()
    assert re.fullmatch(r'https://doi\.org/10\.\d{4,5}/\S+', row.citation)
    if row.licence and row.licence.name not in NAMED:
        assert row.licence.url == f'https://spdx.org/licenses/{row.licence.name}.html'
    assert (row.model is not None) == (row.family == 'torchsim')
    assert row.family == 'torchsim' or row.family in families()
    assert not (row.url or '').endswith('/')
    assert all(row.variants.values()) or row.trained_on


@pytest.mark.parametrize('row', [row for row in ROWS.values() if row.embedded], ids=lambda row: row.name)
def test_embedded_files_have_their_hashes(row):
    pytest.importorskip(row.embedded.partition('/')[0], reason='its package is not installed')
    assert sha256_of([families()[row.family].embedded_file(row)]) == row.sha256


@pytest.mark.skipif(not (SHARED / 'weights').is_dir(), reason='needs the reference data')
@pytest.mark.parametrize(
    ('name', 'path'),
    [
        ('m3gnet-mp-2021.2.8', 'MP-2021.2.8-EFS-checkpoint'),
        ('m3gnet-matpes-pbe-2025.1', 'matgl-M3GNet-MatPES-PBE-v2025.1-PES'),
        ('tensornet-matpes-pbe-2025.1', 'matgl-TensorNet-MatPES-PBE-v2025.1-PES'),
        ('m3gnet-mp-2021.2.8-matgl', 'matgl-M3GNet-MP-2021.2.8-PES'),
        ('nequix-mp-1', 'nequix-mp-1.nqx'),
        ('nequix-oam-1-pft', 'nequix-oam-1-pft.nqx'),
    ],
)
def test_published_files_have_their_hashes(name, path):
    path = SHARED / 'weights' / path
    files = [path / name for name in ROWS[name].files] if path.is_dir() else [path]
    assert {file.name: sha256_of([file]) for file in files} == ROWS[name].files
    assert sum(file.stat().st_size for file in files) / 1e6 == pytest.approx(ROWS[name].megabytes, abs=0.05)


def test_our_barriers_are_those_of_the_benchmark():
    """Every score of the catalogue, and every potential that was measured."""
    measured = {}
    for output in (RESULTS / 'barriers.txt').read_text().split('\n$ '):
        if run := re.search(r'/Li\.json --potential (\S+) --method pinned', output):
            folder = run[1].rpartition('/matgl-')[2]
            name = next(name for name, row in ROWS.items() if name == run[1] or (row.url or '').endswith(f'/{folder}'))
            first = re.search(r'^\S+, pinned  +(.*)$', output, re.MULTILINE)[1].split()
            measured[name] = (int(first[0]), float(first[1]), int(first[3]))
    rows = {name: row.barriers for name, row in ROWS.items() if row.barriers}
    assert {name: (row.hops, row.spearman, row.right_side) for name, row in rows.items()} == measured
    assert len(measured) == 5


def test_our_rankings_are_those_of_the_benchmark():
    printed = (RESULTS / 'assess-kahle2020.txt').read_text()
    names = ['m3gnet-mp-2021.2.8', 'sevennet-0', 'chgnet-0.3.0']
    assert printed.startswith(f'$ python benchmarks/assess.py paper {" ".join(names[1:])} ')
    scores = re.findall(r'(\S+) ± ', re.search(r'^xi  .*$', printed, re.MULTILINE)[0])
    assert {name: row.ranking for name, row in ROWS.items() if row.ranking} == dict(zip(names, map(float, scores)))


VALID = """
licences: {MIT: {commercial: true, url: 'https://example.org'}}
potentials:
  - {name: one, family: sevennet, url: 'http://127.0.0.1:9', files: {one.pth: null}, released: 2026-01, licence: MIT,
     citation: 'https://doi.org/10.1/1'}
"""


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('name: one', 'name: One', 'name'),
        ('family: sevennet', 'familly: sevennet', 'familly'),
        ('one.pth: null', 'one.pth: 12ab', 'files'),
        ("url: 'http://127.0.0.1:9', ", '', 'needs one of embedded, url and obtain'),
        ('released', 'obtain: by hand, released', 'needs one of embedded, url and obtain'),
        (', files: {one.pth: null}', '', 'an address without files'),
        ('2026-01', '2026', 'released'),
        ('licence: MIT', 'licence: BSD', "the licence 'BSD', of which nothing is said"),
        ('licence: MIT', 'variants: {a: b}, trained_on: c', 'each says what it was trained on'),
        ('licence: MIT', 'f1: 85', 'f1'),
    ],
)
def test_invalid_rows_are_refused(old, new, words):
    assert read(VALID)[0].licence.commercial
    with pytest.raises((ValueError, TypeError), match=words):
        read(VALID.replace(old, new))


def test_two_of_a_name_are_refused():
    with pytest.raises(ValueError, match='there are two of one'):
        read(VALID + VALID[VALID.index('  - {') :])


@pytest.mark.parametrize(
    ('spec', 'name'),
    [
        ('SEVENNET-0', 'sevennet-0'),
        ('sevennet_l3i5', 'sevennet-l3i5'),
        ('SevenNet-MF-0:r2scan', 'sevennet-mf-0:R2SCAN'),
        ('sevennet-0 2024-05-22', 'sevennet-0-2024-05-22'),
    ],
)
def test_names_in_any_case(spec, name):
    assert identify(spec) == identify(name)
    assert identify(spec).name == name


def test_a_file_that_is_called_like_a_name_in_another_case_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('SEVENNET-0').write_text('nothing')
    with pytest.raises(PotentialError, match='holds no potential'):
        identify('SEVENNET-0')


def test_close_names_are_told(monkeypatch):
    monkeypatch.setattr(families()['matgl'], 'online', lambda name: None)
    with pytest.raises(PotentialError, match=r'no known name: did you mean sevennet-l3i5\?$'):
        identify('sevennet-l3i6')
    with pytest.raises(PotentialError, match='known are the names that `aiida-pesfp potential list` shows'):
        identify('nothing like it')


@pytest.fixture
def put(monkeypatch):
    """Puts a row in the place of the catalogue, and families beside the installed ones."""

    def put(row, **more):
        monkeypatch.setattr(registry, 'catalogue', lambda: (row,))
        monkeypatch.setattr(registry, 'families', lambda: families() | more)

    return put


def test_a_missing_family_is_told_before_anything_is_fetched(put):
    put(replace(ROWS['mace-mpa-0'], family='absent', url='http://127.0.0.1:9'))
    with pytest.raises(PotentialError, match=r"mace-mpa-0 \(mace\) needs the family of potentials 'absent'.*sevennet"):
        identify('mace-mpa-0')
    with pytest.raises(PotentialError, match='needs the family'):
        in_file('mace-mpa-0', 'a.model')


def test_what_has_to_be_got_by_hand_is_told(put):
    put(replace(ROWS['uma-s-1.1'], family='sevennet', model=None))
    with pytest.raises(PotentialError, match=r'log in at https://\S+/UMA, .* install uma-s-1.1 --from FILE`'):
        identify('uma-s-1.1')


class ManyFamily(Family):
    """A family that reads files of several networks, named before their paths."""

    kind, package, accepts, has_variants = 'many', 'torch', 'toy:FILE', True

    def recognises(self, path):
        return False

    def by_name(self, name):
        path = Path(name.removeprefix('toy:'))
        return self.identity(path, path.stem) if name.startswith('toy:') and path.is_file() else None


def test_a_family_brings_weights_of_its_own(put, monkeypatch):
    """A name of the catalogue stays what it is."""
    own = [replace(ROWS['mace-mpa-0'], name=name, family='many') for name in ('mine', 'mace-mpa-0')]
    monkeypatch.setattr(ManyFamily, 'known', tuple(own))
    put(ROWS['mace-mpa-0'], many=ManyFamily())
    assert [find(name)[0].family for name in ('MINE', 'mace-mpa-0')] == ['many', 'torchsim']


def test_weights_of_a_network_are_named_as_its_files(put, monkeypatch, tmp_path):
    """A row with a ``model`` is ``model:FILE`` once it is fetched, under its own name."""
    monkeypatch.setenv('PESFP_CACHE', str(tmp_path))
    content = b'PK\x03\x04 weights'
    (tmp_path / 'other.pt').write_bytes(content)
    digest = sha256_of([tmp_path / 'other.pt'])
    changes = {'family': 'many', 'model': 'toy', 'files': {'a.pt': digest}, 'variants': {'x': 'y'}, 'trained_on': None}
    row = replace(ROWS['mace-mpa-0'], **changes)
    put(row, many=ManyFamily())
    with WeightServer({'mace-mpa-0/a.pt': content}) as server:
        monkeypatch.setenv('PESFP_WEIGHTS_URL', server.url)
        found = identify('MACE_MPA_0:X')
    assert (found.name, found.kind, found.variant) == ('mace-mpa-0:x', 'many', 'x')
    assert found.sha256 == identify(in_file('mace-mpa-0:x', str(tmp_path / 'other.pt'))).sha256
    assert registry.files_of(found) == [tmp_path / 'mace-mpa-0' / 'a.pt']
    with pytest.raises(PotentialError, match='mace-mpa-0: name one, mace-mpa-0:x'):
        in_file('mace-mpa-0', 'a.pt')


def test_weights_without_a_known_hash_are_not_trusted(put, monkeypatch, tmp_path):
    monkeypatch.setenv('PESFP_CACHE', str(tmp_path))
    genuine = Path(identify('sevennet-0').path).read_bytes()
    put(read(VALID)[0])
    with WeightServer({'one/one.pth': Path(identify.__code__.co_filename).read_bytes()}) as server:
        monkeypatch.setenv('PESFP_WEIGHTS_URL', server.url)
        with pytest.raises(PotentialError, match='no file of torch'):
            identify('one')
        server.files['one/one.pth'] = genuine
        digest = ROWS['sevennet-0'].sha256
        with pytest.raises(PotentialError, match=f'cannot be verified: .* --sha256 {digest}`'):
            identify('one')
        with pytest.raises(PotentialError, match=f'{digest}, not {"0" * 64}'):
            identify('one', '0' * 64)
        assert identify('one', digest).sha256 == digest
    assert identify('one').sha256 == digest


def test_weights_of_another_family_are_refused(put, monkeypatch, tmp_path):
    """Whatever their hash, if nobody has told that."""
    chgnet = pytest.importorskip('chgnet', reason='the extra chgnet is not installed')
    other = Path(chgnet.__file__).parent / ROWS['chgnet-0.3.0'].embedded.partition('/')[2]
    monkeypatch.setenv('PESFP_CACHE', str(tmp_path))
    put(read(VALID)[0])
    with WeightServer({'one/one.pth': other.read_bytes()}) as server:
        monkeypatch.setenv('PESFP_WEIGHTS_URL', server.url)
        with pytest.raises(PotentialError, match=f'is not a SevenNet checkpoint .*without {tmp_path / "one"} it would'):
            identify('one', ROWS['chgnet-0.3.0'].sha256)


def test_a_hash_is_compared_whatever_the_weights_are():
    assert identify('sevennet-0', ROWS['sevennet-0'].sha256).name == 'sevennet-0'
    with pytest.raises(
        PotentialError, match=f"'sevennet-0' has the SHA-256 {ROWS['sevennet-0'].sha256}, not {'1' * 64}"
    ):
        identify('sevennet-0', '1' * 64)


def test_files_that_are_called_as_published_ones_must_be_these(put, tmp_path):
    row, path = replace(ROWS['nequix-mp-1'], family='many'), tmp_path / 'nequix-mp-1.nqx'
    put(row, many=ManyFamily())
    path.write_bytes(b'{"cut')
    with pytest.raises(
        PotentialError, match=f'{sha256_of([path])}, but nequix-mp-1.nqx of .* has {row.files[path.name]}'
    ):
        in_file('nequix-mp-1', str(path))
    with pytest.raises(PotentialError, match='choose another name'):
        in_file('nequix-mp-1', str(path.rename(tmp_path / 'mine.nqx')))
    with pytest.raises(PotentialError, match=r'is not nequix-mp-1\.nqx, which nequix-mp-1 is'):
        in_file('nequix-mp-1', str((tmp_path / 'mine.nqx').rename(tmp_path / 'other.yaml')))
    assert in_file('my-own', str(path)) == str(path)
    assert find('my-own') is None
