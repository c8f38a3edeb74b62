"""The node types: what they hold, when they are the same, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from aiida.common.exceptions import ValidationError
from aiida.orm import QueryBuilder, load_node
from ase.io.cube import read_cube_data
from ase.io.xsf import read_xsf

from aiida_pesfp.calculations.selection import rank
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.merge_tree import MergeTreeData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import PotentialError
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.export import volume
from aiida_pesfp.fingerprint.merge_tree import MergeTree
from aiida_pesfp.potentials.registry import identify
from aiida_pesfp.settings.descriptors import DescriptorSettings, XiParameters
from tests.helpers.surfaces import make_surface


@pytest.fixture
def surface():
    energies = np.random.default_rng(0).gamma(2, size=(2, 3, 4, 5))
    energies[:, 0, 0, 0] = np.nan
    return make_surface(energies)


def test_a_surface_survives_storage(surface):
    node = PesData.from_surface(surface, formula='LiX', species='Li').store()
    loaded = node.to_surface()
    assert loaded.energies.dtype == np.float32
    for position in range(2):
        np.testing.assert_array_equal(loaded.of_ion(position), surface.of_ion(position))
    assert loaded.evaluations == surface.evaluations
    query = QueryBuilder().append(PesData, filters={'attributes.formula': 'LiX', 'attributes.shape': [3, 4, 5]})
    assert query.one() == [node]
    assert node.base.attributes.get('number_of_mobile_ions') == 2


def test_links_of_a_ranking_read_no_content(surface, monkeypatch):
    """AiiDA compares each new link with all others: contents that are read for it cost n^2 reads."""
    content = describe(surface).as_dict()
    nodes = {f's{number}': DescriptorsData(content).store() for number in range(12)}
    assert nodes['s0'] != nodes['s1']
    assert len({*nodes.values(), load_node(nodes['s0'].pk)}) == 12
    read = []
    monkeypatch.setattr(DescriptorsData, 'get_dict', lambda self: read.append(self) or self.base.attributes.all)
    rows = rank(**nodes)['rows']
    assert len(rows) == 12
    assert len(read) <= 12


def test_a_surface_is_exported_by_the_means_of_aiida(surface, tmp_path):
    node = PesData.from_surface(surface).store()
    assert {'cube', 'xsf', 'csv'} <= set(node.get_export_formats())
    node.export(str(tmp_path / 'union.cube'))
    values, atoms = read_cube_data(str(tmp_path / 'union.cube'))
    np.testing.assert_allclose(values, np.minimum(surface.of_ion(0), surface.of_ion(1)), atol=2e-6)
    np.testing.assert_allclose(atoms.cell.array, surface.lattice, atol=1e-4)
    node.export(str(tmp_path / 'levels'), fileformat='xsf', kind='level', ion=1)
    with open(tmp_path / 'levels') as stream:
        levels = read_xsf(stream, read_data=True)[0][:-1, :-1, :-1]
    np.testing.assert_allclose(levels, volume(surface, 'level', [1])[1], atol=1e-6)
    node.export(str(tmp_path / 'profile.csv'))
    table = np.genfromtxt(tmp_path / 'profile.csv', delimiter=',', names=True)
    assert table['energy_eV'].max() == pytest.approx(describe(surface).barrier_1d, abs=1e-6)
    node.export(str(tmp_path / 'profile.csv'), ion=0, overwrite=True)
    with pytest.raises(ValueError, match='atom 5 is not a mobile ion: these are 0, 1'):
        node.export(str(tmp_path / 'other.cube'), ion=5)


def test_barriers_are_there_to_query_by(surface):
    found = DescriptorsData(describe(surface).as_dict()).store()
    higher = {'attributes.barrier_3d': {'>=': found.barrier_1d}, 'id': found.pk}
    assert QueryBuilder().append(DescriptorsData, filters=higher).one() == [found]
    assert [ion['index'] for ion in found.ions] == [0, 1]
    assert found.mpe == min(ion['mpe'] for ion in found.ions)


def test_a_pes_without_its_arrays_is_refused():
    node = PesData()
    node.set_array('energies', np.zeros((1, 2, 2, 2)))
    with pytest.raises(ValidationError, match='needs the array'):
        node.store()


def test_a_merge_tree_survives_storage_and_gives_what_the_surface_does(surface):
    node = MergeTreeData.from_tree(MergeTree.of(surface, 4.2), formula='LiX', species='Li', spacing=0.25).store()
    assert node.base.repository.list_object_names() == ['tree.npz']
    assert describe(node.to_tree()).as_dict() == describe(surface).as_dict()
    filters = {'attributes.formula': 'LiX', 'attributes.energy_limit': {'>=': 4.1}, 'attributes.shape': [3, 4, 5]}
    assert QueryBuilder().append(MergeTreeData, filters=filters).one() == [node]
    assert node.base.attributes.get('number_of_minima') == len(node.to_tree().basins)

    found = describe(
        surface, DescriptorSettings(thresholds=(0.8,), smearing=(-0.1, 0.0), xi=XiParameters(threshold=0.8))
    )
    names = ('fv_connected', 'fv_disconnected', 'fv_joint')
    assert node.free_volumes(0.8, (-0.1, 0.0)) == {name: found.values[name] for name in names}
    names = ('mpe', 'barrier_joint', 'barrier_1d', 'barrier_2d', 'barrier_3d')
    assert node.barriers() == {name: found.values[name] for name in names}
    with pytest.raises(ValueError, match='free volumes up to 4.2 eV'):
        node.free_volumes(4.2)


def test_equal_merge_trees_are_the_same_for_caching(surface):
    one, same = (MergeTreeData.from_tree(MergeTree.of(surface, 4.2)) for _ in range(2))
    other = MergeTreeData.from_tree(MergeTree.of(surface, 4.3))
    one, same, other = (node.store().base.caching.get_hash() for node in (one, same, other))
    assert one == same != other


def test_a_merge_tree_without_its_content_is_refused(surface, tmp_path):
    good = MergeTreeData.from_tree(MergeTree.of(surface, 4.2))
    surface.save(tmp_path / 'pes.npz')
    with pytest.raises(ValidationError, match='needs shape, neighbours, .*: make it with MergeTreeData.from_tree'):
        MergeTreeData(tmp_path / 'pes.npz').store()
    with pytest.raises(ValidationError, match='holds no merge tree'):
        node = MergeTreeData(tmp_path / 'pes.npz')
        node.base.attributes.set_many({**good.base.attributes.all, 'filename': 'pes.npz'})
        node.store()
    good.base.attributes.set('energy_limit', 9.0)
    with pytest.raises(ValidationError, match='energy_limit is 9.0, but the tree has 4.2'):
        good.store()


def test_descriptors_need_their_scalars():
    with pytest.raises(ValidationError, match='mpe, fv_connected, fv_disconnected, spectrum'):
        DescriptorsData({'xi': 0.5}).store()


def test_the_embedded_potential_is_named_not_copied():
    node = PotentialData.from_spec('sevennet-0').store()
    assert node.filenames == []
    assert (node.name, node.kind, node.label) == ('sevennet-0', 'sevennet', 'sevennet-0')
    assert len(node.sha256) == 64
    assert node.base.attributes.get('package') == 'sevenn'


def test_a_potential_from_a_file_brings_it_along(tmp_path):
    content = {'calculator': 'ase.calculators.lj.LennardJones', 'parameters': {'sigma': 2.0}}
    (tmp_path / 'lj.yaml').write_text(yaml.safe_dump(content))
    node = PotentialData.from_spec(str(tmp_path / 'lj.yaml')).store()
    assert node.filenames == ['lj.yaml']
    assert yaml.safe_load(node.base.repository.get_object_content('lj.yaml')) == content


def test_a_job_names_the_modality(tmp_path):
    by_name = PotentialData.from_spec('sevennet-mf-0:PBE').store()
    assert (by_name.filenames, by_name.spec) == ([], 'sevennet-mf-0:PBE')
    path = tmp_path / 'mine.pth'
    path.write_bytes(Path(identify('sevennet-mf-0:PBE').path).read_bytes())
    by_path = PotentialData.from_spec(f'{path}:PBE').store()
    assert (by_path.filenames, by_path.spec) == (['mine.pth'], 'potential:PBE')
    assert by_path.sha256 == by_name.sha256 != PotentialData.from_spec(f'{path}:R2SCAN').sha256


def test_potentials_are_the_same_if_their_content_is(tmp_path):
    """The name, the place and the form of the file do not enter the hash; a parameter does."""

    def potential(name, sigma, write=yaml.safe_dump):
        path = tmp_path / name
        path.write_text(write({'calculator': 'ase.calculators.lj.LennardJones', 'parameters': {'sigma': sigma}}))
        return PotentialData.from_spec(str(path)).store()

    first, same, other = potential('a.yaml', 2.0), potential('b.json', 2.0, json.dumps), potential('c.yaml', 2.1)
    assert first.base.caching.get_hash() == same.base.caching.get_hash() != other.base.caching.get_hash()


@pytest.mark.parametrize('spec', ['no/such/file.pth', 'ase:', '/'])
def test_a_potential_that_is_not_there_is_refused(spec):
    if spec == 'ase:':
        with pytest.raises(ValidationError):
            PotentialData().store()
        return
    with pytest.raises(PotentialError, match='known are'):
        PotentialData.from_spec(spec)
