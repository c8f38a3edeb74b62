"""The benchmarks are not run by the tests, but they can be imported and say what they do."""

import subprocess
import sys

from tests.helpers import REPOSITORY

FOLDER = REPOSITORY / 'benchmarks'
#: In one process, as importing torch takes seconds.
SCRIPT = """
import importlib, sys
for name in sys.argv[1:]:
    sys.argv = [name, '--help']
    try:
        importlib.import_module(name).main()
    except SystemExit as done:
        assert done.code == 0, name
    else:
        raise AssertionError(f'{name} --help does not end')
"""


def test_every_benchmark_has_help_and_is_described():
    names = sorted(path.stem for path in FOLDER.glob('*.py') if 'def main(' in path.read_text())
    assert len(names) > 10
    command = [sys.executable, '-c', SCRIPT, *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('usage:') == len(names)
    described = (FOLDER / 'README.md').read_text()
    assert [name for name in names if f'`{name}.py`' not in described] == []
