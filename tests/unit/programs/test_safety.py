"""Nothing of a user is deleted or overwritten, and what goes wrong costs one structure and ends in a sentence."""

import json
import os
import resource
import subprocess
import sys

import pytest

from aiida_pesfp.programs.checkpoint import MARKER, size_of
from aiida_pesfp.programs.request import EXIT_STOPPED, GRACE, MOST_ATTEMPTS, Stopped
from aiida_pesfp.programs.scan import ScanRequest
from aiida_pesfp.settings.program import ProgramSettings
from aiida_pesfp.settings.scan import FingerprintSettings
from tests.helpers.calculators import ENDINGS
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator

COARSE = ('--spacing', 2, '--quiet')
GIVES_UP = 'tests.helpers.calculators.GivesUp'
MD = ('-T', 300, '--steps', 2, '--quiet')


@pytest.fixture
def crystal(tmp_path):
    rock_salt('Li', 'Cl', 5.13).to(str(tmp_path / 'LiCl.cif'))
    return tmp_path / 'LiCl.cif'


@pytest.fixture
def scan(invoke_program):
    return lambda *arguments, **options: invoke_program('scan', *arguments, *COARSE, **options)


def content(folder):
    """Names and bytes of all files in a folder."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


class TestFresh:
    """``--fresh`` discards what the programs have made, and nothing else."""

    def test_it_discards_our_results(self, scan, crystal, tmp_path):
        scan(crystal, '-o', tmp_path / 'out', '--export', 'cube')
        (tmp_path / 'out' / 'LiCl' / 'notes.txt').write_text('mine')
        (tmp_path / 'out' / 'notes.txt').write_text('mine')
        assert scan(crystal, '-o', tmp_path / 'out', '--fresh').returncode == 0
        ours = {'pes.npz', 'descriptors.json', 'cell.cif', MARKER}
        assert {path.name for path in (tmp_path / 'out' / 'LiCl').iterdir()} == {*ours, 'notes.txt'}
        assert (tmp_path / 'out' / 'notes.txt').exists()

    @pytest.mark.parametrize('program', ['scan', 'md', 'relax'])
    @pytest.mark.parametrize('fresh', [(), ('--fresh',)])
    @pytest.mark.parametrize('name', ['OUTCAR', 'pes.npz', 'trajectory.traj', 'relaxed.json'])
    def test_a_users_own_folder_is_left_alone(self, invoke_program, crystal, tmp_path, program, fresh, name):
        if program == 'relax' and fresh:
            return
        folder = tmp_path / ('LiCl_300K' if program == 'md' else 'LiCl')
        folder.mkdir()
        (folder / name).write_text('mine')
        options = {'scan': COARSE, 'md': MD, 'relax': ()}[program]
        result = invoke_program(program, crystal, '-o', tmp_path, *options, *fresh)
        assert result.returncode == 1
        assert f'{folder} is a folder with files that this program did not make' in result.stdout
        assert content(folder) == {(folder / name).relative_to(folder): b'mine'}

    def test_parents_links_and_their_targets_are_left_alone(self, scan, crystal, tmp_path):
        (tmp_path / 'elsewhere').mkdir()
        for name in ('pes.npz', MARKER):
            (tmp_path / 'elsewhere' / name).write_text('mine')
        (tmp_path / 'out').mkdir()
        (tmp_path / 'out' / 'LiCl').symlink_to(tmp_path / 'elsewhere')
        before = content(tmp_path)
        assert scan(crystal, '-o', tmp_path / 'out', '--fresh').returncode == 1
        assert content(tmp_path / 'elsewhere') == {
            key.relative_to('elsewhere'): before[key] for key in before if key.parts[0] == 'elsewhere'
        }

    def test_a_linked_result_goes_and_its_target_stays(self, scan, crystal, tmp_path):
        scan(crystal, '-o', tmp_path / 'out')
        (tmp_path / 'mine.npz').write_text('mine')
        (tmp_path / 'out' / 'LiCl' / 'pes.npz').unlink()
        (tmp_path / 'out' / 'LiCl' / 'pes.npz').symlink_to(tmp_path / 'mine.npz')
        assert scan(crystal, '-o', tmp_path / 'out', '--fresh').returncode == 0
        assert (tmp_path / 'mine.npz').read_text() == 'mine'

    @pytest.mark.parametrize(
        'name', ['...cif', '.. .cif', 'run.json.cif', 'a__b.cif', '-o.cif', '%2e%2e.cif', 'é\n.cif']
    )
    @pytest.mark.parametrize('fresh', [(), ('--fresh',)])
    def test_names_of_files_are_no_paths(self, scan, crystal, tmp_path, name, fresh):
        (tmp_path / 'in').mkdir()
        (tmp_path / 'in' / name).write_bytes(crystal.read_bytes())
        (tmp_path / 'in' / 'other.cif').write_bytes(crystal.read_bytes().replace(b'Cl', b'F'))
        before = content(tmp_path)
        result = scan(tmp_path / 'in', '-o', tmp_path / 'in' / 'out', '--json', *fresh)
        assert result.returncode == 0, result.stderr
        after = content(tmp_path)
        assert {key: after[key] for key in before} == before
        assert all(key.parts[:2] == ('in', 'out') for key in after.keys() - before.keys())
        assert len(json.loads((tmp_path / 'in/out/run.json').read_text())['structures']) == 2


class TestOutput:
    """Results that cannot be written end the run in a sentence."""

    @pytest.mark.parametrize(
        'foreign', ['{"a": 1}', '[]', 'mine', '{"structures": 3}', '{"structures": [1]}', '[' * 9999]
    )
    def test_a_run_json_of_someone_else_is_not_overwritten(self, scan, crystal, tmp_path, foreign):
        (tmp_path / 'run.json').write_text(foreign)
        result = scan(crystal, '-o', tmp_path)
        assert result.returncode == 2
        assert 'run.json is not of this program: choose another folder with --output' in result.stderr
        assert (tmp_path / 'run.json').read_text() == foreign
        assert not (tmp_path / 'LiCl').exists()

    @pytest.mark.parametrize('what', ['run.json/', 'LiCl', 'LiCl/pes.npz/'])
    def test_something_else_is_there(self, scan, crystal, tmp_path, what):
        path = tmp_path / 'out' / what
        path.parent.mkdir(parents=True)
        if what == 'LiCl/pes.npz/':
            (tmp_path / 'out' / 'LiCl' / MARKER).touch()
        path.mkdir() if what.endswith('/') else path.write_text('mine')
        for fresh in ((), ('--fresh',)):
            result = scan(crystal, '-o', tmp_path / 'out', *fresh)
            assert result.returncode in (1, 2, 3)
            assert 'Traceback' not in result.stderr + result.stdout
            assert '--output' in result.stderr + result.stdout
        assert path.exists()

    @pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
    def test_a_read_only_folder(self, scan, crystal, tmp_path):
        (tmp_path / 'out').mkdir(mode=0o500)
        result = scan(crystal, '-o', tmp_path / 'out')
        assert result.returncode == 2
        assert 'cannot be written (Permission denied)' in result.stderr

    def test_a_file_is_no_folder(self, scan, crystal, tmp_path):
        for path in (crystal, crystal / 'out', '/proc/nothing', '/dev/full/out', tmp_path / ('x' * 300)):
            result = scan(crystal, '-o', path)
            assert result.returncode == 2
            assert 'Traceback' not in result.stderr
            assert str(path)[:20] in result.stderr

    @pytest.mark.parametrize(('program', 'options'), [('scan', (*COARSE, '--export', 'cube')), ('md', MD)])
    @pytest.mark.parametrize('most', [0, 600, 1500])
    def test_a_full_disk(self, crystal, lennard_jones, tmp_path, program, options, most):
        """No file may have more than some bytes: what is there stays whole, and with room the same command goes on."""
        command = [sys.executable, '-m', f'aiida_pesfp.programs.{program}', crystal, '-o', tmp_path / 'out']
        command = [*map(str, (*command, *options)), '--potential', str(lennard_jones)]
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # noqa: E731
        result = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True)
        assert 'Traceback' not in result.stderr
        if result.returncode != 0:
            assert result.returncode in (2, 3)
            assert 'cannot be written (File too large): make room or choose another folder' in result.stderr
        assert not list((tmp_path / 'out').rglob('.*.partial')) if (tmp_path / 'out').exists() else True
        again = subprocess.run(command, capture_output=True, text=True)
        assert again.returncode == 0, again.stderr

    def test_a_reader_that_goes_away(self, crystal, lennard_jones, tmp_path):
        """As ``| head -0`` does."""
        command = [
            sys.executable,
            '-m',
            'aiida_pesfp.programs.scan',
            crystal,
            '--json',
            *COARSE,
            '--potential',
            lennard_jones,
        ]
        read, write = os.pipe()
        os.close(read)
        process = subprocess.run([*map(str, command)], stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
        assert 'Traceback' not in process.stderr


@pytest.fixture
def pair(tmp_path):
    """LiCl, and LiI with which calculators may end in an odd way; the latter is scanned first."""
    rock_salt('Li', 'Cl', 5.13).to(str(tmp_path / 'b.cif'))
    rock_salt('Li', 'I', 6.0).to(str(tmp_path / 'a.cif'))
    return tmp_path / 'a.cif', tmp_path / 'b.cif'


class TestIsolation:
    """Whatever happens with one structure, the other has its result."""

    @pytest.mark.parametrize(
        'how',
        [*ENDINGS, 'SystemExit', 'RecursionError', 'MemoryError', 'FloatingPointError', 'GeneratorExit', 'OSError',
         'StopIteration', 'BaseException', 'UnicodeError', 'AssertionError'],
    )  # fmt: skip
    @pytest.mark.parametrize('program', ['scan', 'md', 'relax'])
    def test_a_potential_that_gives_up(self, invoke_program, pair, tmp_path, program, how):
        path = write_calculator(tmp_path / 'odd.yaml', GIVES_UP, how=how, **LENNARD_JONES)
        options = {'scan': (*COARSE, '--no-symmetry'), 'md': MD, 'relax': ('--fmax', 1, '--smax', 10)}[program]
        result = invoke_program(program, *pair, '-o', tmp_path / 'out', '--json', *options, potential=path)
        assert result.returncode in (1, 4)
        bad, good = result.found
        assert good['error'] is None
        assert bad['error']
        assert not any(bad.get(name) for name in ('xi', 'energy', 'temperature_mean'))

    def test_one_that_kills_the_program_is_tried_last_and_then_left_out(self, run_program, pair, tmp_path):
        kills = write_calculator(tmp_path / 'kills.yaml', GIVES_UP, how='kill', **LENNARD_JONES)
        command = ('scan', *pair, '-o', tmp_path / 'out', '--json', *COARSE)
        for number in range(1, MOST_ATTEMPTS + 1):
            assert run_program(*command, potential=kills).returncode == -9
            found = json.loads((tmp_path / 'out' / 'run.json').read_text())['structures']
            assert found['a'] | {'seconds': 0} == found['a'] | {'state': 'pending', 'attempts': number, 'seconds': 0}
            assert found['b']['state'] == ('pending' if number == 1 else 'done')
        result = run_program(*command, potential=kills)
        assert result.returncode == 1
        assert [one['error'] is None for one in result.found] == [False, True]
        assert (
            f'the program has died {MOST_ATTEMPTS} times while it computed this structure' in result.found[0]['error']
        )
        entry = json.loads((tmp_path / 'out' / 'run.json').read_text())['structures']['a']
        assert (entry['state'], entry['error_type']) == ('failed', 'ProgramDied')
        again = run_program(*command, '--fresh', potential=kills)
        assert again.returncode == -9

    def test_deaths_with_progress_between_them_do_not_count(self, invoke_program, crystal, tmp_path):
        """As those of a long scan whose jobs are killed at the end of their time."""
        invoke_program('scan', crystal, '-o', tmp_path / 'out', *COARSE)
        path = tmp_path / 'out' / 'run.json'
        now = size_of(tmp_path / 'out' / 'LiCl')
        for saved, state in ((0, 'done'), (now, 'failed')):
            content = json.loads(path.read_text())
            content['structures']['LiCl'] |= {'attempts': MOST_ATTEMPTS, 'saved_bytes': saved}
            path.write_text(json.dumps(content))
            invoke_program('scan', crystal, '-o', tmp_path / 'out', *COARSE)
            assert json.loads(path.read_text())['structures']['LiCl']['state'] == state

    def test_run_json_is_there_before_the_potential_is_loaded(self, invoke_program, crystal, tmp_path):
        """So a death at any moment leaves word of what was asked for."""
        invoke_program('scan', crystal, '-o', tmp_path / 'out', *COARSE, potential='no-such-potential')
        found = json.loads((tmp_path / 'out' / 'run.json').read_text())
        assert list(found['structures']) == ['LiCl']


@pytest.mark.parametrize(('seconds', 'ended'), [(GRACE / 2, []), (2 * GRACE, [EXIT_STOPPED])])
def test_who_asks_twice_to_end_has_an_end_at_once(monkeypatch, seconds, ended):
    """A calculator may hang; but schedulers may ask twice in a row."""
    request, codes, times = ScanRequest([], ProgramSettings(), FingerprintSettings()), [], iter([1.0, 1.0 + seconds])
    monkeypatch.setattr('aiida_pesfp.programs.request.os._exit', codes.append)
    monkeypatch.setattr('aiida_pesfp.programs.request.time.monotonic', lambda: next(times))
    request._terminate()
    request._terminate()
    assert codes == ended
    with pytest.raises(Stopped, match='terminated'):
        request.check_stop()
