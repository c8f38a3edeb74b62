"""What a campaign costs beyond its programs: time, nodes, database and repository for each structure, by its size.

    python benchmarks/campaigns.py 100 1000
    python benchmarks/campaigns.py 2000 --kill --extend 100

The potential (Lennard-Jones) and the crystals (two or three atoms) cost next to nothing, and the programs' own time is
subtracted. Each size has a profile of its own, with SQLite and the ZeroMQ broker, or with `--postgres` PostgreSQL. With
`--kill` the campaign is killed when a third is done, and the same command goes on; with `--extend`, so many structures
are added to the group before it does. At the end each structure must have exactly one result.
"""

import argparse
import itertools
import math
import tempfile
import time
from pathlib import Path

import common  # noqa: F401  (finds tests.helpers)
import psutil
from tabulate import tabulate

from tests.helpers.load import Profile, launch_campaign, store_crystals

#: Expressions about the graph, see :meth:`Profile.ask`.
_COUNT = 'QueryBuilder().append({}).count()'
_DONE = "QueryBuilder().append(Node, filters={'node_type': {'like': '%pesfp.descriptors%'}}).count()"
_SECONDS = 'sum(job.outputs.output_parameters["seconds"] for job in QueryBuilder().append(CalcJobNode).all(flat=True))'


def workers(profile: Profile) -> tuple[float, float]:
    """CPU time in s and largest memory in MB of the daemon's workers."""
    found = []
    for process in psutil.process_iter(['cmdline']):
        line = process.info['cmdline'] or []
        if 'worker' in line and any(part.endswith('verdi') for part in line):
            try:
                if process.environ().get('AIIDA_PATH', '').startswith(str(profile.folder)):
                    found.append((sum(process.cpu_times()[:2]), process.memory_info().rss / 1e6))
            except psutil.Error:
                continue
    return sum(cpu for cpu, _ in found), max((memory for _, memory in found), default=0.0)


def size_of(folder: Path) -> float:
    """Size of a folder in kB."""
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1000


def until_ended(profile: Profile, pk: int, stop=lambda: False) -> None:
    """Wait until a process has ended, or something else is so."""
    while not profile.ask(f'load_node({pk}).is_terminated') and not stop():
        time.sleep(5)


def measure(size: int, given: argparse.Namespace) -> dict:
    """Run a campaign of so many structures; what it has cost."""
    profile = Profile(Path(tempfile.mkdtemp(prefix='pesfp-campaign-')), given.workers, postgres=given.postgres)
    try:
        total = size + given.extend
        names = {'stored': f'stored-{size}', 'more': f'more-{size}'}
        store_crystals(profile, names['stored'], 0, size)
        cpu, begin = workers(profile)[0], time.monotonic()
        pk, submitting = launch_campaign(
            profile, names['stored'], given.jobs, given.per_job, min(given.per_shard, size // 2)
        )
        if given.kill:
            until_ended(profile, pk, lambda: profile.ask(_DONE) >= size / 3)
            print(f'killed with {profile.ask(_DONE)} of {size} done', flush=True)
            profile.run('verdi', 'process', 'kill', '--timeout', 300, pk)
            until_ended(profile, pk)
        if given.extend:
            store_crystals(profile, names['stored'], size, total)
        if given.kill or given.extend:
            until_ended(profile, pk)
            pk, _ = launch_campaign(
                profile, names['stored'], given.jobs, given.per_job, min(given.per_shard, size // 2)
            )
        until_ended(profile, pk)
        wall = time.monotonic() - begin
        own, memory = workers(profile)
        status = time.monotonic()
        told = profile.run('aiida-pesfp', 'status', pk)
        status = time.monotonic() - status
        rows = profile.ask(f'[row["structure"] for row in load_node({pk}).outputs.ranking["rows"]]')
        rejected = profile.ask(f'len(load_node({pk}).outputs.rejected.get_dict())')
        exit_status = profile.ask(f'load_node({pk}).exit_status')
        print(f'CampaignWorkChain<{pk}> [{exit_status}], {len(rows)} ranked, {rejected} rejected\n{told}', flush=True)
        if len(rows) != len(set(rows)) or len(rows) + rejected != total or profile.ask(_DONE) != len(rows):
            raise SystemExit(f'{total} structures have {len(rows)} results and {rejected} reasons')
        programs = profile.ask(_SECONDS)
        database = profile.ask('storage_size()')
        return {
            'structures': total,
            'wall/s': wall / total,
            'programs/s': programs / total,
            'workers/s': (own - cpu) / total,
            'submit/s': submitting,
            'status/s': status,
            'nodes': profile.ask(_COUNT.format('Node')) / total,
            'database/kB': database[0] / 1000 / total,
            'repository/kB': database[1] / 1000 / total,
            'worker/MB': memory,
        }
    finally:
        profile.stop()


def main():
    """Run the campaigns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('sizes', type=int, nargs='+', help='numbers of structures')
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--per-job', type=int, default=50)
    parser.add_argument('--per-shard', type=int, default=200)
    parser.add_argument('--postgres', action='store_true', help='`verdi presto --use-postgres`')
    parser.add_argument('--kill', action='store_true', help='kill it when a third is done, and go on')
    parser.add_argument('--extend', type=int, default=0, help='add so many structures before it goes on')
    given = parser.parse_args()
    rows = []
    for size in given.sizes:
        rows.append(measure(size, given))
        print(tabulate(rows, headers='keys', floatfmt='.3g'), flush=True)
    for first, last in itertools.pairwise(rows):
        growth = {
            name: math.log(last[name] / first[name]) / math.log(last['structures'] / first['structures'])
            for name in ('wall/s', 'workers/s', 'nodes', 'database/kB', 'repository/kB')
        }
        told = ', '.join(f'{name} {value:+.2f}' for name, value in growth.items())
        print(f'growth of each for a structure, {first["structures"]} to {last["structures"]}: {told}')


if __name__ == '__main__':
    main()
