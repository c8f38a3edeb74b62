"""Values of a CIF block. ``?`` and ``.`` stand for no value."""

import contextlib
import math
import re

import gemmi

from aiida_pesfp.crystals.species import charge_of, element_of
from aiida_pesfp.errors import UnreadableStructure

EMPTY = ('?', '.', '')
CELL = re.compile('_cell_(length|angle)_', re.IGNORECASE)
#: Beginnings of the tags on which a crystal depends.
DECISIVE = ('_cell_', '_symmetry_', '_space_group_', '_atom_site_fract_', '_chemical_formula_sum')


def tags_of(block: gemmi.cif.Block) -> list[str]:
    """All tags of a block, in lower case."""
    tags = (item.loop.tags if item.loop is not None else [item.pair[0]] for item in block if item.loop or item.pair)
    return [tag.lower() for some in tags for tag in some]


def texts(block: gemmi.cif.Block, tags: tuple[str, ...]) -> list[str]:
    """All different values of the tags (the old and new names of one thing), single or in a loop, without quotes."""
    found = []
    for tag in tags:
        for raw in block.find_values(tag):
            text = ' '.join(gemmi.cif.as_string(raw).split())
            if text not in EMPTY and text not in found:
                found.append(text)
    return found


def value(block: gemmi.cif.Block, tags: tuple[str, ...]) -> float | None:
    """The first number that one of the tags has, without its standard uncertainty."""
    numbers = (gemmi.cif.as_number(text) for text in texts(block, tags))
    return next((number for number in numbers if not math.isnan(number)), None)


def oxidation_states(block: gemmi.cif.Block) -> dict[str, float]:
    """Oxidation states of elements as the types of atoms have them, the mean of several: Fe2+ and Fe3+."""
    found: dict[str, set[float]] = {}
    for row in block.find('_atom_type_', ['symbol', '?oxidation_number']):
        number = gemmi.cif.as_number(row[1]) if row.has(1) else math.nan
        charge = charge_of(row.str(0)) if math.isnan(number) else number
        _note(found, row.str(0), charge)
    for symbol in texts(block, ('_atom_site_type_symbol',)):
        _note(found, symbol, charge_of(symbol))
    return {symbol: sum(charges) / len(charges) for symbol, charges in found.items()}


def _note(found: dict[str, set[float]], symbol: str, charge: float | None) -> None:
    if charge is not None:
        with contextlib.suppress(UnreadableStructure):  # a vacancy, a group of atoms
            found.setdefault(element_of(symbol)[0], set()).add(charge)


def check_single(block: gemmi.cif.Block) -> None:
    """Refuse a block that gives the cell, symmetry, formula or atoms twice: a reader would take either.

    :raises UnreadableStructure: if two items of one such name have different values, or two loops the same column.
    """
    found: dict[str, str] = {}
    for item in block:
        pairs = [item.pair] if item.pair is not None else []
        pairs += [(tag, f'loop {id(item)}') for tag in item.loop.tags] if item.loop is not None else []
        if item.loop is not None and item.loop.length() > 1 and any(map(CELL.match, item.loop.tags)):
            raise UnreadableStructure(f'it has {item.loop.length()} cells in a loop: remove what is wrong')
        for tag, text in pairs:
            tag = tag.lower()
            if tag.startswith(DECISIVE) and found.setdefault(tag, text) != text:
                raise UnreadableStructure(f'it gives {tag} twice: remove what is wrong')
