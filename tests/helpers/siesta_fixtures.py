"""Fixtures of the SIESTA tests: the stand-in as a code, pseudopotentials, a small crystal, inputs."""

import io
import shutil

import pytest
from aiida.orm import Dict, InstalledCode, StructureData
from aiida_pseudo.data.pseudo.psf import PsfData
from aiida_pseudo.groups.family import PseudoPotentialFamily
from pymatgen.core import Lattice, Structure

from tests.helpers.siesta_standin import write_launcher

PREFIX = 'SIESTA_STANDIN_'


@pytest.fixture
def siesta_fault(monkeypatch, tmp_path):
    """Makes the stand-in go wrong: jobs on this machine inherit the environment."""

    def set_fault(once=True, **faults):
        for name, value in faults.items():
            monkeypatch.setenv(f'{PREFIX}{name.upper()}', str(value))
        if once:
            monkeypatch.setenv(f'{PREFIX}ONCE', str(tmp_path / 'happened'))

    return set_fault


@pytest.fixture
def siesta_code(aiida_computer_local, tmp_path):
    """The stand-in. Its computer is this one, and need not be spared."""
    computer = aiida_computer_local(label='localhost')
    computer.configure(safe_interval=0)
    return InstalledCode(
        computer=computer,
        filepath_executable=str(write_launcher(tmp_path / 'siesta')),
        label='siesta',
    ).store()


@pytest.fixture
def siesta_pseudos():
    """A family of files that only the stand-in takes for pseudopotentials: it wants them to be there, no more."""
    family = PseudoPotentialFamily.collection.get_or_create(label='stand-in')[0]
    for symbol in sorted({'Li', 'I', 'S', 'B', 'H'} - set(family.elements if family.count() else ())):
        content = io.BytesIO(f' {symbol} pb nrel nc\n'.encode())
        family.add_nodes(PsfData(content, filename=f'{symbol}.psf').store())
    return family


@pytest.fixture
def siesta_crystal():
    """LiI, 8 atoms, the cube of the genuine runs."""
    cube = Structure.from_spacegroup('Fm-3m', Lattice.cubic(6.03), ['Li', 'I'], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return StructureData(pymatgen=cube, label='LiI').store()


@pytest.fixture
def siesta_primitive():
    """LiI, 2 atoms, somewhat too large and not quite in place."""
    cell = [[0, 3.2, 3.2], [3.2, 0, 3.2], [3.2, 3.2, 0]]
    return StructureData(pymatgen=Structure(cell, ['Li', 'I'], [[0.02, 0, 0.01], [0.5, 0.5, 0.5]]), label='LiI').store()


@pytest.fixture
def siesta_md_inputs(siesta_code, siesta_pseudos, siesta_crystal):
    """Makes inputs of ``pesfp.siesta_md``."""

    def make(structure=siesta_crystal, options=None, parameters=None, **dynamics):
        return {
            'code': siesta_code,
            'structure': structure,
            'pseudos': siesta_pseudos.get_pseudos(structure=structure),
            'basis': Dict({'pao-basis-size': 'SZ', 'pao-energy-shift': '0.02 Ry'}),
            'parameters': Dict(
                {'mesh-cutoff': '100 Ry', 'xc-functional': 'GGA', 'xc-authors': 'PBE'} | (parameters or {})
            ),
            'dynamics': Dict({'temperature': 600, 'steps': 10, 'nose_mass': 50} | dynamics),
            'metadata': {
                'options': {'max_wallclock_seconds': 600, 'resources': {'num_machines': 1}} | (options or {}),
            },
        }

    return make


@pytest.fixture
def real_siesta(aiida_computer_local):
    """A real SIESTA of the PATH, as a code."""
    executable = shutil.which('siesta')
    if executable is None:
        pytest.skip('no `siesta` is on the PATH')
    computer = aiida_computer_local(label='localhost')
    return InstalledCode(computer=computer, filepath_executable=executable, label='real-siesta').store()
