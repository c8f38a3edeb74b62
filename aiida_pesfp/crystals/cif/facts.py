"""What a CIF block says of its crystal as a whole."""

import gemmi

from aiida_pesfp.crystals.cif.tags import texts, value
from aiida_pesfp.crystals.facts import Facts, Formula
from aiida_pesfp.crystals.species import ISOTOPES, element_of

FORMULA = tuple(f'_chemical_formula_{kind}' for kind in ('sum', 'structural', 'moiety', 'iupac'))


def facts_of(block: gemmi.cif.Block) -> tuple[Facts, list[str]]:
    """The statements of a block, and what is doubtful about them."""
    formula = next(filter(None, map(Formula.read, texts(block, FORMULA))), None)
    stated = texts(block, FORMULA[:1])
    doubts = [f'the formula {stated[0]!r} is not understood'] if stated and formula is None else []
    types = texts(block, ('_atom_site_type_symbol',))
    # Isotopes weigh something else than their elements.
    isotopes = (formula and formula.isotopes) or any(one in ISOTOPES or one[0].isdigit() for one in types)
    weights = {'weight': '_chemical_formula_weight', 'density': '_exptl_crystal_density_diffrn'}
    numbers = {'units': '_cell_formula_units_Z', 'volume': '_cell_volume', 'electrons': '_exptl_crystal_F_000'}
    found = {name: value(block, (tag,)) or None for name, tag in (numbers | ({} if isotopes else weights)).items()}
    return Facts(formulas=(formula,) if formula else (), content=_content(block), **found), doubts


def _content(block: gemmi.cif.Block) -> Formula | None:
    """The atoms of the cell by their types, if the block counts all of them."""
    amounts: dict[str, float] = {}
    for row in block.find('_atom_type_', ['symbol', 'number_in_cell']):
        symbol, _ = element_of(row.str(0))
        amounts[symbol] = amounts.get(symbol, 0.0) + gemmi.cif.as_number(row[1])
    return Formula.of(amounts) if all(amount > 0 for amount in amounts.values()) else None  # NaN neither
