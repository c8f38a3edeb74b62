"""A profile with daemon and broker, and the real ``pesfp-scan`` as a code on this machine."""

import sys
import time
from pathlib import Path

import pytest
from aiida.orm import InstalledCode, load_node

from aiida_pesfp.data.potential import PotentialData
from tests.helpers import REPOSITORY, graph
from tests.helpers.potentials import LENNARD_JONES, write_calculator


@pytest.fixture(scope='session', autouse=True)
def aiida_profile(make_profile):
    """SQLite and the ZeroMQ broker, as ``verdi presto --use-zeromq`` makes them, but for the broker, which runs as long
    as the tests: one of the daemon would be another after each start, and what this process sends would be lost."""
    broker = {'broker_backend': 'core.zeromq', 'broker_config': {'supervised_by_daemon': False}}
    with make_profile(**broker) as profile:
        yield profile


@pytest.fixture(scope='session', autouse=True)
def run_aiida_broker_service(aiida_profile, run_aiida_broker_service_for_profile):
    """The broker of this profile: in one run with the unit tests that of aiida-core looks at theirs, which has none."""
    with run_aiida_broker_service_for_profile(aiida_profile):
        yield


@pytest.fixture
def code(aiida_computer_local):
    """``pesfp-scan`` of this environment."""
    executable = Path(sys.executable).parent / 'pesfp-scan'
    return InstalledCode(
        computer=aiida_computer_local(label='localhost'), filepath_executable=str(executable), label='pesfp-scan'
    ).store()


@pytest.fixture
def codes(code):
    """Codes of the programs of this environment by name."""
    folder = Path(str(code.filepath_executable)).parent
    return {
        name: InstalledCode(computer=code.computer, filepath_executable=str(folder / name), label=name).store()
        for name in ('pesfp-md', 'pesfp-relax', 'pesfp-barrier')
    }


@pytest.fixture
def machine_with(aiida_computer_local, tmp_path):
    """Makes a computer of its own, with codes of programs of this environment as `setup` makes them; its label."""

    def make(*names):
        computer = aiida_computer_local(label=f'machine-{tmp_path.name}')
        computer.configure(safe_interval=0)
        for name in names:
            InstalledCode(
                computer=computer,
                filepath_executable=str(Path(sys.executable).parent / f'pesfp-{name}'),
                label=f'pesfp-{name}',
                default_calc_job_plugin=f'pesfp.{name}',
                prepend_text=f'export PYTHONPATH={REPOSITORY}',
            ).store()
        return computer.label

    return make


@pytest.fixture
def order_code(code):
    """``pesfp-order`` of this environment; one for all tests, as it is found by its label."""
    if found := InstalledCode.collection.find({'label': 'pesfp-order'}):
        return found[0]
    executable = Path(str(code.filepath_executable)).with_name('pesfp-order')
    return InstalledCode(computer=code.computer, filepath_executable=str(executable), label='pesfp-order').store()


@pytest.fixture
def with_test_calculators(monkeypatch):
    """Jobs on this machine inherit the environment: they find the calculators of the tests, and may be killed."""
    monkeypatch.setenv('PYTHONPATH', str(REPOSITORY))
    return monkeypatch


@pytest.fixture
def potential_of(tmp_path):
    """Makes the PotentialData of an ASE calculator by its parameters."""

    return lambda *calculator, **parameters: PotentialData.from_spec(
        str(write_calculator(tmp_path / 'calculator.yaml', *calculator, **parameters))
    )


@pytest.fixture
def potential(potential_of):
    """Lennard-Jones: fast, and good for nothing else."""
    return potential_of(**LENNARD_JONES)


@pytest.fixture
def structures():
    """Three lithium compounds."""
    return graph.structures()


@pytest.fixture
def patient_daemon(started_daemon_client):
    """Stops in its own time: a busy worker needs longer than the fixture of aiida-core waits."""
    yield started_daemon_client
    started_daemon_client.stop_daemon(wait=True, timeout=120)


@pytest.fixture
def status_when(aiida_pesfp):
    """Asks ``aiida-pesfp status`` until a text stands in it, while a process runs; what it printed."""

    def wait(text: str, pk: int, seconds: float = 180) -> str:
        end = time.monotonic() + seconds
        while text not in (printed := aiida_pesfp('status')):
            assert not load_node(pk).is_terminated, printed
            assert time.monotonic() < end, printed
            time.sleep(0.5)
        return printed

    return wait
