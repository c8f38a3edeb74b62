"""Overrides hold what is known, at every level, or are refused with the place where it belongs."""

import re

import pytest
from aiida.orm import Dict, Int, Str
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp.workflows.conductivity import planned
from aiida_pesfp.workflows.engines import ENGINES
from aiida_pesfp.workflows.md import MdBaseWorkChain
from aiida_pesfp.workflows.relax import RelaxBaseWorkChain
from aiida_pesfp.workflows.restart import RestartWorkChain
from aiida_pesfp.workflows.scan import ScanBaseWorkChain
from aiida_pesfp.workflows.screen import ScreenWorkChain
from aiida_pesfp.workflows.screen_and_validate import ScreenAndValidateWorkChain
from aiida_pesfp.workflows.siesta_md import SiestaMdBaseWorkChain

ALL = (ScanBaseWorkChain, ScreenWorkChain, MdBaseWorkChain, SiestaMdBaseWorkChain, ScreenAndValidateWorkChain)


def paths(known, within=()):
    """The way to each end of a tree."""
    for key, inner in known.items():
        yield from paths(inner, (*within, key)) if isinstance(inner, dict) and inner else [(*within, key)]


def nested(path, value):
    """Dictionaries with the value at the end of a path."""
    for key in reversed(path):
        value = {key: value}
    return value


def refusal(workchain, overrides):
    """Why overrides are refused."""
    with pytest.raises(ValueError, match='.') as caught:
        workchain.get_protocol_inputs('fast', overrides)
    return str(caught.value)


@given(st.sampled_from(ALL).flatmap(lambda w: st.tuples(st.just(w), st.sampled_from(list(paths(w.known_overrides()))))))
def test_a_known_key_in_another_place_is_refused_with_its_own(chosen):
    workchain, path = chosen
    path = path[: path.index('resources') + 1] if 'resources' in path else path
    name = path[-1]
    misspelt = refusal(workchain, nested((*path[:-1], f'{name}x'), 1))
    assert misspelt.startswith(f"there is no input '{'.'.join(path)}x': ")
    for end in range(len(path) - 1):
        here = workchain.known_overrides()
        for key in path[:end]:
            here = here[key]
        if name not in here:
            misplaced = refusal(workchain, nested((*path[:end], name), 1))
            assert misplaced.startswith(f"there is no input '{'.'.join((*path[:end], name))}': it belongs to ")


@pytest.mark.parametrize('workchain', ALL)
def test_protocols_hold_nothing_else(workchain):
    for protocol in workchain.get_available_protocols():
        inputs = workchain.get_protocol_inputs(protocol)
        assert workchain.get_protocol_inputs(protocol, {k: v for k, v in inputs.items() if v is not None}) == inputs


STEP = {'md': {'dynamics': {'steps': 100}}}


@pytest.mark.parametrize(
    ('workchain', 'overrides', 'words'),
    [
        (ScanBaseWorkChain, {'scan': {'spacing': 0.5}}, 'it belongs to scan.parameters.spacing'),
        (ScanBaseWorkChain, {'scan': {'paramters': {}}}, 'did you mean scan.parameters?'),
        (ScanBaseWorkChain, {'scan': {'max_iterations': 3}}, 'it belongs to max_iterations'),
        (ScanBaseWorkChain, {'scan': {'parent_folder': 1}}, "there is no input 'scan.parent_folder'"),
        (ScanBaseWorkChain, {'scan': {'batch_size': 0}}, 'scan.batch_size = 0: Input should be greater than 0'),
        (ScreenWorkChain, {'scan': {'criteria': {}}}, 'it belongs to criteria'),
        (ScreenWorkChain, {'criteria': {'minimum_band_gap': 500}}, 'criteria.minimum_band_gap = 500: '),
        (ScreenWorkChain, {'criteria': {'maximum_energy_above_hull': 50}}, 'maximum_energy_above_hull = 50: '),
        (ScreenWorkChain, {'scan': {'parameters': {'thresholds': [100, 500]}}}, 'thresholds.0 = 100: '),
        (ScreenWorkChain, {'scan': {'parameters': {'smearing': [-40]}}}, 'smearing.0 = -40: '),
        (ScreenWorkChain, {'scan': {'parameters': {'xi': {'threshold': 500}}}}, 'scan.parameters.xi.threshold = 500: '),
        (MdBaseWorkChain, {'md': {'timestep': 2}}, 'it belongs to md.dynamics.timestep'),
        (MdBaseWorkChain, {'relax': {'fmax': 0.1}}, 'it belongs to relax.parameters.fmax'),
        (MdBaseWorkChain, {'md': {'dynamics': {'timestep': 0.001}}}, 'md.dynamics.timestep = 0.001: '),
        (MdBaseWorkChain, {'md': {'dynamics': {'timestep': 1000}}}, 'md.dynamics.timestep = 1000: '),
        (MdBaseWorkChain, {'relax': {'max_iterations': -1}}, 'relax.max_iterations = -1: '),
        (MdBaseWorkChain, {'md': {'metadata': {'options': {'max_wallclock_seconds': -1}}}}, 'wallclock_seconds = -1'),
        (MdBaseWorkChain, STEP | {'duration_ps': 50}, 'duration_ps and md.dynamics.steps are both given'),
        (MdBaseWorkChain, {'ml': {}}, "there is no input 'ml'"),
        (SiestaMdBaseWorkChain, {'md': {'mesh-cutoff': '200 Ry'}}, "there is no input 'md.mesh-cutoff'"),
        (SiestaMdBaseWorkChain, {'relax': {'reciprocal_density': 0}}, 'relax.reciprocal_density = 0: '),
        (ScreenAndValidateWorkChain, {'screen': {'scan': {'spacing': 1}}}, 'belongs to screen.scan.parameters.spacing'),
        (ScreenAndValidateWorkChain, {'stages': {'ml': {'candidats': 1}}}, 'did you mean stages.ml.candidates?'),
        (
            ScreenAndValidateWorkChain,
            {'stages': {'siesta': {'overrides': {'md': {'nose_mass': 1.0}}}}},
            'it belongs to stages.siesta.overrides.md.dynamics.nose_mass',
        ),
    ],
)  # fmt: skip
def test_what_is_refused(workchain, overrides, words):
    assert words in refusal(workchain, overrides)


@pytest.mark.parametrize(
    ('workchain', 'overrides'),
    [
        (SiestaMdBaseWorkChain, {'md': {'parameters': {'mesh-cutoff': '300 Ry', 'any-label': 3}}}),
        (SiestaMdBaseWorkChain, {'md': {'basis': {'pao-energy-shift': '0.01 Ry'}}, 'pseudo_family': 'mine'}),
        (ScanBaseWorkChain, {'scan': {'metadata': {'options': {'environment_variables': {'A': 'b'}}}}}),
        (MdBaseWorkChain, {'md': {'device': 'cuda', 'metadata': {'options': {'max_wallclock_seconds': None}}}}),
        (MdBaseWorkChain, {'supercell': {'matrix': [[2, 0, 0], [0, 2, 0], [0, 0, 1]]}, 'arrhenius': {'scale': 'log'}}),
        (ScreenWorkChain, {'criteria': {'minimum_band_gap': None}, 'properties': {'any name': {'band_gap': 1}}}),
    ],
)
def test_what_is_not(workchain, overrides):
    workchain.get_protocol_inputs('paper', overrides)


@pytest.mark.parametrize(
    ('overrides', 'words'),
    [
        ({'temperatures': [25]}, '25 degrees Celsius are 298.15 K'),
        ({'temperatures': []}, 'temperatures = []: '),
        ({'analysis': {'window_ps': 15000}}, 'a run of 20000 steps of 1 fs has no window of 15000 ps after 5 ps'),
        ({'analysis': {'temperature': 500}}, 'leave out analysis.temperature'),
        ({'md': {'dynamics': {'temperature': 500}}}, 'leave out md.dynamics.temperature'),
        ({'md': {'dynamics': {'stride': 20000}}}, 'frames that are 20 ps apart are too few'),
        ({'md': {'timestep': 2}}, 'it belongs to md.dynamics.timestep'),
        ({'analysis': {'species': 'Na'}}, 'leave out analysis.species'),
        ({'analysis': {'charge': 2}}, 'charge = 2: ions of Li have +1'),
        ({'duration_ps': 2}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.usefixtures('aiida_profile')
def test_dynamics_that_would_fail_are_refused_before_the_screening(engine, overrides, words):
    stage = {'protocol': Str('fast'), 'overrides': Dict(overrides)}
    inputs = {'screen': {'scan': {'parameters': Dict({'species': 'Li'})}}, engine: stage}
    found = ScreenAndValidateWorkChain.spec().inputs.validator(inputs, None)
    assert found is None if words is None else words in found


def test_short_runs_have_short_windows():
    analysis = planned(ENGINES['ml'], 'Na', 'paper', {'duration_ps': 15, 'analysis': {'fit_start_ps': 0.5}})['analysis']
    assert analysis == {'species': 'Na', 'equilibration_ps': 2.5, 'window_ps': 3.0, 'fit_start_ps': 0.5}


@pytest.mark.usefixtures('aiida_profile')
def test_the_limits_hold_for_builders_too():
    for workchain in (ScanBaseWorkChain, MdBaseWorkChain, RelaxBaseWorkChain, SiestaMdBaseWorkChain):
        assert issubclass(workchain, RestartWorkChain)
        builder = workchain.get_builder()
        with pytest.raises(ValueError, match='max_iterations = -1'):
            builder.max_iterations = Int(-1)
        job = builder[workchain._namespace]
        for name in ('max_wallclock_seconds', 'max_memory_kb'):
            with pytest.raises(ValueError, match=re.escape(f'{name} = -1')):
                job.metadata.options[name] = -1
