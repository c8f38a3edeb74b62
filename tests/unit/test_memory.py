"""How much memory a job may take: the smallest of all limits, wherever it is said."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.memory import GIB, KIB, LIMIT_VARIABLE, MIB, Memory, available_memory, of_control_groups, stated

MOUNTS = {
    'cgroup2': '29 23 0:25 / /dev/shm rw - tmpfs  rw\n'
    '30 23 0:26 {} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate',
    'cgroup': '32 31 0:29 {} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n'
    '33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu',
}
TOPS = {'cgroup2': 'sys/fs/cgroup', 'cgroup': 'sys/fs/cgroup/memory'}
OWN = {'cgroup2': '0::{}', 'cgroup': '9:name=systemd:/x\n4:memory:{}\n1:cpu:/y'}
NAMES = {
    'cgroup2': ('memory.max', 'memory.current', 'inactive_file'),
    'cgroup': ('memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file'),
}
KINDS = pytest.mark.parametrize('kind', ['cgroup', 'cgroup2'])


@pytest.fixture
def machine(tmp_path):
    """Makes a machine with control groups, and returns the folder of its root."""

    def make(kind, own, groups, mounted='/'):
        (tmp_path / 'proc/self').mkdir(parents=True)
        (tmp_path / 'proc/self/cgroup').write_text(OWN[kind].format(own) + '\n')
        (tmp_path / 'proc/self/mountinfo').write_text(MOUNTS[kind].format(mounted) + '\n')
        for path, (limit, use, cache) in groups.items():
            folder = tmp_path / TOPS[kind] / path
            folder.mkdir(parents=True, exist_ok=True)
            limit_file, use_file, reclaimed = NAMES[kind]
            (folder / limit_file).write_text(f'{limit}\n')
            (folder / use_file).write_text(f'{use}\n')
            (folder / 'memory.stat').write_text(f'anon 5\n{reclaimed} {cache}\nfile 7\n')
        return tmp_path

    return make


@KINDS
def test_the_group_with_the_least_left_counts_its_own_or_one_around_it(machine, kind):
    root = machine(kind, '/slurm/job/step', {'slurm/job/step': (4 * GIB, GIB, 0), 'slurm/job': (3 * GIB, 2 * GIB, 0)})
    assert sorted(one.free for one in of_control_groups(root)) == [GIB, 3 * GIB]
    found = available_memory(root, {})
    assert (found.free, found.limit) == (GIB, 3 * GIB)
    assert found.source.endswith('slurm/job')
    assert str(found).startswith('1 GiB are free of the 3 GiB of the control group /')


@KINDS
def test_what_the_group_uses_counts_but_not_pages_that_make_way(machine, kind):
    [found] = of_control_groups(machine(kind, '/job', {'job': (4 * GIB, 3 * GIB, GIB)}))
    assert found.free == 2 * GIB


@KINDS
def test_a_group_beyond_its_limit_has_nothing_left(machine, kind):
    [found] = of_control_groups(machine(kind, '/job', {'job': (GIB, 2 * GIB, 0)}))
    assert found.free == 0


@KINDS
@pytest.mark.parametrize(('own', 'mounted'), [('/docker/a/b', '/docker/a'), ('/elsewhere', '/docker/a')])
def test_a_container_sees_its_own_group_at_the_top(machine, kind, own, mounted):
    root = machine(kind, own, {'': (2 * GIB, GIB, 0)}, mounted)
    assert [one.free for one in of_control_groups(root)] == [GIB]


def test_no_limit_is_none(machine, tmp_path):
    assert list(of_control_groups(tmp_path)) == []  # not Linux
    root = machine('cgroup2', '/job', {'job': ('max', GIB, 0)})
    assert list(of_control_groups(root)) == []
    assert available_memory(root, {}).limit <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ('environment', 'limit'),
    [
        ({'SLURM_MEM_PER_NODE': '65536'}, 64 * GIB),
        ({'SLURM_MEM_PER_CPU': '2048', 'SLURM_CPUS_ON_NODE': '16'}, 32 * GIB),
        ({'SLURM_MEM_PER_GPU': '65536', 'SLURM_GPUS_ON_NODE': '2'}, 128 * GIB),
        ({LIMIT_VARIABLE: str(4 * GIB // KIB)}, 4 * GIB),
        ({'SLURM_MEM_PER_NODE': '0'}, None),  # all of the node
        ({'SLURM_MEM_PER_CPU': '2048'}, None),
        ({'SLURM_MEM_PER_NODE': 'much'}, None),
        ({}, None),
    ],
)
def test_what_the_scheduler_says(environment, limit):
    assert [one.limit for one in stated(environment, used=0)] == ([] if limit is None else [limit])


@given(st.integers(1, 10**6), st.integers(1, 10**9))
def test_the_smallest_limit_counts_whoever_sets_it(slurm, aiida):
    environment = {'SLURM_MEM_PER_NODE': str(slurm), LIMIT_VARIABLE: str(aiida)}
    found = available_memory(Path('nowhere'), environment)
    limit = min(slurm * MIB, aiida * KIB)
    assert 0 <= found.free <= limit
    if limit < psutil.virtual_memory().available // 2:
        assert found.limit == limit
        assert found.source == (LIMIT_VARIABLE if aiida * KIB <= slurm * MIB else 'SLURM_MEM_PER_NODE')


def test_what_the_process_uses_is_not_free():
    used = psutil.Process().memory_info().rss
    [found] = stated({LIMIT_VARIABLE: str((used + GIB) // KIB)}, used)
    assert GIB - KIB <= found.free <= GIB


@pytest.mark.skipif(sys.platform != 'linux', reason='other systems do not enforce these limits')
@pytest.mark.parametrize(('name', 'limit'), [('RLIMIT_AS', 'ulimit -v'), ('RLIMIT_DATA', 'ulimit -d')])
def test_limits_of_the_process_are_read_and_true(name, limit):
    """What is said to be free can be taken, but not much more."""
    script = f"""
import resource
from aiida_pesfp.memory import available_memory
resource.setrlimit(resource.{name}, (3 * 2**30, resource.RLIM_INFINITY))
found = available_memory(environment={{}})
assert (found.limit, found.source) == (3 * 2**30, {limit!r}), found
taken = bytearray(found.free - 2**24)
assert available_memory(environment={{}}).free < 2**25
del taken
try:
    bytearray(found.free + 2**24)
except MemoryError:
    print('refused')
"""
    process = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=False)
    assert process.stdout == 'refused\n', process.stderr


def test_memories_are_ordered_by_what_is_free():
    assert min(Memory(2, 3, 'a'), Memory(1, 9, 'b')).source == 'b'
