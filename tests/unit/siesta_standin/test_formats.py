"""The writers give back genuine files byte for byte."""

import re

import numpy as np
import pytest
from scipy.io import FortranFile

from tests.helpers.siesta_standin import formats, report
from tests.helpers.siesta_standin.fdf import Fdf, read_crystal
from tests.helpers.siesta_standin.nose import Thermostat, nose_step, old_positions
from tests.helpers.siesta_standin.units import ANGSTROM, EV, KBAR

DYNAMICS = ('01_nose_md', '02c_restart10', '08_scf_nonconv', '14_li2s_alias', '15_xml_walltime')


@pytest.fixture(params=DYNAMICS)
def folder(genuine, request):
    """A genuine run of molecular dynamics."""
    return genuine / request.param


@pytest.fixture
def crystal(folder):
    """What it simulates."""
    return read_crystal(Fdf.parse((folder / 'input.fdf').read_text()))


def read_md(path, n_atoms):
    """Steps, positions and velocities of an .MD file with a fixed cell, by scipy."""
    record = np.dtype([('step', '<i4'), ('positions', '<f8', (n_atoms, 3)), ('velocities', '<f8', (n_atoms, 3))])
    steps = []
    with FortranFile(path) as file:
        size = path.stat().st_size // (record.itemsize + 8)
        for _ in range(size):
            steps.append(file.read_record(record)[0])
    return tuple([step[name] for step in steps] for name in record.names)


def numbers(lines):
    """The numbers of some lines."""
    return np.array([line.split() for line in lines], dtype=float)


def crystal_masses(crystal, folder):
    """SIESTA's masses, which differ from ASE's in the fourth digit."""
    found = re.findall(r'^(\w+) +Z= +\d+ +Mass= +([\d.]+)', (folder / 'siesta.out').read_text(), re.MULTILINE)
    return np.array([float(dict(found)[label]) for label in crystal.labels])


def test_md(folder, crystal):
    path = folder / 'siesta.MD'
    steps = read_md(path, len(crystal.numbers))
    assert len(steps[0]) >= 3
    assert b''.join(formats.md_record(*step) for step in zip(*steps)) == path.read_bytes()


def test_mde(folder):
    header, *lines = (folder / 'siesta.MDE').read_text().splitlines(keepends=True)
    assert header == formats.MDE_HEADER
    for line in lines:
        step, temperature, energy, conserved, volume, pressure = map(float, line.split())
        again = formats.mde_line(
            int(step), temperature, energy * EV, conserved * EV, volume * ANGSTROM**3, pressure * KBAR
        )
        assert again == line


def test_frames(folder, crystal):
    _, positions, _ = read_md(folder / 'siesta.MD', len(crystal.numbers))
    frames = ''.join(formats.ani_frame(crystal.symbols, frame) for frame in positions)
    assert frames == (folder / 'siesta.ANI').read_text()


def test_restart_files(folder, crystal):
    text = (folder / 'siesta.XV').read_text()
    cell, positions, velocities = formats.read_xv(text)
    assert formats.xv(crystal.species, crystal.numbers, cell, 0 * cell, positions, velocities) == text

    text = (folder / 'siesta.NOSE_RESTART').read_text()
    timestep, s, s_old, before = formats.read_nose_restart(text)
    assert formats.nose_restart(timestep, s, s_old, crystal.numbers, before) == text

    structure = formats.structure(crystal.species, crystal.numbers, crystal.cell, before)
    assert structure == (folder / 'siesta.STRUCT_OUT').read_text()


def test_main_output(folder, crystal):
    output = (folder / 'siesta.out').read_text()
    _, frames, _ = read_md(folder / 'siesta.MD', len(crystal.numbers))
    for step, frame in enumerate(frames[:-1], start=2):
        # Frame k of the .MD file is what the main output calls step k + 1.
        crystal.positions = frame
        text = report.banner(step, 'MD step') + '\n' + report.coordinates(crystal, 'Fractional')
        assert output.count(text) == 1


def test_mde_of_wild_numbers():
    line = formats.mde_line(1_000_000, 1e9, np.nan, np.inf, -1e12, 0.0)
    assert line == '****** *********           NaN      Infinity ***********       0.000\n'


def test_integrator_follows_the_genuine_trajectory(folder, crystal):
    """Positions from the forces in the main output (six digits): 1e-6 eV/A move lithium by 1e-7 Bohr in 1 fs."""
    fdf = Fdf.parse((folder / 'input.fdf').read_text())
    _, frames, velocities = read_md(folder / 'siesta.MD', len(crystal.numbers))
    table = (folder / 'siesta.out').read_text().split('siesta: Atomic forces (eV/Ang):\n')
    forces = [
        numbers(part.splitlines()[: len(crystal.numbers)])[:, 1:] * EV / ANGSTROM for part in table[1 : 1 + len(frames)]
    ]
    energies = numbers((folder / 'siesta.MDE').read_text().splitlines()[1:])

    target, mass = fdf.physical('MD.TargetTemperature', 0, 'K'), fdf.physical('MD.NoseMass', 0, 'Ry*fs**2')
    thermostat, before = Thermostat(target, mass, 1.0), None
    if folder.name == '02c_restart10':
        previous = folder.parent / '02b_first10'
        _, thermostat.s, thermostat.s_old, before = formats.read_nose_restart(
            (previous / 'siesta.NOSE_RESTART').read_text()
        )
        _, crystal.positions, _ = formats.read_xv((previous / 'siesta.XV').read_text())
    masses = crystal_masses(crystal, folder)
    positions = crystal.positions
    for step in range(len(frames)):
        if before is None:
            before = old_positions(positions, velocities[0], forces[0], masses, 1.0)
        after, found = nose_step(positions, before, forces[step], masses, thermostat)
        assert np.abs(after - frames[step]).max() < 1e-6
        assert np.abs(found.velocities - velocities[step]).max() < 1e-6
        assert found.temperature == pytest.approx(energies[step, 1], abs=0.006)
        conserved = found.kinetic + found.thermostat_kinetic + found.thermostat_potential
        assert conserved / EV == pytest.approx(energies[step, 3] - energies[step, 2], abs=1.1e-5)
        before, positions = positions, frames[step]
