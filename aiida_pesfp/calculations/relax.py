"""Calculation job that runs ``pesfp-relax``: relaxation with a machine-learned potential."""

from __future__ import annotations

from dataclasses import dataclass, fields

from aiida.common.datastructures import CalcInfo
from aiida.common.folders import Folder
from aiida.orm import Dict, StructureData

from aiida_pesfp.calculations.program import ProgramCalculation


@dataclass(frozen=True)
class RelaxationParameters:
    """When a relaxation is done.

    :param fmax: largest force on an atom, eV/A.
    :param smax: largest component of the stress, GPa.
    :param steps: most steps.
    :param variable_cell: whether the cell is relaxed too.
    """

    fmax: float = 0.01
    smax: float = 0.1
    steps: int = 500
    variable_cell: bool = True

    @classmethod
    def from_dict(cls, values: dict) -> RelaxationParameters:
        """From a dictionary; what is missing has its default.

        :raises ValueError: naming the key, its value and what is allowed.
        """
        names = [field.name for field in fields(cls)]
        for key, value in values.items():
            if key not in names:
                raise ValueError(f'unknown parameter {key!r}: known are {", ".join(names)}')
            kinds = {'steps': (int,), 'variable_cell': (bool,)}.get(key, (int, float))
            if not isinstance(value, kinds) or (key != 'variable_cell' and (isinstance(value, bool) or not value > 0)):
                expected = {'steps': 'a positive whole number', 'variable_cell': 'true or false'}
                raise ValueError(f'{key} must be {expected.get(key, "a positive number")}, not {value!r}')
        return cls(**values)


def _validate_parameters(node, _) -> str | None:
    try:
        RelaxationParameters.from_dict(node.get_dict())
    except ValueError as error:
        return str(error)
    return None


class RelaxCalculation(ProgramCalculation):
    """Relaxation of the atoms and the cell of a structure."""

    #: Raise it when a change makes the results of the same inputs differ.
    CACHE_VERSION = 1

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input(
            'parameters',
            valid_type=Dict,
            default=Dict,
            validator=_validate_parameters,
            help='fmax (eV/A, 0.01), smax (GPa, 0.1), steps (500) and variable_cell (true).',
        )
        spec.inputs['metadata']['options']['parser_name'].default = 'pesfp.relax'
        spec.inputs['metadata']['options']['output_filename'].default = 'pesfp-relax.out'
        spec.output(
            'structure', valid_type=StructureData, required=False, help='The relaxed structure, or how far it came.'
        )
        spec.outputs['output_parameters'].help = (
            'energy (eV), maximum_force (eV/A), maximum_stress and stress (GPa, positive under tension), volume (A^3), '
            'volume_change (relative), steps, converged, seconds, device, version.'
        )
        spec.exit_code(430, 'ERROR_NOT_CONVERGED', message='The structure is not relaxed after all its steps.')

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        info = super().prepare_for_submission(folder)
        info.retrieve_list.append((f'{self.RESULTS}/*/*.json', '.', 3))
        return info

    def own_options(self) -> list[str]:
        parameters = RelaxationParameters.from_dict(self.inputs.parameters.get_dict())
        return [
            f'--fmax={float(parameters.fmax)!r}',
            f'--smax={float(parameters.smax)!r}',
            f'--steps={parameters.steps}',
            '--variable-cell' if parameters.variable_cell else '--fixed-cell',
        ]
