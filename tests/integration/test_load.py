"""Nothing is lost beside other commands, nor with the broker. ``benchmarks/bench_load.py`` is the long version."""

import os
import signal
import time

import psutil
import pytest

from tests.helpers.load import Profile, import_crystals, screen_under_load, submit_screening


@pytest.fixture
def profile(tmp_path_factory):
    """A profile with two workers of the daemon."""
    profile = Profile(tmp_path_factory.mktemp('load'), workers=2)
    yield profile
    profile.stop()


def test_nothing_is_lost_beside_other_commands(profile):
    result = screen_under_load(profile, structures=12, per_job=2)
    assert (result.status, result.ranked) == (0, 12), result.told
    assert not result.failed
    assert min(result.ran.values()) > 0


def broker_of(profile) -> int:
    """PID of the broker of a profile."""
    for process in psutil.process_iter(['cmdline']):
        line = process.info['cmdline'] or []
        if 'broker' in line and any(str(profile.folder) in part for part in line):
            return process.pid
    raise AssertionError('no broker is running')


def test_three_commands_revive_what_the_broker_has_forgotten(profile, aiida_pesfp):
    """As `aiida-pesfp status` advises."""
    pk = submit_screening(profile, import_crystals(profile, 8), per_job=1, jobs=2)
    while 'structures done   0' in (told := profile.run('aiida-pesfp', 'status', pk)):
        time.sleep(1)
    assert 'the daemon is not running' not in told
    os.kill(broker_of(profile), signal.SIGKILL)
    waiting = f'len(waiting_for_a_worker([load_node({pk})], 10))'
    while not (profile.ask(waiting) or profile.ask(f'load_node({pk}).is_terminated')):
        time.sleep(1)
    profile.stop()
    if not profile.ask(f'load_node({pk}).is_terminated'):
        assert 'the daemon is not running' in profile.run('aiida-pesfp', 'status', pk)
    profile.run('verdi', 'process', 'repair')
    profile.run('verdi', 'daemon', 'start', 2)
    while not profile.ask(f'load_node({pk}).is_terminated'):
        time.sleep(1)
    assert profile.ask(f'load_node({pk}).exit_status') == 0
    assert profile.ask(f'len(load_node({pk}).outputs.ranking["rows"])') == 8
