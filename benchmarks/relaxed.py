"""Whether a relaxed framework helps: barriers of vacancies among atoms that give way, beside frozen descriptors.

Run ``python benchmarks/relaxed.py POTENTIAL FOLDER/*/0.5/assessment.json --set sevennet_md`` on what ``assess.py``
left. ``pesfp-barrier`` takes its scanned crystals, the smallest first, and goes on where it stopped. All rankings are
compared on the materials that have a barrier.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from common import PAPER, REPOSITORY
from compare import SETTINGS, with_rankings
from labelled import SETS

from aiida_pesfp.assessment.comparison import compare_materials, rank_materials
from aiida_pesfp.errors import NoValue
from aiida_pesfp.report.comparison import sentences, table


def barriers(paths: list[Path], arguments, folder: Path) -> dict[str, dict]:
    """Name of a file -> the result of ``pesfp-barrier``, where it has one."""
    command = [
        sys.executable,
        '-m',
        'aiida_pesfp.programs.barrier',
        *map(str, paths),
        '-o',
        str(folder),
        '--json',
        '-q',
    ]
    command += ['--potential', PAPER if arguments.potential == 'paper' else arguments.potential]
    command += ['--device', arguments.device]
    if arguments.time_limit is not None:
        command += ['--time-limit', str(arguments.time_limit)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    return {Path(one['structure']).stem: one for one in json.loads(process.stdout)}


def ranking(key: str):
    """A ranking by an entry of the result of a barrier, the lower the better."""

    def value(material: dict) -> float:
        if material['barrier'].get(key) is None:
            raise NoValue(material['barrier'].get('error') or f'it has no {key}')
        return -material['barrier'][key]

    return value


def main():
    """Compute what is missing, print the barriers and the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('potential')
    parser.add_argument('assessment', type=Path, metavar='FOLDER/assessment.json')
    parser.add_argument('--set', default='sevennet_md', choices=SETS)
    parser.add_argument('--device', default='auto')
    parser.add_argument('--time-limit', type=float, help='of pesfp-barrier, s')
    arguments = parser.parse_args()
    content = with_rankings(json.loads(arguments.assessment.read_text())['sets'][arguments.set])
    folder = arguments.assessment.parent / (SETS[arguments.set].scans or arguments.set)
    files = {key: folder / 'structures' / f'{key}.json' for key in content['materials']}
    paths = sorted((path for path in files.values() if path.exists()), key=lambda path: path.stat().st_size)
    results = barriers(paths, arguments, folder / 'barriers')
    materials = {}
    for key, material in content['materials'].items():
        found = results.get(key, {'error': 'not computed'})
        if found.get('barrier_eV') is not None:
            materials[key] = material | {'barrier': found}
            numbers = f'{found["barrier_eV"]:.2f} eV, frozen {found["frozen_barrier_eV"]:.2f}'
            print(' '.join([f'{key} ({material["formula"]}): {numbers}', *found['flags']]))
        else:
            print(f'{key} ({material["formula"]}): no barrier: {found["error"].removeprefix(f"{files[key]}: ")}')
    more = {f'relaxed {name}': ranking(f'{name}_eV') for name in ('barrier', 'barrier_2d', 'barrier_3d')}
    more['frozen hops'] = ranking('frozen_barrier_eV')
    for key, entry in rank_materials(more, materials).items():
        for part, values in entry.items():
            materials[key][part] = materials[key][part] | values
    found = compare_materials(materials, content['species'], SETTINGS, content['classes']['temperature'])
    print(f'\n{found["materials"]} materials, {found["good"]} good, {found["bad"]} bad, {found["families"]} families')
    print(table(found))
    print('\n'.join(sentences(found)))


if __name__ == '__main__':
    main()
