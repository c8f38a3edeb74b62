"""Writes ``exit_codes.md`` from the specifications of the processes and the advice in ``exit_codes.yaml``.

Run ``python docs/reference/exit_codes.py`` after a change of either; a test reminds of it.
"""

from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import yaml
from aiida.engine import CalcJob, ExitCode, Process

FOLDER = Path(__file__).parent
PAGE = FOLDER / 'exit_codes.md'
GROUPS = ('aiida.workflows', 'aiida.calculations')

HEAD = """<!-- Written by docs/reference/exit_codes.py: change the processes or exit_codes.yaml, then run it. -->

# Exit codes and what to do

`verdi process list -a` shows the exit code of a process, and `verdi process report PK` what happened and how the
workchain reacted.
`verdi process show PK` lists what a workchain called: find the process that failed first, and look up its code here.
One number can mean different things in different processes: look up number and process.
Braces in a message stand for what is filled in.
"""


class Advice:
    """What to do about exit codes; it counts which entries are used."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts, self.used = texts, set()

    def of(self, process: str, label: str) -> str:
        """The entry for a process and label, or for the label alone.

        :raises KeyError: if there is none.
        """
        key = f'{process}/{label}' if f'{process}/{label}' in self.texts else label
        if key not in self.texts:
            raise KeyError(f'docs/reference/exit_codes.yaml does not say what to do about {label} of {process}')
        self.used.add(key)
        return self.texts[key]


def processes() -> dict[str, type[Process]]:
    """The workchains and calculation jobs of the package, by entry point."""
    points = [point for point in distribution('aiida-pesfp').entry_points if point.group in GROUPS]
    found = {
        point.name: point.load() for point in sorted(points, key=lambda point: (GROUPS.index(point.group), point.name))
    }
    # Calculation functions have only the codes of aiida-core; they raise an exception with a message.
    return {name: process for name, process in found.items() if not getattr(process, 'is_process_function', False)}


def page() -> str:
    """The text of the page.

    :raises KeyError: if an exit code has no advice.
    :raises ValueError: if an entry belongs to no exit code.
    """
    advice = Advice(yaml.safe_load((FOLDER / 'exit_codes.yaml').read_text()))
    core = dict(CalcJob.spec().exit_codes)
    own_codes = {
        name: {label: code for label, code in process.spec().exit_codes.items() if label not in core}
        for name, process in processes().items()
    }
    parts = [HEAD, '\n'.join(_by_number(own_codes))]
    for name, own in own_codes.items():
        parts.append('\n'.join([f'## `{name}`', '', *_table(name, own, advice)]) + '\n')
    parts.append('\n'.join(['## Codes of aiida-core', '', *_table('aiida-core', core, advice)]) + '\n')
    unused = set(advice.texts) - advice.used
    if unused:
        raise ValueError(
            f'docs/reference/exit_codes.yaml has entries without an exit code: {", ".join(sorted(unused))}'
        )
    return '\n'.join(parts)


def _by_number(codes: dict[str, dict[str, ExitCode]]) -> Iterator[str]:
    yield from ('## By number', '', '| code | label | processes |', '|---|---|---|')
    processes_of: dict[tuple[int, str], list[str]] = {}
    for name, own in codes.items():
        for label, code in own.items():
            processes_of.setdefault((code.status, label), []).append(f'`{name}`')
    for (status, label), names in sorted(processes_of.items()):
        yield f'| {status} | `{label}` | {", ".join(names)} |'
    yield ''


def _table(process: str, codes: dict[str, ExitCode], advice: Advice) -> Iterator[str]:
    yield '| code | message | what to do |'
    yield '|---|---|---|'
    for label, code in sorted(codes.items(), key=lambda item: item[1].status):
        yield f'| {code.status} `{label}` | {code.message} | {advice.of(process, label)} |'


if __name__ == '__main__':
    PAGE.write_text(page())
