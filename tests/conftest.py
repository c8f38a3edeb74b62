"""Fixtures for all tests."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

# Before anything imports aiida: the user's own configuration is none of our business, and each process that runs tests
# side by side with others has one of its own.
os.environ['AIIDA_PATH'] = tempfile.mkdtemp(prefix='pesfp-tests-', dir=os.environ.get('AIIDA_PATH'))

import pytest
from hypothesis import settings

from tests.helpers import SHARED
from tests.helpers.reference import FIGURES

pytest_plugins = ['aiida.tools.pytest_fixtures', 'tests.helpers.siesta_fixtures']

# A busy machine is no error.
settings.register_profile('patient', deadline=None)
settings.load_profile('patient')


def pytest_configure(config):
    """Deprecations in our own code are errors (pytest.ini could not name this class without importing aiida early)."""
    config.addinivalue_line('filterwarnings', 'error::aiida.common.warnings.AiidaDeprecationWarning:aiida_pesfp')


def pytest_terminal_summary(terminalreporter):
    """After ``pytest -m fidelity``: our figures beside the reference, for comparing two versions with diff."""
    if FIGURES and 'fidelity' in terminalreporter.config.option.markexpr:
        terminalreporter.section('fidelity')
        for structure, quantity, ours, expected in FIGURES:
            terminalreporter.write_line(
                f'{structure:32} {quantity:36} {ours:16.8f} {expected:16.8f} {ours - expected:12.3e}'
            )


@pytest.fixture(scope='session')
def make_profile(aiida_config, aiida_profile_factory):
    """Makes and loads a profile. It is the default one, which commands load, also where another was made before it."""

    @contextlib.contextmanager
    def make(**options):
        with aiida_profile_factory(aiida_config, **options) as profile:
            aiida_config.set_default_profile(profile.name, overwrite=True).store()
            yield profile

    return make


@pytest.fixture(scope='session', autouse=True)
def aiida_profile(make_profile):
    """SQLite and no broker; the integration tests have another profile."""
    with make_profile() as profile:
        yield profile


@pytest.fixture(scope='session')
def shared() -> Path:
    """Folder of reference data outside the project."""
    if not (SHARED / 'oracle').is_dir():
        pytest.skip('the reference data (../shared or $PESFP_SHARED) are not on this machine')
    return SHARED


@pytest.fixture(scope='session')
def m3gnet_weights(tmp_path_factory):
    """Name of the paper's potential, whose weights are in the cache: copied from the reference data, or downloaded."""
    import requests

    from aiida_pesfp.errors import PotentialError
    from aiida_pesfp.potentials import identify

    name, published = 'm3gnet-mp-2021.2.8', SHARED / 'weights' / 'MP-2021.2.8-EFS-checkpoint'
    with pytest.MonkeyPatch.context() as patch:
        if published.is_dir():
            cache = tmp_path_factory.mktemp('cache')
            patch.setenv('PESFP_CACHE', str(cache))
            (cache / name).mkdir()
            for file in published.iterdir():
                shutil.copyfile(file, cache / name / file.name)
        try:
            identify(name)
        except PotentialError as error:
            # Only the lack of a network is no failure: damaged weights, a wrong hash or a missing file are.
            if not isinstance(error.__cause__, requests.ConnectionError | requests.Timeout):
                raise
            pytest.skip(f'neither ../shared nor the network has the weights: {error}')
        yield name


@pytest.fixture
def aiida_pesfp():
    """Runs ``aiida-pesfp`` in this process and profile; the result, whose exit status has to be the expected one.

    It is all that a terminal shows; of JSON and CSV, what a file would get.
    """
    from aiida.common import log
    from click.testing import CliRunner

    from aiida_pesfp.cli.main import main

    def run(*arguments, fails: bool = False, command=main):
        result = CliRunner().invoke(command, [str(argument) for argument in arguments])
        # A command configures logging for a process of its own: here reports have to reach the database again.
        log.CLI_ACTIVE = None
        log.configure_logging(with_orm=True)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert (result.exit_code != 0) == fails, result.output
        return result.stdout if {'json', 'csv'} & {*arguments} else result.output

    return run
