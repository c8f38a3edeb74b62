"""The documentation as a site."""

import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / 'docs'


def test_site_is_built_without_a_warning(tmp_path):
    command = [
        sys.executable,
        '-m',
        'sphinx',
        '-W',
        '--keep-going',
        '-q',
        '-d',
        tmp_path / 'trees',
        DOCS,
        tmp_path / 'site',
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    pages = {path.stem for path in DOCS.glob('*.md')}
    assert pages == {path.stem for path in (tmp_path / 'site').glob('*.html')} - {'genindex', 'search'}


def test_exit_codes_are_those_of_the_processes():
    """Every exit code has its advice, every advice its exit code, and the page is made from both as they are."""
    script = runpy.run_path(str(DOCS / 'exit_codes.py'))
    assert script['page']() == script['PAGE'].read_text(), 'run python docs/exit_codes.py'


@pytest.mark.parametrize('group', ['aiida.data', 'aiida.calculations', 'aiida.workflows'])
def test_reference_names_every_node_type_and_process(group):
    text = (DOCS / 'reference.md').read_text()
    points = metadata.distribution('aiida-pesfp').entry_points.select(group=group)
    # Functions of one part are listed by their last names, behind what they have in common.
    missing = [
        point.name for point in points if f'`{point.name}`' not in text and f'`{point.name.split(".")[-1]}`' not in text
    ]
    assert not missing
