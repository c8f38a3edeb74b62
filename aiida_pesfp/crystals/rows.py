"""What a row of a table tells of its crystal besides numbers, and whether a crystal agrees."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import gemmi
from pymatgen.core import Structure

from aiida_pesfp.crystals.facts import ROUNDED_FORMULA, Facts, Formula
from aiida_pesfp.crystals.species import ELEMENTS
from aiida_pesfp.errors import InconsistentFile
from aiida_pesfp.tables.numbers import is_blank

#: No formula is longer.
LONGEST_FORMULA = 500
#: Signs of formulas in LaTeX, HTML and dictionaries, which mean nothing.
_SIGNS = re.compile(r'</?su[bp]>|[{}\'":$_]')
#: Names of phases, before and behind: beta-Li3PS4, Li3PS4 (beta), LT-LiCoO2. But x and delta are numbers.
_PHASE = re.compile(r'^(?:[LHR]T|(?!x\b)[^\WA-Z\d_]+)[ -](?=[A-Z(])|\s*[(\[](?:[LHR]T|[^\WA-Z\d_]+)[)\]]$|-[α-γ]$')
_MORE = '(?:pretty|reduced|full|chemical|true|nominal|unitcell|hill|sum|descriptive|empirical|normalized)*'


def read_formula(text: str) -> Formula | None:
    """The formula in a cell: Li7P3S11, Li(BH4), LiI-4H2O, Li<sub>3</sub>N, beta-Li3PS4, Li3PS4 (beta).

    None if it is not understood to its end: Li7-xLa3Zr2O12, LLZO.
    """
    text = _SIGNS.sub(' ', unicodedata.normalize('NFKC', text)).strip()
    return Formula.read(re.sub(r'(?<=\S) ?[-\u2013\u00b7] ?(?=[\dA-Z])', ' * ', _PHASE.sub('', text))) if len(
        text
    ) <= LONGEST_FORMULA else None


def read_group(text: str) -> int | None:
    """The number of a space group, of its number or symbol: 225, Fm-3m, P 2_1/n, Fm-3m (225)."""
    parts = [part for part in re.split(r'[()#,;]', text.replace('_', '')) if part.strip()]
    found = {(group := gemmi.find_spacegroup_by_name(re.sub(r'\.0+$', '', one.strip()))) and group.number for one in parts}
    return found.pop() if len(found) == 1 else None
