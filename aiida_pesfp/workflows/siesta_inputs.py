"""What a structure says about its SIESTA inputs: functional, k-points, pseudopotentials."""

import itertools

from aiida.common.exceptions import NotExistent
from aiida.engine import WorkChain
from aiida.orm import CalcJobNode, Dict, Group, KpointsData, StructureData
from ase.data import atomic_numbers, covalent_radii
from pymatgen.analysis.dimensionality import get_structure_components
from pymatgen.analysis.graphs import StructureGraph
from pymatgen.analysis.local_env import CutOffDictNN
from pymatgen.core import Element, Structure
from pymatgen.io.vasp.inputs import Kpoints

#: Two atoms are bonded if closer than this times the sum of their covalent radii (DOI 10.1039/b801115j).
BOND_TOLERANCE = 1.25


def functional_of(structure: StructureData) -> str:
    """``lmkll`` for a molecular solid, ``pbe`` for any other (paper, Sec. II C)."""
    return 'lmkll' if is_molecular(structure.get_pymatgen_structure()) else 'pbe'


def is_molecular(structure: Structure) -> bool:
    """Whether a crystal is a molecular solid: one of molecules or molecular ions with hydrogen.

    The paper (Sec. III) calls hydroborates molecular solids, because their anions rotate, but not thiophosphates. So:
    metals left out, all bonded atoms form finite clusters, and hydrogen is bonded to another atom in one of them.
    """
    atoms = Structure.from_sites([site for site in structure if not Element(site.specie.symbol).is_metal] or structure)
    symbols = sorted({site.specie.symbol for site in atoms})
    if 'H' not in symbols:
        return False
    radii = {symbol: covalent_radii[atomic_numbers[symbol]] for symbol in symbols}
    pairs = itertools.combinations_with_replacement(symbols, 2)
    lengths = {pair: BOND_TOLERANCE * (radii[pair[0]] + radii[pair[1]]) for pair in pairs}
    graph = StructureGraph.from_local_env_strategy(atoms, CutOffDictNN(lengths))
    clusters = get_structure_components(graph, inc_site_ids=True)
    bonded = [cluster['site_ids'] for cluster in clusters if len(cluster['site_ids']) > 1]
    finite = all(cluster['dimensionality'] == 0 for cluster in clusters)
    return finite and any(atoms[i].specie.symbol == 'H' for ids in bonded for i in ids)


def kpoints_of(structure: StructureData, reciprocal_density: float) -> KpointsData:
    """The Gamma-centred k-grid of a structure with so many points for each A^-3 of its reciprocal cell."""
    grid = Kpoints.automatic_density_by_vol(structure.get_pymatgen_structure(), reciprocal_density)
    kpoints = KpointsData()
    kpoints.set_kpoints_mesh(list(grid.kpts[0]))
    return kpoints


def pseudos_of(structure: StructureData, family: str | None) -> dict:
    """Pseudopotentials of the kinds of a structure from a family of ``psf`` or ``psml``.

    :raises ValueError: if there is no such family, or it lacks an element.
    """
    if family is None:
        raise ValueError('name a pseudo_family: `aiida-pseudo list` shows those that are there')
    try:
        group = Group.collection.get(label=family)
    except NotExistent as error:
        raise ValueError(
            f'there is no family of pseudopotentials {family!r}: make it with '
            f'`aiida-pseudo install family FOLDER {family} -P pseudo.psf`'
        ) from error
    return group.get_pseudos(structure=structure)


def functional_labels(protocol: dict, structure: StructureData, functional: str | None = None) -> dict:
    """The fdf labels of one of the ``functionals`` of a protocol, by default that of :func:`functional_of`.

    :raises ValueError: if the protocol has no such functional.
    """
    known, functional = protocol['functionals'], functional or functional_of(structure)
    if functional not in known:
        raise ValueError(f'unknown functional {functional!r}: take one of {", ".join(known)}')
    return known[functional]


def correct_split_norm(workchain: WorkChain, job: CalcJobNode) -> bool:
    """Set ``PAO.FixSplitTable`` for the next job; whether it was not yet set."""
    basis = workchain.ctx.inputs.basis.get_dict() if 'basis' in workchain.ctx.inputs else {}
    if 'pao-fix-split-table' in basis:
        return False
    workchain.ctx.inputs.basis = Dict(basis | {'pao-fix-split-table': 'T'})
    workchain.report(f'{job.process_label}<{job.pk}> could not split its orbitals: again with PAO.FixSplitTable')
    return True
