"""The orderings that stand for a disordered structure in a program: made with its potential, until there are enough."""

import contextlib
import hashlib
import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from ase.constraints import FixAtoms
from ase.optimize import FIRE
from pymatgen.core import Structure

from aiida_pesfp.crystals.files import NamedStructure
from aiida_pesfp.crystals.names import folder_name
from aiida_pesfp.crystals.ordering.order import RELAX_FIRST, Ordering, order, weights
from aiida_pesfp.errors import EvaluationFailed, NotConverged, OutOfMemory, StructureError
from aiida_pesfp.fingerprint.ensemble import Ensemble, pool
from aiida_pesfp.programs.calculators import atoms_of, evaluated
from aiida_pesfp.programs.checkpoint import claim, write_json
from aiida_pesfp.programs.outcome import Outcome
from aiida_pesfp.programs.request import Stopped
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.ordering import EnsembleSettings, OrderingSettings

#: Largest force on a relaxed atom (eV/A), and most steps: orderings start far from their minima.
LARGEST_FORCE, MOST_STEPS = 0.05, 200


@dataclass(frozen=True)
class Orderer:
    """Makes orderings, as a program with a potential does.

    :param species: symbol of the mobile ion.
    :param potential: needed for swaps and relaxations.
    :param check_stop: is called between relaxations and batches of energies; it may raise.
    :param folder: where orderings that took the potential are kept, so that a run which resumes has the same.
    """

    settings: OrderingSettings
    species: str
    potential: object
    check_stop: Callable[[], None]
    folder: Path | None = None

    def members(self, parent: NamedStructure, number: int) -> list[NamedStructure]:
        """The orderings of a disordered structure, or the structure itself if it is ordered; with an error, alone.

        :param number: of the first of them, for its name.
        """
        if parent.structure is None or parent.error is not None or parent.structure.is_ordered:
            return [parent]
        try:
            orderings = self(parent.structure)
        except Stopped:
            raise
        except (StructureError, OutOfMemory) as error:
            return [replace(parent, error=error)]
        except Exception as error:  # of a library: it costs this structure only
            traceback.print_exc()
            return [replace(parent, error=EvaluationFailed(f'{type(error).__name__}: {error}'))]
        return [
            NamedStructure(
                name=f'{parent.name}-{place}',
                source=f'{parent.source} (ordering {place})',
                structure=one.structure,
                doubts=(*parent.doubts, *one.doubts),
                parent=parent.name,
                weight=one.weight,
                ordering=one.provenance(),
            )
            for place, one in enumerate(orderings, start=number)
        ]

    def __call__(self, structure: Structure) -> list[Ordering]:
        """The orderings of a disordered structure, relaxed if they are to be.

        :raises StructureError: if there are none, or the potential fails.
        """
        file = self._file(structure)
        if file is not None:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # missing, damaged, of another version
                return [Ordering.from_dict(one) for one in json.loads(file.read_text())]
        orderings = order(structure, self.settings, self.species, evaluate=self.energies)
        if self.settings.relax != 'none':
            orderings = [self._relax(one) for one in orderings]
            shares = weights([one.energy for one in orderings], [one.count for one in orderings], self.settings)
            orderings = [replace(one, weight=weight) for one, weight in zip(orderings, shares)]
        if file is not None:
            claim(file.parent)
            write_json(file, [one.as_dict() for one in orderings])
        return orderings

    def _file(self, structure: Structure) -> Path | None:
        """The file of what depends on all of this."""
        if self.folder is None or not self.settings.needs_potential:
            return None
        known = structure.as_dict(), self.settings.as_dict(), self.species, self.potential.identity.sha256
        digest = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()
        return self.folder / f'{digest[:16]}.json'

    def energies(self, structures: Sequence[Structure]) -> list[float]:
        """Total energies of ordered structures, eV."""
        self.check_stop()
        return evaluated(lambda: self.potential.energies(structures), 'in a swap of ions')

    def _relax(self, ordering: Ordering) -> Ordering:
        """The ordering with its mobile ions, or all atoms, relaxed in its cell."""
        structure = ordering.structure
        atoms = atoms_of(structure, self.potential)
        if self.settings.relax == 'mobile':
            fixed = [index for index, site in enumerate(structure) if site.specie.symbol != self.species]
            atoms.set_constraint(FixAtoms(fixed))
        steps = FIRE(atoms, logfile=None).irun(fmax=LARGEST_FORCE, steps=MOST_STEPS)
        converged = evaluated(lambda: next(steps), 'at the start of a relaxation')
        for _ in range(MOST_STEPS):
            if converged:
                break
            self.check_stop()
            converged = evaluated(lambda: next(steps), 'in the relaxation of an ordering')
        force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        if not np.isfinite(force):
            raise NotConverged('the relaxation of an ordering has diverged: take another potential, or do not relax')
        doubts = tuple(doubt for doubt in ordering.doubts if not doubt.endswith(RELAX_FIRST))
        if not converged:
            doubts = (*doubts, f'an ordering has forces up to {force:.2f} eV/A after {MOST_STEPS} steps of relaxation')
        relaxed = Structure(structure.lattice, structure.species, atoms.positions, coords_are_cartesian=True)
        return replace(ordering, structure=relaxed, energy=float(atoms.get_potential_energy()), doubts=doubts)


@dataclass
class Members:
    """What stands for one structure: itself, or orderings of it.

    :param asked: so many orderings were asked for.
    :param are_all: whether there are no further ones.
    """

    given: NamedStructure
    settings: EnsembleSettings
    outcomes: list[Outcome] = field(default_factory=list)
    asked: int = 0
    are_all: bool = False

    def add(self, orderer: Orderer, take: Callable[[NamedStructure], Outcome], taken: Sequence[str]) -> list[Outcome]:
        """Make its first orderings, or more of them, and give those that are new.

        :param take: makes the outcome.
        :param taken: names of other structures.
        """
        settings = self.settings.after(self.asked)
        found, added = replace(orderer, settings=settings).members(self.given, len(self.outcomes)), []
        for one in found:
            names = [*taken, *(other.name for other in self.outcomes)]
            name = one.name if one.parent is None else folder_name(one.name, names)
            added.append(take(replace(one, name=name)))
            self.outcomes.append(added[-1])
        self.asked += settings.number
        is_whole = len(found) == settings.number or settings.choice == 'monte_carlo'
        self.are_all = not is_whole or any(one.parent is None for one in found)
        orderings = [one for one in self.outcomes if one.input.parent is not None]
        how = [one.input.ordering for one in orderings]
        shares = weights([one['energy'] for one in how], [one['count'] for one in how], self.settings)
        for one, share in zip(orderings, shares):
            one.input = replace(one.input, weight=share)
        return added

    @property
    def done(self) -> list[Outcome]:
        """The orderings that have a result."""
        return [one for one in self.outcomes if one.state == 'done' and one.input.parent is not None]

    def pooled(self, xi: XiParameters) -> Ensemble | None:
        """The mean of what is done."""
        values, shares = [one.descriptors.as_dict() for one in self.done], [one.input.weight for one in self.done]
        return pool(values, shares, xi) if values else None

    def shortfall(self, ensemble: Ensemble) -> str | None:
        """Why there are too few of them."""
        return ensemble.shortfall(self.settings.largest_error, self.settings.way_out(self.are_all))

    def is_short(self, xi: XiParameters) -> bool:
        """Whether more should be added, and can be."""
        if not self.asked:
            return True
        if not self.settings.auto or self.are_all or self.settings.after(self.asked) is None:
            return False
        ensemble = self.pooled(xi)
        return ensemble is not None and self.shortfall(ensemble) is not None
