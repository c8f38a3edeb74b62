"""The notebooks of the docs and the snippets of the README run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import REPOSITORY
from tests.helpers.documentation import README, blocks, build


@pytest.mark.timeout(1800)  # on a busy machine
def test_notebooks_run(tmp_path):
    site = build(tmp_path)
    assert 'activation energy:' in (site / 'tutorials' / 'activation_energy.html').read_text()
    assert 'ScreenWorkChain' in (site / 'tutorials' / 'screen_a_folder.html').read_text()


@pytest.fixture
def shell(tmp_path):
    """Runs a command in a folder with two of the examples' structures and an AiiDA profile of its own."""
    structures = tmp_path / 'examples' / 'structures'
    structures.mkdir(parents=True)
    for name in ('Li2Te', 'Li2O'):
        (structures / f'{name}.cif').symlink_to(REPOSITORY / 'examples' / 'structures' / f'{name}.cif')
    environment = os.environ | {'AIIDA_PATH': str(tmp_path), 'PYTHONWARNINGS': 'ignore'}
    environment['PATH'] = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])

    def run(command: str) -> str:
        process = subprocess.run(
            ['bash', '-e', '-c', command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout + process.stderr

    return run


@pytest.mark.timeout(1800)
def test_readme_snippets_run(shell, tmp_path):
    """All blocks but the two commands, one after the other, as a reader would run them."""
    install, tests, scan, screen = blocks(README, 'bash')
    assert 'examples/quickstart.sh' in install
    assert tests == 'bash tests/run.sh'

    output = shell(scan)
    # What the README shows stands in the output, but for the time that it took.
    shown = [line.rsplit(maxsplit=1)[0] for line in blocks(README, '')[0].splitlines() if line.startswith('Li2')]
    assert len(shown) == 2
    assert all(line in output for line in shown)
    assert (tmp_path / 'results' / 'Li2Te' / 'pes.npz').exists()

    shell('verdi presto --profile-name readme --non-interactive && aiida-pesfp setup')
    ranked = shell(screen).split('Success: finished')[-1]
    assert 'Li2Te' in ranked

    (script,) = blocks(README, 'python')
    (tmp_path / 'query.py').write_text(script)
    (line,) = shell('verdi run query.py').splitlines()
    assert line.split()[:2] == ['Li2Te', 'Xi']
