"""Node of the migration barriers of one structure."""

import io
from collections.abc import Mapping
from typing import Self

import ase.io
import numpy as np
from aiida.orm import ArrayData
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_pesfp.data.required import RequiredAttributes, attribute

#: Entries of a path that become arrays, by the first part of their names.
PROFILES = {
    'lengths': 'moved_A', 'energies': 'energies_eV',
    'frozen_lengths': 'frozen_moved_A', 'frozen_energies': 'frozen_energies_eV',
}  # fmt: skip

#: Columns of tables of structures, and the attributes that they have.
IN_TABLES = {
    'relaxed_barrier': 'barrier', 'relaxed_barrier_2d': 'barrier_2d', 'relaxed_barrier_3d': 'barrier_3d',
    'frozen_barrier': 'frozen_barrier', 'barrier_picture': 'picture', 'barrier_method': 'method',
    'barrier_flags': 'flags',
}  # fmt: skip


class BarrierData(RequiredAttributes, ArrayData):
    """Migration barriers of an ion in a framework that relaxes around it.

    Attributes, all to be queried: ``picture``, ``method``; ``barrier``, ``reverse_barrier`` and ``frozen_barrier``,
    that of the same path if nothing relaxes (eV); ``barrier_2d`` and ``barrier_3d`` for percolation in two and three
    dimensions (eV; None where the picture has none, and then ``barrier`` is that of one path); ``converged``, ``flags``
    (see :data:`aiida_pesfp.barriers.methods.FLAGS`), ``calls``, ``seconds``, ``atoms``, ``species``, ``formula``,
    ``structure_uuid``, ``potential_name``, ``potential_sha256``, ``settings``, ``doubts``; ``paths``, for each its
    ``name``, its barriers and flags, and of a hop ``start``, ``end``, ``cell`` and the number ``hops`` of equivalent
    ones.

    Arrays of the path of index N: ``lengths_N`` (A, moved by the ion) and ``energies_N`` (eV), ``frozen_lengths_N`` and
    ``frozen_energies_N``, ``positions_N`` (images, atoms, 3) and ``cell_N`` (A), ``numbers_N``. A path that failed has
    none. ``node.images(N)`` are ASE's atoms, and ``node.export('path.extxyz', number=N)`` writes them.
    """

    _REQUIRED = ('picture', 'method', 'barrier', 'frozen_barrier', 'converged', 'flags', 'species', 'paths')
    _MAKER = 'from_results'

    barrier = attribute('barrier', 'eV.')
    frozen_barrier = attribute('frozen_barrier', 'That of the same path if nothing relaxes, eV.')
    method = attribute('method', 'How it was computed.')
    species = attribute('species', 'Symbol of the ion.')
    structure_uuid = attribute('structure_uuid', 'Of the structure.')
    converged = attribute('converged', 'Whether all relaxations and bands have converged.')
    flags = attribute('flags', 'Names of the flags that apply to any path.')

    @classmethod
    def from_results(cls, found: dict, images: dict[str, list[Atoms]], **attributes) -> Self:
        """An unstored node of a result.

        :param found: as ``pesfp-barrier`` writes it into ``barrier.json``.
        :param images: of each path, by its name.
        :param attributes: further attributes to query by, of plain JSON types.
        """
        node, paths = cls(), []
        for number, path in enumerate(found['paths']):
            paths.append({_plain(key): value for key, value in path.items() if key not in PROFILES.values()})
            if 'error' in path:
                continue
            own = images[path['name']]
            arrays = {name: np.array(path[key]) for name, key in PROFILES.items()}
            arrays |= {'positions': np.array([one.positions for one in own]), 'cell': own[0].cell.array}
            for name, array in (arrays | {'numbers': own[0].numbers}).items():
                node.set_array(f'{name}_{number}', array)
        kept = {_plain(key): value for key, value in found.items() if key not in ('paths', 'structure', 'error')}
        node.base.attributes.set_many(attributes | kept | {'paths': paths})
        return node

    @property
    def limiting(self) -> int:
        """Index of the path that the barrier is that of."""
        paths = self.base.attributes.get('paths')
        return next(number for number, path in enumerate(paths) if path.get('frozen_barrier') == self.frozen_barrier)

    def profile(self, number: int | None = None) -> dict[str, np.ndarray]:
        """Lengths (A) and energies (eV) along a path, by default the limiting one: the keys are those of the arrays."""
        number = self.limiting if number is None else number
        return {name: self.get_array(f'{name}_{number}') for name in PROFILES}

    def images(self, number: int | None = None) -> list[Atoms]:
        """Configurations along a path, by default the limiting one, with their energies, eV.

        They are relative to the lowest energy of the first end, from which the barrier counts.
        """
        number, found = self.limiting if number is None else number, []
        numbers, cell = self.get_array(f'numbers_{number}'), self.get_array(f'cell_{number}')
        for positions, energy in zip(self.get_array(f'positions_{number}'), self.get_array(f'energies_{number}')):
            found.append(Atoms(numbers, positions, cell=cell, pbc=True))
            found[-1].calc = SinglePointCalculator(found[-1], energy=float(energy))
        return found

    # AiiDA finds the formats of ``export`` by these names.
    def _prepare_extxyz(self, main_file_name='', number=None) -> tuple[bytes, dict]:
        text = io.StringIO()
        ase.io.write(text, self.images(number), format='extxyz')
        return text.getvalue().encode(), {}


def _plain(key: str) -> str:
    """A key without its unit: those of energies are eV in all attributes."""
    return key.removesuffix('_eV')


def table_row(attributes: Mapping) -> dict:
    """The entries of :data:`IN_TABLES`; the flags as a text, None without any."""
    row = {name: attributes.get(key) for name, key in IN_TABLES.items()}
    return row | {'barrier_flags': ', '.join(row['barrier_flags'] or ()) or None}
