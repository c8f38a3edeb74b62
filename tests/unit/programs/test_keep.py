"""What ``pesfp-scan`` keeps of surfaces, and what a rerun makes of it."""

import hashlib
import json

import numpy as np
import pytest
import yaml

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.merge_tree import MergeTree
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.programs.checkpoint import Checkpoint
from aiida_pesfp.settings.descriptors import DescriptorSettings
from aiida_pesfp.settings.keep import KeepSettings
from tests.helpers.crystals import rock_salt, wurtzite
from tests.helpers.potentials import LENNARD_JONES

#: Files of a structure by what is kept of it.
ALWAYS = {'descriptors.json', 'cell.cif'}
FILES = {'full': {'pes.npz'}, 'merge-tree': {'tree.npz', 'kept.json'}, 'descriptors': {'ions.npz', 'kept.json'}}
AGAIN = 'so it is scanned again'


@pytest.fixture
def scan(invoke_program, tmp_path):
    """Scan two crystals; any evaluation fails if ``evaluates`` is false. The finished call, without the seconds."""
    rock_salt('Li', 'Cl', 5.13).to(filename=str(tmp_path / 'LiCl.cif'))
    wurtzite('Li', 'I', 4.514, 7.311, 0.375).to(filename=str(tmp_path / 'LiI.cif'))

    def run(*arguments, evaluates=True, **parameters):
        potential = tmp_path / 'lj.yaml'
        content = {'calculator': 'tests.helpers.calculators.Forbidden', 'parameters': LENNARD_JONES | parameters}
        potential.write_text(yaml.safe_dump(content))
        request = (tmp_path / 'LiCl.cif', tmp_path / 'LiI.cif', '--spacing', '0.8', '-o', tmp_path / 'out', '--json')
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('PESFP_TEST_FORBID', '' if evaluates else 'yes')
            process = invoke_program('scan', *request, *arguments, potential=potential)
        assert process.returncode == 0, (process.stderr, process.found)
        for one in process.found:
            one.pop('seconds')
        return process

    return run


@pytest.fixture
def files(tmp_path):
    """Names of the files of a structure."""
    return lambda name='LiI': {path.name for path in (tmp_path / 'out' / name).glob('[!.]*')}


@pytest.mark.parametrize('keep', FILES)
def test_the_same_command_knows_that_all_is_done(scan, files, tmp_path, keep):
    expected = scan().found
    first = scan('--keep', keep, '--fresh')
    assert first.found == expected
    assert files() == files('LiCl') == ALWAYS | FILES[keep]
    again = scan('--keep', keep, evaluates=False)
    assert again.found == expected
    assert AGAIN not in again.stderr
    run = json.loads((tmp_path / 'out' / 'run.json').read_text())
    assert run['complete']
    assert run['keep_settings']['keep'] == keep


def test_what_is_there_stays_and_only_more_than_it_is_scanned_again(scan, files, tmp_path):
    expected, there = scan().found, ALWAYS | FILES['full']
    grid = (tmp_path / 'out' / 'LiI' / 'pes.npz').read_bytes()
    for keep in ('merge-tree', 'descriptors'):
        assert scan('--keep', keep, evaluates=False).found == expected
        there |= FILES[keep]
        assert files() == there
    assert scan(evaluates=False).found == expected
    assert (tmp_path / 'out' / 'LiI' / 'pes.npz').read_bytes() == grid


def test_more_than_what_was_kept_is_scanned_again(scan, files):
    expected, there = scan('--keep', 'descriptors').found, ALWAYS | FILES['descriptors']
    for keep, words in (('merge-tree', 'its merge tree was not kept'), ('full', 'its grid was not kept')):
        process = scan('--keep', keep)
        assert f'LiI: {words}, {AGAIN}' in process.stderr
        assert process.found == expected
        there |= FILES[keep]
        assert files() == there
    assert scan(evaluates=False).found == expected


def test_more_than_what_is_kept_costs_evaluations(scan):
    """Else the tests of reruns without any could not fail."""
    scan('--keep', 'descriptors')
    with pytest.raises(AssertionError, match='an energy was computed'):
        scan(evaluates=False)


def test_a_tree_gives_other_descriptors_too(scan, tmp_path):
    scan('--keep', 'merge-tree')
    other = ('--thresholds', '0.25,1.3', '--xi', '0.7', '-1.5', '-1', '8')
    found = scan('--keep', 'merge-tree', *other, evaluates=False).found
    stored = json.loads((tmp_path / 'out' / 'LiI' / 'descriptors.json').read_text())
    assert stored['spectrum']['thresholds'] == [0.25, 0.7, 1.3]
    assert scan('--keep', 'merge-tree', *other, '--fresh').found == found
    # Above its limit, or for other paths, it says why it cannot.
    for beyond in (('--thresholds', '6'), ('--neighbours', '26')):
        process = scan('--keep', 'merge-tree', *beyond)
        assert f'LiI: these descriptors do not follow from what was kept, {AGAIN}' in process.stderr


def test_a_tree_reaches_as_high_as_asked(scan, tmp_path):
    low = ('--thresholds', '0.3,0.5', '--keep', 'merge-tree')
    expected = scan(*low, '--tree-limit', '1').found
    tree = MergeTree.load(tmp_path / 'out' / 'LiI' / 'tree.npz')
    assert tree.limit == 1.0
    assert scan(*low, '--tree-limit', '0.9', evaluates=False).found == expected
    assert f'up to 1 eV, {AGAIN}' in scan(*low, '--tree-limit', '1.5').stderr
    assert scan(*low, evaluates=False).found == expected
    assert f'do not follow from what was kept, {AGAIN}' in scan('--keep', 'merge-tree').stderr
    assert MergeTree.load(tmp_path / 'out' / 'LiI' / 'tree.npz').limit == pytest.approx(4.14)
    scan()
    surface, below = PotentialEnergySurface.load(tmp_path / 'out' / 'LiI' / 'pes.npz'), DescriptorSettings((0.3,))
    assert describe(surface, below).as_dict() == describe(tree, below).as_dict()


@pytest.mark.parametrize('keep', ['merge-tree', 'descriptors'])
def test_grids_of_promising_structures_only(scan, files, keep):
    expected = scan('--keep', keep).found
    xi = {one['structure'].split('/')[-1]: one['xi_upper'] for one in expected}
    assert xi['LiI.cif'] != xi['LiCl.cif']
    best, worst = sorted(('LiI', 'LiCl'), key=lambda name: -xi[f'{name}.cif'])
    limit = (xi[f'{best}.cif'] + xi[f'{worst}.cif']) / 2
    process = scan('--keep', keep, '--full-above', limit)
    assert f'{best}: its grid was not kept, {AGAIN}' in process.stderr
    assert f'{worst}: ' not in process.stderr
    assert files(best) == ALWAYS | FILES[keep] | FILES['full']
    assert files(worst) == ALWAYS | FILES[keep]
    assert scan('--keep', keep, '--full-above', limit, evaluates=False).found == expected


def test_an_upper_bound_above_the_limit_counts():
    """Of a scan that stopped early, Xi itself is an estimate."""
    keep = KeepSettings(keep='descriptors', full_above=0.2)
    assert [keep.of(bound) for bound in (0.19, 0.2, 0.21)] == ['descriptors', 'descriptors', 'full']


def test_exports_need_no_grid_afterwards(scan, files):
    exports = ('--export', 'profile')
    scan('--keep', 'descriptors', *exports)
    [profile] = files() - ALWAYS - FILES['descriptors']
    assert profile.startswith('profile-ion')
    assert AGAIN not in scan('--keep', 'descriptors', *exports, evaluates=False).stderr
    process = scan('--keep', 'descriptors', *exports, '--export', 'xsf')
    assert f'LiI: its grid was not kept, and these are not exported: xsf, {AGAIN}' in process.stderr
    assert {'energy.xsf', 'level.xsf'} <= files()


@pytest.mark.parametrize('damaged', ['kept.json', 'tree.npz'])
def test_damaged_files_are_made_again(scan, tmp_path, damaged):
    expected = scan('--keep', 'merge-tree').found
    path = tmp_path / 'out' / 'LiI' / damaged
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert scan('--keep', 'merge-tree').found == expected
    assert scan('--keep', 'merge-tree', evaluates=False).found == expected
    tree = (path.parent / 'tree.npz').read_bytes()
    assert json.loads((path.parent / 'kept.json').read_text())['content'] == hashlib.sha256(tree).hexdigest()


def test_descriptors_that_somebody_changed_are_not_taken(scan, tmp_path):
    expected = scan('--keep', 'descriptors').found
    path = tmp_path / 'out' / 'LiI' / 'descriptors.json'
    whole = path.read_text()
    path.write_text(whole.replace('"xi": ', '"xi": 0'))
    assert scan('--keep', 'descriptors', evaluates=False).found == expected
    assert path.read_text() == whole


@pytest.mark.parametrize('keep', ['merge-tree', 'descriptors'])
def test_what_was_kept_of_another_scan_is_not_taken(scan, keep):
    expected = scan('--keep', keep).found
    for other, parameters in ((('--minimum-distance', '1.5'), {}), ((), {'sigma': 2.3})):
        assert scan('--keep', keep, *other, **parameters).found != expected
        assert scan('--keep', keep).found == expected


def test_a_tree_of_another_scan_is_not_that_of_an_old_record(scan, tmp_path):
    """A run that ends between the tree and the record leaves both so."""
    expected = scan('--keep', 'merge-tree').found
    record = (tmp_path / 'out' / 'LiI' / 'kept.json').read_bytes()
    scan('--keep', 'merge-tree', '--minimum-distance', '1.5')
    assert (tmp_path / 'out' / 'LiI' / 'kept.json').read_bytes() != record
    (tmp_path / 'out' / 'LiI' / 'kept.json').write_bytes(record)
    assert scan('--keep', 'merge-tree').found == expected


def test_a_tree_that_does_not_give_the_descriptors_is_an_error(scan, files, monkeypatch):
    of = MergeTree.of.__func__

    def wrong(cls, *arguments):
        tree = of(cls, *arguments)
        tree.counts[0] += 1
        return tree

    with monkeypatch.context() as patch:
        patch.setattr(MergeTree, 'of', classmethod(wrong))
        with pytest.raises(AssertionError, match='does not give the descriptors of the grid'):
            scan('--keep', 'merge-tree')
    assert 'kept.json' not in files()
    # All energies are there.
    scan('--keep', 'merge-tree', evaluates=False)
    assert files() == ALWAYS | FILES['merge-tree']


def test_a_run_that_ends_before_a_grid_above_the_limit_is_written_loses_no_energy(scan, files, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, 'finish', lambda *_: 1 / 0)
        with pytest.raises(AssertionError, match='division by zero'):
            scan('--keep', 'descriptors', '--full-above', '0')
    scan('--keep', 'descriptors', '--full-above', '0', evaluates=False)
    assert files() == ALWAYS | FILES['full']


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--keep', 'merge-tree'), 'name it with --output'),
        (('--full-above', '0.2', '-o', 'out'), 'full_above = 0.2 counts only if not all grids are kept'),
        (('--keep', 'descriptors', '--tree-limit', '2', '-o', 'out'), 'tree_limit = 2 eV counts with keep merge-tree'),
        (('--keep', 'some', '-o', 'out'), "'some' is not one of"),
        (('--keep', 'descriptors', '--full-above', '1.5', '-o', 'out'), 'full_above = 1.5'),
        (('--keep', 'merge-tree', '--tree-limit', '4', '-o', 'out'), 'tree_limit = 4 eV is below the 4.04 eV of'),
    ],
)
def test_wrong_usage_is_refused(invoke_program, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    rock_salt('Li', 'Cl', 5.13).to(filename='LiCl.cif')
    process = invoke_program('scan', 'LiCl.cif', *arguments)
    assert process.returncode == 2
    assert words in ' '.join(process.stderr.split())


def test_of_many_structures_trees_take_less_room(scan, tmp_path):
    scan()
    grid = (tmp_path / 'out' / 'LiI' / 'pes.npz').stat().st_size
    surface = PotentialEnergySurface.load(tmp_path / 'out' / 'LiI' / 'pes.npz')
    scan('--keep', 'merge-tree')
    assert (tmp_path / 'out' / 'LiI' / 'tree.npz').stat().st_size < 0.7 * grid
    tree = MergeTree.load(tmp_path / 'out' / 'LiI' / 'tree.npz')
    assert describe(tree).as_dict() == describe(surface).as_dict()
    np.testing.assert_array_equal(tree.lattice, surface.lattice)
