"""Entries of OPTIMADE: what they describe, and what they do not."""

import pytest

from aiida_pesfp.crystals.optimade import from_optimade
from aiida_pesfp.errors import StructureError
from tests.helpers import servers
from tests.helpers.crystals import antifluorite

LI2O = antifluorite('Li', 'O', 4.62)
STATED = {'nsites': 3, 'nelements': 2, 'elements': ['Li', 'O'], 'chemical_formula_reduced': 'Li2O'}
VACANCY = {'name': 'vac', 'chemical_symbols': ['vacancy'], 'concentration': [1.0]}


def attributes(**others):
    return servers.optimade_document('1', LI2O, **STATED, dimension_types=[1, 1, 1], structure_features=[])[
        'attributes'
    ] | dict(others)


def species(*more, oxygen=('O', 1.0)):
    symbol, concentration = oxygen
    return [
        {'name': 'Li', 'chemical_symbols': ['Li'], 'concentration': [1.0]},
        {'name': 'O', 'chemical_symbols': [symbol], 'concentration': [concentration]},
        *more,
    ]


@pytest.mark.parametrize(
    ('changes', 'doubt'),
    [
        ({}, None),
        (dict.fromkeys(STATED | {'dimension_types': 0, 'structure_features': 0}), None),
        ({'species': None}, 'has no species'),
        ({'species': species(oxygen=('O', 0.9999999))}, None),
        (
            {
                'species': species(VACANCY),
                'species_at_sites': ['Li', 'Li', 'O', 'vac'],
                'cartesian_site_positions': [*LI2O.cart_coords.tolist(), [2.31, 2.31, 2.31]],
                'nsites': 4,
            },
            '1 of its 4 sites are vacancies',
        ),
    ],
)
def test_whole_crystals_are_read(changes, doubt):
    structure, doubts = from_optimade(attributes(**changes))
    assert structure == LI2O
    assert (doubt is None and doubts == ()) or doubt in doubts[0]


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'structure_features': ['implicit_atoms']}, 'has implicit_atoms: its sites are not its atoms'),
        ({'structure_features': ['disorder', 'assemblies']}, 'assemblies'),
        ({'assemblies': [{'sites_in_groups': [[0], [1]], 'group_probabilities': [0.5, 0.5]}]}, 'assemblies'),
        ({'site_coordinate_span': 'asymmetric_unit'}, 'site_coordinate_span is asymmetric_unit'),
        ({'space_group_symmetry_operations_xyz': ['x,y,z', 'x+1/3,y,z']}, 'x\\+1/3,y,z makes more of them'),
        ({'fractional_site_positions': [[0.1, 0.2, 0.3]] * 3}, 'positions differ'),
        ({'fractional_site_positions': [[0, 0, 0]]}, 'fractional_site_positions: there are not 3 vectors'),
        ({'chemical_formula_anonymous': 'AB'}, 'says AB, its sites give Li2O'),
        ({'structure_features': ['site_attachments']}, 'site_attachments'),
        ({'structure_features': ['a_new_one']}, 'has a_new_one'),
        ({'dimension_types': [1, 1, 0], 'nperiodic_dimensions': None}, 'periodic along 2 of 3'),
        ({'nperiodic_dimensions': 0}, 'periodic along 0 of 3'),
        *(({f'chemical_formula_{kind}': 'LiO'}, 'says Li1O1') for kind in ('descriptive', 'hill')),
        ({'chemical_formula_reduced': 'HLi2O'}, 'says Li2H1O1, its sites give Li2O1: add the sites of H'),
        ({'nelements': 3}, 'there are 3 elements, and has 2'),
        ({'elements': ['H', 'Li', 'O']}, 'elements'),
        ({'nsites': 4}, 'nsites = 4, and lists 3'),
        ({'cartesian_site_positions': [[0, 0, 0], [1, None, 1], [2, 2, 2]]}, 'correct its coordinates'),
        (
            {'cartesian_site_positions': [[0, 0, 0], None, [2, 2, 2]]},
            'cartesian_site_positions: there are not 3 vectors',
        ),
        ({'cartesian_site_positions': None}, 'cartesian_site_positions: there are not 3 vectors'),
        ({'cartesian_site_positions': [[0, 0, 0], [float('nan'), 1, 1], [2, 2, 2]]}, 'correct its coordinates'),
        ({'lattice_vectors': None}, 'lattice_vectors: there are not 3 vectors of three numbers'),
        ({'lattice_vectors': [[1, 0, 0], [0, 1, 0], [None, None, None]]}, 'a lattice vector is nan A long'),
        ({'species_at_sites': ['Li', 'O']}, 'cartesian_site_positions: there are not 2 vectors'),
        ({'species_at_sites': None}, 'has no species_at_sites'),
        ({'species': None, 'species_at_sites': ['M1', 'Li2', 'O']}, "'M1' is no element"),
        ({'species_at_sites': ['Li', 'Li', 'S']}, 'does not describe its species S'),
        ({'species': species(oxygen=('X', 1.0))}, "'X' is no element"),
        ({'species': [*species()[:1], species()[1] | {'attached': ['H'], 'nattached': [1]}]}, 'has atoms attached'),
        ({'structure_features': ['disorder']}, 'its sites have none: their occupancies are lost'),
        ({'elements': ['Li', 'O'], 'elements_ratios': [0.5, 0.5]}, 'says Li0.5O0.5, its sites give Li2O1'),
        ({'species': [species()[0] | {'chemical_symbols': ['Na']}, *species()]}, 'its species Li twice'),
    ],
)
def test_others_are_refused_by_name(changes, words):
    with pytest.raises(StructureError, match=words):
        from_optimade(attributes(**changes))
