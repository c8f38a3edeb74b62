"""Reference values of ``tests/data``, and the comparison of our own with them."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from tests.helpers import DATA, SHARED
from tests.helpers.crystals import antifluorite, in_cell, perovskite, rock_salt

#: The crystals of ``tests/data/oracle``. The Materials Project publishes their lattice parameters (PBE) under the
#: identifiers beside them.
CRYSTALS = {
    'Li2S': antifluorite('Li', 'S', 5.670336),  # mp-1153
    'LiPaO3': perovskite('Li', 'Pa', 'O', 4.318201),  # mp-1185263
    'LiCl-wurtzite': Structure(  # mp-1185319
        Lattice.hexagonal(3.924882, 6.357161),
        ['Li', 'Li', 'Cl', 'Cl'],
        [[0, 0, 0.376017], [1 / 3, 2 / 3, 0.876017], [0, 0, 0.998984], [1 / 3, 2 / 3, 0.498983]],
    ),
    'Li3N': Structure(  # mp-2251
        Lattice.hexagonal(3.609727, 3.854639),
        ['Li', 'Li', 'Li', 'N'],
        [[0, 0, 0.5], [1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0], [0, 0, 0]],
    ),
    'LiH': rock_salt('Li', 'H', 4.017238),  # mp-23703
    'Li2Te': antifluorite('Li', 'Te', 6.513749),  # mp-2530
}
#: Crystals of Table I of the paper that are scanned within seconds, with the printed Xi, from the same source.
TABLE_1 = {
    'LiB3H8': (  # mp-1211100
        in_cell(
            Structure.from_spacegroup(
                'Cmcm',
                Lattice.orthorhombic(8.961580, 9.212842, 5.790944),
                ['Li', 'B', 'B', 'H', 'H', 'H'],
                [
                    [0.5, 0.059695, 0.75],
                    [0.5, 0.640589, 0.75],
                    [0.5, 0.809245, 0.903442],
                    [0.884135, 0.071881, 0.75],
                    [0.614605, 0.860559, 0.978755],
                    [0.5, 0.683604, 0.989946],
                ],
            ),
            [[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]],
        ),
        0.9924,
    ),
    'Li2B12H12': (  # mp-1211296
        in_cell(
            Structure.from_spacegroup(
                'Fm-3',
                Lattice.cubic(10.132676),
                ['Li', 'B', 'H'],
                [[0.25, 0.25, 0.25], [0.642155, 0.913030, 0.5], [0.745433, 0.854845, 0.5]],
            ),
            [[0.5, -0.5, 0], [0.5, 0, 0.5], [0, -0.5, 0.5]],
        ),
        0.9898,
    ),
    'LiI': (  # mp-570935
        Structure.from_spacegroup(
            'P6_3mc',
            Lattice.hexagonal(4.544069, 7.291698),
            ['Li', 'I'],
            [[1 / 3, 2 / 3, 0.996842], [1 / 3, 2 / 3, 0.378158]],
        ),
        0.9812,
    ),
    'Li2Te': (CRYSTALS['Li2Te'], 0.9712),  # mp-2530
    'LiBH4': (  # mp-644223
        Structure.from_spacegroup(
            'P6_3mc',
            Lattice.hexagonal(4.180003, 6.709922),
            ['Li', 'B', 'H', 'H'],
            [
                [2 / 3, 1 / 3, 0.505882],
                [2 / 3, 1 / 3, 0.057793],
                [2 / 3, 1 / 3, 0.876311],
                [0.825323, 0.174677, 0.118330],
            ],
        ),
        0.9647,
    ),
}
#: Filled by :func:`compare`, printed by ``pytest -m fidelity``.
FIGURES: list[tuple[str, str, float, float]] = []


@dataclass(frozen=True)
class Oracle:
    """Scan of one crystal by an independent implementation with the paper's potential.

    :param grids: absolute energies, eV, of each scanned ion; excluded points hold the largest energy.
    :param descriptors: xi, mpe (eV), mpe_per_ion, and free volumes at each threshold.
    """

    structure: Structure
    grids: dict[int, np.ndarray]
    descriptors: dict

    @classmethod
    def read(cls, name: str) -> 'Oracle':
        with np.load(DATA / 'oracle' / f'{name}.npz') as arrays:
            grids = {int(key.removeprefix('site')): arrays[key] for key in arrays}
        return cls(CRYSTALS[name], grids, json.loads((DATA / 'oracle' / 'descriptors.json').read_text())[name])


def tensorflow_entries() -> dict[str, dict]:
    """Structures with the energies and forces of TensorFlow's M3GNet, by name; 16 more where ``../shared`` is."""
    entries = json.loads((DATA / 'm3gnet' / 'tensorflow.json').read_text())
    known, others = {entry['id'] for entry in entries}, SHARED / 'm3gnet' / 'reference.json'
    if others.is_file():
        more = json.loads(others.read_text())['structures']
        entries += [
            entry | {'name': f'{entry["formula"]} ({entry["id"]})'} for entry in more if entry['id'] not in known
        ]
    return {entry['name']: entry for entry in entries}


def compare(structure: str, quantity: str, ours, reference, *, abs: float = 0.0, rel: float = 0.0) -> None:
    """Assert that numbers agree, and keep the pair that differs most for ``pytest -m fidelity``."""
    pairs = np.broadcast_arrays(np.asarray(ours, dtype=float), np.asarray(reference, dtype=float))
    worst = np.argmax(np.abs(pairs[0] - pairs[1]))
    FIGURES.append((structure, quantity, float(pairs[0].flat[worst]), float(pairs[1].flat[worst])))
    assert pairs[0] == pytest.approx(pairs[1], abs=abs, rel=rel), f'{quantity} of {structure}'
