"""ASE calculators with a fault, to see how the runner takes it."""

import builtins
import os
import signal
import time

import numpy as np
from ase.calculators.lj import LennardJones


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
