"""Small graphs of real scans and trajectories, made in the test's own process."""

import numpy as np
from aiida.engine import calcfunction, workfunction
from aiida.orm import CalcJobNode, Dict, Float, StructureData, TrajectoryData
from ase.calculators.lj import LennardJones

from aiida_pesfp.calculations.orderings import pool_orderings
from aiida_pesfp.calculations.transport import arrhenius, conductivity
from aiida_pesfp.data.barrier import BarrierData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.pes import PesData
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials.ase.potential import AseEvaluator
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.transport.arrhenius import BOLTZMANN
from tests.helpers.crystals import antifluorite, rock_salt, wurtzite
from tests.helpers.potentials import LENNARD_JONES

#: The activation energy of :func:`walk`, eV.
ACTIVATION_ENERGY = 0.2


def structures():
    """Three lithium compounds, stored, by key."""
    crystals = {
        'LiCl': rock_salt('Li', 'Cl', 5.13),
        'Li2Te': antifluorite('Li', 'Te', 6.517),
        'LiI': wurtzite('Li', 'I', 4.514, 7.311, 0.375),
    }
    return {key: StructureData(pymatgen=crystal, label=key).store() for key, crystal in crystals.items()}


def jobs_of(node) -> list[CalcJobNode]:
    """All jobs below a workchain, in the order of their creation."""
    return sorted((job for job in node.called_descendants if isinstance(job, CalcJobNode)), key=lambda job: job.pk)


@workfunction
def scan_here(parameters, potential, **structures):
    """As ``pesfp.scan.base`` with a Lennard-Jones potential, with the same links but for the job."""
    surfaces, descriptors = {}, {}
    for key, structure in structures.items():
        found = scan_one(structure, potential, parameters)
        surfaces[key], descriptors[key] = found['pes'], found['descriptors']
    return {'pes': surfaces, 'descriptors': descriptors}


@calcfunction
def scan_one(structure, potential, parameters):
    """As ``take_scan``, but it scans."""
    chosen = FingerprintSettings.from_dict(parameters.get_dict())
    crystal = structure.get_pymatgen_structure()
    surface = scan(crystal, AseEvaluator(crystal, LennardJones(**LENNARD_JONES), 'LJ'), chosen.species, chosen.scan)
    attributes = {
        'formula': crystal.composition.reduced_formula,
        'species': chosen.species,
        'potential_name': potential.name,
        'potential_sha256': potential.sha256,
        'structure_uuid': structure.uuid,
    }
    found = describe(surface, chosen.descriptors).as_dict() | attributes | {'settings': chosen.descriptors.as_dict()}
    return {'pes': PesData.from_surface(surface, **attributes), 'descriptors': DescriptorsData(found)}


@calcfunction
def relax(structure, potential, told):
    """As ``take_barrier``: one path of an ion that passes a saddle, and one that leads nowhere."""
    atoms = structure.get_ase()
    barrier, frozen = told['barrier'], told['frozen_barrier']
    path = {'name': 'hop', 'start': 0, 'end': 0, 'cell': [1, 0, 0], 'barrier_eV': barrier, 'frozen_barrier_eV': frozen}
    path |= {'moved_A': [0.0, 1.0, 2.0], 'energies_eV': [0.0, barrier, 0.0]}
    path |= {'frozen_moved_A': [0.0, 0.5, 1.0, 2.0], 'frozen_energies_eV': [0.0, frozen / 2, frozen, 0.0]}
    found = {'picture': 'vacancy', 'method': 'pinned', 'barrier_eV': barrier, 'reverse_barrier_eV': barrier}
    found |= {'frozen_barrier_eV': frozen, 'barrier_2d_eV': barrier, 'barrier_3d_eV': None, 'calls': 20, 'doubts': []}
    found |= {'converged': not told['flags'], 'flags': told['flags'], 'formula': structure.get_formula()}
    found['paths'] = [{'name': 'other', 'error': 'no way'}, path]
    about = {'potential_name': potential.name, 'potential_sha256': potential.sha256, 'structure_uuid': structure.uuid}
    images = {'hop': [atoms] * 3}
    return BarrierData.from_results(found, images, species=told.get_dict().get('species', 'Li'), **about)


@calcfunction
def walk(structure, temperature):
    """A random walk of the lithium of the doubled cell, 50 ps, faster where it is warmer; the framework trembles."""
    rng = np.random.default_rng(int(temperature.value))
    atoms = structure.get_ase() * (2, 2, 2)
    times = np.arange(0, 50, 0.05)
    shaking = 0.05 * rng.normal(size=(len(times), len(atoms), 3))
    mobile = atoms.symbols == 'Li'
    step = 0.4 * np.exp(-ACTIVATION_ENERGY / (2 * BOLTZMANN * temperature.value))
    moves = step * np.sqrt(temperature.value / 1000) * rng.normal(size=(len(times), mobile.sum(), 3))
    positions = atoms.positions + shaking
    positions[:, mobile] += np.cumsum(moves, axis=0)
    node = TrajectoryData()
    node.set_trajectory(
        list(atoms.symbols),
        positions,
        stepids=np.arange(len(times)),
        cells=np.repeat(atoms.cell.array[None], len(times), axis=0),
        times=times,
        pbc=(True, True, True),
    )
    node.base.attributes.set_many({'temperature': temperature.value, 'engine': 'walk'})
    return node


def validate(structure, temperatures=(500.0, 667.0, 1000.0)):
    """Conductivities and the Arrhenius fit of a structure."""
    parameters = Dict({'species': 'Li', 'unwrapped': True})
    found = {
        f'at_{temperature:.0f}K': conductivity(walk(structure, Float(temperature)), parameters)
        for temperature in temperatures
    }
    return found, arrhenius(Dict({}), **found)


@calcfunction
def order(structure, parameters):
    """As that of the package, without a search: ordered structures of a disordered one."""
    crystals = {name: rock_salt('Li', name, a) for name, a in (('Cl', 5.13), ('Br', 5.4), ('F', 5.0))}
    return {f'ordering_{name}': StructureData(pymatgen=one, label=f'mixed, {name}') for name, one in crystals.items()}


def ensemble(potential, **parameters):
    """A disordered structure, its orderings and their descriptors by key, and its ensemble; one counts twice."""
    disordered = rock_salt('Li', 'Cl', 5.13)
    disordered.replace_species({'Cl': {'Cl': 0.5, 'Br': 0.5}})
    parent = StructureData(pymatgen=disordered, label='mixed').store()
    made, members = order(parent, Dict({})), {}
    for key in made:
        members[key] = scan_one(made[key], potential, Dict({'spacing': 0.5}))['descriptors']
        members[key].label = made[key].label
    weights = {'ordering_Cl': 2.0, 'ordering_Br': 1.0, 'ordering_F': 1.0}
    return parent, made, members, pool_orderings(parent, Dict({'weights': weights} | parameters), **members)
