"""Damaged files give a structure that is sound or an error that is ours: no traceback, hang, crash or nonsense.

``PESFP_FUZZ=10000`` sets the number of damaged files of each format.
"""

import json
import os
import random
import re
from collections import Counter

import pytest
from ase.io import write

from aiida_pesfp.crystals.checks import ATOMIC_VOLUMES, MOST_ATOMS, check_crystal
from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.crystals.worker import Worker, WorkerDied
from aiida_pesfp.errors import StructureError
from tests.helpers import servers
from tests.helpers.crystals import antifluorite

NUMBER = int(os.environ.get('PESFP_FUZZ', '60'))
LI2O = antifluorite('Li', 'O', 4.62)
#: How formats state the formula.
STATED = {'a.cif': b"'Li8 O4'", **dict.fromkeys(('mp.json', 'optimade.json', 'jarvis.json'), b'"Li2O"')}
NASTY = (
    *('nan', 'inf', '-inf', '0', '-1', '1e8', '1e11', '-1e300', '1e400', '1e-300', '99999999999999999999', '0.5'),
    *('', '.', '?', 'null', '[]', '{}', '"x"', 'true', 'Xx', '\0', '½', '1/3', '1.5(3)', '0.1.2', '\n', '\t'),
)


def stated(**others):
    """A document of the Materials Project that says what it holds."""
    return {'material_id': 'mp-1960', 'structure': LI2O.as_dict(), 'nsites': 3, 'formula_pretty': 'Li2O'} | others


def optimade():
    others = {'nsites': 3, 'nelements': 2, 'elements': ['Li', 'O'], 'chemical_formula_reduced': 'Li2O'}
    return {'data': [servers.optimade_document('1', LI2O, **others)]}


def jarvis():
    atoms = {'lattice_mat': LI2O.lattice.matrix.tolist(), 'coords': LI2O.frac_coords.tolist(), 'cartesian': False}
    return {'jid': 'JVASP-1', 'formula': 'Li2O', 'nat': 3, 'atoms': atoms | {'elements': ['Li', 'Li', 'O']}}


@pytest.fixture(scope='module')
def originals(tmp_path_factory):
    """Content of a good file of each format, by its name."""
    folder = tmp_path_factory.mktemp('originals')
    LI2O.to(folder / 'POSCAR', fmt='poscar')
    LI2O.to(folder / 'a.cif', symprec=0.01)
    for name in ('a.extxyz', 'ase.json'):
        write(folder / name, LI2O.to_ase_atoms())
    for name, content in {'mp.json': stated(), 'optimade.json': optimade(), 'jarvis.json': jarvis()}.items():
        (folder / name).write_text(json.dumps(content, indent=0))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def damaged(content: bytes, choose: random.Random) -> bytes:
    """The content after one to three kinds of damage."""
    for _ in range(choose.randint(1, 3)):
        lines, place = content.split(b'\n'), choose.randrange(len(content) or 1)
        line = choose.randrange(len(lines))
        kind = choose.randrange(7)
        if kind == 0:
            numbers = list(re.finditer(rb'-?\d+\.?\d*', content)) or [re.match(b'', content)]
            begin, end = choose.choice(numbers).span()
            content = content[:begin] + choose.choice(NASTY).encode() + content[end:]
        elif kind == 1:
            content = b'\n'.join(lines[:line] + lines[line + 1 :])
        elif kind == 2:
            content = b'\n'.join([*lines[:line], lines[line], *lines[line:]])
        elif kind == 3:
            other = choose.randrange(len(lines))
            lines[line], lines[other] = lines[other], lines[line]
            content = b'\n'.join(lines)
        elif kind == 4:
            content = content[:place] + bytes([choose.randrange(256)]) + content[place + 1 :]
        elif kind == 5:
            content = content[: place if choose.random() < 0.3 else len(content)]
        else:
            word = choose.choice(NASTY).encode()
            content = content[:place] + word + content[place:]
    return content


def outcome_of(path) -> list[tuple[str, str | None]]:
    """What becomes of each structure of a file: ``read`` with its formula, ``refused``, or what is wrong with us."""
    found = []
    for reading in read_file(path):
        if reading.error is not None:
            found.append(('refused', str(reading.error)))
            continue
        structure = reading.structure
        try:
            check_crystal(structure)
        except StructureError as error:
            found.append(('refused', str(error)))
            continue
        except Exception as error:
            return [('traceback', f'{type(error).__name__}: {error}')]
        volume = structure.volume / len(structure)
        if not ATOMIC_VOLUMES[0] <= volume <= ATOMIC_VOLUMES[1] or len(structure) > MOST_ATOMS:
            return [('nonsense', f'{volume} A^3 an atom')]
        found.append(('read', structure.composition.reduced_formula))
    return found or [('nonsense', 'nothing')]


@pytest.mark.parametrize('name', ['a.cif', 'POSCAR', 'a.extxyz', 'ase.json', 'mp.json', 'optimade.json', 'jarvis.json'])
def test_damaged_files(originals, name, tmp_path):
    path, choose, count = tmp_path / name, random.Random(name), Counter()
    path.write_bytes(originals[name])
    with Worker(outcome_of, seconds=10) as outcome:
        assert outcome(path) == [('read', 'Li2O')]
        for _ in range(NUMBER):
            content = damaged(originals[name], choose)
            path.write_bytes(content)
            try:
                outcomes = outcome(path)
            except WorkerDied as death:  # it hangs or crashes
                pytest.fail(f'{death}: {content}')
            for kind, text in outcomes:
                count[kind] += 1
                assert kind in ('read', 'refused'), (text, content)
                if kind == 'read' and name in STATED and STATED[name] in content:
                    assert text == 'Li2O', content
    print(name, dict(count))
    assert count['read'] > 0
    assert count['refused'] > 0
