"""The labelled materials of ``assess.py``: tables, structures, and scans that go on where they were stopped."""

import csv
import hashlib
import io
import itertools
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from aiida.engine import run_get_node
from aiida.orm import Computer, Dict, InstalledCode, RemoteData, SinglefileData, Str, StructureData
from common import REPOSITORY, SHARED, SIGMA, UNFIT
from pymatgen.core import Structure

from aiida_pesfp.assessment.classes import classify
from aiida_pesfp.assessment.scores import MEMBERSHIP
from aiida_pesfp.calculations.assessment import match_labels, read_labels, structures_of_labels
from aiida_pesfp.calculations.orderings import order, pool_orderings
from aiida_pesfp.crystals.canonical import canonical_cell, cell_to_scan
from aiida_pesfp.crystals.formats import read_file
from aiida_pesfp.crystals.names import unique_names
from aiida_pesfp.crystals.ordering.order import order as ordered_structures
from aiida_pesfp.data.labels import LabelsData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import StructureError
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.settings.assessment import ClassSettings, TableFormat
from aiida_pesfp.settings.md import MINIMUM_DISTANCE
from aiida_pesfp.settings.ordering import OrderingSettings
from aiida_pesfp.settings.scan import FingerprintSettings, ScanSettings
from aiida_pesfp.workflows.scan import ScanBaseWorkChain


@dataclass(frozen=True)
class LabelledMaterials:
    """A set of labels: its table, what the columns mean, the paper's classes (Sec. II B), and where structures lie.

    :param structures: folder of CIFs named by the id; None if they are in the table.
    :param remark: what to know before the labels are trusted.
    :param prepare: makes of a row what is read, or leaves it out with None.
    :param orderings: how many ordered cells stand for a disordered crystal, and which.
    :param scans: the set that has the same structures, if any: they are scanned once.
    """

    table: Path
    form: TableFormat
    classes: ClassSettings
    structures: Path | None = None
    remark: str = ''
    prepare: Callable[[dict], dict | None] = dict
    orderings: OrderingSettings | None = None
    scans: str | None = None

    def read(self) -> LabelsData:
        """The labels, as a node."""
        with self.table.open(newline='') as file:
            rows = [row for row in map(self.prepare, csv.DictReader(file)) if row is not None]
        text = io.StringIO(newline='')
        writer = csv.DictWriter(text, rows[0], lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
        content = io.BytesIO(text.getvalue().encode())
        return read_labels(SinglefileData(content, filename=self.table.name), Dict(self.form.as_dict()))

    @property
    def sha256(self) -> str:
        """Of the table as it was published."""
        return hashlib.sha256(self.table.read_bytes()).hexdigest()


def _diffusion(row: dict) -> dict:
    """A row of SevenNet-0 dynamics with the diffusion coefficient: a sixth of the slope of the mean squared
    displacement."""
    names = {'diffusion': 'li_msd_slope_A2_per_ps', 'error': 'error'}
    values = {name: float(row[column]) / 6 for name, column in names.items()}
    return {'mp_id': row['mp_id'], 'temperature_K': row['temperature_K'], **values}


def _obelix(row: dict, ordered: bool) -> dict | None:
    """A row of OBELiX whose crystal is its own, and ordered or not, without the columns that are not read."""
    path = SHARED / 'obelix' / 'train_cifs' / f'{row["ID"]}.cif'
    if not path.exists() or re.search(UNFIT, row['note'], re.IGNORECASE):
        return None
    try:
        structure = read_crystal(path)
    except StructureError:
        return None
    if structure.is_ordered != ordered or 'Li' not in structure.composition.element_composition:
        return None
    return {'ID': row['ID'], 'conductivity': row[SIGMA]}


def read_crystal(path: Path) -> Structure:
    """The first crystal of a file, as it stands there."""
    return next(iter(itertools.islice(read_file(path), 1))).structure


_AT_1000K = ClassSettings(good=0.1, bad=0.01, temperature=1000.0)
#: Between those at 300 and 1000 K by Arrhenius' law: 4.6e-3 and 6.2e-4 S/cm, rounded.
_AT_500K = ClassSettings(good=5e-3, bad=5e-4, temperature=500.0)
_AT_ROOM = ClassSettings(good=5e-5, bad=1e-5, temperature=300.0, floor=1e-10)  # the floor is that of Fig. 8
_COLUMNS_OF_MD = {'id': 'mp_id', 'temperature': 'temperature_K', 'diffusion': 'diffusion', 'error': 'error'}
_OBELIX = LabelledMaterials(
    SHARED / 'obelix' / 'train.csv',
    TableFormat({'id': 'ID', 'conductivity': 'conductivity'}, 'S/cm', 298.0),
    _AT_ROOM,
    SHARED / 'obelix' / 'train_cifs',
    'its ordered crystals only; many of them are in LASKOWSKI2023 too',
    partial(_obelix, ordered=True),
)
#: This KAHLE2020 has no temperature but 1000 K, so the middle panel of Fig. 3 cannot be made.
SETS = {
    'kahle2020': LabelledMaterials(
        SHARED / 'labels' / 'kahle2020.csv',
        TableFormat(
            {
                'id': 'stru_id',
                'structure': 'structure',
                'diffusion': 'diffusion_mean_cm2_s',
                'error': 'diffusion_sem_cm2_s',
            },
            'cm2/s',
            1000.0,
        ),
        _AT_1000K,
    ),
    'laskowski2023': LabelledMaterials(
        SHARED / 'labels' / 'laskowski2023_mp.csv',
        TableFormat(
            {'id': 'mp_id', 'series': 'icsd_id', 'composition': 'composition', 'conductivity': 'sigma_RT_S_cm'},
            'S/cm',
            300.0,
            ignore=['cif_in_topo'],
        ),
        _AT_ROOM,
        SHARED / 'structures' / 'laskowski2023',
    ),
    'sevennet_md': LabelledMaterials(
        SHARED / 'labels' / 'sevennet_md.csv',
        TableFormat(_COLUMNS_OF_MD, 'A2/ps'),
        _AT_1000K,
        SHARED / 'structures' / 'sevennet_md',
        'labels by dynamics with SevenNet-0, of materials that the paper chose by Xi with its own potential',
        _diffusion,
    ),
    'sevennet_md_500': LabelledMaterials(
        SHARED / 'labels' / 'sevennet_md.csv',
        TableFormat(_COLUMNS_OF_MD, 'A2/ps'),
        _AT_500K,
        SHARED / 'structures' / 'sevennet_md',
        'as sevennet_md; few ions hop at 500 K, and many slopes are zero within their errors',
        _diffusion,
        scans='sevennet_md',
    ),
    'obelix': _OBELIX,
    'obelix_disordered': replace(
        _OBELIX,
        remark='its disordered crystals, each by the mean of some orderings',
        prepare=partial(_obelix, ordered=False),
        orderings=OrderingSettings(number=3),
    ),
}


def make_code(folder: Path) -> InstalledCode:
    """``pesfp-scan`` of this environment, on this machine, with its jobs in a folder."""
    computer = Computer('localhost', 'localhost', '', 'core.local', 'core.direct', str(folder)).store()
    computer.configure()
    computer.set_minimum_job_poll_interval(0.0)
    return InstalledCode(
        label='pesfp-scan',
        computer=computer,
        filepath_executable=str(Path(sys.executable).parent / 'pesfp-scan'),
        prepend_text=f'export PYTHONPATH={REPOSITORY}',  # if another checkout is installed
    ).store()


def load_set(name: str) -> tuple[LabelsData, dict[str, StructureData]]:
    """Labels, and structures by key, labelled by the ids of the table."""
    labels = SETS[name].read()
    content = labels.to_table()
    for entry in content.excluded:
        print(f'{name}: row {entry["row"]} ({entry["id"]}): {entry["reason"]}')
    ids = {measurement.row: measurement.id for measurement in content.measurements}
    if content.structures:
        nodes = structures_of_labels(labels)
        for row in content.structures:
            nodes[f'row_{row}'].label = ids[row]
        return labels, nodes
    return labels, {
        key: StructureData(pymatgen=crystal_of(name, path), label=path.stem).store()
        for key, path in files_of(name).items()
        if path.stem in ids.values()
    }


def files_of(name: str) -> dict[str, Path]:
    """Key -> CIF of each structure of a set."""
    paths = sorted(SETS[name].structures.glob('*.cif'))
    return dict(zip(unique_names(path.stem for path in paths), paths))


def crystal_of(name: str, path: Path) -> Structure:
    """The crystal in a CIF of a set; ours keeps partial occupations that pymatgen merges or refuses."""
    return read_crystal(path) if SETS[name].orderings else canonical_cell(Structure.from_file(path))


def classes_of(name: str, labels: LabelsData, structures: dict[str, StructureData]) -> dict[str, str]:
    """Key of each structure that is a good or a bad conductor with more than 50 % -> ``good`` or ``bad``."""
    matches = match_labels(labels, Dict({'match_by': ['id']}), **structures).get_dict()
    measurements, densities = defaultdict(list), matches['carrier_densities']
    for one in labels.to_table().measurements:
        if (key := matches['rows'].get(str(one.row))) is not None:
            measurements[key].append((one, densities[key]))
    materials, _ = classify(measurements, SETS[name].classes)
    weights = {key: {'good': one.good_weight, 'bad': one.bad_weight} for key, one in materials.items()}
    return {key: kind for key, both in weights.items() for kind, weight in both.items() if weight > MEMBERSHIP}


def choose(
    name: str, structures: dict[str, StructureData], classes: dict[str, str], arguments, cache: Path
) -> tuple[list[str], dict[str, str]]:
    """Keys of those to scan, the cheapest first, and why others are left out.

    Those of each class are chosen by what they cost in their primitive cells, so other cells are of the same ones.
    """
    plans, taken, left_out, chosen = json.loads(cache.read_text()) if cache.exists() else {}, Counter(), {}, []

    def is_affordable(key: str, cell: str = 'primitive') -> bool:
        plan = f'{key} {arguments.spacing}' + ('' if cell == 'primitive' else f' {cell}')
        if plan not in plans:
            try:
                structure = structures[key].get_pymatgen_structure()
                plans[plan] = _cost(structure, cell, arguments.spacing, SETS[name].orderings)
            except StructureError as error:
                plans[plan] = f'{type(error).__name__}: {error}'
        if isinstance(plans[plan], str):
            left_out[key] = plans[plan]
        elif np.prod(plans[plan]) > arguments.largest * 1e6:
            left_out[key] = f'{plans[plan][0]} evaluations of {plans[plan][1]} atoms: over --largest'
        return key not in left_out

    costs = {key: np.prod(plans[f'{key} {arguments.spacing}']) for key in structures if is_affordable(key)}
    for key in sorted(costs, key=costs.get):
        kind = classes.get(key, 'neither a good nor a bad')
        taken[kind] += 1
        if arguments.of_each_class is None or (key in classes and taken[kind] <= arguments.of_each_class):
            if is_affordable(key, arguments.cell):
                chosen.append(key)
        else:
            left_out[key] = f'{kind} conductor, {costs[key] / 1e6:.2f} million atoms to evaluate: --of-each-class'
    cache.write_text(json.dumps(plans))
    return chosen, left_out


def _cost(structure: Structure, cell: str, spacing: float, orderings: OrderingSettings | None) -> tuple[int, int]:
    """Evaluations of a full scan of a crystal, or of its orderings, and the atoms of one."""
    cells = [one.structure for one in ordered_structures(structure, orderings)] if orderings else [structure]
    scanned, _ = cell_to_scan(cells[0], cell, MINIMUM_DISTANCE)
    points = plan_scan(scanned, settings=ScanSettings(spacing=spacing)).evaluations
    return points * len(cells), len(scanned)


def cells_of(
    name: str, structures: dict[str, StructureData], number: int | None = None
) -> dict[str, dict[str, StructureData]]:
    """What is scanned for each structure: itself, or the orderings that stand for it, by their keys.

    :param number: of orderings, if it is not that of the set. Fewer are the first of these.
    """
    if not (settings := SETS[name].orderings):
        return {key: {key: node} for key, node in structures.items()}
    settings, found = replace(settings, number=number or settings.number), {}
    for key, node in structures.items():
        made = order(node, Str('Li'), Dict(settings.as_dict()))
        found[key] = {one.replace('ordering', key): cell for one, cell in made.items() if one != 'about'}
    return found


def settings_of_job(arguments) -> dict:
    """Inputs of ``pesfp.scan.base``."""
    names = ('cell', 'others', 'spacing', 'adaptive')
    parameters = {name: getattr(arguments, name) for name in names}
    return ScanBaseWorkChain.get_protocol_inputs(overrides={'scan': {'parameters': parameters}})


def scan(cells: dict[str, dict[str, StructureData]], potential: str, folder: Path, arguments) -> list[str]:
    """Scan what is missing in ``folder``, where a job looks for the results of its parent; keys of what is finished.

    Those that fail are printed with the reason.

    :param cells: of :func:`cells_of`.
    """
    nodes = {one: cell for members in cells.values() for one, cell in members.items()}
    there = [key for key in nodes if (folder / key / 'descriptors.json').exists()]
    # Finished ones come first: nothing is read after the time limit.
    keys = there if arguments.finished_only else [*there, *(key for key in nodes if key not in there)]
    inputs = folder.parent / 'structures'
    inputs.mkdir(parents=True, exist_ok=True)
    if not keys:
        return []
    paths = [inputs / f'{key}.json' for key in keys]
    for key, path in zip(keys, paths):  # as the job writes it, to the last bit
        path.write_text(json.dumps(nodes[key].get_pymatgen_structure().as_dict()))
    command = [sys.executable, '-m', 'aiida_pesfp.programs.scan', *map(str, paths), '-o', str(folder), '--json', '-q']
    command += ['--potential', potential, '--device', arguments.device]
    command += FingerprintSettings.from_dict(settings_of_job(arguments)['scan']['parameters']).command_line()
    if arguments.time_limit:
        command += ['--time-limit', str(arguments.time_limit)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    results = dict(zip(keys, json.loads(process.stdout)))
    for key, result in results.items():
        if result['xi'] is None:
            print(f'{nodes[key].label}: {result["error"] or "not scanned yet"}')
    finished = {key for key, result in results.items() if result['xi'] is not None}
    return [key for key, members in cells.items() if finished.issuperset(members)]


def store(
    structures: dict[str, StructureData], cells: dict, potential: PotentialData, folder: Path, code, arguments
) -> dict:
    """Descriptors of structures as nodes, by a job that resumes in the folder of finished scans, without new energies.

    :param cells: of :func:`cells_of`, for each of the structures.
    """
    overrides = settings_of_job(arguments)
    scanned = {one: cell for key in structures for one, cell in cells[key].items()}
    builder = ScanBaseWorkChain.get_builder_from_protocol(code, scanned, potential, overrides=overrides)
    builder.scan.parent_folder = RemoteData(remote_path=str(folder.parent), computer=code.computer)
    outputs, node = run_get_node(builder)
    if not node.is_finished_ok:
        raise SystemExit(f'{node.process_label} [{node.exit_status}]: {node.exit_message}')
    found = dict(outputs['descriptors'])
    for key, node in structures.items():
        if list(cells[key]) != [key]:
            found[key] = pool_orderings(node, Dict({}), **{one: found.pop(one) for one in cells[key]})
    return found
