"""What is gathered from the graph, compared with the nodes themselves, and what is said of gaps."""

import pytest
from aiida.manage.caching import enable_caching
from aiida.orm import Dict, Group, Int, StructureData, load_node

from aiida_pesfp.calculations.descriptors import describe
from aiida_pesfp.calculations.transport import conductivity
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.errors import NothingToReport
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.queries.descriptors import descriptors_of
from aiida_pesfp.report.collect import collect
from aiida_pesfp.report.content import load_curves, load_surface
from aiida_pesfp.report.drawings import spectra, xi_map
from aiida_pesfp.report.parts import Band
from tests.helpers import graph


def test_entries_are_what_their_nodes_say_the_best_first(group, scanned, potential):
    report = collect(group)
    assert report.notes == []
    assert [one['xi'] for one in report.entries] == sorted((one['xi'] for one in report.entries), reverse=True)
    assert {one.label for one in report.entries} == {'LiCl', 'Li2Te', 'LiI'}
    for one in report.entries:
        node = scanned['descriptors'][one.label]
        assert one.values == {name: node[name] for name in NAMES} | {'xi_calibrated': None}
        assert one.spectrum == node['spectrum']
        assert one.settings.as_dict() == node['settings']
        assert one.source.uuid == node.uuid
        assert one.surface.uuid == scanned['pes'][one.label].uuid
        assert one.structure.uuid == node['structure_uuid']
        assert one.potential.uuid == potential.uuid
        barrier = next(ion['barrier_1d'] for ion in node['ions'] if ion['index'] == one.ion)
        assert barrier == node['barrier_1d']
        assert load_surface(one.surface).shape == scanned['pes'][one.label].to_surface().shape
        for command in one.source.commands:
            assert command.startswith('verdi node')
            assert command.endswith(one.source.uuid)


def test_dynamics_are_found_from_the_structure(group, validated):
    conductivities, fit = validated
    by_key = {one.label: one for one in collect(group).entries}
    assert by_key['LiCl'].transport == by_key['LiCl'].activations == ()
    found = by_key['LiI']
    assert [one.attributes['temperature'] for one in found.transport] == [1000, 667, 500]
    assert {one.source.uuid for one in found.transport} == {node.uuid for node in conductivities.values()}
    (activation,) = found.activations
    assert activation.source.uuid == fit.uuid
    assert activation.fit.activation_energy == fit.activation_energy
    assert activation.engine == 'walk'
    assert {'lags', 'window_msds', 'framework_msd_I'} <= set(load_curves(found.transport[0].source))


def test_what_was_computed_again_is_there_once(group, validated):
    earlier = next(iter(validated[0].values()))
    inputs = earlier.creator.inputs
    assert conductivity(inputs.trajectory, inputs.parameters).uuid != earlier.uuid
    (found,) = (one for one in collect(group).entries if one.label == 'LiI')
    assert {one.source.uuid for one in found.transport} == {node.uuid for node in validated[0].values()}


def test_surfaces_and_structures_lead_to_their_descriptors(scanned):
    group = Group(label='surfaces').store()
    group.add_nodes([scanned['pes']['LiCl'], load_node(scanned['descriptors']['LiI']['structure_uuid'])])
    report = collect(group)
    assert {one.source.uuid for one in report.entries} == {scanned['descriptors'][key].uuid for key in ('LiCl', 'LiI')}


def test_new_descriptors_of_a_surface_have_its_surface_and_potential(scanned, potential):
    node = describe(scanned['pes']['Li2Te'], Dict({'xi': {'threshold': 0.3}}))
    (found,) = collect(node).entries
    assert found.surface.uuid == scanned['pes']['Li2Te'].uuid
    assert found.potential.uuid == potential.uuid
    assert found.settings.xi.threshold == 0.3
    # The surface by itself leads to both.
    both = collect(scanned['pes']['Li2Te']).entries
    assert {one.source.uuid for one in both} == {node.uuid, scanned['descriptors']['Li2Te'].uuid}
    assert [one.uuid for one in descriptors_of(scanned['pes']['Li2Te'])] == [
        scanned['descriptors']['Li2Te'].uuid,
        node.uuid,
    ]
    imported = PesData.from_surface(scanned['pes']['Li2Te'].to_surface()).store()
    assert descriptors_of(imported) == []


def test_descriptors_without_a_new_quantity_are_not_taken_from_the_cache(scanned, monkeypatch):
    parameters = Dict({'xi': {'threshold': 0.35}})
    with enable_caching():
        first = describe(scanned['pes']['LiCl'], parameters)
        again = describe(scanned['pes']['LiCl'], parameters)
        assert again.creator.base.caching.is_created_from_cache
        monkeypatch.setattr('aiida_pesfp.calculations.descriptors.NAMES', (*NAMES, 'new'))
        assert not describe(scanned['pes']['LiCl'], parameters).creator.base.caching.is_created_from_cache
    assert first.xi == again.xi


def test_descriptors_alone_are_reported_with_what_is_missing(scanned):
    content = scanned['descriptors']['LiI'].get_dict()
    for name in ('ions', 'barrier_1d', 'barrier_2d', 'barrier_3d', 'structure_uuid', 'settings'):
        del content[name]
    node = DescriptorsData(content, label='old').store()
    report = collect(node)
    (found,) = report.entries
    assert found.label == 'old'
    assert found.surface is found.structure is found['barrier_1d'] is found.ion is None
    assert found.potential.kind == 'PotentialData'  # by the hash
    assert 'No grid is stored for old' in report.notes[0]


def test_an_empty_group_is_refused_with_the_way_out():
    with pytest.raises(NothingToReport, match="the group 'empty' is empty: `verdi group add-nodes"):
        collect(Group(label='empty').store())


def test_nodes_that_lead_to_nothing_are_named(scanned):
    fresh = graph.structures()['LiCl']
    number = Int(1).store()
    group = Group(label='mixed').store()
    group.add_nodes([fresh, number])
    with pytest.raises(
        NothingToReport, match=rf'StructureData<{fresh.pk}> \(LiCl\) has no descriptors.*Int<{number.pk}>'
    ):
        collect(group)
    group.add_nodes([scanned['descriptors']['LiI']])
    report = collect(group)
    assert len(report.entries) == 1
    assert len(report.notes) == 2


def test_of_equal_descriptors_the_newest_are_reported(scanned, potential):
    """A structure that was scanned twice with the same settings stands in the report once; another grid is another."""
    structure = load_node(scanned['descriptors']['LiCl']['structure_uuid'])
    again = graph.scan_here(Dict({'spacing': 0.65}), potential, other_key=structure)['descriptors']['other_key']
    both = Group(label='twice').store()
    both.add_nodes([scanned['descriptors']['LiCl'], again])
    (found,) = collect(both).entries
    assert found.source.uuid == again.uuid
    assert (found.label, found.name) == ('LiCl', 'LiCl')  # that of the structure, not the key of the scan


def test_structures_of_one_label_have_names_of_their_own(potential):
    first, second = graph.structures()['LiCl'], graph.structures()['LiI']
    second = StructureData(pymatgen=second.get_pymatgen_structure(), label='LiCl').store()
    made = graph.scan_here(Dict({'spacing': 0.65}), potential, a=first, b=second)['descriptors']
    both = Group(label='namesakes').store()
    both.add_nodes(list(made.values()))
    report = collect(both)
    assert {one.label for one in report.entries} == {'LiCl'}
    assert {one.name for one in report.entries} == {f'LiCl ({node.pk})' for node in made.values()}
    assert report.candidates == 0


def test_an_ensemble_has_its_orderings_error_bars_and_a_surface(potential):
    _, made, members, node = graph.ensemble(potential)
    group = Group(label='disordered').store()
    group.add_nodes([*members.values(), node])
    report = collect(group)
    [entry] = report.entries
    assert entry.source.uuid == node.uuid
    assert entry.values == {name: node[name] for name in NAMES} | {'xi_calibrated': None}
    assert {one.source.uuid: one.share for one in entry.members} == {
        members[key].uuid: share for key, share in (('ordering_Cl', 0.5), ('ordering_Br', 0.25), ('ordering_F', 0.25))
    }
    assert load_node(entry.surface.uuid).base.attributes.get('structure_uuid') == made['ordering_Cl'].uuid
    points = xi_map([entry]).parts[-1]
    assert points.errors_across[0] == [node['error']['fv_disconnected']]
    assert points.errors[1] == [node['error']['fv_connected']]
    assert sum(isinstance(part, Band) for part in spectra([entry]).parts) == 2
