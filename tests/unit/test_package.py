"""Promises of the package as a whole."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import aiida_pesfp

FOLDER = Path(aiida_pesfp.__file__).parent
AIIDA_SIDE = ('data', 'calculations', 'parsers', 'workflows', 'report', 'cli')
COMPUTE_SIDE = ('fingerprint', 'potentials', 'transport', 'evaluation', 'runners')
NEITHER = ('sources',)


def modules(*folders):
    """Names of all modules in some folders of the package."""
    paths = [path for folder in folders for path in sorted((FOLDER / folder).rglob('*.py'))]
    names = ['.'.join(path.relative_to(FOLDER.parent).with_suffix('').parts) for path in paths]
    return [name.removesuffix('.__init__') for name in names]


@pytest.mark.parametrize(
    ('folders', 'unwanted'),
    [
        (AIIDA_SIDE, ('torch', 'sevenn', 'matgl')),
        (COMPUTE_SIDE, ('aiida',)),
        (NEITHER, ('aiida', 'torch', 'mp_api', 'optimade')),
    ],
)
def test_either_side_does_without_the_other(folders, unwanted):
    """Importing all of the AiiDA side loads no torch; importing all of the compute side loads no aiida."""
    names = modules(*folders)
    assert len(names) > 3
    script = f'import importlib, sys\nfor name in {names}: importlib.import_module(name)\n'
    script += f'print([name for name in sys.modules if name.split(".")[0] in {unwanted}])'
    process = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip().splitlines()[-1] == '[]'


def test_entry_points_load_and_have_our_prefix():
    found = [point for point in metadata.distribution('aiida-pesfp').entry_points if point.group.startswith('aiida.')]
    assert len(found) >= 8
    for point in found:
        assert point.name.startswith('pesfp.')
        assert point.load() is not None


def test_version_is_the_same_everywhere():
    assert metadata.version('aiida-pesfp') == aiida_pesfp.__version__
