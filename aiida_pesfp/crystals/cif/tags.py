"""Values of a CIF block. ``?`` and ``.`` stand for no value."""

import math

import gemmi

EMPTY = ('?', '.', '')


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
