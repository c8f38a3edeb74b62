"""Screenings under load: 60 structures, two daemon workers, three loops of `rank`, `report` and `assess` beside them.

    python benchmarks/bench_load.py --structures 60 --repeat 3

Nothing may be lost. The profile is a temporary one with SQLite and the ZeroMQ broker.
"""

import argparse
import tempfile
from pathlib import Path

import common  # noqa: F401  (finds tests.helpers)

from tests.helpers.load import Profile, screen_under_load


def main():
    """Run the screenings and print what became of each."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--structures', type=int, default=60)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--loops', type=int, default=1, help='of each of the three commands')
    parser.add_argument('--repeat', type=int, default=3)
    given = parser.parse_args()
    profile = Profile(Path(tempfile.mkdtemp(prefix='pesfp-load-')), given.workers)
    try:
        for _ in range(given.repeat):
            result = screen_under_load(profile, given.structures, given.loops)
            ran = ', '.join(f'{number} {name}' for name, number in sorted(result.ran.items()))
            lost = given.structures - result.ranked
            print(f'[{result.status}] {lost} of {given.structures} lost in {result.seconds:.0f} s beside {ran}')
            print(f'   {len(result.failed)} of these commands failed', *result.failed, sep='\n   ', flush=True)
            if lost or result.status:
                print(result.told)
    finally:
        profile.stop()


if __name__ == '__main__':
    main()
