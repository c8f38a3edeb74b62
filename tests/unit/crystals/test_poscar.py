"""POSCAR: each line is what it must be, or the file is refused by that line."""

import io

import numpy as np
import pytest
from ase.constraints import FixAtoms
from ase.io import write
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar

from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.crystals.poscar import read_poscar
from tests.helpers.crystals import rock_salt

POSCAR = rock_salt('Li', 'Cl', 5.13).to(fmt='poscar')


@pytest.mark.parametrize(
    ('old', 'new', 'words'),
    [
        ('1 1', '1', 'names 2 elements and has 1 counts'),
        ('Li Cl', 'Li', 'names 1 elements and has 2 counts'),
        ('1 1', '1 1 1', 'names 2 elements and has 3 counts'),
        ('1 1', '1 0', 'more positions than its counts'),
        ('1 1', '99999999999 1', 'not between 1 and 20000 in all'),
        ('1 1', '1 2', 'line 11 must be one of 3 positions'),
        ('0.5', 'nan', 'line 10 must be one of 2 positions'),
        ('0.5', '5e8', 'correct its coordinates'),
    ],
)
def test_poscars_that_are_wrong(tmp_path, old, new, words):
    assert old in POSCAR
    (tmp_path / 'POSCAR').write_text(POSCAR.replace(old, new, 1) if old != '0.5' else POSCAR.replace(old, new))
    (reading,) = read_file(tmp_path / 'POSCAR')
    assert words in str(reading.error)


CUBE = '3 0 0\n0 3 0\n0 0 3\n'
PLACES = 'Direct\n0 0 0{}\n0.5 0.5 0.5{}\n0.5 0.5 0{}\n'


@pytest.mark.parametrize(
    ('content', 'outcome'),
    [
        (f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(*[''] * 3), 'Li1 N2'),
        (f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(' Li', ' N', ' N'), 'Li1 N2'),
        (f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(' N', ' Li', ' Li'), 'line 9 says N, its counts say Li'),
        (f'x\n1\n{CUBE}LI N\n1 2\n' + PLACES.format(*[''] * 3), 'Li1 N2'),
        (f'x\n1\n{CUBE}Li_sv/12ab N\n1 2\n' + PLACES.format(*[''] * 3), 'Li1 N2'),
        (f'x\n1 ! A\n{CUBE}Li N # elements\n1 2\n' + PLACES.format(' Li1 (1a)', ' N2 2b', ' N3 ! last'), 'Li1 N2'),
        (f'x\n-27\n{CUBE.replace("3", "2")}Li N\n1 2\n' + PLACES.format(*[''] * 3), 'Li1 N2'),
        (f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(*[''] * 3) + '\n' + '0 0 0.1\n' * 3, 'Li1 N2'),  # velocities
        (f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(*[''] * 3) + '\n2 2 2\n0.1 0.2 0.3 0.4 0.5\n', 'Li1 N2'),  # a grid
        (f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(*[''] * 3) + '\n0.5 0 0\n', 'more positions than its counts'),
        (f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(' 0.5', ' 1', ' 1'), 'line 9 must be one of 3 positions'),
        (f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(' Li:0.500', ' N', ' N'), 'line 9 must be one of 3 positions'),
        (f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(' Li0.9+', " N2'", ' N(3)'), 'Li1 N2'),
        (f'x\n1\n{CUBE}Va N\n1 2\n' + PLACES.format(*[''] * 3), "'Va' is no element"),
        (
            f'x\n1\n{CUBE}Li N\n1 2\n' + PLACES.replace('Direct', '').format(*[''] * 3),
            'line 8 must be Direct',
        ),
        (f'x\n1\n{CUBE}Li N\n1 3\n' + PLACES.format(*[''] * 3), 'line 12 must be one of 4 positions'),
        (f'x\n1 2\n{CUBE}Li N\n1 2\n' + PLACES.format(*[''] * 3), 'line 2 must be one or three scaling factors'),
        (f'x\n1\n{CUBE}4 4 4\nLi N\n1 2\n' + PLACES.format(*[''] * 3), 'it names no elements'),
        (f'x\n1\n{CUBE}F N\n1 2\nSelective\n' + PLACES.format(*[' T F F'] * 3), 'N2 F1'),
        ('x\n0.5 1 0.5\n6 0 0\n0 3 0\n0 0 6\nLi N\n1 2\n' + PLACES.format(*[''] * 3), 'Li1 N2'),
        (f'x\n1 1 1\n{CUBE}Li N\n1 2\n' + PLACES.replace('Direct', 'Cartesian').format(*[''] * 3), 'give one factor'),
        (f'Li N\n1\n{CUBE}1 2\n' + PLACES.format(*[''] * 3), 'Li1 N2'),
        (f'Li N2\n1\n{CUBE}1 2\n' + PLACES.format(*[''] * 3), 'Li1 N2'),
        (f'Li2 N\n1\n{CUBE}1 2\n' + PLACES.format(*[''] * 3), 'its first line says Li2 N, its counts give Li1 N2'),
        (f'mine\n1\n{CUBE}1 2\n' + PLACES.format(*[''] * 3), 'it names no elements'),
    ],
)
def test_poscars_are_what_their_remarks_say(tmp_path, content, outcome):
    (tmp_path / 'POSCAR').write_text(content)
    (reading,) = read_file(tmp_path / 'POSCAR')
    if reading.error:
        assert outcome in str(reading.error)
    else:
        assert (reading.structure.formula, round(reading.structure.volume, 6)) == (outcome, 27)


def test_a_first_line_that_is_the_formula_of_something_else_is_told():
    content = f'{{}}\n1\n{CUBE}Li N\n1 2\n' + PLACES.format(*[''] * 3)
    for remark in ('Li N', 'LiN2', 'Li0.5N', 'my crystal 2', 'CONTCAR', ''):
        assert read_poscar(content.replace('{}', remark))[1] == ()
    for remark in ('Li2N', 'LiN', 'Li0.7 N'):
        assert read_poscar(content.replace('{}', remark))[1] == (
            f'its first line says {remark}, its counts give Li1 N2',
        )


lengths = st.floats(3, 20)


@settings(deadline=2000, max_examples=60)
@given(
    cell=st.tuples(lengths, lengths, lengths, *[st.floats(70, 110)] * 3),
    elements=st.lists(st.sampled_from(['Li', 'O', 'Cl', 'Ti']), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
    direct=st.booleans(),
    fixed=st.booleans(),
)
def test_what_other_programs_write_is_read_as_they_mean_it(cell, elements, seed, direct, fixed):
    places = np.random.default_rng(seed).random((len(elements), 3)).round(6)
    structure = Structure(Lattice.from_parameters(*cell), sorted(elements), places)
    atoms, stream = structure.to_ase_atoms(), io.StringIO()
    atoms.set_constraint(FixAtoms([0]) if fixed else None)
    write(stream, atoms, format='vasp', direct=direct)
    for text in (stream.getvalue(), Poscar(structure).get_str(direct=direct, significant_figures=12)):
        found, doubts = read_poscar(text)
        assert doubts == ()
        assert found.species == structure.species
        np.testing.assert_allclose(found.lattice.matrix, structure.lattice.matrix, atol=1e-8)
        apart = found.frac_coords - structure.frac_coords
        np.testing.assert_allclose(apart - np.rint(apart), 0, atol=1e-8)
