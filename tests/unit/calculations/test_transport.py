"""From trajectory nodes to conductivity and Arrhenius nodes, with provenance."""

import re

import numpy as np
import pytest
from aiida.common.exceptions import ValidationError
from aiida.common.links import LinkType
from aiida.orm import Dict, QueryBuilder, TrajectoryData

from aiida_pesfp.calculations.ports import validator_of
from aiida_pesfp.calculations.transport import arrhenius, conductivity
from aiida_pesfp.data.arrhenius import ArrheniusData
from aiida_pesfp.data.conductivity import ConductivityData
from aiida_pesfp.settings.arrhenius import ArrheniusSettings
from aiida_pesfp.settings.diffusion import ConductivitySettings, DiffusionSettings
from aiida_pesfp.transport.arrhenius import BOLTZMANN, fit_arrhenius
from aiida_pesfp.transport.conductivity import analyse
from tests.helpers.walks import D, brownian

EQUILIBRATION = 5.0


def node_of(walk, temperature=1000.0, positions=None, cells=None, times=None):
    """A trajectory as both engines store it."""
    node = TrajectoryData()
    frames = len(walk.times)
    node.set_trajectory(
        symbols=list(walk.symbols),
        positions=walk.positions if positions is None else positions,
        stepids=np.arange(frames),
        cells=np.tile(walk.cell, (frames, 1, 1)) if cells is None else cells,
        times=walk.times if times is None else times,
        pbc=(True, True, True),
    )
    node.base.attributes.set_many({'temperature': temperature, 'timestep_fs': 1.0, 'stride': 100, 'engine': 'walk'})
    return node.store()


def walk_at(temperature, seed=0, duration=65.0):
    """A walk that follows Arrhenius' law with 0.2 eV."""
    factor = np.exp(-0.2 / BOLTZMANN * (1 / temperature - 1 / 1000))
    return brownian(np.random.default_rng(seed), duration=duration, time_step=0.2, coefficient=D * factor)


def test_conductivity_of_a_trajectory_node():
    walk = walk_at(1000.0)
    trajectory = node_of(walk)
    found = conductivity(trajectory, Dict())
    assert isinstance(found, ConductivityData)
    expected = analyse(walk, 'Li', 1000.0, settings=DiffusionSettings(equilibration=EQUILIBRATION))
    assert found.conductivity == pytest.approx(expected.value, rel=1e-12)
    assert found.conductivity_error == pytest.approx(expected.error, rel=1e-12)
    np.testing.assert_allclose(found.get_array('window_msds'), expected.curves()['window_msds'])
    assert found.base.attributes.get('engine') == 'walk'
    assert found.base.attributes.get('trajectory_uuid') == trajectory.uuid
    assert found.flags == []
    [link] = found.base.links.get_incoming(link_type=LinkType.CREATE).all()
    assert link.node.inputs.trajectory.uuid == trajectory.uuid


def test_everything_can_be_queried():
    node = conductivity(node_of(walk_at(1000.0, duration=25.0)), Dict({'species': 'Li'}))
    filters = {
        'attributes.flags.too_few_windows': True,
        'attributes.flags.framework_diffuses': False,
        'attributes.temperature': {'>': 900},
        'attributes.alternatives.from_5_ps.windows': 1,
        'uuid': node.uuid,
    }
    query = QueryBuilder().append(ConductivityData, filters=filters, project=['attributes.conductivity'])
    assert query.one() == [node.conductivity]


def test_wrapped_positions_and_the_node_stay_what_they_are():
    walk = walk_at(1000.0)
    inside = (walk.positions @ np.linalg.inv(walk.cell) % 1) @ walk.cell
    wrapped = node_of(walk, positions=inside)
    assert conductivity(wrapped, Dict()).conductivity == pytest.approx(
        conductivity(node_of(walk), Dict()).conductivity, rel=1e-6
    )
    np.testing.assert_array_equal(wrapped.get_positions(), inside)


def test_bad_trajectories_are_refused_with_the_reason():
    walk = walk_at(1000.0)
    cells = np.tile(walk.cell, (len(walk.times), 1, 1)) * np.linspace(1, 1.1, len(walk.times))[:, None, None]
    broken, uneven = walk.positions.copy(), walk.times.copy()
    broken[100, 3] = np.nan
    uneven[200:] += 0.1
    alike = np.repeat(walk.positions[::2], 2, axis=0)[: len(walk.positions)]
    inside = (walk.positions @ np.linalg.inv(walk.cell) % 1) @ walk.cell
    stretched = np.tile(walk.cell * 1.05, (len(walk.times), 1, 1))
    for trajectory, parameters, words in (
        (node_of(walk, cells=cells), {}, 'constant volume'),
        (node_of(walk, positions=broken), {}, 'atom 3 in frame 100'),
        (node_of(walk, times=uneven), {}, 'from frame 199 to 200'),
        (node_of(walk, positions=walk.positions / 10), {}, 'within .* % of the cell vectors'),
        (node_of(walk, positions=inside, cells=stretched), {}, 'return on the other as in a cell with'),
        (node_of(walk, positions=alike), {}, 'no atom moves from frame 0 to 1'),
        (node_of(walk), {'species': 'Na'}, 'no Na'),
        (node_of(walk), {'window_ps': 61.0}, 'less than one window'),
    ):
        _, node = conductivity.run_get_node(trajectory, Dict(parameters))
        assert node.exit_status == 300
        assert re.search(words, node.exit_message)
    with pytest.raises(ValueError, match="unknown parameter 'windows': known are species"):
        conductivity(node_of(walk), Dict({'windows': 3}))
    validate = validator_of(ConductivitySettings)
    assert 'known are species' in validate(Dict({'windows': 3}), None)
    assert 'charge = 0: ions of Li have +1' in validate(Dict({'charge': 0}), None)
    assert validate(Dict({'window_ps': 10, 'bayesian': False}), None) is None


@pytest.fixture(scope='module')
def conductivities():
    """At three temperatures, and one of a run so short that it has no uncertainty."""
    found = {
        f'at_{temperature:.0f}': conductivity(node_of(walk_at(temperature, seed), temperature), Dict())
        for seed, temperature in enumerate((1000.0, 667.0, 500.0))
    }
    return found | {'short': conductivity(node_of(walk_at(417.0, 7, 20.0), 417.0), Dict())}


def test_arrhenius_of_conductivity_nodes(conductivities):
    found = arrhenius(Dict(), **conductivities)
    assert isinstance(found, ArrheniusData)
    used = [node.to_point() for key, node in conductivities.items() if key != 'short']
    expected = fit_arrhenius(sorted(used, key=lambda point: -point.temperature))
    assert found.activation_energy == pytest.approx(expected.activation_energy)
    assert abs(found.activation_energy - 0.2) < 4 * found.activation_energy_error
    assert found.conductivity(300.0) == pytest.approx((found['conductivity_300K'], found['conductivity_300K_error']))
    by_label = {point['label']: point for point in found['points']}
    assert by_label['short']['excluded'] == 'no uncertainty: it comes from a single window'
    assert by_label['short']['flags'] == ['too_few_windows']
    assert by_label['at_500']['uuid'] == conductivities['at_500'].uuid
    assert (found['formula'], found['species'], found['uses_flagged_points']) == ('Li2S', 'Li', False)
    query = QueryBuilder().append(
        ArrheniusData, filters={'attributes.activation_energy': {'<': 0.5}, 'uuid': found.uuid}
    )
    assert query.count() == 1


def test_points_are_excluded_by_hand_or_by_flag_with_the_reason(conductivities):
    by_hand = arrhenius(Dict({'exclude': {'at_1000': 'molten'}, 'scale': 'log'}), **conductivities)
    assert by_hand['points'][0]['excluded'] == 'molten'
    assert by_hand['remarks'].keys() == {'no_degree_of_freedom'}
    walk = walk_at(1000.0, 11)
    melt = walk.positions.copy()
    melt[:, 16:] += walk.positions[:, :8] - walk.positions[:1, :8]
    molten = conductivity(node_of(walk, positions=melt), Dict())
    assert 'framework_diffuses' in molten.flags
    others = {key: conductivities[key] for key in ('at_667', 'at_500')}
    assert arrhenius(Dict(), molten=molten, **others)['uses_flagged_points'] is True
    by_flag = arrhenius(Dict({'exclude_flags': ['framework_diffuses']}), molten=molten, **others)
    assert by_flag['points'][0]['excluded'].startswith('framework_diffuses: the mean squared displacement')
    assert by_flag['uses_flagged_points'] is False


def test_what_cannot_be_fitted_is_refused_with_the_reason(conductivities):
    _, node = arrhenius.run_get_node(Dict(), one=conductivities['at_667'])
    assert node.exit_status == 300
    assert '667 K is the only temperature' in node.exit_message
    with pytest.raises(ValueError, match="'at_900' is to be excluded, but given are at_1000"):
        arrhenius(Dict({'exclude': {'at_900': 'why'}}), **conductivities)
    walk = walk_at(667.0, 3)
    sodium = type(walk)(('Na',) * 16 + ('S',) * 8, walk.positions, walk.times, walk.cell)
    other = conductivity(node_of(sodium, 667.0), Dict({'species': 'Na'}))
    with pytest.raises(ValueError, match='different formula: Li2S, Na2S'):
        arrhenius(Dict(), sodium=other, **conductivities)
    validate = validator_of(ArrheniusSettings)
    assert "'melts': Input should be 'framework_diffuses'" in validate(Dict({'exclude_flags': ['melts']}), None)
    assert "exclude = ['at_500']: Input should be a valid dictionary" in validate(Dict({'exclude': ['at_500']}), None)
    assert "exclude.at_500 = '': String should have at least 1 character" in validate(
        Dict({'exclude': {'at_500': ''}}), None
    )
    assert "scale = 'square': Input should be 'linear' or 'log'" in validate(Dict({'scale': 'square'}), None)
    assert validate(Dict({'scale': 'log'}), None) is None


def test_nodes_need_their_scalars():
    with pytest.raises(ValidationError, match='conductivity_error'):
        ConductivityData().store()
    with pytest.raises(ValidationError, match='activation_energy'):
        ArrheniusData({'points': []}).store()
