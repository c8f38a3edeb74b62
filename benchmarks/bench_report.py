"""A report of many structures: how long it takes to write, how large it is, how long a browser needs to open it.

    python benchmarks/bench_report.py --structures 200 --points 48

The surfaces are waves of random phase that percolate through the cell, so isosurfaces are as large as those of
conductors. A few are stored in a temporary profile and shared by the structures, whose descriptors are varied.
"""

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path

import common  # noqa: F401  (finds tests.helpers)

os.environ['AIIDA_PATH'] = tempfile.mkdtemp(prefix='pesfp-bench-')

import numpy as np
from aiida.manage.configuration import load_profile
from aiida.storage.sqlite_temp import SqliteTempBackend
from pymatgen.core import Lattice, Structure
from selenium.webdriver.common.by import By

from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.quantities import xi
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.report.collect import collect
from aiida_pesfp.report.page import write_html
from aiida_pesfp.settings.descriptors import XiParameters
from tests.helpers import browser


def surface_of(points: int, seed: int) -> PotentialEnergySurface:
    """Waves of random phase in a cell of quarter-Angstrom steps with twenty atoms."""
    rng = np.random.default_rng(seed)
    axis = np.arange(points) / points * 2 * np.pi
    x, y, z = np.meshgrid(axis, axis, axis, indexing='ij')
    energies = sum(
        np.cos(k * x + a) + np.cos(k * y + b) + np.cos(k * z + c)
        for k in (1, 2, 3)
        for a, b, c in rng.uniform(0, 2 * np.pi, (1, 3))
    )
    energies = 0.25 * (energies - energies.min())
    lattice = np.diag([points * 0.25] * 3)
    places = rng.random((20, 3))
    return PotentialEnergySurface(
        energies=energies[None].astype(np.float32),
        reference_energies=np.zeros(1),
        scanned_ions=np.array([0]),
        mobile_ions=np.array([0]),
        representatives=np.array([0]),
        rotations=np.eye(3, dtype=int)[None],
        translations=np.zeros((1, 3)),
        lattice=lattice,
        fractional_coordinates=places,
        atomic_numbers=np.array(
            Structure(Lattice(lattice), ['Li'] * 4 + ['P'] * 4 + ['S'] * 12, places).atomic_numbers
        ),
        evaluations=points**3,
    )


def varied(structures, count, rng):
    """Entries with other free volumes, and Xi by Eq. 4."""
    found = []
    for number in range(count):
        connected = 10 ** rng.uniform(-4, -0.7)
        disconnected = min(connected * 10 ** rng.uniform(0, 1.5), 0.6)
        values = {'fv_connected': connected, 'fv_disconnected': disconnected, 'mpe': rng.uniform(0.1, 2)}
        one = structures[number % len(structures)]
        values['xi'] = xi(connected, disconnected, XiParameters())
        found.append(
            dataclasses.replace(
                one, label=f'structure_{number}', name=f'structure_{number}', values=one.values | values
            )
        )
    return sorted(found, key=lambda one: -one['xi'])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--structures', type=int, default=200)
    parser.add_argument('--points', type=int, default=48, help='Grid points along each lattice vector.')
    parser.add_argument('--surfaces', type=int, default=4, help='Different surfaces.')
    parser.add_argument('-o', '--output', type=Path, default=Path('bench-report.html'))
    arguments = parser.parse_args()
    load_profile(SqliteTempBackend.create_profile('bench'))
    structures = []
    for seed in range(arguments.surfaces):
        surface = surface_of(arguments.points, seed)
        attributes = {'formula': 'LiPS3', 'species': 'Li', 'potential_name': 'waves', 'potential_sha256': '0' * 64}
        pes = PesData.from_surface(surface, **attributes).store()
        node = DescriptorsData(describe(surface).as_dict() | attributes).store()
        report = collect(node)
        source = dataclasses.replace(report.entries[0].source, pk=pes.pk, uuid=pes.uuid, kind='PesData')
        structures.append(dataclasses.replace(report.entries[0], surface=source))
    many = varied(structures, arguments.structures, np.random.default_rng(0))
    begin, used = time.perf_counter(), time.process_time()
    write_html(dataclasses.replace(report, entries=many, notes=[]), arguments.output)
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    size = arguments.output.stat().st_size / 1e6
    print(f'{arguments.structures} structures: {size:.1f} MB, written in {wall:.0f} s ({cpu:.0f} s of CPU)')
    if browser.missing():
        print(f'not opened: {browser.missing()}')
        return
    with browser.chromium() as driver:
        begin = time.perf_counter()
        browser.open_page(driver, arguments.output)
        cpu = driver.execute_cdp_cmd('Performance.enable', {}) or driver.execute_cdp_cmd('Performance.getMetrics', {})
        busy = {entry['name']: entry['value'] for entry in cpu['metrics']}
        print(f'ready in {time.perf_counter() - begin:.1f} s (main thread busy for {busy["TaskDuration"]:.1f} s)')
        begin = time.perf_counter()
        driver.find_element(By.CSS_SELECTOR, '#ranking tbody tr').click()
        driver.execute_async_script(
            """const done = arguments[0], details = document.getElementById('details');
            const wait = () => details.dataset.open ? done() : setTimeout(wait, 20); wait();"""
        )
        print(f'a structure opens in {time.perf_counter() - begin:.1f} s')
        driver.save_screenshot(str(arguments.output.with_suffix('.png')))
        errors = [entry['message'] for entry in driver.get_log('browser') if entry['level'] == 'SEVERE']
        print(f'errors on the console: {errors or "none"}')


if __name__ == '__main__':
    main()
