"""``pesfp-transport``: conductivity from a trajectory, activation energy from conductivities, without AiiDA."""

import contextlib
import json
import re
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import ase.io
import click
import numpy as np
from tabulate import tabulate

from aiida_pesfp import __version__, errors
from aiida_pesfp.programs.points import ROLES, read_points
from aiida_pesfp.settings.arrhenius import ArrheniusSettings
from aiida_pesfp.settings.diffusion import ConductivitySettings, DiffusionSettings
from aiida_pesfp.settings.options import options_of
from aiida_pesfp.trajectories.files import read_trajectory
from aiida_pesfp.transport.arrhenius import FLAGS, ROOM_TEMPERATURE, ArrheniusFit, fit_arrhenius
from aiida_pesfp.transport.conductivity import Conductivity, analyse
from aiida_pesfp.transport.statements import FLAG, compare

_PATH = click.Path(path_type=Path)
_JSON = click.option(
    '--json', 'as_json', is_flag=True, help='Print one JSON object on standard output and nothing else.'
)


@click.group(context_settings={'help_option_names': ['-h', '--help'], 'show_default': True})
@click.version_option(__version__)
def main():
    """Ionic conductivity and activation energy from molecular dynamics.

    The exit status is 0 for a result, 1 if there is none, with the reason on standard error, and 2 for wrong usage.
    """


def _cell(_context, _parameter, value: str | None) -> tuple[np.ndarray | None, int | None]:
    """Lattice vectors, from 3 or 9 numbers, or from a structure file with the number of its atoms."""
    if value is None:
        return None, None
    try:
        numbers = [float(number) for number in re.split(r'\s*,\s*|\s+', value.strip())]
    except ValueError:
        try:
            atoms = ase.io.read(value)
        except Exception as error:  # the parsers raise anything
            raise click.BadParameter(f'{value}: neither numbers nor a structure file ({error})') from None
        return atoms.cell.array, len(atoms)
    if len(numbers) not in (3, 9):
        raise click.BadParameter(f'{len(numbers)} numbers: give 3 lengths, 9 components, or a structure file')
    return np.diag(numbers) if len(numbers) == 3 else np.reshape(numbers, (3, 3)), None


def _symbols(_context, _parameter, value: str | None) -> list[str] | None:
    return None if value is None else [symbol.strip() for symbol in value.split(',')]


@contextlib.contextmanager
def _one_line_errors():
    """An error of the input ends the program with one line. What libraries print goes to standard error."""
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    except (errors.PesfpError, ValueError, ImportError, OSError) as error:
        click.echo(f'Error: {error}', err=True)
        sys.exit(1)


@main.command()
@click.argument('trajectories', nargs=-1, required=True, type=_PATH, metavar='TRAJECTORY...')
@click.option('--timestep-fs', type=float, required=True, help='Time step of the dynamics (fs).')
@click.option('--stride', type=click.IntRange(1), help='Steps between frames. [default: what the files say, or 1]')
@click.option('--cell', callback=_cell, help='For files without a cell: 3 or 9 numbers (A), or a structure file.')
@click.option('--types', callback=_symbols, help='Elements of atom types 1, 2, ... if a file names none: Li,P,S.')
@options_of(
    ConductivitySettings,
    temperature={'required': True, 'help': 'Temperature of the thermostat (K).'},
    equilibration_ps={'default': DiffusionSettings().equilibration},
)
@click.option('--curves', type=_PATH, help='Write the mean squared displacements to this .npz file.')
@_JSON
def msd(trajectories, timestep_fs, stride, cell, types, curves, as_json, **options):
    """Conductivity from the mean squared displacement in one run.

    Each TRAJECTORY is an XYZ, XDATCAR, SIESTA ANI (its cell is taken from the XV or STRUCT_OUT beside it), LAMMPS dump,
    PDB, HISTORY of DL_POLY, or any file that ASE reads. Several are the parts of one run, in order; frame_2 comes
    before frame_10. Positions that are wrapped into the cell are unwrapped.
    """
    with _one_line_errors():
        chosen = ConductivitySettings.from_dict(options)
        cell, atoms = cell
        trajectory, notes = read_trajectory(list(trajectories), timestep_fs, stride, cell, types, chosen.unwrapped)
        if atoms is not None and atoms != len(trajectory.symbols):
            words = f'the structure of --cell has {atoms} atoms and the frames have {len(trajectory.symbols)}'
            raise errors.InvalidTrajectory(f'{words}: give the cell of the dynamics')
        try:
            found = analyse(
                trajectory, chosen.species, chosen.temperature, chosen.charge, chosen.diffusion, chosen.bayesian
            )
        except errors.TrajectoryTooShort as error:  # often because of what the notes say
            raise errors.TrajectoryTooShort('; '.join([str(error), *notes])) from error
        if curves is not None:
            np.savez_compressed(curves, **found.curves())
    for note in notes:
        click.echo(f'Note: {note}', err=True)
    if not as_json:
        return click.echo(_describe(found))
    estimate = found.diffusion.estimate
    _print_json(
        {
            'sigma_S_cm': found.value,
            'sigma_error_S_cm': found.error,
            'diffusion_coefficient_cm2_s': estimate.coefficient,
            'diffusion_coefficient_error_cm2_s': estimate.error,
            'T_K': found.temperature,
            **found.as_dict(),
            'notes': notes,
        }
    )


def _describe(found: Conductivity) -> str:
    """A conductivity for a person."""
    others = found.diffusion.alternatives
    estimates = {
        f'{found.settings.fit_start:g} ps to the end of each window': found.diffusion.estimate,
        'whole run, one fit': others['whole_run'],
        **{f'{t} ps to the end of each window': others[f'from_{t}_ps'] for t in (0, 5) if f'from_{t}_ps' in others},
    }
    rows = [
        (name, len(one.slopes), one.coefficient, one.error, found.of(one.coefficient), found.of(one.error))
        for name, one in estimates.items()
    ]
    if found.bayesian is not None:
        low, high = found.bayesian.interval
        half, mean = (high - low) / 2, found.bayesian.diffusion_coefficient
        rows.append(('kinisi, half of the 68 % interval', '', mean, half, found.of(mean), found.of(half)))
    headers = ('fit', 'windows', 'D cm2/s', '+-', 'sigma S/cm', '+-')
    return '\n'.join(
        [
            f'{found.formula}: {found.number_of_mobile_ions} {found.species} of charge {found.charge:+g}, '
            f'{found.temperature:g} K, {found.duration:g} ps in windows of {found.settings.window:g} ps, frames '
            f'{found.diffusion.lags[1]:g} ps apart\n',
            tabulate(rows, headers, floatfmt=('', '', '.3g', '.2g', '.3g', '.2g'), missingval='-'),
            '\nUncertainties: half width of the 68.3 % confidence interval, from the spread over windows.',
            *(f'{flag}: {remark}.' for flag, remark in found.remarks.items()),
        ]
    )


@main.command()
@click.argument('table', type=_PATH)
@options_of(ArrheniusSettings, exclude=None, exclude_flags=None)
@click.option(
    '--exclude',
    nargs=2,
    type=(float, str),
    multiple=True,
    metavar='T REASON',
    help='Leave out the points at this temperature, K, for this reason. May be repeated.',
)
@click.option(
    '--ignore', multiple=True, metavar='COLUMN', help="Neither read nor compare it; or a pattern, 'mp_*'. Repeatable."
)
@click.option(
    '--relative-error',
    type=click.FloatRange(0, 1, min_open=True),
    help='Error over conductivity of the points that have no error, such as 0.05; a note says that it was taken.',
)
@click.option('--at', 'temperatures', type=float, multiple=True, help='Also extrapolate to this temperature, K.')
@_JSON
def arrhenius(table, scale, exclude, ignore, relative_error, temperatures, as_json):
    """Activation energy, and conductivity at 300 K, from conductivities at several temperatures.

    TABLE has a header with the columns T_K, sigma_S_cm and sigma_error_S_cm, or such as 'T (°C)' or '1000/T',
    'sigma (mS/cm)' or 'ln(sigma*T)', and 'error', separated by commas, semicolons or tabs. Other columns have to agree
    with these or be names, sources or remarks. So has what other lines say, such as '# Ea = 0.50 eV'.
    """
    with _one_line_errors():
        found = read_points(table, ignore, relative_error)
        points = found.points
        for excluded, reason in exclude:
            hits = [bool(np.isclose(point.temperature, excluded, rtol=1e-6)) for point in points]
            if not any(hits):
                raise ValueError(f'no point at {excluded:g} K to exclude')
            points = [replace(point, excluded=reason) if hit else point for point, hit in zip(points, hits)]
        fit = fit_arrhenius(points, scale)
        remarks = fit.remarks() | compare(found.statements, fit, found.unit, found.column)
        for temperature in temperatures:
            if not (np.isfinite(temperature) and temperature > 0):
                raise ValueError(f'{temperature:g} K is not a temperature')
    for note in found.notes:
        click.echo(f'Note: {note}', err=True)
    if not as_json:
        return click.echo(_describe_fit(fit, temperatures, remarks))
    content, values = fit.as_dict(), [(p.temperature, p.conductivity, p.conductivity_error) for p in fit.points]
    names, columns = ('chi2_reduced', 'p_value', 'degrees_of_freedom', 'scale'), ROLES.values()
    _print_json(
        {
            'activation_energy_meV': 1000 * fit.activation_energy,
            'activation_energy_error_meV': 1000 * fit.activation_energy_error,
            'sigma_300K_S_cm': content['conductivity_300K'],
            'sigma_300K_error_S_cm': content['conductivity_300K_error'],
            **{name: content[name] for name in names},
            'flags': {flag: flag in remarks for flag in (*FLAGS, FLAG)},
            'remarks': remarks,
            'extrapolated': [dict(zip(columns, (t, *fit.conductivity(t)))) for t in temperatures],
            'points': [dict(zip(columns, row)) | {'excluded': p.excluded} for row, p in zip(values, fit.points)],
            'notes': found.notes,
        }
    )


def _describe_fit(fit: ArrheniusFit, temperatures: tuple[float, ...], remarks: dict[str, str]) -> str:
    """A fit for a person."""
    rows = []
    for p in fit.points:
        fitted, _ = fit.conductivity(p.temperature)
        note = p.excluded and f'excluded: {p.excluded}'
        rows.append((p.temperature, p.conductivity, p.conductivity_error, fitted, note))
    energy, deviation = 1000 * fit.activation_energy, 1000 * fit.activation_energy_error
    lines = [
        tabulate(rows, ('T K', 'sigma S/cm', '+-', 'fit S/cm', ''), floatfmt=('g', '.3g', '.2g', '.3g', '')),
        f'\nE_A = {energy:.0f} +- {deviation:.0f} meV ({fit.scale} scale)',
    ]
    if fit.chi2_reduced is not None:
        lines.append(f'chi2/df = {fit.chi2_reduced:.2g}, p = {fit.p_value:.2g}')
    for temperature in (ROOM_TEMPERATURE, *temperatures):
        value, error = fit.conductivity(temperature)
        lines.append(f'sigma({temperature:g} K) = {value:.2g} +- {error:.2g} S/cm')
    return '\n'.join(lines + [f'{flag}: {remark}.' for flag, remark in remarks.items()])


def _print_json(content: dict) -> None:
    click.echo(json.dumps(content, indent=1, allow_nan=False))


if __name__ == '__main__':
    main()
