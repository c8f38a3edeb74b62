"""Damaged trajectories: an error of ours or the right number, within seconds. ``PESFP_FUZZ=10000`` tries that many."""

import os
import resource
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from aiida_pesfp.errors import PesfpError
from aiida_pesfp.settings.diffusion import DiffusionSettings
from aiida_pesfp.trajectories.files import read_trajectory
from aiida_pesfp.transport.conductivity import analyse
from tests.helpers.walks import CELL, brownian

COUNT = int(os.environ.get('PESFP_FUZZ', '400'))
#: Most seconds and bytes for one file.
SECONDS, BYTES = 10, 2 * 2**30
SETTINGS = DiffusionSettings(window=3.0, fit_start=0.5)
TOKENS = (
    *('nan', 'inf', '-1', '0', '*****', '1e300', '99999999999', '1e8', 'Li', '', '"', '-', '.', 'T', '\x00', 'ü'),
    *('ITEM: TIMESTEP', 'Direct configuration=', 'Lattice="', 'step=', 'time=', '1.5-2.5'),
)


def write_run(folder, form):
    """A walk in one format, and what is to be given beside it."""
    walk = brownian(np.random.default_rng(0), duration=9.0, atoms=8)
    path, inverse = folder / form, np.linalg.inv(CELL)
    images = [Atoms(walk.symbols, positions=places, cell=CELL, pbc=True) for places in walk.positions]
    if form in ('run.extxyz', 'run.traj'):
        for k, atoms in enumerate(images):
            atoms.wrap()
            atoms.info = {'step': 50 * k, 'time_ps': 0.1 * k}
        write(path, images)
    elif form == 'XDATCAR':
        rows = ['walk', '1.0', *('{:.6f} {:.6f} {:.6f}'.format(*row) for row in CELL), 'Li S', '8 8']
        for k, places in enumerate(walk.positions):
            rows += [f'Direct configuration= {50 * k + 50:6d}']
            rows += ['{:12.8f}{:12.8f}{:12.8f}'.format(*row) for row in places @ inverse % 1]
        path.write_text('\n'.join(rows) + '\n')
    elif form == 'run-pos-1.xyz':
        with path.open('w') as file:
            for k, places in enumerate(walk.positions):
                file.write(f'{len(places)}\n i = {50 * k:8d}, time = {100 * k:12.3f}, E = -17.2\n')
                file.writelines('{} {:.6f} {:.6f} {:.6f}\n'.format(s, *row) for s, row in zip(walk.symbols, places))
    else:
        with path.open('w') as file:
            for k, places in enumerate(walk.positions):
                file.write(f'ITEM: TIMESTEP\n{50 * k}\nITEM: NUMBER OF ATOMS\n{len(places)}\n')
                file.write('ITEM: BOX BOUNDS xy xz yz pp pp pp\n-1 14 2\n0 12.5 -1\n0 13 1.5\n')
                file.write('ITEM: ATOMS id type x y z ix iy iz\n')
                scaled = places @ inverse
                for i, (row, turns) in enumerate(zip(scaled % 1 @ CELL, np.floor(scaled).astype(int))):
                    file.write('{} {} {:.6f} {:.6f} {:.6f} {} {} {}\n'.format(i + 1, 1 + i // 8, *row, *turns))
    return path.read_bytes(), walk


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """One or two faults as files of the real world have them."""
    for _ in range(rng.integers(1, 3)):
        lines = content.splitlines(keepends=True) or [b'']
        # Half of the faults lie within the first lines, where the heads are.
        k = int(rng.integers(min(len(lines), 30) if rng.random() < 0.5 else len(lines)))
        length, words = int(rng.integers(1, 40)), lines[k].split()
        place = int(rng.integers(len(content))) if content else 0
        token = str(rng.choice(TOKENS)).encode()
        kind = rng.integers(12)
        if kind == 0:
            lines[k : k + length] = []
        elif kind == 1:
            lines[k:k] = lines[k : k + length]
        elif kind == 2:
            other = int(rng.integers(len(lines)))
            lines[k], lines[other] = lines[other], lines[k]
        elif kind == 3 and words:
            words[int(rng.integers(len(words)))] = token
            lines[k] = b' '.join(words) + b'\n'
        elif kind == 4 and words:
            del words[int(rng.integers(len(words)))]
            lines[k] = b' '.join(words) + b'\n'
        elif kind == 5:
            lines[k] = lines[k].replace(b' ', b'')
        elif kind == 6:
            lines = [content[:place]]
        elif kind == 7:
            lines = [content[:place], bytes([rng.integers(256)]), content[place + 1 :]]
        elif kind == 8:
            lines = [content[:place], content[place + length * 10 :]]
        elif kind == 9:
            lines[k] = token + b'\n'
        elif kind == 10:
            lines = [content.replace(b'\n', b'\r\n')]
        elif kind == 11:
            lines = lines[k:]
        content = b''.join(lines)
    return content


@pytest.mark.timeout(3600)
@pytest.mark.parametrize('form', ['run.extxyz', 'XDATCAR', 'run-pos-1.xyz', 'run.lammpstrj', 'run.traj'])
def test_damaged_files(tmp_path, form):
    content, walk = write_run(tmp_path, form)
    expected = analyse(walk, 'Li', 500.0, settings=SETTINGS).value
    options = {'cell': CELL if form == 'run-pos-1.xyz' else None, 'types': ['Li', 'S']}
    path, rng, wrong, right = tmp_path / f'damaged_{form}', np.random.default_rng(0), [], 0
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, before[1]))
    try:
        for number in range(COUNT // 5):
            path.write_bytes(damage(content, rng))
            start = time.monotonic()
            try:
                found, notes = read_trajectory([path], 2.0, **options)
                found = analyse(found, 'Li', 500.0, settings=SETTINGS).value
                right += 1
                if not abs(found / expected - 1) < 0.5 and not any('fault of the file' in note for note in notes):
                    wrong.append(f'{number}: {found:.2g} S/cm for {expected:.2g}')
            except PesfpError as error:
                if '\n' in str(error) or not str(error):
                    wrong.append(f'{number}: {error}')
            except BaseException as error:  # nothing else may come out
                wrong.append(f'{number}: {error!r}')
            if time.monotonic() - start > SECONDS:
                wrong.append(f'{number}: {time.monotonic() - start:.0f} s')
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert right > COUNT // 300
    assert wrong == []
