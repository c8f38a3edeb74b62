"""The documentation as a site."""

import subprocess
import sys
from pathlib import Path

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
