"""``pesfp-scan``: potential energy surface and descriptors of crystal structures, without AiiDA.

The AiiDA calculation job calls the same program with the same options as a person would. What it writes:

``OUT/run.json``
    the request, and the state of each structure (``done``, ``failed`` or ``pending``); rewritten after each.
``OUT/NAME/pes.npz``, ``OUT/NAME/descriptors.json``
    results of a structure that is done.
``OUT/NAME/energy.cube``, ``OUT/NAME/level.cube``, ``OUT/NAME/profile-ion3.csv``, ...
    with ``--export``: the same to look at.
``OUT/NAME/checkpoint.npz``
    the energies so far of a structure that is not. The same command again goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from pymatgen.core import Element
from tabulate import tabulate
from tqdm import tqdm

from aiida_pesfp import __version__, errors
from aiida_pesfp.fingerprint.descriptors import Descriptors, DescriptorSettings, XiParameters, describe
from aiida_pesfp.fingerprint.export import EXPORTS, export
from aiida_pesfp.fingerprint.grid import GRIDS, ScanSettings
from aiida_pesfp.fingerprint.levels import NEIGHBOUR_RULES
from aiida_pesfp.fingerprint.scan import evaluate, plan_scan
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.potentials import load_potential
from aiida_pesfp.runners.checkpoint import Checkpoint, signature, write_json
from aiida_pesfp.structures import Record, read_all

EXIT_FAILED, EXIT_UNUSABLE, EXIT_STOPPED, EXIT_OUT_OF_MEMORY = 1, 2, 3, 4


class Stopped(Exception):
    """The run has to end before all is done; the text says why."""


@dataclass
class Outcome:
    """What became of one structure; ``state`` is ``done``, ``failed`` or ``pending``."""

    record: Record
    state: str = 'pending'
    descriptors: Descriptors | None = None
    evaluations: int = 0
    seconds: float = 0.0
    error: Exception | None = None

    @property
    def formula(self) -> str | None:
        """Reduced formula, if the structure could be read."""
        structure = self.record.structure
        return None if structure is None else structure.composition.reduced_formula

    def summary(self) -> dict:
        """The object that ``--json`` prints for this structure."""
        found = {} if self.descriptors is None else self.descriptors.as_dict()
        names = ('xi', 'mpe', 'fv_connected', 'fv_disconnected', 'spectrum')
        return {
            'structure': self.record.source,
            'formula': self.formula,
            **{name: found.get(name) for name in names},
            'evaluations': self.evaluations,
            'seconds': round(self.seconds, 3),
            'error': None if self.error is None else f'{self.record.source}: {self.error}',
            **{name: found.get(name) for name in ('barrier_1d', 'barrier_2d', 'barrier_3d', 'ions')},
        }

    def report(self) -> dict:
        """The entry of this structure in ``run.json``."""
        return {
            'state': self.state,
            'structure': self.record.source,
            'formula': self.formula,
            'error': None if self.error is None else str(self.error),
            'error_type': None if self.error is None else type(self.error).__name__,
            'evaluations': self.evaluations,
            'seconds': round(self.seconds, 3),
        }


@dataclass
class Run:
    """One call of the program: what is asked for, and how far it got."""

    species: str
    scan_settings: ScanSettings
    descriptor_settings: DescriptorSettings
    output: Path | None
    time_limit: float | None
    checkpoint_interval: float
    outcomes: list[Outcome]
    exports: tuple[str, ...] = ()
    export_per_ion: bool = False
    potential: object = None
    fatal: str | None = None
    stopped: str | None = None

    def __post_init__(self):
        self.start = time.monotonic()
        self.terminated = False

    def check_stop(self) -> None:
        """Raise :class:`Stopped` if it is time to leave."""
        if self.terminated:
            raise Stopped('terminated')
        if self.time_limit is not None and time.monotonic() - self.start > self.time_limit:
            raise Stopped('time limit')

    def write(self) -> None:
        """Rewrite ``run.json``."""
        if self.output is None:
            return
        content = {
            'version': __version__,
            'species': self.species,
            'potential': self.potential and self.potential.identity.as_dict(),
            'device': self.potential and str(self.potential.device),
            'scan_settings': asdict(self.scan_settings),
            'descriptor_settings': self.descriptor_settings.as_dict(),
            'complete': self.fatal is None and all(outcome.state != 'pending' for outcome in self.outcomes),
            'stopped': self.stopped,
            'fatal': self.fatal,
            'structures': {outcome.record.name: outcome.report() for outcome in self.outcomes},
        }
        write_json(self.output / 'run.json', content)

    def exit_status(self) -> int:
        """The program's exit status: what a caller should do next decides which reason comes first."""
        if self.fatal is not None:
            return EXIT_UNUSABLE
        if self.stopped is not None:
            return EXIT_STOPPED
        if any(isinstance(outcome.error, errors.OutOfMemory) for outcome in self.outcomes):
            return EXIT_OUT_OF_MEMORY
        return EXIT_FAILED if any(outcome.state != 'done' for outcome in self.outcomes) else 0


def scan_one(run: Run, outcome: Outcome, on_progress: Callable[[int, int], None]) -> None:
    """Scan the structure of ``outcome``, or go on with it. What is wrong with it becomes part of the outcome.

    :param on_progress: called with the number of finished and of all evaluations.
    :raises Stopped: if the run has to end; the checkpoint then holds what there is.
    """
    record = outcome.record
    try:
        if record.error is not None:
            raise record.error
        surface = _surface(run, outcome, on_progress)
        outcome.descriptors = describe(surface, run.descriptor_settings)
        if run.output is not None:
            write_json(run.output / record.name / 'descriptors.json', outcome.descriptors.as_dict())
        if run.exports:
            folder, neighbours = run.output / record.name, run.descriptor_settings.neighbours
            export(surface, folder, run.exports, neighbours, run.export_per_ion)
        outcome.state = 'done'
    except (errors.StructureError, errors.OutOfMemory) as error:
        outcome.state, outcome.error = 'failed', error
    except MemoryError as error:
        outcome.state = 'failed'
        outcome.error = errors.OutOfMemory(f'the machine has not enough memory ({error}): take a larger spacing')
    except (Stopped, KeyboardInterrupt):
        raise
    except Exception as error:  # an error nobody foresaw must not cost the other structures their result either
        traceback.print_exc()
        outcome.state = 'failed'
        outcome.error = errors.EvaluationFailed(f'{type(error).__name__}: {error}')


def _surface(run: Run, outcome: Outcome, on_progress: Callable[[int, int], None]) -> PotentialEnergySurface:
    """The surface of one structure: evaluated, gone on with, or taken from an earlier run."""
    plan = plan_scan(outcome.record.structure, run.species, run.scan_settings)
    folder = run.output and run.output / outcome.record.name
    checkpoint = Checkpoint(folder, plan, signature(plan, run.scan_settings, run.potential.identity.sha256))
    try:
        surface = checkpoint.resume()
        if surface is None:
            evaluator = run.potential.evaluator(plan.structure)
            _evaluate(run, evaluator, checkpoint, on_progress)
            surface = checkpoint.finish()
        outcome.evaluations = surface.evaluations
    finally:
        outcome.seconds = checkpoint.seconds
    return surface


def _evaluate(run: Run, evaluator, checkpoint: Checkpoint, on_progress: Callable[[int, int], None]) -> None:
    plan = checkpoint.plan
    pieces, finished, saved = [checkpoint.energies], len(checkpoint.energies), time.monotonic()
    clock = time.monotonic()
    try:
        on_progress(finished, plan.evaluations)
        for piece in evaluate(plan, evaluator, checkpoint.energies):
            pieces.append(piece)
            finished += len(piece)
            now = time.monotonic()
            checkpoint.seconds += now - clock
            clock = now
            on_progress(finished, plan.evaluations)
            if now - saved > run.checkpoint_interval:
                pieces = [np.concatenate(pieces)]
                checkpoint.energies = pieces[0]
                checkpoint.save()
                saved = time.monotonic()
            run.check_stop()
    except errors.StructureError:
        raise  # the structure is at fault, there is nothing to go on with
    except BaseException:
        checkpoint.energies = np.concatenate(pieces)
        checkpoint.save()
        raise
    checkpoint.energies = np.concatenate(pieces)


def scan_all(run: Run, progress: bool) -> None:
    """Scan all structures of a run one after the other, with a progress bar on standard error."""
    for number, outcome in enumerate(run.outcomes, start=1):
        # disable=None: no bar where standard error is not a terminal
        bar = tqdm(
            desc=f'{outcome.record.name} ({number}/{len(run.outcomes)})', unit='pt', disable=None if progress else True
        )

        def on_progress(finished: int, total: int, bar=bar) -> None:
            bar.total = total
            bar.update(finished - bar.n)

        with bar:
            try:
                run.check_stop()
                scan_one(run, outcome, on_progress)
            except Stopped as reason:
                run.stopped = str(reason)
                return
            finally:
                run.write()


def table(outcomes: list[Outcome]) -> str:
    """The ranking, best first, and below it what failed and why."""
    done = sorted((o for o in outcomes if o.state == 'done'), key=lambda o: (-o.descriptors.xi, o.descriptors.mpe))
    rows = [
        (
            o.record.name,
            o.formula,
            o.descriptors.xi,
            o.descriptors.mpe,
            o.descriptors.fv_connected,
            o.descriptors.fv_disconnected,
            o.evaluations,
            o.seconds,
        )
        for o in done
    ]
    headers = ('structure', 'formula', 'Xi', 'MPE/eV', 'FV conn.', 'FV disc.', 'points', 'seconds')
    text = tabulate(rows, headers, floatfmt=('', '', '.4f', '.3f', '.4f', '.4f', '', '.1f')) if rows else ''
    for outcome in outcomes:
        if outcome.state == 'failed':
            text += f'\n{outcome.record.source}: {type(outcome.error).__name__}: {outcome.error}'
        elif outcome.state == 'pending':
            text += f'\n{outcome.record.source}: not finished'
    return text.strip('\n')


def _numbers(_context, _parameter, value: str | None) -> tuple[float, ...] | None:
    try:
        return None if value is None else tuple(float(number) for number in value.split(','))
    except ValueError:
        raise click.BadParameter(f'{value!r} is not a comma-separated list of numbers') from None


@click.command(context_settings={'help_option_names': ['-h', '--help'], 'show_default': True})
@click.argument('structures', nargs=-1, required=True, type=click.Path(path_type=Path), metavar='STRUCTURE...')
@click.option('--potential', default='sevennet-0', help='Name of a potential, or path of its weights.')
@click.option('--potential-sha256', help='Refuse a potential whose content has another SHA-256.')
@click.option('-o', '--output', type=click.Path(path_type=Path, file_okay=False), help='Folder for the results.')
@click.option('--species', default='Li', help='Chemical symbol of the mobile ion.')
@click.option('--spacing', default=ScanSettings.spacing, help='Largest step of the scan grid, A.')
@click.option('--minimum-distance', default=ScanSettings.minimum_distance, help='Of the ion to other atoms, A.')
@click.option('--grid', default='paper', type=click.Choice(GRIDS), help='symmetric: more points, fewer evaluations.')
@click.option('--symmetry/--no-symmetry', default=True, help='Evaluate equivalent points and ions once.')
@click.option('--adaptive', is_flag=True, help='Evaluate only the points on which Xi and MPE depend.')
@click.option('--neighbours', default='sqrt3', type=click.Choice(NEIGHBOUR_RULES), help='Steps of a path on the grid.')
@click.option('--thresholds', callback=_numbers, help='Free-volume thresholds, eV, comma-separated. [default: paper]')
@click.option('--smearing', callback=_numbers, help='Offsets a free volume is averaged over, eV. [default: paper]')
@click.option(
    '--xi',
    'xi_parameters',
    nargs=4,
    type=float,
    default=(0.5, -2.0, -1.15, 10.0),
    help='Parameters of Xi: threshold (eV), cut of log10 connected FV, of log10 disconnected FV, slope.',
)
@click.option(
    '--export',
    'exports',
    multiple=True,
    type=click.Choice(EXPORTS),
    help='Write energies and level maps for VESTA and the like, or the energy along the easiest path. Repeatable.',
)
@click.option('--export-per-ion', is_flag=True, help='Export each ion by itself instead of their union.')
@click.option('--device', default='auto', help="'cpu', 'cuda', 'cuda:1', ...; 'auto' takes a GPU if there is one.")
@click.option('--batch-size', type=click.IntRange(1), help='Configurations per batch. [default: from free memory]')
@click.option('--time-limit', type=float, help='Stop after so many seconds; the same command goes on later.')
@click.option('--checkpoint-interval', default=20.0, help='Seconds of work that a kill may cost.')
@click.option('--fresh', is_flag=True, help='Discard what an earlier run left in the output folder.')
@click.option('--json', 'as_json', is_flag=True, help='Print one JSON list on standard output and nothing else.')
@click.option('-q', '--quiet', is_flag=True, help='No progress bar.')
@click.version_option(__version__)
def main(structures, potential, potential_sha256, output, device, batch_size, fresh, as_json, quiet, **options):
    """Scan the potential energy surface of the mobile ion in each STRUCTURE and rank the structures by Xi.

    A STRUCTURE is a CIF, POSCAR, (extended) XYZ, pymatgen JSON or ASE JSON file, or a folder of such. Each is scanned
    on its own: one that cannot be scanned is named with the reason and costs the others nothing. The exit status is 0
    if all succeeded, 1 if some did not, 2 if the potential is unusable, 3 if the run was stopped before its end, and 4
    if a structure did not fit into memory.
    """
    with contextlib.redirect_stdout(sys.stderr):  # whatever libraries print is not our output
        run = _prepare(structures, output, fresh, **options)
        run.write()
        try:
            run.potential = load_potential(
                potential, device=device, batch_size=batch_size, expected_sha256=potential_sha256
            )
        except errors.PotentialError as error:
            run.fatal = str(error)
            for outcome in run.outcomes:
                outcome.state, outcome.error = 'failed', error
            run.write()
        else:
            signal.signal(signal.SIGTERM, lambda *_: setattr(run, 'terminated', True))
            scan_all(run, progress=not quiet)
    if as_json:
        click.echo(json.dumps([outcome.summary() for outcome in run.outcomes], indent=1, allow_nan=False))
    elif run.fatal is None:
        click.echo(table(run.outcomes))
    if run.fatal is not None:
        click.echo(f'Error: {run.fatal}', err=True)
    if run.stopped is not None:
        again = 'the same command goes on from here' if output else 'with --output the next run could go on from here'
        click.echo(f'Stopped ({run.stopped}): {again}.', err=True)
    sys.exit(run.exit_status())


def _prepare(structures, output, fresh, species, **options) -> Run:
    """Settings and structures of a run; raises ``click`` errors for wrong usage."""
    if not Element.is_valid_symbol(species):
        raise click.UsageError(f'{species!r} is not the symbol of a chemical element')
    if options['exports'] and output is None:
        raise click.UsageError('--export writes into the folder of the results: name it with --output')
    given = {name: options[name] for name in ('thresholds', 'smearing') if options[name]}
    try:
        xi = XiParameters(*options['xi_parameters'])
        scan_settings = ScanSettings(
            options['spacing'],
            options['minimum_distance'],
            options['grid'],
            options['symmetry'],
            xi.threshold if options['adaptive'] else None,
        )
        descriptor_settings = DescriptorSettings(**given, neighbours=options['neighbours'], xi=xi)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    records = read_all(structures)
    if not records:
        raise click.UsageError(f'no structure file in {", ".join(map(str, structures))}')
    if fresh and output is not None:
        for record in records:
            shutil.rmtree(output / record.name, ignore_errors=True)
    outcomes = [Outcome(record) for record in records]
    return Run(
        species,
        scan_settings,
        descriptor_settings,
        output,
        options['time_limit'],
        options['checkpoint_interval'],
        outcomes,
        options['exports'],
        options['export_per_ion'],
    )


if __name__ == '__main__':
    main()
