"""How much memory this process may still take: that of the machine is not that of the job."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path

import psutil

GIB, MIB, KIB = 2**30, 2**20, 2**10
#: Environment variable by which a calculation job says its ``max_memory_kb``, which not every scheduler enforces.
LIMIT_VARIABLE = 'PESFP_MAX_MEMORY_KB'
#: The way out of any limit.
MORE_MEMORY = 'give the job more memory (max_memory_kb in AiiDA, --mem in Slurm)'
#: Variables whose product is what a job got, and the unit in bytes. Those of Slurm are in its manual, sbatch(1); its
#: ``--mem=0`` is all of a node, and so no limit. No such variable of PBS or LSF is known to us: they limit the process
#: or its control group.
STATED = (
    ((LIMIT_VARIABLE,), KIB),
    (('SLURM_MEM_PER_NODE',), MIB),
    (('SLURM_MEM_PER_CPU', 'SLURM_CPUS_ON_NODE'), MIB),
    (('SLURM_MEM_PER_GPU', 'SLURM_GPUS_ON_NODE'), MIB),
)
#: Files of a control group (limit, use), and in ``memory.stat`` the part of its use that the kernel takes back first.
_FILES = {
    'cgroup2': ('memory.max', 'memory.current', 'inactive_file'),
    'cgroup': ('memory.limit_in_bytes', 'memory.usage_in_bytes', 'total_inactive_file'),
}


@dataclass(frozen=True, order=True)
class Memory:
    """Memory that is left within a limit.

    :ivar free: bytes that may still be taken.
    :ivar limit: bytes in all.
    :ivar source: what sets the limit.
    """

    free: int
    limit: int
    source: str

    def __str__(self) -> str:
        return f'{self.free / GIB:.3g} GiB are free of the {self.limit / GIB:.3g} GiB of {self.source}'


def available_memory(root: Path = Path('/'), environment: Mapping[str, str] = os.environ) -> Memory:
    """The least that is left of the machine, the control groups, the limits of the process and what the scheduler says.

    :param root: folder below which ``proc/self`` and the control groups are.
    """
    machine, process = psutil.virtual_memory(), psutil.Process()
    found = [Memory(machine.available, machine.total, 'this machine')]
    found += [*of_control_groups(root), *of_process(process), *stated(environment, process.memory_info().rss)]
    return min(found)


def of_control_groups(root: Path) -> Iterator[Memory]:
    """The limits of the control groups of this process and of the groups around them, of both versions of Linux."""
    for kind, folder, limit in _limited_groups(root):
        _, use_file, reclaimed = _FILES[kind]
        with suppress(OSError):  # a sandbox that imitates Linux may lack them
            use = int((folder / use_file).read_text())
            stat = dict(line.split() for line in (folder / 'memory.stat').read_text().splitlines())
            # Pages of files that nobody has read lately count as used, but make way before anything is killed.
            free = limit - use + int(stat.get(reclaimed, 0))
            yield Memory(max(0, free), limit, f'the control group {folder}')


@cache  # a job keeps its groups and their limits, and what they have left is asked often
def _limited_groups(root: Path) -> list[tuple[str, Path, int]]:
    """Kind, folder and limit (bytes) of each control group around this process that gets less than the machine has."""
    found = []
    for kind, folder in _control_groups(root):
        with suppress(OSError, ValueError):  # not there, as at the root of version 2, or 'max'
            limit = int((folder / _FILES[kind][0]).read_text())
            if limit < psutil.virtual_memory().total:  # version 1 has a huge number for none
                found.append((kind, folder, limit))
    return found


def _control_groups(root: Path) -> Iterator[tuple[str, Path]]:
    """Kind and folder of each control group of memory that this process is in, from the innermost outwards."""
    try:
        own = [line.split(':', 2) for line in (root / 'proc/self/cgroup').read_text().splitlines()]
        mounts = [line.split() for line in (root / 'proc/self/mountinfo').read_text().splitlines()]
    except OSError:  # not Linux
        return
    groups = {'cgroup2' if number == '0' else 'cgroup': path for number, names, path in own if _has_memory(names)}
    for fields in mounts:
        kind, *_, options = fields[fields.index('-') + 1 :]  # what is mounted may have no name
        if kind in groups and (kind == 'cgroup2' or _has_memory(options)):
            mounted, top = fields[3], root / fields[4].lstrip('/')
            path = Path(groups[kind])
            # A container may see its own group as the top, while the path counts from the machine's.
            inner = path.relative_to(mounted) if path.is_relative_to(mounted) else Path()
            folder = top / inner
            yield from ((kind, one) for one in (folder, *folder.parents) if one.is_relative_to(top))


def _has_memory(names: str) -> bool:
    """Whether a comma-separated list of controllers has that of memory; version 2 lists none."""
    return not names or 'memory' in names.split(',')


def of_process(process: psutil.Process) -> Iterator[Memory]:
    """The limits of a process (``ulimit -v`` and ``-d``)."""
    if not psutil.LINUX:  # others do not hold them, or count otherwise
        return
    used = process.memory_info()
    for limited, taken, name in (
        (psutil.RLIMIT_AS, used.vms, 'ulimit -v'),
        (psutil.RLIMIT_DATA, used.data, 'ulimit -d'),
    ):
        limit, _ = process.rlimit(limited)
        if limit != psutil.RLIM_INFINITY:
            yield Memory(max(0, limit - taken), limit, name)


def stated(environment: Mapping[str, str], used: int) -> Iterator[Memory]:
    """What the job got by its environment, less the bytes that it uses."""
    for names, unit in STATED:
        values = [environment.get(name, '') for name in names]
        if all(value.isdecimal() for value in values) and (limit := unit * prod(map(int, values))):
            yield Memory(max(0, limit - used), limit, ' x '.join(names))
