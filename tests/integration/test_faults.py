"""A campaign of the daemon, around which everything dies: each structure has one result, that of an undisturbed scan.

``docs/howto/campaigns.md`` names the commands that are used here.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from aiida.orm import StructureData

from aiida_pesfp.calculations.program import as_json
from tests.helpers.load import Profile, crystals, launch_campaign, store_crystals
from tests.helpers.potentials import LENNARD_JONES, write_calculator

#: Number of structures, and of faults.
STRUCTURES, FAULTS = 32, 20


@pytest.fixture
def profile(tmp_path_factory):
    """A profile with two workers of the daemon, which soon gives up what cannot be uploaded."""
    options = {'transport.task_retry_initial_interval': 1, 'transport.task_maximum_attempts': 3}
    profile = Profile(tmp_path_factory.mktemp('faults'), workers=2, options=options)
    profile.run('verdi', 'computer', 'configure', 'core.local', 'localhost', '--non-interactive', '--safe-interval', 0)
    store_crystals(profile, 'crystals', 0, STRUCTURES)
    yield profile
    profile.stop()


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
    """Xi and MPE (eV) of each structure by the program alone, by its label."""
    folder = tmp_path_factory.mktemp('undisturbed')
    potential = write_calculator(folder / 'lj.yaml', **LENNARD_JONES)
    for name, crystal in crystals(STRUCTURES):
        (folder / f'{name}.json').write_text(as_json(StructureData(pymatgen=crystal)))
    options = ('--potential', potential, '--spacing', '0.7', '-o', folder / 'out')
    subprocess.run(
        [Path(sys.executable).with_name('pesfp-scan'), *folder.glob('*.json'), *map(str, options)],
        check=True,
        capture_output=True,
        env=os.environ | {'OMP_NUM_THREADS': '1'},
    )
    found = {path.parent.name: json.loads(path.read_text()) for path in (folder / 'out').rglob('descriptors.json')}
    return {name: (one['xi'], one['mpe']) for name, one in found.items()}


def processes(profile, *words):
    """Processes of a profile whose command line has all these words."""
    for process in psutil.process_iter(['cmdline']):
        line = ' '.join(process.info['cmdline'] or [])
        try:
            if all(word in line for word in words) and process.environ().get('AIIDA_PATH', '').startswith(
                str(profile.folder)
            ):
                yield process
        except psutil.Error:
            continue


def scratch_of(profile) -> Path:
    """The folder in which the jobs of a profile run."""
    return Path(profile.ask("load_computer('localhost').get_workdir()"))


def kill(victims, choose) -> bool:
    """Kill one of some processes; whether there was one."""
    for process in choose.sample(victims, len(victims)):
        try:
            os.kill(process.pid, signal.SIGKILL)
            return True
        except ProcessLookupError:
            continue
    return False


def commit(fault: str, profile: Profile, choose: random.Random) -> bool:
    """Do what a fault says; whether it was possible."""
    if fault == 'folder':
        folders = [path.parent for path in scratch_of(profile).rglob('_aiidasubmit.sh')]
        if folders:
            shutil.rmtree(choose.choice(folders), ignore_errors=True)
        return bool(folders)
    words = {'worker': ('daemon', 'worker'), 'program': ('pesfp', 'scan', 'structures'), 'job': ('_aiidasubmit.sh',)}
    if fault in words:
        return kill(list(processes(profile, *words[fault])), choose)
    killed = kill(list(processes(profile, 'broker')), choose)
    revive(profile)
    return killed


def revive(profile: Profile) -> None:
    """What the docs say for processes that nobody goes on with."""
    profile.run('verdi', 'daemon', 'stop', fails=None)
    profile.run('verdi', 'process', 'repair', fails=None)
    profile.run('verdi', 'daemon', 'start', 2)


def let_go_on(profile: Profile, told: str, played: set[str]) -> None:
    """What `status` says of paused jobs: play them, and kill those that this does not help, as their folder is gone."""
    for sentence in told.split('processes are paused')[1:]:
        for pk in sentence.split('verdi process play ')[1].split('`')[0].split():
            profile.run('verdi', 'process', 'kill' if pk in played else 'play', pk, fails=None)
            played.add(pk)


def check(profile: Profile, pk: int, undisturbed: dict) -> None:
    """Every structure has one result, equal to the undisturbed one, or a reason."""
    told = profile.run('verdi', 'process', 'report', pk)
    rows = profile.ask(f'load_node({pk}).outputs.ranking["rows"]')
    rejected = profile.ask(f'load_node({pk}).outputs.rejected.get_dict()')
    assert {row['key'] for row in rows} | set(rejected) == {name.replace('-', '_') for name, _ in crystals(STRUCTURES)}
    assert len(rows) + len(rejected) == STRUCTURES, told
    assert all(entry['reason'] for entry in rejected.values())
    assert len(rows) >= STRUCTURES - 3, rejected  # that many may have had no luck in all their attempts
    for row in rows:
        expected = undisturbed[row['key'].replace('_', '-')]
        # Energies are in single precision, and AiiDA rounds positions to 14 digits.
        assert (row['xi'], row['mpe']) == pytest.approx(expected, rel=1e-6)


@pytest.mark.timeout(1800)
def test_twenty_faults_at_random_moments(profile, undisturbed):
    pk, _ = launch_campaign(profile, 'crystals', jobs=2, per_job=2, per_shard=8)
    choose, faults, end, seen = random.Random(0), [], time.monotonic() + 1500, time.monotonic()
    kinds, played = ['worker', 'program', 'job', 'folder', 'broker'], set()
    # To ask takes seconds, in which nothing would be killed.
    while (len(faults) < FAULTS and len(faults) % 3) or not profile.ask(f'load_node({pk}).is_terminated'):
        assert time.monotonic() < end, (faults, profile.run('aiida-pesfp', 'status', pk))
        if len(faults) < FAULTS:
            time.sleep(choose.uniform(0, 2))
            fault = choose.choices(kinds, (5, 5, 5, 4, 1))[0]
            if commit(fault, profile, choose):
                faults.append(fault)
                seen = time.monotonic()
        elif time.monotonic() - seen > 60:  # tasks of a worker that was killed may be lost
            let_go_on(profile, profile.run('aiida-pesfp', 'status', pk), played)
            revive(profile)
            seen = time.monotonic()
    print(f'{len(faults)} faults: {faults}')
    assert len(faults) > FAULTS / 2  # it may be done before the last
    check(profile, pk, undisturbed)


@pytest.mark.timeout(900)
@pytest.mark.parametrize('what', ['unwritable', 'full'])
def test_without_a_place_to_work_it_waits_and_goes_on(profile, undisturbed, what):
    """The scratch cannot be written, or its disk is full: jobs are paused, `status` says how they go on."""
    scratch = scratch_of(profile)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.parent.mkdir(parents=True, exist_ok=True)
    if what == 'unwritable':
        scratch.write_text('this is no folder')
    else:
        scratch.mkdir()
        size = ('mount', '-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', str(scratch))
        if os.geteuid() or subprocess.run(size, check=False, capture_output=True).returncode:
            pytest.skip('only root can make a small disk')
    try:
        pk, _ = launch_campaign(profile, 'crystals', jobs=2, per_job=6, per_shard=12)
        end = time.monotonic() + 300
        while 'processes are paused' not in (told := profile.run('aiida-pesfp', 'status', pk)):
            assert time.monotonic() < end, told
            time.sleep(2)
    finally:
        if what == 'unwritable':
            scratch.unlink()
        else:
            subprocess.run(['umount', str(scratch)], check=True)
    end = time.monotonic() + 500
    while not profile.ask(f'load_node({pk}).is_terminated'):
        assert time.monotonic() < end, told
        told = profile.run('aiida-pesfp', 'status', pk)
        let_go_on(profile, told, set())
        time.sleep(2)
    assert profile.ask(f'load_node({pk}).exit_status') == 0, profile.run('verdi', 'process', 'report', pk)
    check(profile, pk, undisturbed)
