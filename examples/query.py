"""Ask the provenance graph: ``verdi run examples/query.py``. Each question is a script of its own in ``queries/``."""

import sys
from pathlib import Path

from tabulate import tabulate

sys.path.insert(0, str(Path(sys.argv[0]).resolve().parent))

from queries.best import best_structures
from queries.composition import HEADS, of_composition
from queries.origin import origin


def main():
    """Print the answers to three questions."""
    best = best_structures()
    print('Structures with Xi > 0.25:')
    print(tabulate(best, ('PK', 'formula', 'Xi', 'MPE/eV'), floatfmt=('', '', '.4f', '.3f')))
    if not best:
        print('none yet: verdi run examples/screen.py')
        return
    pk, formula, *_ = best[0]
    name, sha256, calculation, structure = origin(pk)
    print(f'\nWhich potential produced the first of them? {name} (SHA-256 {sha256[:12]}...), in the calculation')
    print(f'{calculation} of the structure {structure}. Its whole history:')
    print(f'verdi node graph generate --link-types data --descendant-depth 0 {pk}')
    print(f'\nAll descriptors of {formula}:')
    print(tabulate(of_composition(formula), **HEADS))


if __name__ == '__main__':
    main()
