"""A screening by the daemon in a profile of its own, beside which other commands read and write the same database."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator

ANIONS = ('H', 'N', 'O', 'F', 'P', 'S', 'Cl', 'As', 'Se', 'Br', 'Sb', 'Te', 'I', 'Bi', 'C', 'Si', 'Ge', 'Sn', 'B', 'Al')


def crystals(number: int):
    """(name, crystal) of different lithium compounds in small cells."""
    kinds = (
        ('rocksalt', lambda anion, a: rock_salt('Li', anion, a)),
        ('antifluorite', lambda anion, a: antifluorite('Li', anion, 1.2 * a)),
        ('zincblende', lambda anion, a: rock_salt('Li', anion, 1.1 * a).translate_sites([1], [0.25] * 3)),
    )
    for index in range(number):
        kind, make = kinds[index // len(ANIONS) % len(kinds)]
        anion = ANIONS[index % len(ANIONS)]
        yield f'{kind}-{anion}-{index}', make(anion, 4.5 + 0.07 * (index % len(ANIONS)))


@dataclass
class Result:
    """What became of a screening.

    :param status: its exit status.
    :param ranked: how many structures are in its ranking.
    :param ran: how often each command ran beside it.
    :param failed: what those of them that met a locked database printed.
    """

    status: int | None
    ranked: int
    seconds: float
    ran: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    told: str = ''


class Profile:
    """A profile in a folder, with a daemon, codes and a potential that costs nothing."""

    def __init__(self, folder: Path, workers: int = 2):
        self.folder, self.environment = folder, os.environ | {'AIIDA_PATH': str(folder), 'OMP_NUM_THREADS': '1'}
        self.environment['PYTHONWARNINGS'] = 'ignore'
        self.run('verdi', 'presto', '--use-zeromq', '--non-interactive', '--profile-name', 'load')
        write_calculator(folder / 'lj.yaml', **LENNARD_JONES)
        self.run('aiida-pesfp', 'setup', '--potential', folder / 'lj.yaml')
        self.run('verdi', 'daemon', 'start', workers)

    def run(self, program: str, *arguments, fails: bool | None = False) -> str:
        """Run a command; what it printed. Its success has to be as expected, unless ``fails`` is None."""
        command = [str(Path(sys.executable).parent / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, cwd=self.folder)
        printed = done.stdout + done.stderr
        if fails is not None and (done.returncode != 0) != fails:
            raise RuntimeError(f'{" ".join(command)} ended with {done.returncode}:\n{printed}')
        return printed

    def ask(self, expression: str):
        """The value of an expression about the graph; `load_node` and `waiting_for_a_worker` are known in it."""
        return eval(self.run('verdi', 'run', '--', self._script(expression)).splitlines()[-1])

    def _script(self, expression: str) -> Path:
        path = self.folder / f'ask{threading.get_ident()}.py'
        path.write_text(
            'from aiida.orm import load_node\n'
            'from aiida_pesfp.queries.nodes import waiting_for_a_worker\n'
            f'print(repr({expression}))\n'
        )
        return path

    def stop(self) -> None:
        """Stop the daemon."""
        self.run('verdi', 'daemon', 'stop', '--timeout', 60)


def import_crystals(profile: Profile, number: int) -> str:
    """Import so many structures, and write labels of them; the label of their group."""
    folder, label = profile.folder / 'crystals', f'crystals-{time.monotonic_ns()}'
    folder.mkdir(exist_ok=True)
    lines = ['id,sigma']
    for index, (name, crystal) in enumerate(crystals(number)):
        crystal.to(folder / f'{name}.cif')
        lines.append(f'{name},{1e-2 if index % 2 else 1e-8}')
    (profile.folder / 'labels.csv').write_text('\n'.join(lines))
    profile.run('aiida-pesfp', 'import', 'folder', folder, '-G', label)
    return label


def submit_screening(profile: Profile, group: str, per_job: int, jobs: int) -> int:
    """Submit a screening of a group on a coarse grid; its PK."""
    overrides = profile.folder / 'coarse.yaml'
    overrides.write_text('scan: {parameters: {spacing: 0.7}}\ncriteria: {duplicates: keep}\n')
    options = ('--potential', 'lj', '--overrides', overrides, '--transition-metals')
    amounts = ('--structures-per-job', per_job, '--jobs', jobs)
    printed = profile.run('aiida-pesfp', 'launch', 'screen', group, *options, *amounts, '--submit')
    return int(printed.split('ScreenWorkChain<')[1].split('>')[0])


def screen_under_load(profile: Profile, structures: int, loops: int = 1, per_job: int = 4) -> Result:
    """Screen so many structures, with loops of `rank`, `report` and `assess` beside it until it has ended."""
    group, begin = import_crystals(profile, structures), time.monotonic()
    pk = submit_screening(profile, group, per_job, jobs=4)
    table = (profile.folder / 'labels.csv', '--column', 'id=id', '--column', 'conductivity=sigma', '--unit', 'S/cm')
    table += ('--table-temperature', 300, '--good', 1e-3, '--bad', 1e-5, '--potential', 'lj')
    commands = {'rank': (pk,), 'report': (pk, '-o', 'report.html'), 'assess': table}
    result, ended = Result(None, 0, 0.0), threading.Event()

    def repeat(name: str, arguments: tuple, number: int) -> None:
        if name == 'report':
            arguments = (*arguments[:-1], f'report-{number}.html')
        while not ended.is_set():
            printed = profile.run('aiida-pesfp', name, *arguments, fails=None)
            result.ran[name] = result.ran.get(name, 0) + 1
            if 'locked' in printed:
                result.failed.append(f'{name}: {printed[-1500:]}')

    threads = [
        threading.Thread(target=repeat, args=(name, arguments, number))
        for number in range(loops)
        for name, arguments in commands.items()
    ]
    for thread in threads:
        thread.start()
    try:
        while not profile.ask(f'load_node({pk}).is_terminated'):
            time.sleep(2)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    result.seconds = time.monotonic() - begin
    result.status = profile.ask(f'load_node({pk}).exit_status')
    result.ranked = profile.ask(
        f'len(load_node({pk}).outputs.ranking["rows"]) if "ranking" in load_node({pk}).outputs else 0'
    )
    result.told = profile.run('verdi', 'process', 'report', pk, fails=None)
    return result
