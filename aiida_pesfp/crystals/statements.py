"""What a row of a table tells of its crystal besides its properties, and whether a crystal agrees."""

import contextlib
import re
import unicodedata
from collections.abc import Iterable

import gemmi
from pymatgen.core import Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_pesfp.crystals.facts import ROUNDED_FORMULA, Facts, Formula, groups_of
from aiida_pesfp.errors import InconsistentFile
from aiida_pesfp.tables.numbers import is_blank
from aiida_pesfp.text import shortened

#: No formula is longer.
LONGEST_FORMULA = 500
#: A density or volume that is off by so much is doubtful, and wrong, as are a lattice parameter and a mass. Relative.
DOUBTFUL_SIZE, WRONG_SIZE, WRONG_LATTICE, WRONG_MASS = 0.05, 0.25, 0.07, 0.01
#: So far off is a lattice parameter whose volume would be doubtful.
DOUBTFUL_LATTICE = 0.03
#: Crystal systems; one crystal may be called by several of the last three.
_SYSTEMS = {one: one for one in ('triclinic', 'monoclinic', 'orthorhombic', 'tetragonal', 'cubic')}
_SYSTEMS |= dict.fromkeys(('trigonal', 'rhombohedral', 'hexagonal'), 'hexagonal')
#: Signs of formulas in LaTeX, HTML and dictionaries, which mean nothing.
_SIGNS = re.compile(r'</?su[bp]>|[{}\'":$_]')
#: Names of phases, before and behind: beta-Li3PS4, Li3PS4 (beta), LT-LiCoO2. But x and delta are numbers.
_WORD = r'(?:[LHR]T|(?!x\b)[^\WA-Z\d_]+)'
_PHASE = re.compile(rf'^{_WORD}[ -](?=[A-Z(])|\s*[(\[]{_WORD}[)\]]$|-[\u03b1-\u03b3]$')
#: A sign between two formulas; from one digit to the next it is a range.
_BETWEEN = re.compile(r' ?(?:\u00b7|(?<=[A-Za-z)]) ?[-\u2013]|(?<=\d) ?[-\u2013](?=[A-Z(]|\d+H2O)) ?(?=[\dA-Z(])')
_MORE = '(?:pretty|structured|reduced|full|chemical|true|nominal|unitcell|hill|sum(?:men)?|descriptive|empirical)*'
_MADE = '(?:mass|crystal|calc|calculated|xray|theoretical|astm)'
_NUMBER = '(?:number|num|no|nr|symbol|name|relax)'
_SIZE = re.compile(r'(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?:\(\d+\))?')
#: A formula of two elements and more, in a text.
_FORMULA = re.compile(r'(?<![^\W_])(?:[A-Z][a-z]?[\d.]*){2,}(?![^\W_])')
#: Names of anions, in English and German, by their beginnings -> the element.
_ANIONS = {'fluor': 'F', 'chlor': 'Cl', 'brom': 'Br', 'iod': 'I', 'ox': 'O', 'sul(?:f|ph)': 'S', 'selen': 'Se'}
_ANIONS |= {'tellur': 'Te', 'nitr': 'N', 'phosph': 'P', 'arsen': 'As', 'carb': 'C', 'silic': 'Si', 'hydr': 'H'}
_NAMES = {element.long_name.lower(): element.symbol for element in Element} | {'natrium': 'Na', 'kalium': 'K'}
_ELEMENTS = '|'.join(sorted(_NAMES, key=len, reverse=True))
#: A salt by its name, as lithium bromide and Lithiumbromid: its metal, and what stands between that and the end.
_OXYANIONS = (
    'alumin|arsen|bor|brom|carbon|chlor|chrom|cobalt|ferr|german|iod|mangan|molybd|nickel|niob|nitr|phosph|plumb'
)
_OXYANIONS += '|selen|silic|stann|sul(?:f|ph)|tantal|tellur|titan|tungst|vanad|wolfram|zircon'
_SALT = re.compile(
    rf'(?i:\b({_ELEMENTS})[ -]?(?!chalco|hal|pnic)'
    rf'([^\W\d_]+?(?=ides?\b|ids?\b)|\w*(?:{_OXYANIONS}))(ides?|ids?|ates?|ites?|ats?|its?)\b)'
)
_MATERIAL = re.compile('(?i:material|compound|formula|composition|sample|substance)')
#: Letters of heads whose columns tell of the crystal.
_KINDS = {
    'formula': f'{_MORE}(?:formula|formel|composition|compound|stoichiometry){_MORE}',
    'group': f'hms|raumgruppe|(?:spacegroup|spg|sg)(?:international|it|hm|hermannmauguin)?{_NUMBER}?',
    'kinds': '(?:n|num|number)(?:of)?(?:elements|types)',
    'elements': 'chemsys|chemicalsystem|elements',
    'density': f'(?:{_MADE}?density(?:calculated)?|dichte)(?:(?:gr?|kg)(?:per)?c?m)?',
    'mass': '(?:molar|molecular|formula|mol|mole)(?:mass|weight|masse|gewicht)(?:inn?)?(?:g(?:per)?mol|amu|u|da)?',
    'lattice': '(?:lattice|cell|parameter|param|const|constant|length|angle)*'
    '(?:(?-i:[abc])(?:å|a|ang|angstroms?)?|(?-i:alpha|beta|gamma|[αβγ])(?:deg|degrees?)?)',
    'volume': '(?:unit|cell|zell)*vol(?:umen?)?(?:cell)?(?:a|å|ang|angstrom)?',
    'system': '(?:crystal|lattice)(?:sys|system)',
    'sites': '(?:n|num|no|number)?(?:of)?(?:sites|atoms)(?:in|inthe|per)?(?:unit)?(?:cell)?|nat',
}


def read_formula(text: str) -> Formula | None:
    """The formula in a cell: Li7P3S11, Li(BH4), LiI-4H2O, Li<sub>3</sub>N, beta-Li3PS4, Li3PS4 (beta).

    None if it is not understood to its end: Li7-xLa3Zr2O12, LLZO.
    """
    if len(text) > LONGEST_FORMULA:
        return None
    text = _SIGNS.sub(' ', unicodedata.normalize('NFKC', text)).strip()
    return Formula.read(_BETWEEN.sub(' * ', _PHASE.sub('', text)))


def read_group(text: str) -> int | None:
    """The number of a space group, of its number or symbol: 225, 225.0, Fm-3m, P 2_1/n, P42/nmcZ, Fm-3m (No. 225)."""
    text = re.sub(r'_|\.0+\b|\b[Nn]o\b\.?|[SZ]$', '', unicodedata.normalize('NFKC', text))
    parts = re.split(r'[()#,;]', text)
    parts = [part.strip() for part in parts if part.strip()]
    groups = [gemmi.find_spacegroup_by_name(part) if part != '0' else None for part in parts]
    found = {group and group.number for group in groups}
    return found.pop() if len(found) == 1 else None


def kind_of(head: str) -> str | None:
    """What a column tells of the crystal by its head: ``formula``, ``group``, ``density`` and the like, or nothing."""
    letters = re.sub(r'[\W\d_]', '', unicodedata.normalize('NFKC', head))
    return next((kind for kind, pattern in _KINDS.items() if re.fullmatch(f'(?i:{pattern})', letters)), None)


def has_more_than_a_formula(head: str, text: str) -> bool:
    """Whether a cell with the name of a material begins with its formula, as ``LiF (5 mol% MgF2)`` does."""
    first = _FORMULA.match(text)
    return bool(first and _MATERIAL.search(head) and read_formula(first[0]) and not read_formula(text))


def check_row(cells: Iterable[tuple[str, str]], structure: Structure) -> list[str]:
    """What is doubtful about a row of a table as that of a crystal.

    A relaxed crystal may have another group or size than that reported: it is a doubt.

    :param cells: heads and texts; those that tell of no crystal are passed over.
    :raises InconsistentFile: if its formula, its elements, its number of atoms, its mass, a lattice parameter (unless a
        volume that fits stands beside it: a cell has many settings) or by far its density contradicts the crystal.
    """
    doubts, lattice, has_volume = [], {}, False
    for head, text in cells:
        kind = None if is_blank(text) else kind_of(head)
        if kind == 'formula' and (formula := read_formula(text)):
            doubts += _check_formula(formula, structure)
        elif kind == 'group' and (group := read_group(text)):
            doubts += Facts(group=group).check(structure)[1]
        elif kind == 'elements' and (symbols := set(re.findall('(?<![A-Za-z])[A-Z][a-z]?(?![a-z])', text))):
            Facts(elements=frozenset(symbols)).check(structure)
        elif kind in ('density', 'volume', 'mass') and (size := _SIZE.fullmatch(text)):
            has_volume |= kind == 'volume'
            doubts += _check_size(kind, head, float(size[1]), structure)
        elif kind == 'lattice' and (size := _SIZE.fullmatch(text)):
            lattice[head] = float(size[1])
        elif kind == 'system' and text.lower() in _SYSTEMS:
            doubts += _check_system(text.lower(), structure)
        elif kind == 'sites' and (sites := re.fullmatch(r'([1-9]\d*)(?:\.0*)?', text)):
            _check_sites(int(sites[1]), structure)
        elif kind == 'kinds' and re.fullmatch(r'\d+(?:\.0*)?', text):
            own = structure.composition.element_composition.elements
            if float(text) != len(own):
                raise InconsistentFile(f'the file says {head} = {text}, its sites have {", ".join(map(str, own))}')
        elif kind is not None:
            doubts.append(f'{head} = {text[:40]!r} is not understood: not compared')
        elif not is_blank(text):
            doubts += _check_words(head, text, structure)
    wrong = _check_lattice(lattice, structure, WRONG_LATTICE) if lattice else []
    doubts += _check_lattice(lattice, structure, DOUBTFUL_LATTICE) if lattice and not wrong else []
    if wrong and not has_volume:
        raise InconsistentFile(f'{wrong[0]}: is it the row of another crystal?')
    return list(dict.fromkeys(doubts + wrong))


def _check_words(head: str, text: str, structure: Structure) -> list[str]:
    """A doubt if a name, source or remark has formulas that share an element with the crystal, and none is its own, or
    the name of another salt.

    Words in capitals, as ICSD, are no formulas.
    """
    own, wrong = {element.symbol for element in structure.composition.element_composition}, []
    for found in _FORMULA.findall(text[:LONGEST_FORMULA]):
        formula = None if found.isupper() and found.isalpha() else read_formula(found)
        if formula and own & set(formula.counts):
            try:
                _check_formula(formula, structure)
                return []
            except InconsistentFile as error:
                wrong.append(str(error))
    for metal, stem, end in _SALT.findall(text[:LONGEST_FORMULA]):
        anion = next((symbol for name, symbol in _ANIONS.items() if re.fullmatch(name, stem.lower())), None)
        if not end.lower().startswith('id') or {_NAMES[metal.lower()], anion} != own:
            wrong.append(f'is {metal} {stem}{end} {structure.composition.reduced_formula}?')
    return [f'{head} = {shortened(text, LONGEST_FORMULA)!r}: {wrong[0]}'] if wrong else []


def _check_formula(formula: Formula, structure: Structure) -> list[str]:
    """What is doubtful; a formula of a disordered crystal need not fit an ordered approximant to the digit.

    :raises InconsistentFile: for other elements, or if a count is off by more than ``ROUNDED_FORMULA`` and, if the
        formula has decimals, by more than the rounding to whole atoms, and this part of all atoms.
    """
    own = structure.composition.element_composition
    scale = own.num_atoms / sum(formula.counts.values())  # a formula may be more than a primitive cell
    counts, digits = ({one: scale * n for one, n in part.items()} for part in (formula.counts, formula.digits))
    if Formula(counts, digits).units_in(structure, {}) is not None:
        return []
    said = f'the file says {formula}, its sites give {own.reduced_composition.formula.replace(" ", "")}'
    whole = min(0.499, ROUNDED_FORMULA * own.num_atoms) if any(digits.values()) else 0.0
    wide = {element: max(ROUNDED_FORMULA * count, whole) for element, count in counts.items()}
    if Formula(counts, wide).units_in(structure, {}) is None:
        raise InconsistentFile(f'{said}: is it the row of another crystal?')
    return [f'{said}, not quite the same']


def _check_size(kind: str, head: str, size: float, structure: Structure) -> list[str]:
    """What is doubtful about a density, g/cm3 or kg/m3, or the volume, A^3, or mass, u, of whole formulas.

    :raises InconsistentFile: if it is off by more than ``WRONG_SIZE`` or ``WRONG_MASS``.
    """
    own = float(structure.density) * (1000 if 'kg' in head.lower() else 1)
    if kind != 'density':
        smallest = structure.composition.element_composition.reduced_composition
        own = structure.volume / structure.composition.num_atoms * smallest.num_atoms
        own = float(smallest.weight) if kind == 'mass' else own
        own *= max(1, round(size / own))
    off, said = abs(size / own - 1), f'the file says {head} = {size:g}, its sites give {own:.5g}'
    if off > (WRONG_MASS if kind == 'mass' else WRONG_SIZE):
        raise InconsistentFile(f'{said}: is it the row of another crystal?')
    return [f'{said}, not quite the same'] if off > DOUBTFUL_SIZE else []


def _check_lattice(said: dict[str, float], structure: Structure, share: float) -> list[str]:
    """What is wrong with lattice parameters, A or degrees, by their heads, that no usual cell has within a share."""
    lattices = [structure.lattice, structure.lattice.get_niggli_reduced_lattice()]
    with contextlib.suppress(ValueError):  # spglib finds no symmetry
        found = SpacegroupAnalyzer(structure, 0.1).get_conventional_standard_structure()
        lattices += [found.lattice, found.get_primitive_structure().lattice.get_niggli_reduced_lattice()]
    wrong = []
    for head, size in said.items():
        is_angle = re.search('(?i:alpha|beta|gamma|[αβγ])', head)
        own = {round(one, 3) for lattice in lattices for one in (lattice.angles if is_angle else lattice.abc)}
        sizes = (size, 180 - size) if is_angle else (size,)  # either angle of two axes
        if not any(abs(one / two - 1) < share for one in sizes for two in own):
            wrong += [f'the file says {head} = {size:g}, its cells have {", ".join(f"{one:g}" for one in sorted(own))}']
    return wrong


def _check_system(system: str, structure: Structure) -> list[str]:
    own = [gemmi.find_spacegroup_by_number(group).crystal_system_str() for group in groups_of(structure)]
    if not own or _SYSTEMS[system] in map(_SYSTEMS.get, own):
        return []
    return [f'the file says that the crystal is {system}, its sites are {own[0]}']


def _check_sites(sites: int, structure: Structure) -> None:
    """Raise :class:`InconsistentFile` unless there may be a cell with so many: any has a whole number of formulas."""
    smallest = structure.composition.element_composition.reduced_composition.num_atoms
    if structure.is_ordered and sites % smallest:
        raise InconsistentFile(f'the file says {sites} atoms, no multiple of the {smallest:g} of its smallest formula')
