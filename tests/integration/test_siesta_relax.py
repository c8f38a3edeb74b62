"""``pesfp.siesta_relax`` with the stand-in: it is relaxed when SIESTA says so, through kills and unfinished jobs."""

import numpy as np
from aiida.engine import run_get_node
from aiida_siesta.calculations.siesta import SiestaCalculation

from aiida_pesfp.workflows.siesta_relax import SiestaRelaxWorkChain
from tests.helpers.graph import jobs_of

CODES = SiestaCalculation.exit_codes
OPTIONS = {'max_wallclock_seconds': 600, 'withmpi': False}


def builder_of(code, structure, **parameters):
    overrides = {'relax': {'parameters': {'md-max-force-tol': '0.005 eV/Ang'} | parameters}}
    return SiestaRelaxWorkChain.get_builder_from_protocol(
        code, structure, 'fast', overrides, OPTIONS, pseudo_family='stand-in'
    )


def test_unfinished_and_killed_jobs_go_on(siesta_code, siesta_pseudos, siesta_primitive, siesta_fault):
    """One job is killed, the others have too few moves: the end is the same as that of one long job."""
    results, node = run_get_node(builder_of(siesta_code, siesta_primitive))
    assert node.is_finished_ok, node.exit_message
    assert len(jobs_of(node)) == 1
    assert results['output_parameters']['relaxed']
    cell = np.array(results['output_structure'].cell)
    assert not np.allclose(cell, siesta_primitive.cell, atol=0.01)

    siesta_fault(kill_step=3)
    other, node = run_get_node(builder_of(siesta_code, siesta_primitive, **{'md-steps': 4}))
    assert node.is_finished_ok, node.exit_message
    np.testing.assert_allclose(np.array(other['output_structure'].cell), cell, atol=0.01)
    statuses = [job.exit_status for job in jobs_of(node)]
    assert CODES.UNEXPECTED_TERMINATION.status in statuses
    assert CODES.GEOM_NOT_CONV.status in statuses
    assert statuses[-1] == 0
