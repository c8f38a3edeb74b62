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
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from pymatgen.core import Element
from tabulate import tabulate
from tqdm import tqdm

from aiida_pesfp import __version__, errors
from aiida_pesfp.crystals.files import read_named_structures
from aiida_pesfp.fingerprint.descriptors import Descriptors, describe
from aiida_pesfp.fingerprint.export import EXPORTS, export
from aiida_pesfp.fingerprint.quantities import IN_RANKINGS, NAMES, rank_key
from aiida_pesfp.fingerprint.scan import drain, evaluate, plan_scan
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.programs.checkpoint import Checkpoint, signature, write_json
from aiida_pesfp.programs.request import Outcome, Request
from aiida_pesfp.settings.descriptors import NEIGHBOUR_RULES, DescriptorSettings, XiParameters
from aiida_pesfp.settings.scan import GRIDS, ScanSettings


@dataclass
class ScanOutcome(Outcome):
    """What became of the scan of one structure."""

    descriptors: Descriptors | None = None
    evaluations: int = 0

    def results(self) -> dict:
        unknown = dict.fromkeys((*NAMES, 'spectrum', 'ions'))
        found = unknown if self.descriptors is None else self.descriptors.as_dict()
        return found | {'evaluations': self.evaluations}

    def report(self) -> dict:
        return super().report() | {'evaluations': self.evaluations}


@dataclass
class ScanRequest(Request):
    """One call of the program."""

    species: str
    scan_settings: ScanSettings
    descriptor_settings: DescriptorSettings
    checkpoint_interval: float
    exports: tuple[str, ...] = ()
    export_per_ion: bool = False

    def settings(self) -> dict:
        return {
            'species': self.species,
            'scan_settings': asdict(self.scan_settings),
            'descriptor_settings': self.descriptor_settings.as_dict(),
        }

    def treat(self, outcome: ScanOutcome, bar: tqdm) -> None:
        """Scan a structure, or go on with it."""
        try:
            surface = self._surface(outcome, bar)
            outcome.descriptors = describe(surface, self.descriptor_settings)
        except MemoryError as error:
            raise errors.OutOfMemory(f'the machine has not enough memory ({error}): take a larger spacing') from error
        if self.output is not None:
            write_json(self.output / outcome.name / 'descriptors.json', outcome.descriptors.as_dict())
        if self.exports:
            folder, neighbours = self.output / outcome.name, self.descriptor_settings.neighbours
            export(surface, folder, self.exports, neighbours, self.export_per_ion)

    def _surface(self, outcome: ScanOutcome, bar: tqdm) -> PotentialEnergySurface:
        """The surface of one structure: evaluated, gone on with, or taken from an earlier run."""
        plan = plan_scan(outcome.record.structure, self.species, self.scan_settings)
        folder = self.output and self.output / outcome.name
        checkpoint = Checkpoint(folder, plan, signature(plan, self.scan_settings, self.potential.identity.sha256))
        try:
            surface = checkpoint.resume()
            if surface is None:
                evaluator = self.potential.evaluator(plan.structure)
                surface = checkpoint.finish(self._evaluate(evaluator, checkpoint, bar))
            outcome.evaluations = surface.evaluations
        finally:
            outcome.seconds = checkpoint.seconds
        return surface

    def _evaluate(self, evaluator, checkpoint: Checkpoint, bar: tqdm) -> list[np.ndarray]:
        plan, pieces = checkpoint.plan, [checkpoint.energies]
        clock = saved = time.monotonic()

        def take(piece: np.ndarray) -> None:
            nonlocal clock, saved, pieces
            pieces.append(piece)
            now = time.monotonic()
            checkpoint.seconds += now - clock
            clock = now
            bar.update(len(piece))
            if now - saved > self.checkpoint_interval:
                pieces = [np.concatenate(pieces)]
                checkpoint.energies = pieces[0]
                checkpoint.save()
                saved = time.monotonic()
            self.check_stop()

        bar.total = plan.evaluations
        bar.update(len(checkpoint.energies))
        try:
            surfaces = drain(evaluate(plan, evaluator, checkpoint.energies), take)
        except errors.StructureError:
            raise  # the structure is at fault, there is nothing to go on with
        except BaseException:
            checkpoint.energies = np.concatenate(pieces)
            checkpoint.save()
            raise
        checkpoint.energies = np.concatenate(pieces)
        return surfaces


def table(outcomes: list[ScanOutcome]) -> str:
    """The ranking, best first."""
    done = sorted((o for o in outcomes if o.state == 'done'), key=lambda o: rank_key(o.descriptors.values))
    rows = [
        (o.name, o.formula, *(o.descriptors.values[one.name] for one in IN_RANKINGS), o.evaluations, o.seconds)
        for o in done
    ]
    headers = ('structure', 'formula', *(one.head for one in IN_RANKINGS), 'points', 'seconds')
    floats = ('', '', *(one.format for one in IN_RANKINGS), '', '.1f')
    return tabulate(rows, headers, floatfmt=floats) if rows else ''


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
@click.option('--adaptive', is_flag=True, help='Evaluate only what Xi and MPE depend on: for a CPU.')
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
        request = _prepare(structures, output, fresh, **options)
        request.run(
            potential,
            progress=not quiet,
            unit='pt',
            device=device,
            batch_size=batch_size,
            expected_sha256=potential_sha256,
        )
    request.finish(as_json, table)


def _prepare(structures, output, fresh, species, **options) -> ScanRequest:
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
    records = read_named_structures(structures)
    if not records:
        raise click.UsageError(f'no structure file in {", ".join(map(str, structures))}')
    if fresh and output is not None:
        for record in records:
            shutil.rmtree(output / record.name, ignore_errors=True)
    return ScanRequest(
        [ScanOutcome(record) for record in records],
        output,
        options['time_limit'],
        species,
        scan_settings,
        descriptor_settings,
        options['checkpoint_interval'],
        options['exports'],
        options['export_per_ion'],
    )


if __name__ == '__main__':
    main()
