"""Files of overrides, however wrong, end in a result or in a sentence."""

import contextlib
import copy
import io

import pytest
import yaml
from aiida.orm import Computer, InstalledCode, StructureData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiida_pesfp.cli.launch.options import LaunchOptions, invalid_inputs_reported
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.workflows.screen import ScreenWorkChain
from tests.helpers.crystals import rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator

GOOD = {
    'scan': {'parameters': {'spacing': 0.4, 'xi': {'threshold': 0.4}}, 'metadata': {'options': {'queue_name': 'a'}}},
    'criteria': {'minimum_band_gap': None, 'duplicates': 'keep'},
    'max_iterations': 3,
    'max_structures_per_job': 2,
    'properties': {'LiCl': {'band_gap': 6.0}},
}


@pytest.fixture(scope='module')
def build(tmp_path_factory, aiida_profile):
    """Makes the builder of a screening with the overrides of a file, as the command does."""
    folder = tmp_path_factory.mktemp('overrides')
    computer = Computer('overrides', 'localhost', '', 'core.local', 'core.direct', str(folder)).store()
    executable = {'computer': computer, 'filepath_executable': '/bin/true'}
    code = InstalledCode(label='overrides', default_calc_job_plugin='pesfp.scan', **executable).store()
    potential = PotentialData.from_spec(str(write_calculator(folder / 'lj.yaml', **LENNARD_JONES))).store()
    structures = {'LiCl': StructureData(pymatgen=rock_salt('Li', 'Cl', 5.13)).store()}

    def make(content: bytes):
        path = folder / 'overrides.yaml'
        path.write_bytes(content)
        overrides = LaunchOptions(overrides=path, protocol='fast').overriding(ScreenWorkChain, {})
        with invalid_inputs_reported():
            builder = ScreenWorkChain.get_builder_from_protocol(code, structures, potential, 'fast', overrides)
            ports = ScreenWorkChain.spec().inputs
            if (problem := ports.validate(ports.pre_process(ports.serialize(builder._inputs(prune=True))))) is not None:
                raise ValueError(problem)
        return builder

    return make


def places(tree, path=()):
    """All paths in nested dictionaries."""
    for key, value in tree.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from places(value, (*path, key))


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=3), st.just([]), st.just({}),
    st.just([1, 'a']), st.just({'a': None}), st.just({1: 2}), st.dates(),
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(list(places(GOOD))), VALUES), min_size=1, max_size=2))
def test_a_wrong_value_anywhere(build, changes):
    content = copy.deepcopy(GOOD)
    for path, value in changes:
        holder = content
        for key in path[:-1]:
            holder = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            holder[path[-1]] = copy.deepcopy(value)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            build(yaml.safe_dump(content).encode())
        except SystemExit:
            assert len(said.getvalue()) > 20


@settings(max_examples=50)
@given(st.binary(max_size=60))
def test_any_bytes(build, content):
    with contextlib.suppress(SystemExit):
        assert build(content)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'', None),
        ('# Maße\nmax_iterations: 3\n'.encode('latin-1'), None),
        ('max_iterations: 3\n'.encode('utf-16'), None),
        (b'max_iteration: 3\n', "there is no input 'max_iteration': did you mean max_iterations?"),
        (b'scan:\n', 'scan = None: it has to hold entries'),
        (b'scan: 3\n', 'scan = 3: it has to hold entries'),
        (b'max_iterations:\n', 'max_iterations = None: Input should be a valid integer'),
        (b'scan: &a {parameters: *a}\n', 'has a reference'),
        (b'max_iterations: 2020-01-01\n', "max_iterations = '2020-01-01': Input should be a valid integer"),
        (b'- 1\n', 'the overrides = [1]: it has to hold entries'),
        (b'properties: {LICL: {band_gap: 6}}\n', "the properties of 'LICL' belong to no structure: did you mean LiCl?"),
        (b'properties: {LiCl.vasp: {band_gap: 6}}\n', 'LiCl.vasp'),
        (b'properties: {LiCl: {gap: 6}}\n', "unknown parameter 'gap'"),
        (b'properties: {LiCl: {band_gap: .nan}}\n', 'finite number'),
        (b'properties: {LiCl: {band_gap: 6000}}\n', "the properties of 'LiCl': band_gap = 6000: Input should be less"),
    ],
)
def test_what_is_said(build, capsys, content, words):
    if words is None:
        assert build(content)
        return
    with pytest.raises(SystemExit):
        build(content)
    assert words in ' '.join(capsys.readouterr().err.split())
