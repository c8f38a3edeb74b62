"""How far canonical primitive cells are from the cells of the Materials Project, on which published numbers were made.

Run ``python benchmarks/cells.py [IDENTIFIER...]``. It scans adaptively with the paper's potential, and is resumable.
"""

import argparse
from pathlib import Path

from common import scan
from tabulate import tabulate

#: The best five of Table I in small cells.
SMALL = ['mp-1211100', 'mp-1211296', 'mp-570935', 'mp-2530', 'mp-644223']


def main():
    """Scan in both cells and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('structures', nargs='*', default=SMALL)
    parser.add_argument('-o', '--output', type=Path, default=Path('benchmark-cells'))
    arguments = parser.parse_args()
    given, primitive = (
        scan(arguments.structures, arguments.output / cell, '--adaptive', cell=cell)
        for cell in ('as_given', 'primitive')
    )
    rows = []
    for identifier, one in given.items():
        other = primitive[identifier]
        rows.append((identifier, one['formula'], one['xi'], other['xi'], one['mpe'], other['mpe']))
    headers = ('structure', 'formula', 'Xi, as given', 'Xi, primitive', 'MPE/eV, as given', 'MPE/eV, primitive')
    print(tabulate(rows, headers, floatfmt=('', '', '.4f', '.4f', '.3f', '.3f')))


if __name__ == '__main__':
    main()
