"""What the benchmark scripts share. They import it before anything of ``tests.helpers``."""

import json
import subprocess
import sys
from pathlib import Path

# Some dependency installs a package `tests` of its own: that of this repository has to be found first.
sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.helpers import REPOSITORY, SHARED

#: The paper's potential; its weights are downloaded where they are not in the cache.
PAPER = 'm3gnet-mp-2021.2.8'
#: Column of the conductivities of OBELiX.
SIGMA = 'Ionic conductivity (S cm-1)'
#: Notes of OBELiX by which a conductivity may belong to another crystal than the CIF, or a row is there twice.
UNFIT = (
    'should be deleted|duplicate|check cif|not matching cif|not correct|true formula|po information is missing|'
    'structure may be different|composition should be corrected|incorrect|not good'
)


def structure_file(identifier: str) -> Path:
    """The CIF of a Materials Project identifier among the reference structures."""
    for folder in ('table1', 'reference', 'laskowski2023'):
        path = SHARED / 'structures' / folder / f'{identifier}.cif'
        if path.exists():
            return path
    raise FileNotFoundError(f'{identifier}.cif is not under {SHARED / "structures"}')


def scan(identifiers: list[str], output: Path, *options: str, cell: str = 'as_given') -> dict[str, dict]:
    """Scan structures with the paper's potential, or take what an earlier call left; the summary of each.

    :param cell: that of the Materials Project by default, as in the paper.
    """
    command = [sys.executable, '-m', 'aiida_pesfp.programs.scan', *(str(structure_file(name)) for name in identifiers)]
    command += ['--potential', PAPER, '--cell', cell, '-o', str(output), '--json', *options]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    return dict(zip(identifiers, json.loads(process.stdout)))
