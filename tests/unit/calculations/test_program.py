"""The command line of a job of a program."""

import pytest
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.orm import RemoteData, StructureData

from aiida_pesfp.calculations.scan import ScanCalculation, batch_of
from aiida_pesfp.cli.launch.options import LaunchOptions
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.memory import LIMIT_VARIABLE
from aiida_pesfp.workflows.scan import ScanBaseWorkChain
from tests.helpers.crystals import rock_salt


@pytest.fixture
def prepared(aiida_code_installed):
    """What a scan job with some options of ``aiida-pesfp launch`` tells the engine."""

    def prepare(job_options=None, parent=None, **options):
        structure = StructureData(pymatgen=rock_salt('Li', 'Cl', 5.13))
        chosen = dict.fromkeys(LaunchOptions.NAMES) | {'num_machines': 1} | options
        builder = ScanBaseWorkChain.get_builder_from_protocol(
            aiida_code_installed(default_calc_job_plugin='pesfp.scan', filepath_executable='/bin/true'),
            {'LiCl': structure},
            PotentialData.from_spec('sevennet-0').store(),
            options=LaunchOptions(**chosen).jobs,
        )
        builder.scan.metadata.options.update(job_options or {})
        inputs = builder.scan._inputs(prune=True) | {'batch': batch_of({'LiCl': structure})}
        if parent is not None:
            inputs['parent_folder'] = parent
        job = instantiate_process(get_manager().get_runner(), ScanCalculation, **inputs)
        with SandboxFolder() as folder:
            return job.prepare_for_submission(folder), builder

    return prepare


@pytest.mark.parametrize('trust', [True, None])
def test_only_who_says_so_trusts_weights(prepared, trust):
    """What ``aiida-pesfp launch --trust-weights`` chooses comes to the program; nothing is kept with the potential."""
    info, builder = prepared(trust_weights=trust)
    [code] = info.codes_info
    assert ('--trust-weights' in code.cmdline_params) == bool(trust)
    assert 'trusted' not in builder.scan.potential.base.attributes.all


def test_a_job_tells_its_program_how_much_memory_it_got(prepared, aiida_localhost):
    """The direct scheduler enforces no ``max_memory_kb``."""
    exported = f'export {LIMIT_VARIABLE}=2000000'
    info, _ = prepared({'max_memory_kb': 2_000_000})
    assert info.prepend_text == exported
    info, _ = prepared()
    assert not info.prepend_text
    info, _ = prepared({'max_memory_kb': 2_000_000}, RemoteData(computer=aiida_localhost, remote_path='/earlier'))
    assert info.prepend_text == f'{exported}\nrm -f results/run.json'
