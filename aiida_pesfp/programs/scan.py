"""``pesfp-scan``: potential energy surface and descriptors of crystal structures, without AiiDA.

What it writes, apart from ``OUT/run.json``:

``OUT/NAME/pes.npz``, ``OUT/NAME/descriptors.json``
    results of a structure that is done.
``OUT/NAME/tree.npz`` or ``OUT/NAME/ions.npz``, ``OUT/NAME/kept.json``
    with ``--keep merge-tree`` or ``--keep descriptors``, in place of ``pes.npz``: the merge tree, or only the ions that
    were scanned, and a record by which the same command knows that the structure is done. What is there from earlier
    stays.
``OUT/NAME/cell.cif``
    the cell that was scanned: numbers and coordinates of ions are those of this file. With ``--others`` removed or
    interstitial, the moving ion stands at its lowest point, as its last atom.
``OUT/NAME/ordering.json``
    with ``--orderings``: how this ordering was made. NAME is that of the disordered structure, with a number.
``OUT/NAME/energy.cube``, ``OUT/NAME/level.cube``, ``OUT/NAME/profile-ion3.csv``, ...
    with ``--export``: the same to look at.
``OUT/orderings/``
    with ``--orderings``: orderings that were made with the potential, from which the same command resumes.
``OUT/ensembles.json``
    with ``--orderings``: the means over the orderings of each disordered structure, with their spread, and why there
    are too few, if there are.
``OUT/NAME/checkpoint.npz``
    the energies so far of a structure that is not done. The same command resumes from there.
"""

import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import numpy as np
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter
from tabulate import tabulate
from tqdm import tqdm

from aiida_pesfp import errors
from aiida_pesfp.assessment.calibrated import Calibrations
from aiida_pesfp.crystals.canonical import cell_to_scan
from aiida_pesfp.crystals.files import NamedStructure
from aiida_pesfp.fingerprint.descriptors import Descriptors, describe
from aiida_pesfp.fingerprint.doubts import doubts_of_surface
from aiida_pesfp.fingerprint.ensemble import Ensemble
from aiida_pesfp.fingerprint.export import EXPORTS, export
from aiida_pesfp.fingerprint.merge_tree import KEPT, MergeTree
from aiida_pesfp.fingerprint.plan import host_of, plan_scan
from aiida_pesfp.fingerprint.quantities import BY_NAME, NAMES, rank_key, shown_in, stopped_early
from aiida_pesfp.fingerprint.scan import drain, evaluate
from aiida_pesfp.fingerprint.surface import PotentialEnergySurface
from aiida_pesfp.memory import MORE_MEMORY, available_memory
from aiida_pesfp.programs.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    discard,
    replacing,
    write_json,
    writing,
)
from aiida_pesfp.programs.command import program
from aiida_pesfp.programs.kept import RECORD, Kept
from aiida_pesfp.programs.members import Members, Orderer
from aiida_pesfp.programs.outcome import Outcome
from aiida_pesfp.programs.request import Request
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.options import NumberOr, options_of, take
from aiida_pesfp.settings.ordering import EnsembleSettings, number_or_auto
from aiida_pesfp.settings.program import ProgramSettings
from aiida_pesfp.settings.scan import FingerprintSettings, ScanSettings

DESCRIPTORS, ENSEMBLES, ORDERINGS = 'descriptors.json', 'ensembles.json', 'orderings'


@dataclass
class ScanOutcome(Outcome):
    """The result of the scan of one structure; ``kept`` is what was kept of its surface."""

    descriptors: Descriptors | None = None
    kept: str | None = None
    evaluations: int = 0
    atoms_scanned: int | None = None

    def results(self) -> dict:
        found = (
            self.descriptors.as_dict()
            if self.descriptors
            else dict.fromkeys((*NAMES, 'stopped_early', 'spectrum', 'ions'))
        )
        origin = {'parent': self.input.parent, 'weight': self.input.weight}
        return origin | found | {'atoms_scanned': self.atoms_scanned, 'evaluations': self.evaluations}

    def report(self) -> dict:
        found = {'evaluations': self.evaluations, 'atoms_scanned': self.atoms_scanned}
        found |= {'parent': self.input.parent, 'weight': self.input.weight, 'kept': self.kept}
        return super().report() | found | {'stopped_early': self.descriptors and stopped_early(self.descriptors.values)}


@dataclass
class ScanRequest(Request):
    """One call of the program."""

    settings: FingerprintSettings
    exports: tuple[str, ...] = ()
    export_per_ion: bool = False
    orderings: EnsembleSettings | None = None
    members: list[Members] = field(default_factory=list, init=False)

    UNIT = 'pt'
    FILES = (
        *(kind.FILE for kind in KEPT.values()),
        CHECKPOINT,
        RECORD,
        DESCRIPTORS,
        'cell.cif',
        'ordering.json',
        'energy*.*',
        'level*.*',
        'profile-ion*.csv',
    )

    def reported_settings(self) -> dict:
        return {
            'species': self.settings.species,
            **{name: self.settings.compared()[name] for name in ('cell', 'cell_size')},
            'scan_settings': self._scan_settings.as_dict(),
            'descriptor_settings': self.settings.descriptors.as_dict(),
            'keep_settings': self.settings.retention.as_dict(),
            'ordering_settings': self.orderings and self.orderings.as_dict(),
        }

    @property
    def _scan_settings(self) -> ScanSettings:
        """How surfaces are scanned with this potential: a GPU evaluates all points sooner than it chooses some."""
        settings = self.settings.scan
        settings = replace(settings, adaptive=settings.adaptive and not (self.potential and self.potential.is_parallel))
        if settings.stop_below is None or settings.stop_xi != XiParameters() or self.potential is None:
            return settings
        found = Calibrations().of(self._origin)
        return replace(settings, stop_xi=found.parameters) if found else settings

    @property
    def _origin(self) -> dict:
        """What the descriptors depend on, as attributes."""
        identity = self.potential and self.potential.identity
        return self.settings.origin(identity and identity.sha256, identity and identity.name)

    def rounds(self) -> Iterator[None]:
        """Scan the orderings of each disordered structure for it, and more of them until there are enough."""
        if self.orderings is None:
            yield from super().rounds()
            return
        folder = self.output and self.output / ORDERINGS
        if folder is not None and self.program_settings.fresh:
            discard(folder, ('*.json',))
        orderer = Orderer(self.orderings, self.settings.species, self.potential, self.check_stop, folder)
        self.members = [Members(outcome.input, self.orderings) for outcome in self.outcomes]
        self.outcomes, names = [], [outcome.name for outcome in self.outcomes]
        while short := [one for one in self.members if one.is_short(self.settings.descriptors.xi)]:
            for one in short:
                new = one.add(orderer, ScanOutcome, names)
                names += [outcome.name for outcome in new]
                self.recall(new)
            self.outcomes = [outcome for one in self.members for outcome in one.outcomes]
            self.write()
            yield

    def process(self, outcome: ScanOutcome, bar: tqdm) -> None:
        """Scan a structure, or resume its scan."""
        folder = self.output and self.output / outcome.name
        try:
            checkpoint = self._checkpoint(outcome, folder)
            surface = checkpoint.resume()
            kept = None if surface else self._recalled(outcome, checkpoint)
            if kept is None:
                kept = self._scanned(checkpoint, surface or self._evaluated(outcome, checkpoint, bar))
        except MemoryError as error:
            where = f'memory ran out ({error}), {available_memory()}'
            raise errors.OutOfMemory(f'{where}: take a larger spacing, or {MORE_MEMORY}') from error
        outcome.descriptors, outcome.kept = kept.descriptors, kept.keep
        outcome.evaluations, outcome.seconds = kept.evaluations, kept.seconds
        outcome.doubts.extend(kept.doubts)
        if folder is not None:
            write_json(folder / DESCRIPTORS, outcome.descriptors.as_dict())
            if outcome.input.ordering is not None:
                write_json(folder / 'ordering.json', outcome.input.ordering)

    @property
    def _export_names(self) -> list[str]:
        return [f'{name} of each ion' if self.export_per_ion else name for name in self.exports]

    def _recalled(self, outcome: ScanOutcome, checkpoint: Checkpoint) -> Kept | None:
        """What an earlier run that did not keep the grid left, if it is all that is asked for."""
        settings, retention = self.settings.descriptors, self.settings.retention
        if (kept := Kept.load(checkpoint, settings)) is None:
            return None
        keep = kept.descriptors and retention.of(kept.descriptors.xi_upper)
        tree = kept.content if isinstance(kept.content, MergeTree) else None
        new = sorted({*self._export_names} - {*kept.exports})
        if keep is None:
            lacking = 'these descriptors do not follow from what was kept'
        elif keep == 'full':
            lacking = 'its grid was not kept'
        elif keep == 'merge-tree' and tree is None:
            lacking = 'its merge tree was not kept'
        elif keep == 'merge-tree' and not (tree.serves(settings) and tree.limit >= (retention.tree_limit or 0)):
            lacking = f'its merge tree is of {tree.neighbours} neighbours up to {tree.limit:g} eV'
        elif new:
            lacking = f'its grid was not kept, and these are not exported: {", ".join(new)}'
        else:
            return kept
        tqdm.write(f'{outcome.name}: {lacking}, so it is scanned again', file=sys.stderr)
        return None

    def _scanned(self, checkpoint: Checkpoint, surface: PotentialEnergySurface) -> Kept:
        """The results of a surface; what is kept of it is written."""
        folder, settings, retention = checkpoint.folder, self.settings.descriptors, self.settings.retention
        descriptors = describe(surface, settings)
        if folder is not None:
            scanned = Structure(surface.lattice, surface.atomic_numbers, surface.fractional_coordinates)
            with replacing(folder / 'cell.cif') as partial:
                partial.write_text(str(CifWriter(scanned, significant_figures=10)))
        if self.exports:
            with writing(folder):
                export(surface, folder, self.exports, settings.neighbours, self.export_per_ion)
        keep, content = retention.of(descriptors.xi_upper), surface
        if keep == 'merge-tree':
            content = MergeTree.of(surface, retention.limit(settings), settings.neighbours)
        elif keep == 'descriptors':
            content = surface.ions()
        kept = Kept(
            keep=keep,
            content=content,
            settings=settings,
            descriptors=descriptors,
            doubts=doubts_of_surface(surface, descriptors.values['mpe']),
            exports=self._export_names,
            evaluations=surface.evaluations,
            seconds=checkpoint.seconds,
        )
        if keep != 'full':
            kept.save(checkpoint)
            checkpoint.discard()
        elif retention.keep != 'full':
            checkpoint.finish(surface)
        return kept

    def _checkpoint(self, outcome: ScanOutcome, folder: Path | None) -> Checkpoint:
        """The scan of one structure, as far as an earlier run got."""
        structure = outcome.input.structure
        host_of(structure, self.settings.species, self.settings.scan.others)
        structure, doubts = cell_to_scan(structure, self.settings.cell, self.settings.cell_size)
        outcome.doubts.extend(doubts)
        plan = plan_scan(structure, self.settings.species, self._scan_settings, self.settings.descriptors)
        outcome.atoms_scanned = len(plan.structure)
        return Checkpoint(folder, plan, self.potential.identity.sha256)

    def _evaluated(self, outcome: ScanOutcome, checkpoint: Checkpoint, bar: tqdm) -> PotentialEnergySurface:
        """The surface of one structure, evaluated from the start or a checkpoint."""
        try:
            surface = checkpoint.assemble(*self._evaluate(outcome, checkpoint, bar))
            outcome.evaluations = surface.evaluations
            if self.settings.retention.keep == 'full':
                checkpoint.finish(surface)
            else:  # its descriptors tell what is kept
                checkpoint.save()
            return surface
        finally:
            outcome.seconds = checkpoint.seconds

    def _evaluate(self, outcome: ScanOutcome, checkpoint: Checkpoint, bar: tqdm) -> tuple[list[np.ndarray], float]:
        evaluator = self.potential.evaluator(checkpoint.plan.structure)
        known, clock = checkpoint.energies, time.monotonic()
        saved = clock

        def take_piece(piece: np.ndarray) -> None:
            nonlocal clock, saved
            checkpoint.pieces.append(piece)
            now = time.monotonic()
            checkpoint.seconds, clock = checkpoint.seconds + now - clock, now
            bar.update(len(piece))
            if now - saved > self.program_settings.checkpoint_interval:
                checkpoint.save()
                saved = time.monotonic()
                outcome.seconds = checkpoint.seconds
                self.write()  # so that progress shows even if the process is killed
            self.check_stop()

        bar.total = checkpoint.plan.evaluations
        bar.update(len(known))
        try:
            return drain(evaluate(checkpoint.plan, evaluator, known), take_piece)
        except errors.StructureError:
            raise  # the structure is at fault: there is nothing to resume
        except BaseException:
            checkpoint.save()
            raise

    def ensembles(self) -> list[tuple[Members, Ensemble]]:
        """Of each disordered structure with a result, its orderings and their mean."""
        found = ((one, one.pooled(self.settings.descriptors.xi)) for one in self.members)
        return [(one, ensemble) for one, ensemble in found if ensemble is not None]

    def write(self) -> None:
        super().write()
        if self.output is not None and (ensembles := self.ensembles()):
            found = {
                members.given.name: ensemble.as_dict()
                | {'orderings': [one.name for one in members.done], 'shortfall': members.shortfall(ensemble)}
                for members, ensemble in ensembles
            }
            write_json(self.output / ENSEMBLES, found)

    def table(self) -> str:
        """The ranking, best first: disordered structures by the mean of their orderings."""
        done = [outcome for outcome in self.outcomes if outcome.state == 'done']
        ensembles = self.ensembles()
        rows = [(one.name, [one], one.descriptors.as_dict(), ()) for one in done if one.input.parent is None]
        for members, ensemble in ensembles:
            interval = ensemble.xi_low, ensemble.xi_high, len(members.done)
            rows.append((members.given.name, members.done, ensemble.as_dict(), interval))
        calibrations, stop = Calibrations(), self._scan_settings.stop_xi.as_dict()
        rows = [(name, own, self._origin | {'stop_xi': stop} | values, more) for name, own, values, more in rows]
        rows = [(name, own, values | calibrations.rank_values(values), more) for name, own, values, more in rows]
        has_bounds = any(stopped_early(values) for _, _, values, _ in rows)
        columns = shown_in(values for _, _, values, _ in rows)
        columns = (*columns, BY_NAME['xi_upper']) if has_bounds else columns
        heads = ('Xi from', 'to', 'orderings') if ensembles else ()
        lines = [
            (
                name,
                own[0].formula,
                *(values[one.name] for one in columns),
                *(of_ensemble or (None,) * len(heads)),
                sum(one.evaluations for one in own),
                sum(one.seconds for one in own),
            )
            for name, own, values, of_ensemble in sorted(rows, key=lambda row: rank_key(row[2]))
        ]
        headers = ('structure', 'formula', *(one.head for one in columns), *heads, 'points', 'seconds')
        formats = ('.4f', '.4f', '') if ensembles else ()
        floats = ('', '', *(one.format for one in columns), *formats, '', '.1f')
        shortfalls = [(one.given.name, one.shortfall(ensemble)) for one, ensemble in ensembles]
        words = [f'{name}: {shortfall}' for name, shortfall in shortfalls if shortfall]
        words += itertools.chain(*calibrations.explain(values for _, _, values, _ in rows))
        return '\n'.join([tabulate(lines, headers, floatfmt=floats), *words]) if lines else ''


@program()
@options_of(
    EnsembleSettings,
    number={
        'type': NumberOr('auto'),
        'default': None,
        'help': 'Scan so many orderings of each disordered structure, or as many as the error of the mean needs.',
    },
    auto=None,
)
@options_of(FingerprintSettings)
@click.option(
    '--export',
    'exports',
    multiple=True,
    type=click.Choice(EXPORTS),
    help='Write energies and level maps for VESTA and the like, or the energy along the easiest path. Repeatable.',
)
@click.option('--export-per-ion', is_flag=True, help='Export each ion by itself instead of their union.')
def main(structures: list[NamedStructure], program_settings: ProgramSettings, **options) -> ScanRequest:
    """Scan the potential energy surface of the mobile ion in each STRUCTURE and rank the structures."""
    if options['exports'] and program_settings.output is None:
        raise click.UsageError('--export writes into the folder of the results: name it with --output')
    settings = take(FingerprintSettings, options)
    if settings.retention.keep != 'full' and program_settings.output is None:
        raise click.UsageError('--keep says what stays in the folder of the results: name it with --output')
    chosen = options.pop('number')
    orderings = take(EnsembleSettings, options | ({} if chosen is None else number_or_auto(chosen)))
    outcomes = [ScanOutcome(one) for one in structures]
    own = {'exports': options['exports'], 'export_per_ion': options['export_per_ion']}
    return ScanRequest(outcomes, program_settings, settings, orderings=None if chosen is None else orderings, **own)


if __name__ == '__main__':
    main()
