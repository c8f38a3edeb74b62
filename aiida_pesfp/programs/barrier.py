"""``pesfp-barrier``: migration barriers of an ion in a framework that relaxes, without AiiDA.

What it writes, apart from ``OUT/run.json``:

``OUT/NAME/barrier.json``
    barrier, flags and cost of a structure that is done, and of each of its paths.
``OUT/NAME/images-PATH.extxyz``
    the configurations along each path, with their energies, to look at.
``OUT/NAME/states.npz``
    all relaxed configurations, and those of a structure that is not done. The same command resumes from there, and
    another method with the same settings uses them.
``OUT/NAME/pes.npz``, ``OUT/NAME/cell.cif``
    in the collective picture: the scan, and the cell that was scanned.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import ase.io
import click
import numpy as np
from pymatgen.core import Structure
from tabulate import tabulate
from tqdm import tqdm

from aiida_pesfp import errors
from aiida_pesfp.barriers import paths
from aiida_pesfp.barriers.forces import Forces
from aiida_pesfp.barriers.hops import (
    Hop,
    check_distance,
    find_hops,
    from_lowest_ends,
    hop_between,
    of_network,
    with_vacancy,
)
from aiida_pesfp.barriers.methods import METHODS, Barrier
from aiida_pesfp.barriers.relaxation import Relaxer, State
from aiida_pesfp.crystals.canonical import cell_to_scan
from aiida_pesfp.crystals.checks import check_structure
from aiida_pesfp.crystals.files import NamedStructure
from aiida_pesfp.fingerprint.percolation import energy_profile
from aiida_pesfp.programs.calculators import evaluated
from aiida_pesfp.programs.checkpoint import replacing, write_json
from aiida_pesfp.programs.command import program
from aiida_pesfp.programs.outcome import Outcome
from aiida_pesfp.programs.scan import ScanOutcome, ScanRequest
from aiida_pesfp.programs.states import States
from aiida_pesfp.settings.barrier import AllBarrierSettings, BarrierSettings
from aiida_pesfp.settings.options import options_of, take
from aiida_pesfp.settings.program import ProgramSettings
from aiida_pesfp.settings.scan import FingerprintSettings

BARRIER, STATES = 'barrier.json', 'states.npz'
KEYS = ('barrier_eV', 'reverse_barrier_eV', 'frozen_barrier_eV', 'barrier_2d_eV', 'barrier_3d_eV', 'converged', 'flags')


@dataclass
class BarrierOutcome(ScanOutcome):
    """The barriers of one structure; ``images`` are those of a given path."""

    images: list[Structure] = field(default_factory=list)
    settings: BarrierSettings = BarrierSettings()
    found: dict = field(default_factory=dict)
    calls: int = 0

    def results(self) -> dict:
        how = {'picture': self.settings.picture, 'method': self.settings.method}
        found = {name: self.found.get(name) for name in (*KEYS, 'paths')}
        return how | found | {'atoms': self.atoms_scanned, 'calls': self.calls}

    def report(self) -> dict:
        return Outcome.report(self) | {'calls': self.calls}


@dataclass
class BarrierRequest(ScanRequest):
    """One call of the program; between the ``sites`` an ion hops, by default between all neighbours."""

    barrier: BarrierSettings = BarrierSettings()
    sites: tuple[int, int] | None = None

    UNIT = 'call'
    FILES = (BARRIER, STATES, 'images-*.extxyz', 'pes.npz', 'cell.cif', 'checkpoint.npz')

    def reported_settings(self) -> dict:
        scan, barrier = self.settings.as_dict(), self.barrier.as_dict()
        return {'scan_settings': scan, 'barrier_settings': barrier, 'sites': self.sites}

    def process(self, outcome: BarrierOutcome, bar: tqdm) -> None:
        """Compute the barriers of a structure, or resume them."""
        check_structure(outcome.input.structure, self.settings.species)
        folder = self.output and self.output / outcome.name
        states = self._states(outcome, folder and folder / STATES)
        compute = partial(self._compute, outcome, states, folder, bar)
        try:
            if self.barrier.picture == 'collective':
                outcome.found = self._collective(outcome, folder, bar, compute)
            elif self.barrier.picture == 'vacancy':
                outcome.found = self._vacancy(outcome, states, compute)
            else:
                outcome.found = self._given(outcome, compute)
        finally:
            states.save()
            outcome.calls, outcome.seconds = states.calls, states.seconds
        if folder is not None:
            write_json(folder / BARRIER, outcome.summary())

    def _states(self, outcome: BarrierOutcome, path: Path | None) -> States:
        """What an earlier run has left, with whatever method."""
        settings = self.barrier.as_dict() | dict.fromkeys(('method', 'steps', 'longest_hop'))
        structure = outcome.input.structure
        marks = structure.lattice.matrix.tolist(), structure.frac_coords.tolist(), structure.atomic_numbers
        given = [one.frac_coords.tolist() for one in outcome.images]
        return States(path, settings, self.settings, self.potential.identity.sha256, self.sites, *marks, given)

    def _compute(
        self,
        outcome: BarrierOutcome,
        states: States,
        folder: Path | None,
        bar: tqdm,
        structure: Structure,
        path: Callable[[Forces], paths.Path],
        name: str,
    ) -> Barrier:
        """The barrier of one path in a structure."""

        def on_call() -> None:
            bar.update(1)
            states.count(self.program_settings.checkpoint_interval)
            self.check_stop()

        guard = partial(evaluated, when='in a relaxation')
        forces = Forces(self.potential.calculator(structure), on_call, guard, self.potential.energies_and_forces)
        path, outcome.atoms_scanned = path(forces), len(structure)
        relaxer = Relaxer(path.atoms, path.ion, forces, self.barrier, states)
        found = METHODS[self.barrier.method](path, relaxer, f'{name} ')
        if folder is not None:
            with replacing(folder / f'images-{name}.extxyz') as partly:
                ase.io.write(partly, found.images, format='extxyz')
        return found

    def _collective(self, outcome: BarrierOutcome, folder: Path | None, bar: tqdm, compute) -> dict:
        """The easiest path of the scan to an image of the ion."""
        checkpoint, rule = self._checkpoint(outcome, folder), self.settings.descriptors.neighbours
        surface = checkpoint.resume() or self._evaluated(outcome, checkpoint, bar)
        positions = [surface.position_of(ion) for ion in surface.scanned_ions]
        easiest = min((energy_profile(surface, one, rule) for one in positions), key=lambda one: one.barrier)
        path, name = paths.path_of_scan(surface, easiest), f'ion{easiest.ion}'
        found = compute(surface.crystal, lambda forces: path, name)
        return _of_one(found, name=name, ion=easiest.ion, cell=easiest.translation)

    def _given(self, outcome: BarrierOutcome, compute) -> dict:
        """The path through given images."""
        first, between = outcome.input.structure, self.barrier.images
        check_distance(first, self.barrier.distance)

        def path(forces: Forces) -> paths.Path:
            return paths.path_of_images(outcome.images, lambda atoms: forces.of(atoms)['energy'], between)

        return _of_one(compute(first, path, 'given'), name='given')

    def _vacancy(self, outcome: BarrierOutcome, states: States, compute) -> dict:
        """All inequivalent hops of an ion into a vacancy, or that between two sites."""
        crystal, found = outcome.input.structure, []
        if self.sites is None:
            crystal, doubts = cell_to_scan(crystal, self.settings.cell, self.settings.cell_size)
            outcome.doubts.extend(doubts)
            hops = find_hops(crystal, self.settings.species, self.barrier.longest_hop)
        else:
            hops, species = [hop_between(crystal, *self.sites)], crystal[self.sites[0]].specie.symbol
            if species != self.settings.species:
                what = f'atoms {self.sites[0]} and {self.sites[1]} are {species}, not {self.settings.species}'
                raise errors.NoPath(f'{what}: add --species {species}')
        failed, flags = [], set()
        for hop in hops:
            of_hop = _of_hop(hop)
            name = of_hop['name']
            try:
                supercell, ion, end = with_vacancy(crystal, hop, self.barrier.distance)
                path = partial(self._path_of_hop, states, name, supercell, ion, end)
                found.append((hop, compute(supercell, path, name)))
            except (errors.NoPath, errors.NoBarrier) as error:  # it is no way, but others may be
                if len(hops) == 1:
                    raise
                if not isinstance(error, errors.Blocked):
                    flags.add('hop_failed')
                    outcome.doubts.append(f'the hop {name} is left out of the network: {error}')
                failed.append(of_hop | {'error': str(error)})
        if self.sites is not None:
            return _of_one(found[0][1], **of_hop)
        if not found:
            raise errors.NoPath(f'none of {len(hops)} hops has a barrier, {failed[0]["name"]}: {failed[0]["error"]}')
        found = from_lowest_ends(found)
        described = [_described(barrier, **_of_hop(hop), hops=len(hop.images)) for hop, barrier in found] + failed
        network = of_network(found)
        (one, limiting), (two, _), (three, _) = *network, *[(None, None)] * (3 - len(network))
        values = (one, one, limiting.frozen, two, three, all(barrier.converged for _, barrier in found))
        flags.update(flag for _, barrier in found for flag in barrier.flags)
        return dict(zip(KEYS, (*values, sorted(flags)))) | {'paths': described}

    def _path_of_hop(self, states: States, name: str, supercell: Structure, ion: int, end: np.ndarray, forces: Forces):
        """The path of a hop, found now or by an earlier run."""
        if (known := states.get(f'{name} path')) is None:
            evaluator, closest = self.potential.evaluator(supercell), self.settings.scan.minimum_distance
            path = paths.path_of_hop(evaluator, supercell, ion, end, self.barrier.path_spacing, closest)
            states[f'{name} path'] = State(path.places, path.energies, np.nan, len(path.places), True)
            return path
        return paths.Path(paths.atoms_of(supercell), ion, known.positions, known.energy)

    def table(self) -> str:
        """A line for each structure that has a barrier, the lowest first."""
        rows = []
        for one in sorted((one for one in self.outcomes if one.found), key=lambda one: one.found['barrier_eV']):
            values = [one.found[key] for key in KEYS[:-1]]
            flags = ', '.join(one.found['flags'])
            rows.append((one.name, one.formula, one.atoms_scanned, *values[:-1], one.calls, one.seconds, flags))
        heads = ('barrier/eV', 'reverse/eV', 'frozen/eV', '2D/eV', '3D/eV', 'calls', 'seconds', 'flags')
        formats = ('', '', '', *['.3f'] * 5, '', '.1f', '')
        return tabulate(rows, ('structure', 'formula', 'atoms', *heads), floatfmt=formats) if rows else ''


def _of_hop(hop: Hop) -> dict:
    name = f'{hop.start}-{hop.end}_{"".join(f"{n:+d}" for n in hop.cell)}'
    return {'name': name, 'start': hop.start, 'end': hop.end, 'cell': hop.cell}


def _described(found: Barrier, **of_path) -> dict:
    """A path and its barrier, as JSON types."""
    values = {'barrier_eV': found.forward, 'reverse_barrier_eV': found.reverse, 'frozen_barrier_eV': found.frozen}
    values |= {'converged': found.converged, 'flags': list(found.flags)}
    frozen = {'frozen_moved_A': found.path.lengths.tolist(), 'frozen_energies_eV': found.path.energies.tolist()}
    return of_path | values | {'moved_A': found.lengths.tolist(), 'energies_eV': found.energies.tolist()} | frozen


def _of_one(found: Barrier, **of_path) -> dict:
    """The results of a structure with one path."""
    described = _described(found, **of_path)
    return {key: described.get(key) for key in KEYS} | {'paths': [described]}


@program(batch_size={})
@options_of(AllBarrierSettings)
@click.option(
    '--sites', nargs=2, type=click.IntRange(0), help='Compute the hop between these two atoms of each STRUCTURE only.'
)
def main(structures: list[NamedStructure], program_settings: ProgramSettings, **options) -> BarrierRequest:
    """Migration barriers of the mobile ion in each STRUCTURE, with all other atoms relaxed around it.

    The cell stays as it is: relax it first with pesfp-relax. With --picture given, all STRUCTUREs together are the
    images of one path.
    """
    barrier, settings = take(BarrierSettings, options), take(FingerprintSettings, options)
    if options['sites'] and barrier.picture != 'vacancy':
        raise click.UsageError('--sites names a hop into a vacancy: leave out --picture')
    outcomes = [BarrierOutcome(one, settings=barrier) for one in structures]
    if barrier.picture == 'given':
        first = replace(structures[0], error=next((one.error for one in structures if one.error), None))
        images = [one.structure for one in structures]
        outcomes = [BarrierOutcome(first, images=images, settings=barrier)]
    return BarrierRequest(outcomes, program_settings, settings, barrier=barrier, sites=options['sites'])


if __name__ == '__main__':
    main()
