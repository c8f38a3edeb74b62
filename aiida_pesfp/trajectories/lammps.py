"""Frames of LAMMPS dumps, as text, with the unwrapped positions and image flags that ASE's reader leaves out."""

from collections.abc import Iterator
from typing import TextIO

import numpy as np
from ase import units
from ase.calculators.lammps import convert
from ase.data import atomic_masses, chemical_symbols

from aiida_pesfp.errors import InvalidTrajectory
from aiida_pesfp.trajectories.frames import CutOff, Frame, numbers, symbol_of, take
from aiida_pesfp.trajectories.stamps import STEP, Clock

#: Columns of positions, the best first, whether they are in units of the cell, and of image flags beside them.
_POSITIONS = (
    ('xu yu zu', False, None),
    ('xsu ysu zsu', True, None),
    ('x y z', False, 'ix iy iz'),
    ('xs ys zs', True, 'ix iy iz'),
    ('x y z', False, None),
    ('xs ys zs', True, None),
)
#: Largest difference of a mass from that of its element, u, and isotopes that differ more.
_MASS, _ISOTOPES = 0.6, {'H': (2.014, 3.016), 'Li': (6.015,), 'B': (10.013,)}
#: Lower masses are in kg or g, as in LAMMPS's units ``si`` and ``cgs``.
_LEAST_MASS = 0.5


def read_dump(file: TextIO, types: list[str] | None = None) -> Iterator[Frame]:
    """Frames of a dump, atoms in the order of their numbers.

    :param types: elements of the atom types 1, 2, ...
    :raises CutOff: if the file ends within a frame.
    :raises InvalidTrajectory: if elements or positions are not said, or atoms come and go.
    """
    style, identities = None, None
    while items := _items(file):
        style = items['UNITS'][1].strip() if 'UNITS' in items else style
        if style == 'lj':
            raise InvalidTrajectory('the dump is in units of Lennard-Jones (lj): convert it to A and fs')
        header, rows = items['ATOMS'][0].split(), items['ATOMS'][1:]
        table = [row.split() for row in rows]
        if wrong := next((row for row, words in zip(rows, table) if len(words) != len(header)), None):
            raise ValueError(f'{len(header)} columns are named, but a line is {wrong.strip()!r}')
        columns = dict(zip(header, zip(*table)))
        if 'id' not in columns:
            raise InvalidTrajectory('the dump has no column id, so atoms cannot be followed from frame to frame')
        ids = np.array(columns['id'], dtype=np.int64)
        order = np.argsort(ids)
        if identities is None:
            identities = ids[order]
            if (np.diff(identities) == 0).any():
                raise InvalidTrajectory('two atoms of the dump have the same id')
        if not np.array_equal(identities, ids[order]):
            raise InvalidTrajectory('the frame has atoms of other ids than the first: dump the same atoms each time')
        symbols = _symbols(columns, types)
        cell, origin = _cell(items['BOX BOUNDS'])
        positions, unwrapped = _positions(columns, cell, origin)
        length, time = (convert(1.0, quantity, style or 'metal', 'ASE') for quantity in ('distance', 'time'))
        stamp = {STEP: float(items['TIMESTEP'][1])}
        if 'TIME' in items:
            stamp[Clock('TIME', 'time', time / units.fs if style else None)] = float(items['TIME'][1])
        yield Frame(tuple(symbols[k] for k in order), positions[order] * length, cell * length, stamp, unwrapped)


def _items(file: TextIO) -> dict[str, list[str]]:
    """Lines of each item of the next frame, the first of which is what stands behind its name; empty at the end."""
    items, lines = {}, {'UNITS': 1, 'TIMESTEP': 1, 'TIME': 1, 'NUMBER OF ATOMS': 1, 'BOX BOUNDS': 3}
    while line := file.readline():
        if not line.strip():
            continue
        name = next((name for name in (*lines, 'ATOMS') if f'{line.strip()} '.startswith(f'ITEM: {name} ')), None)
        if name is None:
            if not line.endswith('\n'):
                raise CutOff
            raise ValueError(f'{line.strip()[:60]!r} stands where an item should begin')
        count = lines[name] if name != 'ATOMS' else int(items['NUMBER OF ATOMS'][1])
        items[name] = [line.strip().removeprefix(f'ITEM: {name}'), *take(file, count)]
        if name == 'ATOMS':
            return items
    if items:
        raise CutOff
    return {}


def _cell(lines: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) lattice vectors and (3,) origin of a box: orthogonal, triclinic, or general triclinic."""
    rows = numbers(lines[1:])
    if 'abc' in lines[0].split():
        return rows[:, :3], rows[:, 3]
    xy, xz, yz = rows[:, 2] if rows.shape[1] > 2 else (0.0, 0.0, 0.0)
    # The bounds are those of the box around the tilted one.
    low = rows[:, 0] - [min(0, xy, xz, xy + xz), min(0, yz), 0]
    high = rows[:, 1] - [max(0, xy, xz, xy + xz), max(0, yz), 0]
    a, b, c = high - low
    return np.array([[a, 0, 0], [xy, b, 0], [xz, yz, c]]), low


def _positions(columns: dict, cell: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, bool]:
    """(n, 3) positions in the order of the file, and whether they are never wrapped."""
    for names, scaled, flags in _POSITIONS:
        needed = [*names.split(), *(flags or '').split()]
        if set(needed) <= set(columns):
            read = np.array([columns[name] for name in needed], dtype=float).T
            positions = origin + read[:, :3] @ cell if scaled else read[:, :3]
            return positions + read[:, 3:] @ cell if flags else positions, bool(flags) or 'u' in names
    raise InvalidTrajectory('the dump has no positions: store x y z, or xu yu zu')


def _symbols(columns: dict, types: list[str] | None) -> list[str]:
    labels = next((columns[name] for name in ('element', 'typelabel', 'type') if name in columns), ('1',))
    if 'mass' in columns and types is None and labels[0].isdigit():
        return [_element_of(float(mass)) for mass in columns['mass']]
    known = {label: symbol_of(label, types) for label in sorted(set(labels))}
    symbols = [known[label] for label in labels]
    for kind, symbol in set(zip(columns.get('type', ()), symbols)):
        if types and kind.isdigit() and symbol_of(kind, types) != symbol:
            raise InvalidTrajectory(
                f'the dump says that atoms of type {kind} are {symbol}, the given types (--types) do not: leave them '
                'out, or correct one of the two'
            )
    for symbol, mass in set(zip(symbols, map(float, columns.get('mass', ())))):
        known = atomic_masses[chemical_symbols.index(symbol)], *_ISOTOPES.get(symbol, ())
        if mass > _LEAST_MASS and min(abs(mass - one) for one in known) > _MASS:
            raise InvalidTrajectory(
                f'the dump has atoms of {mass:g} u, which is no mass of {symbol}: correct the elements (--types)'
            )
    return symbols


def _element_of(mass: float) -> str:
    number = int(np.nanargmin(np.abs(atomic_masses - mass)))
    if not abs(atomic_masses[number] - mass) < _MASS:
        raise InvalidTrajectory(f'no element has the mass {mass:g} u: give the elements (--types)')
    return chemical_symbols[number]
