"""Use another program without writing a plugin: ``verdi run examples/shell_isosurface.py PES [LEVEL]``.

aiida-shell runs any program on any node. Here scikit-image, which knows nothing of AiiDA or this package, measures the
isosurface of a potential energy surface (a PesData by PK, UUID or label): its area, and into how many separate pieces
the volume below LEVEL (eV, 0.5 by default) falls within the cell. What the program printed is a node, and the graph
leads from it back to the surface. Needs ``pip install scikit-image``.
"""

import sys

from aiida.engine import calcfunction
from aiida.orm import Float, SinglefileData, load_node
from aiida_shell import launch_shell_job

from aiida_pesfp.data.pes import PesData

#: The program; it could be a script of your own, or a program in another language.
SCRIPT = """
import sys
import numpy as np
from ase.io.cube import read_cube
from skimage.measure import label, marching_cubes, mesh_surface_area

with open(sys.argv[1]) as stream:
    cube = read_cube(stream)
level, energies, cell = float(sys.argv[2]), cube['data'], cube['atoms'].cell.array
corners, faces, _, _ = marching_cubes(np.pad(energies, (0, 1), mode='wrap'), level)
print('area/A^2', mesh_surface_area(corners / energies.shape @ cell, faces))
print('pieces', label(energies < level).max())
print('fraction', (energies < level).mean())
"""


@calcfunction
def as_cube(pes: PesData) -> SinglefileData:
    """The surface as a file, so that the graph knows where the file comes from."""
    return SinglefileData.from_bytes(pes._exportcontent('cube')[0], filename='energy.cube')


def isosurface(pes: PesData, level: float = 0.5) -> tuple[dict[str, float], SinglefileData]:
    """Area (A^2), number of pieces and fraction of the volume below a level (eV), and the node that says so."""
    results, node = launch_shell_job(
        sys.executable,
        arguments='{script} {cube} {level}',
        nodes={
            'script': SinglefileData.from_string(SCRIPT, filename='isosurface.py'),
            'cube': as_cube(pes),
            'level': Float(level),
        },
    )
    if not node.is_finished_ok:
        raise RuntimeError(f'{node.process_label}<{node.pk}> [{node.exit_status}]: {node.exit_message}')
    lines = results['stdout'].get_content().splitlines()
    return {name: float(value) for name, value in map(str.split, lines)}, results['stdout']


def main():
    """Print the results."""
    pes = load_node(sys.argv[1])
    found, node = isosurface(pes, *map(float, sys.argv[2:3]))
    for name, value in found.items():
        print(f'{name:10s} {value:g}')
    print(f'from the node {node.pk}; its history: verdi node graph generate {node.pk}')


if __name__ == '__main__':
    main()
