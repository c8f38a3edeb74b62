"""Safe names of structures."""

import ast
import re

import pytest
from aiida.engine.processes.ports import PortNamespace
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.crystals.names import LONGEST, RESERVED, folder_name, safe_name, unique_names
from tests.helpers import REPOSITORY

nasty = st.one_of(
    st.text(max_size=200),
    st.text('aA_./\\ -0é₃β\x00', max_size=80),
    st.sampled_from(['', '.', '..', 'a__b', 'run.json', '../../x', 'CON', 'nul', 'com1', 'LiF', 'lif', 'lif_2']),
)


@pytest.mark.parametrize(
    ('label', 'name'),
    [
        ('LiF', 'LiF'),
        ('a_2', 'a_2'),
        ('Li₃N (β)', 'Li3N_beta'),
        ('β-Ag₂Se', 'beta_Ag2Se'),
        ('Ørsted é', 'Orsted_e'),
        ('锂', 'u9502'),
        ('a__b', 'a_b'),
        ('_a_', 'a'),
        ('run.json', 'run_json'),
        ('../../etc/passwd', 'etc_passwd'),
        ('<script>', 'script'),
        ('mp-149', 'mp_149'),
        ('149', 's_149'),
        ('aux', 's_aux'),
        ('is', 's_is'),
        ('..', 's'),
        ('', 's'),
        ('x' * 500, 'x' * LONGEST),
    ],
)
def test_labels_stay_readable(label, name):
    assert safe_name(label) == name


def test_alike_labels_get_numbers():
    assert unique_names(['LiF', 'LiF', 'lif', 'LiF 2', 'LiF_2']) == ['LiF', 'LiF_2', 'lif_3', 'LiF_2_2', 'LiF_2_3']


@given(labels=st.lists(nasty, max_size=12))
def test_any_labels_give_names_that_are_safe_everywhere(labels):
    names = unique_names(labels)
    assert len({name.lower() for name in names}) == len(labels)
    for name in names:
        PortNamespace.validate_port_name(name)
        assert 0 < len(name) <= LONGEST
    assert unique_names(names) == names


@pytest.mark.parametrize(
    ('label', 'name'),
    [
        ('mp-149', 'mp-149'),
        ('149', '149'),
        ('Li2O.v2', 'Li2O.v2'),
        ('a__b', 'a__b'),
        ('-o', 'o'),
        ('..', 's'),
        ('run.json', 'run_json'),
        ('con.x', 'con_x'),
        ('../../etc/passwd', 'etc_passwd'),
        ('Li₃N (β)', 'Li3N_beta'),
    ],
)
def test_names_of_folders_stay_readable(label, name):
    assert folder_name(label) == name


@given(labels=st.lists(nasty, max_size=12))
def test_any_labels_give_folders_that_are_safe(labels):
    names = unique_names(labels, folders=True)
    assert len({name.lower() for name in names}) == len(labels)
    for name in names:
        assert re.fullmatch(r'[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?', name)
        assert len(name) <= LONGEST
        assert not name.lower().endswith('.json')
    keys = unique_names(labels)
    assert unique_names(keys, folders=True) == keys


def test_no_structure_has_the_name_of_another_input():
    """Calculation functions take structures, or what belongs to them, as further arguments by their keys."""
    found = set()
    for path in (REPOSITORY / 'aiida_pesfp' / 'calculations').glob('*.py'):
        for one in ast.walk(ast.parse(path.read_text())):
            if isinstance(one, ast.FunctionDef) and one.args.kwarg:
                is_calculation = any(isinstance(by, ast.Name) and by.id == 'calcfunction' for by in one.decorator_list)
                found |= {argument.arg for argument in one.args.args if is_calculation}
    assert found == RESERVED
    assert safe_name('groups') == 's_groups'
