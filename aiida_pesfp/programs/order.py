"""``pesfp-order``: ordered structures of disordered ones, without AiiDA.

What it writes, apart from ``OUT/run.json``:

``OUT/NAME/0.cif``, ``OUT/NAME/1.cif``, ...
    the orderings of a structure.
``OUT/NAME/orderings.json``
    the same, and how each was made: supercell, numbers of atoms on each orbit, charge, oxidation states, hard cores,
    weight.
"""

import time
from dataclasses import dataclass, field

import click
from pymatgen.io.cif import CifWriter
from tabulate import tabulate
from tqdm import tqdm

from aiida_pesfp.crystals.files import NamedStructure
from aiida_pesfp.crystals.ordering.order import Ordering
from aiida_pesfp.programs.checkpoint import replacing, write_json
from aiida_pesfp.programs.command import program
from aiida_pesfp.programs.members import Orderer
from aiida_pesfp.programs.outcome import Outcome
from aiida_pesfp.programs.request import Request
from aiida_pesfp.settings.options import options_of, take
from aiida_pesfp.settings.ordering import OrderingSettings
from aiida_pesfp.settings.program import ProgramSettings
from aiida_pesfp.settings.scan import FingerprintSettings

ORDERINGS = 'orderings.json'


@dataclass
class OrderOutcome(Outcome):
    """The orderings of one structure."""

    found: list[Ordering] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def results(self) -> dict:
        first = self.found[0] if self.found else None
        return {
            'orderings': self.paths,
            'weights': [one.weight for one in self.found],
            'atoms': first and len(first.structure),
            'composition_deviation': first and first.composition_deviation,
            'charge': first and first.charge,
        }


@dataclass
class OrderRequest(Request):
    """One call of the program."""

    settings: OrderingSettings
    species: str

    UNIT = 'structure'
    FILES = ('*.cif', ORDERINGS)

    @property
    def needs_potential(self) -> bool:
        return self.settings.needs_potential

    def reported_settings(self) -> dict:
        return {'species': self.species, 'ordering_settings': self.settings.as_dict()}

    def process(self, outcome: OrderOutcome, bar: tqdm) -> None:
        """Order a structure, and write its orderings."""
        start, folder = time.monotonic(), self.output / outcome.name
        try:
            found = Orderer(self.settings, self.species, self.potential, self.check_stop)(outcome.input.structure)
        finally:
            outcome.seconds = time.monotonic() - start
        for old in folder.glob('[0-9]*.cif'):  # of an earlier run, which may have made more
            old.unlink()
        for number, one in enumerate(found, start=self.settings.skip_orderings):
            path = folder / f'{number}.cif'
            with replacing(path) as partial:
                partial.write_text(str(CifWriter(one.structure, significant_figures=10)))
            outcome.paths.append(str(path))
        write_json(folder / ORDERINGS, [one.as_dict() for one in found])
        outcome.found = found
        outcome.doubts.extend(dict.fromkeys(doubt for one in found for doubt in one.doubts))
        bar.update(1)

    def table(self) -> str:
        """A line for each structure that has orderings."""
        rows = [
            (one.name, one.formula, len(one.found), *_of_first(one.found[0]), one.seconds)
            for one in self.outcomes
            if one.state == 'done'
        ]
        headers = ('structure', 'formula', 'orderings', 'atoms', 'deviation/%', 'charge', 'contacts', 'seconds')
        return tabulate(rows, headers, floatfmt=('', '', '', '', '.2f', '.0f', '', '.1f')) if rows else ''


def _of_first(ordering: Ordering) -> tuple:
    """What all orderings of a structure share, for the table."""
    deviation = 100 * ordering.composition_deviation
    return len(ordering.structure), deviation, ordering.charge, ordering.contacts['kind']


@program(checkpoint_interval=None)
@options_of(OrderingSettings)
@options_of(FingerprintSettings, only=('species',))
def main(structures: list[NamedStructure], program_settings: ProgramSettings, species: str, **options) -> OrderRequest:
    """Make ordered structures of each disordered STRUCTURE: its occupancies, no charge, and no atoms too close."""
    if program_settings.output is None:
        raise click.UsageError('name a folder for the orderings with --output')
    settings = take(OrderingSettings, options)
    return OrderRequest([OrderOutcome(one) for one in structures], program_settings, settings, species)


if __name__ == '__main__':
    main()
