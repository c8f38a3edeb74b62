"""Any ASE calculator as a potential: one configuration after the other."""

import inspect
import pkgutil
from numbers import Real
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, FileIOCalculator
from ase.calculators.genericfileio import GenericFileIOCalculator
from pydantic import AfterValidator, JsonValue
from pydantic.fields import FieldInfo
from pymatgen.core import Structure

from aiida_pesfp.errors import EvaluationFailed, PotentialError, one_line
from aiida_pesfp.potentials.ase.family import PREFIX
from aiida_pesfp.potentials.base import Evaluator, Potential, PotentialIdentity
from aiida_pesfp.potentials.description import describe
from aiida_pesfp.potentials.trust import reason, without_code
from aiida_pesfp.settings.base import check_value
from aiida_pesfp.settings.yaml_files import is_text

#: Calculators that hand any argument on to a program, and modules of such.
_TAKE_ANYTHING = FileIOCalculator, GenericFileIOCalculator
_PASS_ON = 'ase.calculators.lammpsrun', 'ase.calculators.lammpslib'
#: Lengths of ASE's pair potentials, and the largest that makes sense, A: far beyond, they have no end of neighbours;
#: and the deepest well of a pair that does, eV.
_LENGTHS, _LONGEST, _DEEPEST = ('sigma', 'r0', 'rc', 'ro', 'rcut1', 'rcut2'), 30.0, 5.0
#: Parameters of ASE's pair potentials: where a smooth end begins, and where it ends.
_CUTOFFS = ('ro', 'rc'), ('rcut1', 'rcut2')


def _meant_as_text(value: Any) -> Any:
    if isinstance(value, str) and not is_text(value):
        raise ValueError(f'leave out the quotes of {value!r}')
    return value


#: Where nothing is known, a text that would be a value without quotes is hardly meant as text.
_UNKNOWN = Annotated[JsonValue, AfterValidator(_meant_as_text)]


class AsePotential(Potential):
    """An ASE calculator, made anew for each structure, so that none inherits another's state."""

    def __init__(self, identity: PotentialIdentity, device: str = 'auto', batch_size: int | None = None):
        """:raises PotentialError: if the calculator cannot be made, or knows no device and one is asked for."""
        self.identity, self._name, self._parameters = identity, identity.name.removeprefix(PREFIX), {}
        self._source = f'{identity.path}: ' if identity.path else ''
        if identity.path is not None:
            description = describe(Path(identity.path))
            self._name, self._parameters = description['calculator'], description['parameters']
        way_out = f'give {f"in {identity.path} " if identity.path else ""}package.module.Class of an installed package'
        try:
            self._class = pkgutil.resolve_name(self._name)
        except (Exception, SystemExit) as error:  # whatever its module may raise
            what = f'there is no ASE calculator {self._name!r} here ({one_line(error)})'
            raise PotentialError(f'{what}: {way_out}') from error
        if not (isinstance(self._class, type) and issubclass(self._class, BaseCalculator)):
            raise PotentialError(f'{self._name} is no class of ASE calculators: {way_out}')
        self._check_parameters()
        self.device = self._choose_device(device)
        made = getattr(self._make(), 'parameters', None) or {}
        lengths = {name: made.get(name) for name in _LENGTHS if self._class.__module__.startswith('ase.')}
        if long := {name: length for name, length in lengths.items() if isinstance(length, Real) and length > _LONGEST}:
            what = f'the ASE calculator {self._name} has the lengths {long}'
            raise PotentialError(f'{self._source}{what}: give them in A, up to {_LONGEST:g}')
        if any(lengths.values()) and isinstance(depth := made.get('epsilon'), Real) and not 0 < depth <= _DEEPEST:
            raise PotentialError(f'{self._source}epsilon = {depth:g} eV is no depth of a pair: up to {_DEEPEST:g} eV')
        if lengths.get('rc') is not None and lengths['rc'] < (least := 2 ** (1 / 6) * (lengths['sigma'] or 0)):
            what = f'rc = {made["rc"]:g} A cuts off all attraction, which begins at 2^(1/6) sigma = {least:.3g} A'
            raise PotentialError(f'{self._source}{what}')
        for inner, outer in _CUTOFFS:
            if made.get(outer) is not None and made.get(inner, 0) > made[outer]:
                what = f'{inner} = {made[inner]:g} is beyond {outer} = {made[outer]:g}'
                raise PotentialError(f'{self._source}{what}, where the ASE calculator {self._name} ends: correct one')

    def evaluator(self, structure: Structure) -> Evaluator:
        return AseEvaluator(structure, self._make(), self._name)

    def calculator(self, structure: Structure) -> Calculator:
        return self._make()

    def _check_parameters(self) -> None:
        """ASE's base class takes arguments of any name and kind: a misprint would leave a default in place, in silence,
        and a text in the place of a number or of true or false would mean something else."""
        usual = {}
        for base in reversed(self._class.__mro__):
            if '__init__' in vars(base):
                arguments = inspect.signature(vars(base)['__init__']).parameters
                usual |= {name: None if one.default is one.empty else one.default for name, one in arguments.items()}
        defaults = getattr(self._class, 'default_parameters', None) or {}
        usual = {name: value for name, value in (usual | defaults).items() if name not in ('self', 'args', 'kwargs')}
        passes_on = issubclass(self._class, _TAKE_ANYTHING) or self._class.__module__ in _PASS_ON
        # A class with arguments of its own passes the others to the base class, which keeps and ignores them.
        own = [one for one in inspect.signature(self._class).parameters.values() if one.kind != one.VAR_KEYWORD]
        for name, value in sorted(self._parameters.items()):
            if name not in usual and (defaults or own) and not passes_on:
                known = ', '.join(sorted(usual))
                what = f'the ASE calculator {self._name} has no parameter {name!r}'
                raise PotentialError(f'{self._source}{what}: it has {known}')
            try:
                check_value(name, value, _like(usual.get(name)))
            except ValueError as error:
                what = f'the parameter {name} of the ASE calculator {self._name}'
                raise PotentialError(f'{self._source}{what}: {error}') from error

    def _choose_device(self, device: str) -> str:
        """The device, which becomes a parameter of the calculator if its constructor takes one."""
        try:
            takes_device = 'device' in inspect.signature(self._class).parameters
        except (TypeError, ValueError):  # not callable, or compiled
            takes_device = False
        if not takes_device and device not in ('auto', 'cpu'):
            raise PotentialError(
                f'the ASE calculator {self._name} takes no argument device, so it cannot be put on {device!r}: '
                'leave the device out, or set what the calculator calls it in the parameters of its file'
            )
        if takes_device and not (device == 'auto' and 'device' in self._parameters):
            from aiida_pesfp.potentials.batching import choose_device  # imports torch, which not every calculator needs

            self._parameters = self._parameters | {'device': str(choose_device(device))}
        return str(self._parameters['device']) if takes_device else 'cpu'

    def _make(self) -> Calculator:
        try:
            with without_code(self.identity.trusted):
                return self._class(**self._parameters)
        except (Exception, SystemExit) as error:  # whatever a calculator's constructor may raise
            what = f'the ASE calculator {self._name} cannot be made with the parameters {self._parameters}'
            raise PotentialError(f'{what}: {reason(error)}') from error


def _like(usual: Any) -> FieldInfo:
    """What may stand in a file where the calculator has a usual value, which may be None."""
    kinds = {bool: bool, Real: float, str: str | list[JsonValue] | dict[str, JsonValue] | None}
    kind = next((kinds[kind] for kind in kinds if isinstance(usual, kind)), _UNKNOWN)
    return FieldInfo(annotation=kind, description=f'such as {usual}')


class AseEvaluator(Evaluator):
    """Energies of one structure by an ASE calculator."""

    def __init__(self, structure: Structure, calculator: Calculator, name: str):
        self._name = name
        self._places = np.array(structure.cart_coords)
        self._atoms = Atoms(structure.atomic_numbers, self._places, cell=structure.lattice.matrix, pbc=True)
        self._atoms.calc = calculator

    def energies(self, ion: int, positions: np.ndarray) -> np.ndarray:
        self._atoms.positions = self._places
        energies = np.empty(len(positions))
        for index, position in enumerate(positions):
            self._atoms.positions[ion] = position
            try:
                energies[index] = self._atoms.get_potential_energy()
            except Exception as error:  # a calculator raises whatever its author chose
                place = ', '.join(f'{x:.3f}' for x in position)
                where = f'ion {ion} ({self._atoms.symbols[ion]}) at ({place}) A: {type(error).__name__}: {error}'
                raise EvaluationFailed(f'the ASE calculator {self._name} failed with {where}') from error
        return energies
