"""Supercells as a calculation function."""

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import Dict, StructureData
from aiida.orm.nodes.data.structure import Site

from aiida_pesfp.crystals.cells import fill_supercell, interplanar_distances, supercell_matrix

#: A: "capable of accommodating a sphere with a diameter of at least 6.5 A", paper, Sec. II C.
MINIMUM_DISTANCE = 6.5


@calcfunction
def make_supercell(structure: StructureData, parameters: Dict) -> dict:
    """The smallest supercell whose three inter-planar distances are all large enough.

    :param structure: the cell to repeat. Its kinds are kept.
    :param parameters: ``minimum_distance`` (A, default 6.5) and ``diagonal`` (default false: any integer matrix), or a
        ``matrix`` of integers to be taken as it is.
    :return: ``structure``, the supercell; and ``matrix``, a dictionary with ``matrix`` (rows are the new vectors in
        units of the old), ``determinant``, ``interplanar_distances`` (A) and ``sites`` (for each atom of the supercell
        the index of its site in the given structure).
    :raises ValueError: if the parameters or the cell make no sense.
    """
    settings = parameters.get_dict()
    if unknown := sorted(set(settings) - {'minimum_distance', 'diagonal', 'matrix'}):
        raise ValueError(f'unknown parameters {unknown} of the supercell: known are minimum_distance, diagonal, matrix')
    cell = np.array(structure.cell)
    if 'matrix' in settings:
        matrix = np.array(settings['matrix'])
        if matrix.shape != (3, 3) or not np.issubdtype(matrix.dtype, np.integer):
            raise ValueError(f'the matrix {settings["matrix"]} is not one of 3 x 3 integers')
    else:
        distance = settings.get('minimum_distance', MINIMUM_DISTANCE)
        matrix = supercell_matrix(cell, distance, diagonal=settings.get('diagonal', False))
    positions, sites = fill_supercell(cell, [site.position for site in structure.sites], matrix)

    supercell = StructureData(cell=(matrix @ cell).tolist(), pbc=structure.pbc)
    for kind in structure.kinds:
        supercell.append_kind(kind)
    for position, site in zip(positions, sites):
        supercell.append_site(Site(kind_name=structure.sites[site].kind_name, position=position.tolist()))
    supercell.label = structure.label
    report = {
        'matrix': matrix.tolist(),
        'determinant': len(sites) // len(structure.sites),
        'interplanar_distances': interplanar_distances(matrix @ cell).tolist(),
        'sites': sites.tolist(),
    }
    return {'structure': supercell, 'matrix': Dict(report)}
