"""Ensembles in the graph: members, parents, intervals, tables."""

import pytest
from aiida.orm import Dict, StructureData

from aiida_pesfp.calculations.orderings import ordering_keys, pool_orderings
from aiida_pesfp.calculations.program import as_json
from aiida_pesfp.cli.rank import print_table
from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.crystals.ordering.order import order
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.queries.descriptors import newest, rows_of
from aiida_pesfp.queries.ensembles import crossing, likeliest, members_of, orderings_of, parent_of, without_members
from aiida_pesfp.settings.ordering import OrderingSettings
from tests.helpers import graph
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator


@pytest.fixture(scope='module')
def potential(aiida_profile, tmp_path_factory):
    path = write_calculator(tmp_path_factory.mktemp('ensemble') / 'lj.yaml', **LENNARD_JONES)
    return PotentialData.from_spec(str(path)).store()


@pytest.fixture(scope='module')
def ensemble(potential):
    """A disordered structure, its orderings and their descriptors by key, and its ensemble."""
    return graph.ensemble(potential, largest_error=0.01)


def test_an_ensemble_has_means_and_intervals_as_attributes(ensemble):
    parent, _, members, node = ensemble
    assert node.get('structure_uuid') == parent.uuid
    assert node.label == 'mixed'
    assert node.orderings == 3
    share = {'ordering_Cl': 0.5, 'ordering_Br': 0.25, 'ordering_F': 0.25}
    assert node.mpe == pytest.approx(sum(share[key] * one.mpe for key, one in members.items()))
    assert node.xi_low <= node.xi <= node.xi_high
    assert any('scan more orderings' in doubt for doubt in node['doubts'])
    assert set(NAMES) <= set(node.get_dict())


def test_members_parents_and_intervals_are_found(ensemble):
    parent, made, members, node = ensemble
    assert members_of([node]) == {node.pk: members}
    assert likeliest(node).uuid == made['ordering_Cl'].uuid
    assert {one.uuid for one in orderings_of(parent)} == {one.uuid for one in made.values()}
    assert parent_of(made['ordering_F']).uuid == parent.uuid
    assert parent_of(parent) is None
    assert orderings_of(made['ordering_F']) == []
    middle = (node.xi_low + node.xi_high) / 2
    assert node in crossing(middle)
    assert node not in crossing(node.xi_high + 1e-6)


def test_an_ensemble_stands_for_its_members_in_tables(ensemble, capsys):
    _, _, members, node = ensemble
    assert without_members([*members.values(), node]) == [node]
    assert len(without_members(members.values())) == 3
    print_table(rows_of(newest(without_members([*members.values(), node]))))
    head, _, row = capsys.readouterr().out.splitlines()
    assert 'Xi from' in head
    assert row.split()[2] == 'mixed'
    print_table(rows_of(list(members.values())))
    assert 'Xi from' not in capsys.readouterr().out


def test_the_ensemble_is_shown_with_its_orderings(ensemble, aiida_pesfp):
    _, _, members, node = ensemble
    output = aiida_pesfp('show', node.pk)
    assert 'interval of Xi' in output
    assert 'decades' in output
    lines = [line.split() for line in output.splitlines()]
    assert next(line for line in lines if line[:1] == [str(members['ordering_Cl'].pk)])[3] == '0.500'


def test_orderings_that_were_scanned_otherwise_are_not_pooled(ensemble, potential):
    parent, made, members, _ = ensemble
    other = graph.scan_one(made['ordering_F'], potential, Dict({'spacing': 0.5, 'thresholds': [0.3]}))['descriptors']
    with pytest.raises(ValueError, match='differ in settings: scan them alike'):
        pool_orderings(parent, Dict({}), ordering_F=other, ordering_Cl=members['ordering_Cl'])


def test_structures_keep_their_occupancies(ensemble):
    parent = ensemble[0]
    found = parent.get_pymatgen_structure()
    assert found.composition.as_dict() == {'Li': 1.0, 'Cl': 0.5, 'Br': 0.5}
    assert not found.is_ordered


def test_keys_of_orderings_do_not_collide():
    taken = ['a', 'a_0', 'a_0_1']
    first = ordering_keys('a', range(3), taken)
    second = ordering_keys('a_0', range(3), [*taken, *first])
    assert len({*taken, *first, *second}) == 9


@pytest.mark.parametrize('states', [{'Li': 1, 'Ti': 3, 'O': -2}, {'Ti': 3}])
def test_oxidation_states_of_a_record_reach_the_program(aiida_profile, tmp_path, states):
    """A StructureData has none; titanium is usually Ti4+."""
    crystal = rock_salt('Li', 'O', 5.0)
    crystal.replace_species({'Li': {'Li': 0.45, 'Ti': 0.5}})
    (tmp_path / 'structure.json').write_text(as_json(StructureData(pymatgen=crystal), states))
    [reading] = read_file(tmp_path / 'structure.json')
    assert order(reading.structure, OrderingSettings(number=1))[0].oxidation_states == {'Li': 1, 'Ti': 3, 'O': -2}
