"""From a structure to joined trajectories under the daemon, with a killed job and a daemon that is restarted."""

import numpy as np
import pytest
from aiida.engine import ProcessState
from aiida.orm import CalcJobNode, Dict, InstalledCode, load_node

from aiida_pesfp.calculations.supercell import make_supercell
from aiida_pesfp.workflows.siesta_md import SiestaMdBaseWorkChain
from aiida_pesfp.workflows.siesta_relax import SiestaRelaxWorkChain

OPTIONS = {'max_wallclock_seconds': 600, 'withmpi': False}
STEPS, SEGMENT = 8, 4


@pytest.fixture
def fragile_code(siesta_code, siesta_pseudos, tmp_path):
    """The stand-in, which is killed once: by the variables of its own job, for the daemon has its own environment."""
    faults = {'KILL_STEP': 2, 'ONCE': tmp_path / 'happened'}
    return InstalledCode(
        computer=siesta_code.computer,
        filepath_executable=str(siesta_code.filepath_executable),
        label='fragile',
        prepend_text='\n'.join(f'export SIESTA_STANDIN_{name}={value}' for name, value in faults.items()),
    ).store()


def builder_of(code, structure, temperature):
    overrides = {'md': {'dynamics': {'steps': STEPS}}, 'max_steps_per_job': SEGMENT}
    return SiestaMdBaseWorkChain.get_builder_from_protocol(
        code, structure, temperature, 'fast', overrides, OPTIONS, pseudo_family='stand-in'
    )


def test_the_chain(siesta_code, fragile_code, siesta_primitive, submit_and_await, patient_daemon):
    """Nothing of the kill and of the restart is seen in the trajectories: no step is lost or doubled."""
    relax = SiestaRelaxWorkChain.get_builder_from_protocol(
        siesta_code, siesta_primitive, 'fast', options=OPTIONS, pseudo_family='stand-in'
    )
    relaxed = submit_and_await(relax, timeout=300)
    assert relaxed.is_finished_ok, relaxed.exit_message
    supercell = make_supercell(relaxed.outputs.output_structure, Dict())
    assert min(supercell['matrix']['interplanar_distances']) >= 6.5

    temperatures = (500, 667, 1000)
    builders = [builder_of(fragile_code, supercell['structure'], temperature) for temperature in temperatures]
    nodes = [submit_and_await(builder, ProcessState.WAITING, timeout=120) for builder in builders]
    patient_daemon.restart_daemon(wait=True, timeout=120)
    nodes = [submit_and_await(node, timeout=300) for node in nodes]

    killed = 0
    for node, temperature in zip(nodes, temperatures):
        assert node.is_finished_ok, node.exit_message
        trajectory = node.outputs.trajectory
        assert trajectory.get_array('steps').tolist() == list(range(STEPS))
        assert trajectory.base.attributes.get('temperature') == temperature
        jobs = [child for child in node.called if isinstance(child, CalcJobNode)]
        killed += sum(job.exit_status != 0 for job in jobs)
        assert sum(job.outputs.output_parameters['steps'] for job in jobs) == STEPS
        # Verlet's own relation holds across all seams: no step is missing.
        positions, velocities = (trajectory.get_array(name) for name in ('positions', 'velocities'))
        np.testing.assert_allclose(velocities[1:-1], (positions[2:] - positions[:-2]) / 0.002, atol=1e-5)
        start = load_node(supercell['structure'].pk)
        np.testing.assert_allclose(positions[0], [site.position for site in start.sites], atol=1e-9)
    assert killed == 1
