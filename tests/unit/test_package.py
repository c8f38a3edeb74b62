"""Promises of the package as a whole."""

import ast
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import aiida_pesfp
from tests.helpers import REPOSITORY

HELPERS = 'tests.helpers.'
FOLDER = Path(aiida_pesfp.__file__).parent
AIIDA_SIDE = ('data', 'calculations', 'parsers', 'workflows', 'queries', 'report', 'cli')
COMPUTE_SIDE = (
    *('settings', 'tables', 'crystals', 'fingerprint', 'potentials', 'trajectories', 'transport', 'assessment'),
    *('barriers', 'programs'),
)
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


def test_only_queries_ask_the_graph():
    asking = {path.parent.name for path in FOLDER.rglob('*.py') if 'QueryBuilder' in path.read_text()}
    assert asking == {'queries'}


#: Each imports only from those before it.
FLOORS = (
    *(
        'errors',
        'expressions',
        'text',
        'memory',
        'settings',
        'tables',
        'crystals',
        'fingerprint',
        'trajectories',
        'potentials',
    ),
    *('barriers', 'sources', 'transport', 'assessment', 'programs', 'data', 'calculations', 'parsers', 'queries'),
    *('workflows', 'report', 'cli'),
)


def test_imports_run_one_way():
    upwards = []
    for path in FOLDER.rglob('*.py'):
        own = path.relative_to(FOLDER).parts[0].removesuffix('.py')
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith('aiida_pesfp.'):
                other = node.module.split('.')[1]
                if other != own and FLOORS.index(other) > FLOORS.index(own):
                    upwards.append(f'{path.relative_to(FOLDER)} imports {node.module}')
    assert upwards == []


def test_entry_points_load_and_have_our_prefix():
    found = [point for point in metadata.distribution('aiida-pesfp').entry_points if point.group.startswith('aiida.')]
    assert len(found) >= 8
    for point in found:
        assert point.name.startswith('pesfp.')
        assert point.load() is not None


def test_tests_and_benchmarks_import_only_helpers():
    """No test imports from another test: what several need is in ``tests/helpers``."""
    for folder in ('tests', 'benchmarks'):
        for path in (REPOSITORY / folder).rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [node.module] if isinstance(node, ast.ImportFrom) else getattr(node, 'names', [])
                names = [getattr(name, 'name', name) or '' for name in names]
                wrong = [name for name in names if name.split('.')[0] == 'tests' and not f'{name}.'.startswith(HELPERS)]
                assert not wrong, f'{path} imports {wrong}'


def test_version_is_the_same_everywhere():
    assert metadata.version('aiida-pesfp') == aiida_pesfp.__version__


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The package as others install it."""
    folder = tmp_path_factory.mktemp('wheel')
    pip('wheel', '--no-build-isolation', '--wheel-dir', str(folder), str(FOLDER.parent))
    (path,) = folder.glob('*.whl')
    return path


def pip(command, *arguments):
    call = [sys.executable, '-m', 'pip', '--disable-pip-version-check', command, '--no-deps', '--no-index', *arguments]
    process = subprocess.run(call, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


def test_wheel_holds_every_file_of_the_package(wheel):
    """Protocols and templates too, which no import would miss."""
    own = {
        path.relative_to(FOLDER.parent).as_posix()
        for path in FOLDER.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }
    assert {Path(name).suffix for name in own} >= {'.py', '.yaml', '.html', '.css', '.js'}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if '.dist-info/' not in name}
    assert packed == own


def test_wheel_installs_and_all_its_entry_points_load(wheel, tmp_path):
    """What the registry of AiiDA plugins asks for; the installed copy is imported, not this checkout."""
    pip('install', '--quiet', '--target', str(tmp_path), str(wheel))
    script = f"""
from importlib import metadata
import aiida_pesfp
assert aiida_pesfp.__file__.startswith({str(tmp_path)!r}), aiida_pesfp.__file__
(found,) = metadata.distributions(name='aiida-pesfp', path=[{str(tmp_path)!r}])
classifiers = found.metadata.get_all('Classifier')
assert 'Framework :: AiiDA' in classifiers, classifiers
points = found.entry_points
for point in points:
    assert point.load() is not None
print(*(point.name for point in points if point.group.startswith('aiida.')))
"""
    process = subprocess.run(
        [sys.executable, '-c', script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': str(tmp_path)},
    )
    assert process.returncode == 0, process.stderr
    names = process.stdout.split()
    assert len(names) > 40
    assert all(name.startswith('pesfp.') for name in names)
