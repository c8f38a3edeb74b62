"""A screening by the daemon in a profile of its own, beside which other commands read and write the same database."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers import REPOSITORY
from tests.helpers.crystals import antifluorite, rock_salt
from tests.helpers.potentials import LENNARD_JONES, write_calculator

ANIONS = ('H', 'N', 'O', 'F', 'P', 'S', 'Cl', 'As', 'Se', 'Br', 'Sb', 'Te', 'I', 'Bi', 'C', 'Si', 'Ge', 'Sn', 'B', 'Al')


def crystals(number: int):
    """(name, crystal) of different lithium compounds in small cells, no two of which are the same."""
    kinds = (
        ('rocksalt', lambda anion, a: rock_salt('Li', anion, a)),
        ('antifluorite', lambda anion, a: antifluorite('Li', anion, 1.2 * a)),
        ('zincblende', lambda anion, a: rock_salt('Li', anion, 1.1 * a).translate_sites([1], [0.25] * 3)),
    )
    for index in range(number):
        kind, make = kinds[index // len(ANIONS) % len(kinds)]
        anion = ANIONS[index % len(ANIONS)]
        scale = 1 + 0.001 * (index // (len(ANIONS) * len(kinds)))
        yield f'{kind}-{anion}-{index}', make(anion, scale * (4.5 + 0.07 * (index % len(ANIONS))))


#: What expressions about the graph may use.
_KNOWN = """
from aiida.manage import get_manager
from aiida.orm import CalcJobNode, Node, QueryBuilder, load_computer, load_group, load_node
from aiida_pesfp.queries.nodes import waiting_for_a_worker

def storage_size():
    'Bytes of the database and of the repository.'
    from pathlib import Path
    from sqlalchemy import text

    storage = get_manager().get_profile_storage()
    if folder := get_manager().get_profile().storage_config.get('filepath'):
        database = (Path(folder) / 'database.sqlite').stat().st_size
    else:
        database = storage.get_session().execute(text('SELECT pg_database_size(current_database())')).scalar()
    sizes = storage.get_repository().get_info(detailed=True)['Size (MB)']
    return database, 1e6 * (sizes['total_size_packed'] + sizes['total_size_loose'])
"""


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

    def __init__(self, folder: Path, workers: int = 2, postgres: bool = False, options: Mapping[str, object] = {}):
        self.folder, self.environment = folder, os.environ | {'AIIDA_PATH': str(folder), 'OMP_NUM_THREADS': '1'}
        self.environment['PYTHONWARNINGS'] = 'ignore'
        storage = ('--use-postgres',) if postgres else ()
        self.run('verdi', 'presto', *storage, '--use-zeromq', '--non-interactive', '--profile-name', 'load')
        write_calculator(folder / 'lj.yaml', **LENNARD_JONES)
        self.run('aiida-pesfp', 'setup', '--potential', folder / 'lj.yaml')
        # A busy daemon answers late.
        for name, value in ({'daemon.timeout': 60} | dict(options)).items():
            self.run('verdi', 'config', 'set', name, value)
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
        """The value of an expression about the graph, in which names of `aiida.orm` and some questions are known."""
        return eval(self.run('verdi', 'run', '--', self._script(expression)).splitlines()[-1])

    def _script(self, expression: str) -> Path:
        path = self.folder / f'ask{threading.get_ident()}.py'
        path.write_text(f'{_KNOWN}\nprint(repr({expression}))\n')
        return path

    def stop(self) -> None:
        """Stop the daemon."""
        self.run('verdi', 'daemon', 'stop')


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


def store_crystals(profile: Profile, group: str, first: int, last: int) -> None:
    """Store crystals of :func:`crystals`, from the first to before the last, and add them to a group."""
    path = profile.folder / 'store.py'
    path.write_text(
        'import sys\n'
        f'sys.path.insert(0, {str(REPOSITORY)!r})\n'
        'from itertools import islice\n'
        'from aiida.orm import Group, StructureData\n'
        'from tests.helpers.load import crystals\n'
        f'group, _ = Group.collection.get_or_create({group!r})\n'
        f'named = islice(crystals({last}), {first}, None)\n'
        'group.add_nodes([StructureData(pymatgen=one, label=name).store() for name, one in named])\n'
    )
    profile.run('verdi', 'run', path)


def launch_campaign(profile: Profile, group: str, jobs: int, per_job: int, per_shard: int) -> tuple[int, float]:
    """Submit a campaign of a group on a coarse grid; its PK, and how many seconds the command took."""
    overrides = profile.folder / 'coarse.yaml'
    overrides.write_text('scan: {parameters: {spacing: 0.7}}\ncriteria: {duplicates: keep}\n')
    options = ('--potential', 'lj', '--overrides', overrides, '--transition-metals', '--submit')
    amounts = ('--jobs', jobs, '--structures-per-job', per_job, '--structures-per-shard', per_shard)
    begin = time.monotonic()
    printed = profile.run('aiida-pesfp', 'launch', 'screen', group, *options, *amounts)
    return int(printed.split('CampaignWorkChain<')[1].split('>')[0]), time.monotonic() - begin


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
