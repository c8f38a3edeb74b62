"""Read a CIF and decide between the crystals that it can mean."""

import functools
import re
import warnings
from collections.abc import Callable
from contextlib import suppress

import gemmi
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import DummySpecies, Lattice, Structure
from pymatgen.io.cif import CifParser

from aiida_pesfp.crystals.checks import check_distances
from aiida_pesfp.crystals.cif.atoms import COARSEST, Atom, check_disorder, read_atoms, read_lattice
from aiida_pesfp.crystals.cif.lists import check_lists
from aiida_pesfp.crystals.cif.sites import Crystal, build
from aiida_pesfp.crystals.cif.symmetry import OPERATIONS, Symmetry, is_whole, symmetries
from aiida_pesfp.crystals.cif.tags import check_single, oxidation_states, tags_of, texts, value
from aiida_pesfp.crystals.facts import Facts, Formula
from aiida_pesfp.crystals.species import ISOTOPES, element_of
from aiida_pesfp.errors import AmbiguousSymmetry, InconsistentFile, StructureError, UnreadableStructure, one_line

#: Names of a crystal, some of which are formulas. (That of its structure type is often another crystal's.)
NAMES = (*(f'_chemical_name_{kind}' for kind in ('common', 'mineral', 'systematic')), '_pd_phase_name')
FORMULA = tuple(f'_chemical_formula_{kind}' for kind in ('sum', 'structural', 'moiety', 'iupac'))
#: Tags of an incommensurate crystal, whose atoms are not where their average positions are.
MODULATED = re.compile(
    '_cell_(wave_vec|subsystem)|_space_group_(symop_)?(magn_)?ssg|_atom_sites?_([a-z]+_)?(fourier|displace|rot|special_func)'
)
#: The names of dictionaries since 2011 (DDLm) and of mmCIF have a dot after the category.
DOTTED = re.compile(r'(?<!\S)(_[A-Za-z_]+)\.(?=[A-Za-z])')
#: Texts of CIF 2.0 between three quotes.
TRIPLE = re.compile(r'(\'{3}|\"{3})(.*?)\1', re.DOTALL)
#: Values with blanks need quotes, which people forget in names, formulas and operations.
UNQUOTED = re.compile(
    r'^([ \t]*_\S*(?:H-M|Hall|formula)\S*[ \t]+|[ \t]*(?:\d+[ \t]+)?(?=[-+xyz\d/. \t]+(?:,[-+xyz\d/. \t]+){2}$))'
    r'([^\'";\s]\S*[ \t]+[^\'"_#\s][^\'"\n]*?)[ \t]*$',
    re.MULTILINE | re.IGNORECASE,
)


def crystals_of(text: str) -> list[Callable[[], tuple[Structure, tuple[str, ...]]]]:
    """A function for each block with atoms of a CIF that reads it: one that is wrong does not affect the others.

    Each returns the structure and what a person should know of how it was read, or raises a ``StructureError``.

    :raises UnreadableStructure: if the text is not a CIF.
    """
    text = re.sub(r'[\u2010-\u2015\u2212]', '-', text)
    text = re.sub(r'[\u00a0\ufeff\x1a]', ' ', text)  # marks at the joint of two files, and at the end of old ones
    text = re.sub(r'[^\n\r\t -~]', '?', text)  # Names of people. Everything that counts is ASCII.
    if text.startswith('#\\#CIF_2'):
        text = TRIPLE.sub(lambda match: '\n;' + match[2].replace('\n;', '\n ;') + '\n;\n', text)
    text, unquoted = UNQUOTED.subn(r"\1'\2'", DOTTED.sub(r'\1_', text))
    doubts = ['a name, formula or operation with blanks has no quotes'] if unquoted else []
    try:
        document = gemmi.cif.read_string(text, 0)
    except (ValueError, RuntimeError) as error:
        where = one_line(error).removeprefix('string:')
        raise UnreadableStructure(f'cannot be read as a CIF: something is wrong at line {where}') from error
    names = [f'_atom_site_{name}' for name in ('fract_x', 'label', 'type_symbol')]
    blocks = [block for block in document if any(len(block.find_values(name)) for name in names)]
    # The document must live as long as its blocks.
    return [functools.partial(_read_block, document, block, doubts) for block in blocks]


def _read_block(_: gemmi.cif.Document, block: gemmi.cif.Block, doubts: list[str]) -> tuple[Structure, tuple[str, ...]]:
    check_single(block)
    modulations = tuple(tag for tag in tags_of(block) if MODULATED.match(tag))
    if value(block, ('_cell_modulation_dimension',)) or texts(block, modulations):
        raise UnreadableStructure('it is a modulated crystal: give a commensurate approximant of it')
    lattice = read_lattice(block)
    facts, formula_doubts = _facts_of(block)
    elements = {element for formula in facts.formulas for element in formula.counts}
    atoms, atom_doubts = read_atoms(block, lattice, elements)
    choices, disputed, symmetry_doubts = symmetries(block, lattice)
    doubts = [*doubts, *formula_doubts, *atom_doubts, *symmetry_doubts]
    attached = any(gemmi.cif.as_number(text) > 0 for text in texts(block, ('_atom_site_attached_hydrogens',)))
    if attached and 'H' not in elements | {atom.element for atom in atoms}:
        raise InconsistentFile('hydrogen atoms are attached to others and have no positions: add them')
    unsure = [atom.label for atom in atoms if atom.occupancy is None]
    given = [atom for atom in atoms if atom.occupancy is not None]
    try:
        crystal, confirmed = _decide(lattice, atoms, choices, disputed, facts)
        if not confirmed and given:  # else the file gives none
            doubts += [f'{label}: without an occupancy, unlike others, taken for full' for label in unsure]
    except InconsistentFile:
        crystal, atoms = None, given  # old files write an occupancy of 0 as a dot, which means 1
        with suppress(StructureError):
            crystal, confirmed = (
                _decide(lattice, atoms, choices, disputed, facts) if unsure and atoms else (None, False)
            )
        if crystal is None or not confirmed:
            raise
        doubts += [f'{label}: without an occupancy, taken for absent as the formula says' for label in unsure]
    if not confirmed:
        doubts += check_disorder(atoms)
        _check_second_reading(block, crystal.structure)
    if not facts.formulas:
        names = dict(zip(named := texts(block, NAMES), map(Formula.read, named)))
        wrong = [name for name, one in names.items() if one and one.units_in(crystal.structure, crystal.blur) is None]
        doubts += [f'its name is {name!r}, its sites give {crystal.structure.formula}' for name in wrong]
    doubts += check_lists(block, atoms, crystal.structure, complete=bool(facts.formulas or facts.content))
    if not crystal.structure.is_ordered and (states := oxidation_states(block)):
        crystal.structure.properties['oxidation_states'] = states
    return crystal.structure, (*doubts, *crystal.doubts)


def _facts_of(block: gemmi.cif.Block) -> tuple[Facts, list[str]]:
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


def _decide(
    lattice: Lattice, atoms: list[Atom], choices: list[Symmetry], disputed: bool, facts: Facts
) -> tuple[Crystal, bool]:
    """The crystal of the symmetry that agrees with the file, and whether the file confirms it.

    :raises StructureError: if there is none, or several different ones, or one of several for no reason.
    """
    same = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1).fit
    found, failures = [], []
    for origin, operations in choices:
        try:
            crystal = build(lattice, atoms, operations)
            confirmed, objections = facts.check(crystal.structure, crystal.blur)
            confirmed |= crystal.counted
            if crystal.miscounted and not confirmed:
                raise InconsistentFile(f'{crystal.miscounted}: correct either')
            crystal.doubts.extend(objections)
            if len(choices) > 1 and crystal.structure.is_ordered:
                check_distances(crystal.structure)
        except StructureError as error:
            failures.append((origin, error))
            continue
        if not any(same(crystal.structure, other.structure) for _, other, _ in found):
            found.append((origin, crystal, confirmed))
    listed = disputed and found and found[0][0] == choices[0][0] and found[0][1].structure
    if listed and any(is_whole(listed, operations) for _, operations in choices[1:]):
        found, failures, disputed = found[:1], [], False  # a group that is named has no more atoms than are listed
    if not found and len(choices) == 1:
        raise failures[0][1]
    names = ' or '.join(origin for origin, _ in choices)
    if not found:
        reasons = '; '.join(f'{origin}: {error}' for origin, error in failures)
        raise InconsistentFile(f'no symmetry that it can mean agrees with the rest of the file ({reasons})')
    if len(found) > 1 or (not found[0][2] and len(failures) > 0) or (disputed and not found[0][2]):
        way_out = 'list all symmetry operations, or give formula and Z'
        if disputed:
            raise InconsistentFile(f'its symmetry may be {names}: {way_out}')
        raise AmbiguousSymmetry(f'the space group that it names may be {names}: {way_out}')
    origin, crystal, confirmed = found[0]
    if failures:
        crystal.doubts.append(f'its symmetry may be {names}: only {origin} fits the rest of the file')
    return crystal, confirmed


def _check_second_reading(block: gemmi.cif.Block, structure: Structure) -> None:
    """Refuse a crystal of which pymatgen finds other atoms in the cell, if the block lists operations and it reads it.

    From names alone, it takes the wrong setting or none of some groups; it joins images of an atom that are apart by
    their last digit only where they have four digits.
    """
    if not any(len(block.find_values(tag)) for tag in OPERATIONS):
        return
    document = gemmi.cif.Document()
    document.add_copied_block(block)
    try:
        with warnings.catch_warnings(action='ignore'):
            [second] = CifParser.from_str(document.as_string(), check_cif=False).parse_structures(on_error='raise')
    except Exception:  # a parser raises all kinds of errors on files that it does not understand
        return
    dummies = any(isinstance(kind, DummySpecies) for kind in second.composition)  # which it does not leave out
    if dummies or not second.is_valid(tol=COARSEST * max(structure.lattice.abc)):
        return
    found, other = structure.composition.element_composition, second.composition.element_composition
    if not found.almost_equals(other, rtol=1e-2, atol=1e-2) or abs(structure.volume / second.volume - 1) > 1e-3:
        both = f'{found.formula} in {structure.volume:.1f} A^3 and {other.formula} in {second.volume:.1f} A^3'
        raise InconsistentFile(f'two readers find different crystals in it ({both}): give formula and Z, or correct it')
