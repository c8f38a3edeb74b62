"""Genuine SIESTA runs, and the stand-in as a program."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers import DATA, REPOSITORY


@pytest.fixture(scope='session')
def genuine() -> Path:
    """Folder of genuine runs."""
    return DATA / 'siesta'


@dataclass
class Finished:
    """A run that has ended, in its folder."""

    folder: Path
    code: int

    def read(self, name: str) -> str:
        """Text of a file."""
        return (self.folder / name).read_text()

    def lines(self, name: str) -> list[str]:
        """Lines of a file."""
        return self.read(name).splitlines()


@pytest.fixture
def siesta(tmp_path):
    """Runs the stand-in on an input text in a named folder, with faults by their names in small letters."""
    return runner(tmp_path)


@pytest.fixture(scope='module')
def run_siesta(tmp_path_factory):
    """The same for runs that several tests share."""
    return runner(tmp_path_factory.mktemp('shared'))


def runner(root: Path):
    """A function that runs the stand-in in folders below ``root``."""

    def run(fdf: str, name: str = 'run', carry: tuple[Finished, tuple[str, ...]] | None = None, **faults) -> Finished:
        folder = root / name
        folder.mkdir(exist_ok=True)
        for label in ('Li', 'I', 'S'):
            (folder / f'{label}.psf').touch()
        for file in carry[1] if carry else ():
            (folder / file).write_bytes((carry[0].folder / file).read_bytes())
        environment = {key: value for key, value in os.environ.items() if not key.startswith('SIESTA_STANDIN_')}
        environment |= {'PYTHONPATH': str(REPOSITORY), 'OMP_NUM_THREADS': '1'}
        environment |= {f'SIESTA_STANDIN_{key.upper()}': str(value) for key, value in faults.items()}
        with (folder / 'siesta.out').open('w') as out, (folder / 'siesta.err').open('w') as err:
            done = subprocess.run(
                [sys.executable, '-m', 'tests.helpers.siesta_standin'],
                input=fdf,
                text=True,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=environment,
                check=False,
            )
        return Finished(folder, done.returncode)

    return run
