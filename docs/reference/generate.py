"""Writes the reference from the code: modules, node types, processes, commands, quantities, potentials, protocols.

Sphinx calls this before each build; ``python docs/reference/generate.py`` does the same by hand. The pages go into
``docs/reference/generated``, which git ignores. ``exit_codes.py`` writes the table of exit codes.
"""

import importlib
import pkgutil
from importlib.metadata import EntryPoint, distribution
from pathlib import Path
from types import ModuleType

import aiida_pesfp
from aiida_pesfp.assessment.calibrated import BY_VOLUMES, FOLDER, Calibration, shipped
from aiida_pesfp.fingerprint.quantities import QUANTITIES, XI_CALIBRATED
from aiida_pesfp.potentials.catalogue import catalogue

REPOSITORY_URL = 'https://github.com/aiida-pesfp/aiida-pesfp'
PACKAGE = Path(aiida_pesfp.__file__).parent
GENERATED = Path(__file__).parent / 'generated'


def write(folder: Path = GENERATED) -> None:
    """Write all pages; a page that has not changed keeps its date, so that Sphinx does not read it again."""
    for name, text in pages().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {
        'quantities.rst': quantities(),
        'potentials.rst': potentials(),
        'calibrations.rst': calibrations(),
        'nodes.rst': nodes(),
        'processes.rst': processes(),
        'protocols.rst': protocols(),
        'commands.rst': commands(),
        'api.rst': api(),
        **{f'api/{name}.rst': package(name) for name in packages()},
    }


def entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group that belong to this package, by name."""
    return sorted(distribution('aiida-pesfp').entry_points.select(group=group), key=lambda point: point.name)


def heading(text: str, character: str = '-') -> str:
    """A heading of reStructuredText."""
    return f'{text}\n{character * len(text)}\n'


def list_table(head: tuple[str, ...], rows: list[tuple]) -> str:
    """A table of reStructuredText."""
    lines = ['.. list-table::', '   :header-rows: 1', '']
    for row in [head, *rows]:
        lines += [f'   {"* -" if not place else "  -"} {cell}'.rstrip() for place, cell in enumerate(row)]
    return '\n'.join(lines) + '\n'


def first_sentence(thing) -> str:
    """What the docstring of a module or an object says first."""
    text = (thing.__doc__ or '').strip().split('\n\n')[0]
    return ' '.join(text.split())


def quantities() -> str:
    """The table ``fingerprint/quantities.py``."""
    rows = [(f'``{one.name}``', one.symbol, one.unit, one.better, one.meaning) for one in (*QUANTITIES, XI_CALIBRATED)]
    parts = [
        heading('Quantities', '='),
        'The descriptors of a structure: rows of the table in :mod:`aiida_pesfp.fingerprint.quantities`. Their names',
        'are those in expressions (``aiida-pesfp rank --where``), JSON files and attributes of ``DescriptorsData``.\n',
        list_table(('name', 'symbol', 'unit', 'better', 'meaning'), rows),
    ]
    return '\n'.join(parts)


def potentials() -> str:
    """The catalogue of potentials."""
    rows = []
    for row in catalogue():
        for told in row.facts():
            barriers = told['barriers'] and '{spearman:.2f}, {right_side} % ({hops})'.format(**told['barriers'])
            scores = (told['f1'] and f'{told["f1"]:.3f}', barriers, told['ranking'])
            licence = row.licence and f'`{row.licence.name} <{row.licence.url}>`__'
            use = [told['commercial'] or 'unknown', *filter(None, [row.licence and row.licence.limits])]
            where = f'in the package ``{row.embedded.split("/")[0]}``' if row.embedded else row.url or row.obtain
            verified = 'yes' if row.pinned else 'by you'
            sets, elements = told['trained_on'] or 'unknown', told['elements'] or 'unknown'
            cells = (f'``{told["name"]}``', told['family'], told['released'], sets, elements)
            cells += tuple(score or '' for score in scores)
            cells += (licence or 'unknown', ': '.join(use), f'`citation <{row.citation}>`__', where, verified)
            rows.append(cells)
    head = ('name', 'family', 'released', 'trained on', 'elements', 'F1', 'barriers', 'ranking', 'licence')
    head += ('commercial use', 'cite', 'from', 'verified')
    parts = [
        heading('Known potentials', '='),
        'The rows of ``aiida_pesfp/potentials/catalogue.yaml``, which says where each fact comes from. *F1*: Matbench',
        'Discovery, unique prototypes. *Barriers*: ours with a relaxed framework against DFT: Spearman coefficient,',
        'share on the right side of 0.5 eV, and number of hops, of which fewer than 20 say nothing yet. *Ranking*:',
        'score of Xi for 110 materials of KAHLE2020, where 0.06 is a guess. *Commercial use*: whether the licence of',
        'the weights allows it. *Verified*: whether the SHA-256 of the weights is known.\n',
        list_table(head, rows),
    ]
    return '\n'.join(parts)


def calibrations() -> str:
    """The calibrations that come with the package, from their files."""
    rows = []
    for one in shipped():
        found, soft = one.fitted, one.softening
        cuts = (f'{found["parameters"][name]:.2f} ± {found["errors"][name]:.2f}' for name in found['errors'])
        softening = f'{soft["slope"]:.2f} ± {soft["error"]:.2f} ({soft["hops"]})' if soft else ''
        in_use = f'{one.parameters.connected_cut:.2f}, {one.parameters.disconnected_cut:.2f}'
        scores = f'{found["before"]:.2f}, {found["after"]:.2f}, {found["corrected"]:.2f}'
        rows.append((one.name, in_use, *cuts, scores, softening))
    heads = ('potential', 'cuts in use', 'connected cut found', 'disconnected cut found')
    heads += ('mean score before, after, to expect', 'softening (hops)')
    parts = [
        heading('Calibrations', '='),
        f'The files ``{FOLDER.relative_to(PACKAGE.parent)}/*.json``. :doc:`../../topics/assessment` says what they',
        'mean, and :doc:`../../howto/assess` when they rank.\n',
        list_table(heads, rows),
    ]
    return '\n'.join([*parts, *map(_calibration, shipped())])


def _calibration(one: Calibration) -> str:
    """The sets behind a calibration, with their scores, and its doubts."""
    told, rows = one.content['provenance'], []
    for name, entry in told['sets'].items():
        scores = (entry['scores'][ranking] for ranking in ('xi', 'xi_calibrated', BY_VOLUMES, 'random'))
        separations = (f'{one.fitted["sets"][name][f"separation_{when}"]:.2f}' for when in ('before', 'after'))
        numbers = f'{entry["good"]}, {entry["bad"]}'
        rows.append(
            (name, numbers, *(f'{found["value"]:.2f} ± {found["error"]:.2f}' for found in scores), *separations)
        )
    heads = ('set', 'good, bad', 'Xi, published cuts', 'Xi, cuts found', 'free volumes', 'random')
    heads += ('separation before', 'after')
    remarks = [f'{name}: {entry["remark"]}' for name, entry in told['sets'].items() if entry['remark']]
    lines = [f'- {sentence}' for sentence in (*one.fitted['doubts'], *remarks)]
    scans = ', '.join(f'{name.replace("_", " ")} {value}' for name, value in told['scans'].items())
    return '\n'.join(
        [
            heading(one.name),
            f'SHA-256 ``{one.content["potential_sha256"]}``, {one.content["species"]}; {told["date"]}; {scans}:\n',
            f'.. code-block:: bash\n\n   {told["command"]}\n',
            list_table(heads, rows),
            *lines,
            '',
        ]
    )


def nodes() -> str:
    """The node types with their attributes."""
    parts = [
        heading('Node types', '='),
        'Everything in the attributes can be filtered and projected by ``QueryBuilder``.\n',
        list_table(
            ('entry point', 'class', 'what'),
            [
                (f'``{point.name}``', f':class:`~{point.module}.{point.attr}`', first_sentence(point.load()))
                for point in entry_points('aiida.data')
            ],
        ),
    ]
    for point in entry_points('aiida.data'):
        parts += [heading(point.name), f'See :class:`{point.module}.{point.attr}`.\n', f'{point.load().__doc__}']
    return '\n'.join(parts)


def processes() -> str:
    """Inputs, outputs and outlines of workchains and calculation jobs; calculation functions."""
    parts = [
        heading('Processes', '='),
        'The names are those of the entry points. :doc:`../exit_codes` says what to do about each exit code.\n',
    ]
    functions = []
    for title, group in (('Workchains', 'aiida.workflows'), ('Calculation jobs', 'aiida.calculations')):
        parts.append(heading(title))
        for point in entry_points(group):
            process = point.load()
            if getattr(process, 'is_process_function', False):
                functions.append(point)
                continue
            directive = 'aiida-workchain' if group == 'aiida.workflows' else 'aiida-calcjob'
            parts += [
                heading(point.name, '^'),
                f'.. py:{directive}:: {point.attr}\n   :module: {point.module}\n   :hide-nondb-inputs:\n',
            ]
    parts += [heading('Calculation functions')]
    for point in functions:
        parts += [heading(point.name, '^'), f'.. autofunction:: {point.module}.{point.attr}\n   :no-index:\n']
    return '\n'.join(parts)


def protocols() -> str:
    """The files of the protocols."""
    parts = [heading('Protocols', '='), 'Every default of ``get_builder_from_protocol``.\n']
    for path in sorted((PACKAGE / 'workflows' / 'protocols').glob('*.yaml')):
        parts += [heading(path.stem), f'.. literalinclude:: {_relative(path)}\n   :language: yaml\n']
    return '\n'.join(parts)


def _relative(path: Path) -> str:
    return '/' + str(Path('..') / path.relative_to(PACKAGE.parent))


def commands() -> str:
    """``aiida-pesfp``, ``pesfp-scan`` and the other programs, with the help of every option."""
    parts = [heading('Commands', '=')]
    for point in entry_points('console_scripts'):
        parts.append(
            f'.. click:: {point.module}:{point.attr}\n   :prog: {point.name}\n   :nested: full\n',
        )
    return '\n'.join(parts)


def packages() -> list[str]:
    """The sub-packages and modules of the package."""
    return [module.name for module in pkgutil.iter_modules(aiida_pesfp.__path__)]


def api() -> str:
    """The list of packages."""
    rows = [
        (f':doc:`{name} <api/{name}>`', first_sentence(importlib.import_module(f'aiida_pesfp.{name}')))
        for name in packages()
    ]
    toctree = '\n'.join(['.. toctree::', '   :hidden:', '', *(f'   api/{name}' for name in packages())])
    return '\n'.join([heading('Modules', '='), list_table(('package', 'what'), rows), toctree, ''])


def package(name: str) -> str:
    """One package with all its modules."""
    root = importlib.import_module(f'aiida_pesfp.{name}')
    modules = [root, *_below(root)]
    parts = [heading(name, '=')]
    for module in modules:
        own = [member for member in vars(module).values() if getattr(member, '__module__', None) == module.__name__]
        if module is not root:
            parts.append(heading(module.__name__.removeprefix('aiida_pesfp.')))
        parts.append(f'.. automodule:: {module.__name__}\n' + ('   :members:\n' if own else ''))
    return '\n'.join(parts)


def _below(root: ModuleType) -> list[ModuleType]:
    if not hasattr(root, '__path__'):
        return []
    found = pkgutil.walk_packages(root.__path__, f'{root.__name__}.')
    return [importlib.import_module(module.name) for module in found]


if __name__ == '__main__':
    write()
