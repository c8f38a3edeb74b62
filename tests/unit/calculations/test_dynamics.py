"""Settings of the dynamics, joined trajectories and supercells as nodes."""

import re

import numpy as np
import pytest
from aiida.orm import Dict, StructureData

from aiida_pesfp.calculations.ports import validator_of
from aiida_pesfp.calculations.supercell import make_supercell
from aiida_pesfp.calculations.trajectories import ARRAYS, join_trajectories, new_trajectory
from aiida_pesfp.settings.md import MdSettings, SiestaMdSettings
from tests.helpers.crystals import rock_salt


def trajectory_of(steps, **changed):
    """A trajectory whose every number tells its step."""
    steps = np.asarray(steps)
    shapes = {'positions': (2, 3), 'velocities': (2, 3), 'cells': (3, 3)}
    arrays = {}
    for i, name in enumerate(ARRAYS):
        shape = shapes.get(name, ())
        arrays[name] = np.zeros((len(steps), *shape)) + steps.reshape(-1, *[1] * len(shape)) + i / 10
    attributes = {'timestep_fs': 1.0, 'temperature': 500.0, 'stride': 1, 'engine': 'siesta'} | changed
    return new_trajectory(['Li', 'I'], steps, arrays, attributes).store()


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'steps': 5}, "need 'temperature'"),
        ({'temperature': 500, 'steps': 5.0}, 'steps = 5.0: Input should be a valid integer'),
        (
            {'temperature': -1, 'steps': 5},
            'temperature = -1: Input should be greater than or equal to 1 (temperature of',
        ),
        ({'temperature': float('nan'), 'steps': 5}, 'temperature = nan: Input should be a finite number'),
        ({'temperature': '500', 'steps': 5}, "temperature = '500': Input should be a valid number"),
        ({'temperature': 500, 'steps': True}, 'steps = True: Input should be a valid integer'),
        ({'temperature': 500, 'steps': 5, 'stride': 0}, 'stride = 0: Input should be greater than 0'),
        ({'temperature': 500, 'steps': 5, 'time_step': 1}, "unknown parameter 'time_step'"),
        (
            {'temperature': 500, 'steps': 5, 'max_scf_iterations': 1.5},
            'iterations = 1.5: Input should be a valid integer',
        ),
    ],
)
def test_wrong_settings_are_named(values, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        SiestaMdSettings.from_dict(values)
    assert words.split(',')[0] in validator_of(SiestaMdSettings)(Dict(values), None)


def test_right_settings_are_completed():
    values = {'temperature': 500, 'steps': 5}
    assert MdSettings.from_dict(values).as_dict() == {'temperature': 500, 'steps': 5, 'timestep': 1.0, 'stride': 1}
    assert SiestaMdSettings.from_dict(values).max_scf_iterations == 10
    assert validator_of(SiestaMdSettings)(Dict(values), None) is None


@pytest.mark.usefixtures('aiida_profile')
class TestJoining:
    """``join_trajectories``."""

    def test_twelve_segments_in_the_order_of_their_steps(self):
        segments = {f'segment_{i}': trajectory_of(range(5 * i, 5 * i + 5)) for i in range(12)}
        joined = join_trajectories(**segments)
        np.testing.assert_array_equal(joined.get_array('steps'), np.arange(60))
        for i, name in enumerate(ARRAYS):
            values = joined.get_array(name).reshape(60, -1)
            np.testing.assert_allclose(values, np.broadcast_to(np.arange(60)[:, None] + i / 10, values.shape))
        assert joined.base.attributes.get('timestep_fs') == 1.0
        assert joined.base.attributes.get('engine') == 'siesta'
        assert joined.base.attributes.get('symbols') == ['Li', 'I']
        # Each segment is an input of the function that made the whole.
        inputs = {link.node.uuid for link in joined.creator.base.links.get_incoming().all()}
        assert inputs == {segment.uuid for segment in segments.values()}

    @pytest.mark.parametrize(
        ('first', 'second', 'words'),
        [
            ({'steps': range(5)}, {'steps': range(7, 9)}, 'step 7 follows step 4, .* steps are missing'),
            ({'steps': range(5)}, {'steps': range(6, 9)}, 'step 6 follows step 4, .* steps are missing'),
            ({'steps': range(5)}, {'steps': range(3, 9)}, 'step 3 follows step 4, .* steps are repeated'),
            (
                {'steps': [0, 2, 4], 'stride': 2},
                {'steps': [5, 7], 'stride': 2},
                'step 5 follows step 4, with the stride 2',
            ),
            ({'steps': range(5)}, {'steps': range(5, 9), 'timestep_fs': 0.5}, 'differ in timestep_fs'),
            ({'steps': range(5)}, {'steps': range(5, 9), 'temperature': 501.0}, 'differ in temperature'),
        ],
    )
    def test_what_does_not_fit_is_named(self, first, second, words):
        with pytest.raises(ValueError, match=words):
            join_trajectories(segment_0001=trajectory_of(**first), segment_0002=trajectory_of(**second))

    def test_a_stride_is_kept(self):
        first = trajectory_of([0, 5, 10], stride=5)
        second = trajectory_of([15, 20], stride=5)
        assert join_trajectories(a=second, b=first).get_array('steps').tolist() == [0, 5, 10, 15, 20]


@pytest.mark.usefixtures('aiida_profile')
def test_a_supercell_keeps_kinds_and_says_where_atoms_are_from():
    structure = StructureData(pymatgen=rock_salt('Li', 'I', 6.03), label='LiI').store()
    results = make_supercell(structure, Dict())
    report = results['matrix'].get_dict()
    assert len(results['structure'].sites) == 2 * report['determinant']
    assert min(report['interplanar_distances']) >= 6.5
    kinds = [structure.sites[i].kind_name for i in report['sites']]
    assert [site.kind_name for site in results['structure'].sites] == kinds
    density = structure.get_pymatgen_structure().density
    assert results['structure'].get_pymatgen_structure().density == pytest.approx(density)


@pytest.mark.usefixtures('aiida_profile')
@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'distance': 5}, "unknown parameter 'distance'"),
        ({'matrix': [[1, 0], [0, 1]]}, 'matrix.0 = .* at least 3 items'),
        ({'matrix': [[1, 0, 0], [0, 1, 0], [1, 1, 0]]}, 'matrix = .* from 1 to 500, and is 0$'),
        ({'minimum_distance': -1}, 'minimum_distance = -1: .* greater than 0'),
    ],
)
def test_wrong_supercells_are_refused(parameters, words):
    structure = StructureData(pymatgen=rock_salt('Li', 'I', 6.03))
    with pytest.raises(ValueError, match=words):
        make_supercell(structure, Dict(parameters))
