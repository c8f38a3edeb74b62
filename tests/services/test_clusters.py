"""What the docs' page for clusters says, line by line, and what goes wrong on a cluster: nothing is lost."""

import json
import os
import re
import shlex
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from aiida.manage.configuration import load_profile
from aiida.orm import load_node
from aiida.schedulers import JobState

from aiida_pesfp.workflows.screen import ScreenWorkChain
from tests.helpers import REPOSITORY
from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.documentation import DOCS, blocks
from tests.helpers.graph import jobs_of
from tests.helpers.potentials import LENNARD_JONES, write_calculator

PAGE = DOCS / 'howto' / 'clusters.md'
PROFILE, DAEMON, CODES, SSH, LAUNCH, WATCH = blocks(PAGE, 'bash')
CALCULATORS = {
    # Slow enough that something can happen to a job while it runs.
    'lj': ('SlowAbove', {'atoms': 0, 'seconds': 0.05}),
    'slow': ('SlowAbove', {'atoms': 0, 'seconds': 0.25}),
    'hungry': ('HungryAbove', {'atoms': 2, 'megabytes': 1500}),
}
#: Of these the potential `hungry` takes the last for large.
CRYSTALS = {'LiF': rock_salt('Li', 'F', 5.1), 'LiCl': rock_salt('Li', 'Cl', 5.1), 'Li2O': antifluorite('Li', 'O', 6.0)}


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    """Structures, potentials and the files of the page; the working directory of all that follows."""
    folder = tmp_path_factory.mktemp('cluster')
    for name, (calculator, parameters) in CALCULATORS.items():
        path, calculator = folder / f'{name}.yaml', f'tests.helpers.calculators.{calculator}'
        write_calculator(path, calculator, **parameters, **LENNARD_JONES)
    (folder / 'crystals').mkdir()
    for name, crystal in CRYSTALS.items():
        crystal.to(folder / 'crystals' / f'{name}.cif')
    for text in blocks(PAGE, 'yaml'):
        if name := re.match(r'# (\w+\.yaml)', text):
            (folder / name[1]).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope='session')
def shell(folder):
    """Runs commands as a person would; what they printed."""
    environment = os.environ | {'AIIDA_PATH': str(folder), 'PYTHONPATH': str(REPOSITORY), 'PYTHONWARNINGS': 'ignore'}

    def run(command: str) -> str:
        done = subprocess.run(['bash', '-e', '-c', command], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f'{command}\n{done.stdout}{done.stderr}'
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope='session', autouse=True)
def aiida_config(folder, shell, aiida_config_factory):
    """That of the page: profile, daemon, computer and codes. And potentials."""
    shell(PROFILE)
    # AiiDA tries again five times what a computer refuses: within 15 s, not 5 min.
    shell('verdi config set transport.task_retry_initial_interval 1')
    shell(DAEMON)
    shell(CODES)
    for name in CALCULATORS:
        shell(f'aiida-pesfp potential install {name}.yaml')
    with aiida_config_factory(folder) as config:
        yield config


@pytest.fixture(scope='session', autouse=True)
def aiida_profile(aiida_config):
    return load_profile('cluster')


def until(condition, seconds: float = 240):
    """Waits for a value that counts as true, and returns it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            told = subprocess.run('squeue; sacct; verdi process list -a', shell=True, capture_output=True, text=True)
            raise AssertionError(told.stdout)
        time.sleep(0.3)
    return found


@pytest.fixture
def launch(aiida_pesfp, folder):
    """Launches as the page does, on a coarse grid, with further options of the command and of the jobs; the process."""

    def launch(*options, command: str = LAUNCH, **of_jobs):
        inputs = yaml.safe_load((folder / 'job.yaml').read_text())
        inputs |= {'reuse': False}  # all tests screen the same structures
        inputs['scan']['parameters'] = {'spacing': 0.8}
        inputs['scan']['metadata']['options'] |= of_jobs
        path = folder / 'changed.yaml'
        path.write_text(yaml.safe_dump(inputs))
        printed = aiida_pesfp(*shlex.split(command.replace('\\\n', ''))[1:], '--overrides', path, *options)
        return load_node(int(re.search(r'WorkChain<(\d+)>', printed)[1]))

    return launch


def numbers_of(screening) -> dict:
    """Xi and MPE of a screening that has ended well, by structure."""
    until(lambda: screening.is_terminated)
    assert screening.is_finished_ok, screening.exit_message
    return {key: (node['xi'], node['mpe']) for key, node in screening.outputs.descriptors.items()}


def script_of(job) -> str:
    return job.base.repository.get_object_content('_aiidasubmit.sh').replace("'", '')


def statuses(process) -> list[int]:
    return [job.exit_status for job in jobs_of(process)]


@pytest.fixture(scope='session')
def expected(shell):
    """Numbers of a scan on this machine, by structure, with the 14 digits that AiiDA stores."""
    printed = shell('pesfp-scan crystals --potential lj.yaml --spacing 0.8 --json -q 2>/dev/null')
    return {
        Path(one['structure']).stem: tuple(float(f'{one[name]:.14g}') for name in ('xi', 'mpe'))
        for one in json.loads(printed)
    }


def test_screening_of_the_page(launch, expected, shell):
    screening = launch()
    for line in WATCH.splitlines():
        shell(line)
    assert numbers_of(screening) == expected
    assert statuses(screening) == [0, 0]
    assert '#SBATCH --gres=gpu:1' in script_of(jobs_of(screening)[0])
    assert shell('srun --account me --gres gpu:1 printenv CUDA_VISIBLE_DEVICES') == '0\n'


def test_by_ssh(launch, expected, shell):
    shell(SSH.replace('--safe-interval 10', '--safe-interval 1'))
    # Jobs do not have the environment of the daemon, which finds the calculators of the tests.
    screening = launch('--code', 'pesfp-scan@by-ssh', prepend_text=f'export PYTHONPATH={REPOSITORY}')
    assert numbers_of(screening) == expected


def running(shell) -> list[str]:
    """The numbers of running jobs of Slurm, as soon as there is one."""
    return until(lambda: shell('squeue -h -t R -o %i').split())


@pytest.mark.parametrize(
    'misfortune',
    ['scancel {}', 'scontrol update node=cluster state=down reason=test && scontrol update node=cluster state=resume'],
    ids=['cancelled', 'node failure'],
)
def test_lost_jobs_cost_time_only(launch, expected, shell, misfortune):
    screening = launch()
    shell(misfortune.format(running(shell)[0]))
    assert numbers_of(screening) == expected
    found = statuses(screening)
    assert set(found) == {0, 420}
    assert len(found) in (3, 4)


def test_what_slurm_stops(launch, expected, tmp_path):
    """A job that hangs, at its walltime, which Slurm rounds up to a minute: it never looks at its own clock. And beside
    it one that lacks memory, whose batches become smaller: where that does not help, it costs itself only."""
    hangs_once = f'mkdir {tmp_path}/hung 2>/dev/null && sleep 300'
    hung = launch('--walltime', '1min', prepend_text=hangs_once)
    options = ('--structures-per-job', '1', '--potential', 'hungry')
    hungry = launch(*options, command=LAUNCH.replace('--potential lj', ''))
    assert numbers_of(hung) == expected
    assert sorted(statuses(hung)) == [0, 0, 400]
    [stopped] = (job for job in jobs_of(hung) if job.exit_status == 400)
    assert '|TIMEOUT|' in stopped.get_detailed_job_info()['stdout']

    until(lambda: hungry.is_terminated)
    assert hungry.exit_status == ScreenWorkChain.exit_codes.ERROR_STRUCTURES_LOST.status, hungry.exit_message
    found = {key: (node['xi'], node['mpe']) for key, node in hungry.outputs.descriptors.items()}
    assert found == {key: value for key, value in expected.items() if key != 'Li2O'}
    reason = hungry.outputs.rejected['Li2O']
    assert reason['error_type'] == 'JobLost'
    assert 'killed for its use of memory' in reason['reason']
    sizes = [re.search(r'--batch-size[= ](\d+)', script_of(job)) for job in jobs_of(hungry) if job.exit_status == 410]
    assert [size and size[1] for size in sizes] == [None, '8', '2', '1', '1']


def paused(process) -> list:
    """The jobs of a process that AiiDA has paused, if none is left that it tries to submit."""
    jobs = jobs_of(process)
    return jobs if jobs and all(job.paused for job in jobs) else []


def test_a_full_queue_costs_time_only(launch, expected, shell, aiida_pesfp):
    """`sbatch` is refused, and the jobs are paused until they are played."""
    shell('sacctmgr -i modify user root where account=me set maxsubmitjobs=0')
    try:
        screening = launch()
        jobs = until(lambda: paused(screening))
        told = aiida_pesfp('status', screening.pk)
    finally:
        shell('sacctmgr -i modify user root where account=me set maxsubmitjobs=8')
    assert 'Job violates accounting/QOS policy' in told
    assert '2 processes are paused' in told
    assert all(str(job.pk) in told.partition('verdi process play')[2] for job in jobs)
    shell('verdi process play --all')
    assert numbers_of(screening) == expected
    assert statuses(screening) == [0, 0]


def test_a_scheduler_that_is_not_there(launch, shell, aiida_pesfp):
    for name in ('cluster.yaml', 'scan.yaml'):
        changed = Path(name).read_text().replace('cluster', 'nowhere').replace('core.slurm', 'core.pbspro')
        Path(f'nowhere_{name}').write_text(changed)
    shell('verdi computer setup --non-interactive --config nowhere_cluster.yaml')
    shell('verdi computer configure core.local nowhere --non-interactive')
    assert 'qstat: command not found' in shell('verdi computer test nowhere')
    shell('verdi code create core.code.installed --non-interactive --config nowhere_scan.yaml')
    screening = launch('--code', 'pesfp-scan@nowhere')
    until(lambda: paused(screening))
    told = aiida_pesfp('status', screening.pk)
    assert 'qsub: command not found' in told
    shell(f'verdi process kill {screening.pk}')
    until(lambda: screening.is_terminated)


def test_dynamics_go_on_in_further_jobs(aiida_pesfp, folder, shell):
    """Cancelled, then stopped before their walltime, they end with the numbers of one job."""
    inputs = {'md': {'dynamics': {'stride': 1}}, 'supercell': {'minimum_distance': 4.0}}
    inputs['md']['metadata'] = yaml.safe_load((folder / 'job.yaml').read_text())['scan']['metadata']
    (folder / 'md.yaml').write_text(yaml.safe_dump(inputs))
    common = 'conductivity crystals/LiCl.cif --submit --code pesfp-md@cluster --no-relax --protocol fast -t 600'
    common += ' --picoseconds 0.24 --overrides md.yaml --queue gpu --account me'

    def launch(*options):
        return load_node(int(re.search(r'WorkChain<(\d+)>', aiida_pesfp('launch', *common.split(), *options))[1]))

    one_job = launch('--potential', 'lj', '--walltime', '10min')
    several = launch('--potential', 'slow', '--walltime', '30s')
    shell(f'scancel --name aiida-{running_job_of(several).pk}')
    until(lambda: one_job.is_terminated and several.is_terminated)
    assert statuses(one_job) == [0]
    cancelled, *stopped, last = statuses(several)
    assert (cancelled, set(stopped), last) == (420, {400}, 0)
    ends = [process.outputs.trajectories.T600K.get_positions()[-1] for process in (one_job, several)]
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-10)


def running_job_of(process):
    """The job of a process, as soon as AiiDA knows that it runs."""

    def known():
        found = jobs_of(process)
        told = found and found[0].get_last_job_info()
        return found[0] if told and told.job_state == JobState.RUNNING else None

    return until(known)
