"""ASE calculators with a fault, to see how the runner takes it."""

import builtins
import os
import signal
import time
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones
from pymatgen.core import Lattice, Structure


class NotANumberAbove(LennardJones):
    """Lennard-Jones, but NaN for cells of more than so many atoms."""

    def __init__(self, atoms=2, **parameters):
        super().__init__(**parameters)
        self.most_atoms = atoms

    def calculate(self, atoms=None, properties=None, system_changes=()):
        super().calculate(atoms, properties or ['energy'], system_changes)
        if len(atoms) > self.most_atoms:
            self.results['energy'] = np.nan


class NotANumberWhenHot(LennardJones):
    """Lennard-Jones, but NaN if the atoms are hotter than 2000 K."""

    def calculate(self, atoms=None, properties=None, system_changes=()):
        super().calculate(atoms, properties or ['energy'], system_changes)
        if atoms.get_temperature() > 2000:
            self.results['energy'] = np.nan


class KilledAfter(LennardJones):
    """Lennard-Jones whose process is killed, as by a scheduler, at a given evaluation."""

    evaluations = 0

    def __init__(self, after=100, **parameters):
        super().__init__(**parameters)
        self.after = after

    def calculate(self, atoms=None, properties=None, system_changes=()):
        super().calculate(atoms, properties or ['energy'], system_changes)
        KilledAfter.evaluations += 1
        if KilledAfter.evaluations == self.after and 'PESFP_TEST_KILL' in os.environ:
            os.kill(os.getpid(), getattr(signal, os.environ['PESFP_TEST_KILL']))


class Forbidden(LennardJones):
    """Lennard-Jones that fails while the variable PESFP_TEST_FORBID is set: for what has to do without energies."""

    def calculate(self, atoms=None, properties=None, system_changes=()):
        if os.environ.get('PESFP_TEST_FORBID'):
            raise RuntimeError('an energy was computed')
        super().calculate(atoms, properties or ['energy'], system_changes)


class KilledAbove(LennardJones):
    """Lennard-Jones whose process is killed at once by cells of more than so many atoms."""

    def __init__(self, atoms=2, **parameters):
        super().__init__(**parameters)
        self.most_atoms = atoms

    def calculate(self, atoms=None, properties=None, system_changes=()):
        if len(atoms) > self.most_atoms:
            os.kill(os.getpid(), signal.SIGKILL)
        super().calculate(atoms, properties or ['energy'], system_changes)


class BreaksOnIodine(LennardJones):
    """Lennard-Jones that fails in an unforeseen way for one element."""

    def calculate(self, atoms=None, properties=None, system_changes=()):
        if 53 in atoms.numbers:
            raise RuntimeError('the tables end at xenon minus one')
        super().calculate(atoms, properties or ['energy'], system_changes)


class Stirs(LennardJones):
    """Lennard-Jones and a force that turns round the z axis, which no energy belongs to."""

    def __init__(self, strength=0.1, **parameters):
        super().__init__(**parameters)
        self.strength = strength

    def calculate(self, atoms=None, properties=None, system_changes=()):
        super().calculate(atoms, properties or ['energy'], system_changes)
        arms = atoms.positions - atoms.positions.mean(axis=0)
        self.results['forces'] += self.strength * np.cross([0, 0, 1], arms)


class SlowAbove(LennardJones):
    """Lennard-Jones that takes its time for cells of more than so many atoms."""

    def __init__(self, atoms=2, seconds=0.2, **parameters):
        super().__init__(**parameters)
        self.most_atoms, self.seconds = atoms, seconds

    def calculate(self, atoms=None, properties=None, system_changes=()):
        super().calculate(atoms, properties or ['energy'], system_changes)
        if len(atoms) > self.most_atoms:
            time.sleep(self.seconds)


class HungryAbove(LennardJones):
    """Lennard-Jones that fills memory for cells of more than so many atoms, and holds it for a while."""

    def __init__(self, atoms=2, megabytes=1000, seconds=5, **parameters):
        super().__init__(**parameters)
        self.most_atoms, self.megabytes, self.seconds = atoms, megabytes, seconds

    def calculate(self, atoms=None, properties=None, system_changes=()):
        if len(atoms) > self.most_atoms:
            eaten = bytearray(self.megabytes * 10**6)
            time.sleep(self.seconds)
            del eaten
        super().calculate(atoms, properties or ['energy'], system_changes)


class OnDevice(LennardJones):
    """Lennard-Jones that is told where to run."""

    def __init__(self, device='gpu', **parameters):
        super().__init__(**parameters)
        self.device = device


class ReadsWeights(LennardJones):
    """Lennard-Jones that restores a file, at once or when it is first called, with any code in it."""

    def __init__(self, weights, lazy=False, **parameters):
        super().__init__(**parameters)
        self.weights = weights
        if not lazy:
            self.read()

    def read(self):
        import torch

        torch.load(self.weights, weights_only=False)

    def calculate(self, atoms=None, properties=None, system_changes=()):
        self.read()
        super().calculate(atoms, properties or ['energy'], system_changes)


def begins(**parameters):
    """No class, and not to be called."""
    raise AssertionError('it was called')


class Begins:
    """No calculator, and not to be called."""

    def __init__(self, **parameters):
        raise AssertionError('it was called')


class GivesUp(LennardJones):
    """Lennard-Jones that ends in a given way for one element; by an exception, a kill, or no energy."""

    def __init__(self, how='SystemExit', **parameters):
        super().__init__(**parameters)
        self.how = how

    def calculate(self, atoms=None, properties=None, system_changes=()):
        super().calculate(atoms, properties or ['energy'], system_changes)
        if 53 not in atoms.numbers:
            return
        if self.how in ENDINGS:
            self.results['energy'] = ENDINGS[self.how]
        elif self.how == 'kill':
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            raise getattr(builtins, self.how)('it gives up')


#: What is no energy.
ENDINGS = {
    'nan': np.nan,
    'inf': -np.inf,
    'huge': -1e300,
    'complex': 1 + 1j,
    'text': 'low',
    'none': None,
    'many': [1, 2],
}


#: Length of the bond between the gate of :class:`Gated` and the atom that holds it, A.
BOND = 1.7


class Gated(Calculator):
    """Ions in a periodic landscape along x, whose saddles are low only if an atom steps aside.

    Energies do not change if all atoms are shifted: places count from that of the iodine. An ion rests at multiples of
    ``period`` along x, at every second one higher by ``tilt``. Over the saddle it passes hydrogen, the gate, which it
    pushes along z by ``opening``; with the gate in its place the saddle is higher by ``stiffness * opening**2 / 2``.
    With a ``trap`` (eV) the gate is on top of a hill, from which it slides along x as soon as an ion touches it.
    """

    implemented_properties = ['energy', 'forces']

    def __init__(self, barrier=0.4, tilt=0.0, period=7.0, wall=2.0, width=7.0, stiffness=8.0, opening=0.3, trap=0.0):
        super().__init__()
        self.height, self.tilt, self.period, self.wall, self.width = barrier, tilt, period, wall, width
        self.stiffness, self.opening, self.trap = stiffness, opening, trap

    def relaxed(self, x):
        """Lowest energy with an ion at x, from its lowest site, eV."""
        return self.height * np.sin(np.pi * x / self.period) ** 2 + self.tilt * np.sin(np.pi * x / self.period / 2) ** 2

    @property
    def frozen(self):
        """Barrier with the gate in its place, without a tilt, eV."""
        return self.height + self.stiffness * self.opening**2 / 2

    def calculate(self, atoms=None, properties=('energy',), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        numbers, forces = self.atoms.numbers, np.zeros((len(self.atoms), 3))
        [anchor], [gate], ions = (np.flatnonzero(numbers == number) for number in (53, 1, 3))
        half = self.atoms.cell.lengths() / 2
        x, *across = (self.atoms.positions[ions] - self.atoms.positions[anchor] + half).T
        angle, wide = np.pi * x / self.period, np.pi * np.array(across) / self.width
        aside = self.atoms.positions[gate] - self.atoms.positions[anchor] - [0, 0, BOND]
        aside -= 2 * half * np.rint(aside / half / 2)
        aside[2] -= self.opening * (np.sin(angle) ** 2).sum()
        slid = aside[0] / 0.3 + 0.1 * (np.sin(angle) ** 2).sum()
        aside[0] *= self.trap == 0
        energy = self.relaxed(x).sum() + self.wall * (np.sin(wide) ** 2).sum() + self.stiffness * (aside**2).sum() / 2
        energy += self.trap * ((slid**2 - 1) ** 2 - 1)
        push = self.height - self.stiffness * aside[2] * self.opening + 4 * self.trap * slid * (slid**2 - 1) * 0.1
        forces[ions, 0] = -push * np.sin(2 * angle) * np.pi / self.period
        forces[ions, 0] -= self.tilt * np.sin(angle) * np.pi / self.period / 2
        forces[ions, 1:] = -self.wall * np.sin(2 * wide.T) * np.pi / self.width
        forces[gate] = -self.stiffness * aside
        forces[gate, 0] -= 4 * self.trap * slid * (slid**2 - 1) / 0.3
        forces[anchor] = -forces.sum(axis=0)
        self.results = {'energy': energy, 'forces': forces}


class KilledGated(Gated):
    """A landscape with a gate whose process is killed once, a little after it has saved its work.

    The file that PESFP_TEST_MARK names says that it was.
    """

    def __init__(self, after=15, pause=21, **parameters):
        super().__init__(**parameters)
        self.mark, self.left, self.pause = Path(os.environ['PESFP_TEST_MARK']), after, pause

    def calculate(self, atoms=None, properties=('energy',), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.left -= 1
        if self.left == 0 and not self.mark.exists():
            time.sleep(self.pause)
        elif self.left == -2 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class WithoutForces(LennardJones):
    """Lennard-Jones that gives energies only."""

    implemented_properties = ['energy']


def gated_crystal(*places, period=7.0):
    """A cube of 7 A for :class:`Gated`, with ions at these multiples of its period along x."""
    ions = [[place * period / 7.0, 0, 0] for place in places]
    return Structure(
        Lattice.cubic(7.0), [*['Li'] * len(ions), 'H', 'I'], [*ions, [0.5, 0.5, 0.5 + BOND / 7.0], [0.5] * 3]
    )
