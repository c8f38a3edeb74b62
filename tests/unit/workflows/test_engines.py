"""The table of engines holds together."""

import pytest
from aiida.orm import InstalledCode
from aiida.plugins import CalculationFactory, DataFactory, ParserFactory

from aiida_pesfp.workflows.engines import ENGINES, engine_of_code
from aiida_pesfp.workflows.segments import SegmentsWorkChain


@pytest.mark.parametrize('engine', ENGINES.values(), ids=lambda engine: engine.name)
def test_all_that_a_row_names_is_there(engine):
    assert issubclass(engine.dynamics_workchain, SegmentsWorkChain)
    job = engine.dynamics_workchain._process_class
    assert CalculationFactory(engine.program.plugins[0]) is job
    assert callable(job.steps_so_far)
    assert engine.name == ParserFactory(job.spec().inputs['metadata']['options']['parser_name'].default).ENGINE
    assert 'relax' in engine.relaxation_workchain.spec().inputs
    assert engine.relaxed in engine.relaxation_workchain.spec().outputs
    assert all(DataFactory(need.data) for need in engine.needs)
    for workchain in (engine.dynamics_workchain, engine.relaxation_workchain):
        assert set(workchain.get_available_protocols()) == {'fast', 'paper', 'stringent'}


@pytest.mark.parametrize(
    ('plugin', 'needs', 'expected'),
    [
        ('pesfp.md', (), 'ml'),
        ('siesta.siesta', (), 'siesta'),
        (None, ('potential',), 'ml'),
        (None, ('pseudo_family',), 'siesta'),
        (None, (), 'siesta'),
        (None, ('potential', 'pseudo_family'), 'the engine ml takes no pseudo_family'),
        ('pesfp.scan', (), 'runs pesfp.scan, not pesfp.md or pesfp.siesta_md'),
    ],
)
def test_the_engine_of_a_code(aiida_localhost, plugin, needs, expected):
    code = InstalledCode(
        computer=aiida_localhost, filepath_executable='/bin/true', label='some', default_calc_job_plugin=plugin
    )
    if expected in ENGINES:
        assert engine_of_code(code, needs).name == expected
    else:
        with pytest.raises(ValueError, match=expected):
            engine_of_code(code, needs)
