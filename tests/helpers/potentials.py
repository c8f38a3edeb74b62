"""Cells and places to evaluate potentials at, a calculator that is known in closed form, and a server of weights."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import yaml
from ase import Atoms
from pymatgen.core import Lattice, Structure

from tests.helpers.crystals import antifluorite, rock_salt, wurtzite

LENNARD_JONES = {'sigma': 2.1, 'epsilon': 0.3, 'rc': 5.0, 'smooth': True}
SKEWED = Structure(
    Lattice([[4.1, 0, 0], [1.7, 3.2, 0], [-1.1, 0.9, 5.3]]),
    ['Li', 'O', 'Li', 'S'],
    [[0, 0, 0], [0.4, 0.5, 0.5], [0.6, 0.1, 0.4], [0.9, 0.5, 0.9]],
)
CELLS = [rock_salt('Li', 'Cl', 5.13), antifluorite('Li', 'Te', 6.517), wurtzite('Li', 'I', 4.51, 7.31, 0.375), SKEWED]


def write_calculator(path: Path, calculator: str = 'ase.calculators.lj.LennardJones', **parameters) -> Path:
    """Write the description of an ASE calculator, which is a potential of the package; returns its path."""
    path.write_text(yaml.safe_dump({'calculator': calculator, 'parameters': parameters}))
    return path


def random_places(structure, ion, number=5, least=1.0):
    """(number, 3) random places in and around the cell, A, at least so far from all other atoms."""
    random = np.random.default_rng(0)
    others = np.delete(structure.frac_coords, ion, axis=0)
    places = random.uniform(-1, 2, size=(1000, 3))
    distances = structure.lattice.get_all_distances(places, others).min(axis=1)
    return places[distances > least][:number] @ structure.lattice.matrix


def by_calculator(structure, ion, places, calculator):
    """Energies by an ASE calculator, place by place."""
    atoms = Atoms(structure.atomic_numbers, structure.cart_coords, cell=structure.lattice.matrix, pbc=True)
    atoms.calc = calculator
    energies = []
    for place in places:
        atoms.positions[ion] = place
        energies.append(atoms.get_potential_energy())
    return np.array(energies)


class WeightServer:
    """Serves files on this machine, as a mirror of published weights does.

    :ivar files: path below the base URL -> content.
    :ivar ranges: whether parts of files can be asked for.
    :ivar break_after: bytes of a file after which the connection breaks.
    :ivar requests: (path, value of the header Range) of all requests.
    """

    def __init__(self, files: dict[str, bytes]):
        self.files, self.ranges, self.break_after, self.requests = files, True, None, []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler):  # noqa: N805
                self.answer(handler)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path, asked = handler.path.lstrip('/'), handler.headers.get('Range')
        self.requests.append((path, asked))
        if path not in self.files:
            return handler.send_error(404)
        content, begin = self.files[path], 0
        if asked and self.ranges:
            begin = int(asked.removeprefix('bytes=').removesuffix('-'))
            if begin >= len(content):
                return handler.send_error(416)
        handler.send_response(206 if asked and self.ranges else 200)
        if asked and self.ranges:
            handler.send_header('Content-Range', f'bytes {begin}-{len(content) - 1}/{len(content)}')
        handler.send_header('Content-Length', str(len(content) - begin))
        handler.end_headers()
        handler.wfile.write(content[begin : self.break_after])
