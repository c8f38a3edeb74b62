"""Values of a CIF block. ``?`` and ``.`` stand for no value."""

import math
import re

import gemmi

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
