"""With a real SIESTA, where one is on the PATH."""

import gzip

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import Dict, InstalledCode, Int
from aiida_pseudo.data.pseudo.psf import PsfData
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_pesfp.calculations.siesta_md import SiestaMdCalculation
from aiida_pesfp.workflows.siesta_md import SiestaMdBaseWorkChain
from aiida_pesfp.workflows.siesta_relax import SiestaRelaxWorkChain
from tests.helpers.graph import jobs_of

pytestmark = pytest.mark.siesta

OPTIONS = {'max_wallclock_seconds': 600, 'withmpi': False}
#: Starts SIESTA and kills it, once, as soon as five steps are written.
KILLER = """#!/bin/sh
cat > copy.fdf
"{siesta}" < copy.fdf &
pid=$!
while [ ! -e "{marker}" ] && kill -0 $pid 2>/dev/null; do
    if [ "$(grep -vc '#' aiida.MDE 2>/dev/null || true)" -ge 5 ] 2>/dev/null; then touch "{marker}"; kill -9 $pid; fi
    sleep 0.05
done
wait $pid
"""


@pytest.fixture
def family(shared, tmp_path):
    """The pseudopotentials of ../shared, made a family as the documentation says."""
    folder = tmp_path / 'psf'
    folder.mkdir()
    for path in (shared / 'siesta' / 'psf').glob('*.psf.gz'):
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    label = f'psf-{tmp_path.name}'
    PseudoPotentialFamily.create_from_folder(folder, label, pseudo_type=PsfData)
    return label


@pytest.fixture
def builder_of(real_siesta, family, siesta_crystal):
    def make(steps, code=real_siesta):
        overrides = {'md': {'dynamics': {'steps': steps, 'nose_mass': 50.0}}}
        return SiestaMdBaseWorkChain.get_builder_from_protocol(
            code, siesta_crystal, 600, 'fast', overrides, OPTIONS, pseudo_family=family
        )

    return make


def assert_same(found, expected):
    np.testing.assert_array_equal(found.get_array('steps'), expected.get_array('steps'))
    np.testing.assert_allclose(found.get_array('positions'), expected.get_array('positions'), atol=1e-4)
    np.testing.assert_allclose(found.get_array('conserved'), expected.get_array('conserved'), atol=1e-3)


def test_segments_and_kills_leave_no_trace(builder_of, real_siesta, aiida_computer_local, tmp_path):
    """2 x 10 steps, and a run killed in the middle and continued, are 1 x 20 steps."""
    whole, node = run_get_node(builder_of(20))
    assert node.is_finished_ok, node.exit_message
    builder = builder_of(20)
    builder.max_steps_per_job = Int(10)
    halves, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert_same(halves['trajectory'], whole['trajectory'])

    script = tmp_path / 'killer'
    script.write_text(KILLER.format(siesta=real_siesta.filepath_executable, marker=tmp_path / 'killed'))
    script.chmod(0o755)
    computer = aiida_computer_local(label='localhost')
    killer = InstalledCode(computer=computer, filepath_executable=str(script), label='killer').store()
    killed, node = run_get_node(builder_of(20, killer))
    assert node.is_finished_ok, node.exit_message
    jobs = jobs_of(node)
    assert jobs[0].exit_status == SiestaMdCalculation.exit_codes.ERROR_INTERRUPTED.status
    assert_same(killed['trajectory'], whole['trajectory'])


def test_orbitals_that_cannot_be_split_are_corrected(builder_of):
    """DZP for lithium with an energy shift of 0.03 Ry: "See manual for new split options"."""
    builder = builder_of(2)
    builder.md.basis = Dict({'pao-basis-size': 'DZP', 'pao-energy-shift': '0.03 Ry'})
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    jobs = jobs_of(node)
    assert [job.exit_status for job in jobs] == [SiestaMdCalculation.exit_codes.SPLIT_NORM.status, 0]
    assert results['output_parameters']['steps'] == 2


def test_a_relaxation(real_siesta, family, siesta_primitive):
    overrides = {'relax': {'parameters': {'md-steps': 4}}}
    builder = SiestaRelaxWorkChain.get_builder_from_protocol(
        real_siesta, siesta_primitive, 'fast', overrides, OPTIONS, pseudo_family=family
    )
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert results['output_parameters']['relaxed']
    assert results['output_structure'].get_cell_volume() < siesta_primitive.get_cell_volume()
