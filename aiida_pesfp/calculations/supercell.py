"""Supercells as a calculation function."""

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import Dict, StructureData
from aiida.orm.nodes.data.structure import Site

from aiida_pesfp.crystals.cells import fill_supercell, interplanar_distances, supercell_matrix
from aiida_pesfp.settings.md import SupercellSettings


@calcfunction
def make_supercell(structure: StructureData, parameters: Dict) -> dict:
    """The smallest supercell whose three inter-planar distances are all large enough.

    :param structure: the cell to repeat. Its kinds are kept.
    :param parameters: see :class:`~aiida_pesfp.settings.md.SupercellSettings`.
    :return: ``structure``, the supercell; and ``matrix``, a dictionary with ``matrix`` (rows are the new vectors in
        units of the old), ``determinant``, ``interplanar_distances`` (A) and ``sites`` (for each atom of the supercell
        the index of its site in the given structure).
    :raises ValueError: if the parameters or the cell make no sense.
    """
    settings, cell = SupercellSettings.from_dict(parameters.get_dict()), np.array(structure.cell)
    if settings.matrix is not None:
        matrix = np.array(settings.matrix)
    else:
        matrix = supercell_matrix(cell, settings.minimum_distance, diagonal=settings.diagonal)
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
