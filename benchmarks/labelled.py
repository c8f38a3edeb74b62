"""The labelled materials of ``assess.py``: tables, structures, and scans that go on where they were stopped."""

import json
import subprocess
import sys
from pathlib import Path

from aiida.engine import run_get_node
from aiida.orm import Computer, Dict, InstalledCode, RemoteData, SinglefileData, StructureData
from common import REPOSITORY, SHARED
from pymatgen.core import Structure

from aiida_pesfp.calculations.assessment import read_labels, structures_of_labels
from aiida_pesfp.crystals.canonical import canonical_cell
from aiida_pesfp.data.labels import LabelsData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.errors import StructureError
from aiida_pesfp.fingerprint.plan import plan_scan
from aiida_pesfp.settings.assessment import ClassSettings, TableFormat
from aiida_pesfp.settings.scan import FingerprintSettings, ScanSettings
from aiida_pesfp.workflows.scan import ScanBaseWorkChain

#: Table, its columns, and the paper's classes (Sec. II B). This KAHLE2020 has no temperature but 1000 K, so the middle
#: panel of Fig. 3 cannot be made. The floor is that of Fig. 8.
SETS = {
    'kahle2020': (
        'kahle2020.csv',
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
        ClassSettings(good=0.1, bad=0.01, temperature=1000.0),
    ),
    'laskowski2023': (
        'laskowski2023_mp.csv',
        TableFormat(
            {'id': 'mp_id', 'series': 'icsd_id', 'composition': 'composition', 'conductivity': 'sigma_RT_S_cm'},
            'S/cm',
            300.0,
            ignore=['cif_in_topo'],
        ),
        ClassSettings(good=5e-5, bad=1e-5, temperature=300.0, floor=1e-10),
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
    table, form, _ = SETS[name]
    labels = read_labels(SinglefileData(SHARED / 'labels' / table), Dict(form.as_dict()))
    content = labels.to_table()
    for entry in content.excluded:
        print(f'{name}: row {entry["row"]} ({entry["id"]}): {entry["reason"]}')
    if content.structures:
        nodes = structures_of_labels(labels)
        ids = {measurement.row: measurement.id for measurement in content.measurements}
        for row in content.structures:
            nodes[f'row_{row}'].label = ids[row]
        return labels, nodes
    nodes = {}
    for path in sorted((SHARED / 'structures' / name).glob('*.cif')):
        node = StructureData(pymatgen=canonical_cell(Structure.from_file(path)), label=path.stem)
        nodes[path.stem.replace('-', '_')] = node.store()
    return labels, nodes


def choose(structures: dict[str, StructureData], arguments, cache: Path) -> tuple[list[str], dict[str, str]]:
    """Keys of those to scan, the cheapest first, and why others are left out."""
    counts = json.loads(cache.read_text()) if cache.exists() else {}
    settings = ScanSettings(spacing=arguments.spacing)
    left_out, costs = {}, {}
    for key, node in structures.items():
        name, atoms = f'{key} {arguments.spacing}', len(node.sites)
        if name not in counts:
            try:
                counts[name] = plan_scan(node.get_pymatgen_structure(), settings=settings).evaluations
            except StructureError as error:
                counts[name] = f'{type(error).__name__}: {error}'
        count = counts[name]
        if isinstance(count, str):
            left_out[key] = count
        elif count * atoms > arguments.largest * 1e6:
            left_out[key] = f'{count} evaluations of {atoms} atoms: over --largest'
        else:
            costs[key] = count * atoms
    cache.write_text(json.dumps(counts, indent=1))
    ordered = sorted(costs, key=costs.get)
    for key in ordered[arguments.cheapest :]:
        left_out[key] = f'{costs[key] / 1e6:.2f} million atoms to evaluate: not among the {arguments.cheapest} cheapest'
    return ordered[: arguments.cheapest], left_out


def settings_of_job(arguments) -> dict:
    """Inputs of ``pesfp.scan.base``."""
    parameters = {'spacing': arguments.spacing, 'adaptive': arguments.adaptive}
    return ScanBaseWorkChain.get_protocol_inputs(overrides={'scan': {'parameters': parameters}})


def scan(keys: list[str], structures: dict[str, StructureData], potential: str, folder: Path, arguments) -> list[str]:
    """Scan what is missing in ``folder``, where a job looks for the results of its parent; keys of what is finished.

    Those that fail are printed with the reason.
    """
    there = [key for key in keys if (folder / key / 'descriptors.json').exists()]
    # Finished ones come first: nothing is read after the time limit.
    keys = there if arguments.finished_only else [*there, *(key for key in keys if key not in there)]
    inputs = folder.parent / 'structures'
    inputs.mkdir(parents=True, exist_ok=True)
    if not keys:
        return []
    paths = [inputs / f'{key}.json' for key in keys]
    for key, path in zip(keys, paths):  # as the job writes it, to the last bit
        path.write_text(json.dumps(structures[key].get_pymatgen_structure().as_dict()))
    command = [sys.executable, '-m', 'aiida_pesfp.programs.scan', *map(str, paths), '-o', str(folder), '--json', '-q']
    command += ['--potential', potential, '--device', arguments.device]
    command += FingerprintSettings.from_dict(settings_of_job(arguments)['scan']['parameters']).command_line()
    if arguments.time_limit:
        command += ['--time-limit', str(arguments.time_limit)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY)
    results = dict(zip(keys, json.loads(process.stdout)))
    for key, result in results.items():
        if result['xi'] is None:
            print(f'{structures[key].label}: {result["error"] or "not scanned yet"}')
    return [key for key, result in results.items() if result['xi'] is not None]


def store(structures: dict[str, StructureData], potential: PotentialData, folder: Path, code, arguments) -> dict:
    """Descriptors of finished scans as nodes, by a job that resumes in their folder and has no energy to compute."""
    overrides = settings_of_job(arguments)
    builder = ScanBaseWorkChain.get_builder_from_protocol(code, structures, potential, overrides=overrides)
    builder.scan.parent_folder = RemoteData(remote_path=str(folder.parent), computer=code.computer)
    outputs, node = run_get_node(builder)
    if not node.is_finished_ok:
        raise SystemExit(f'{node.process_label} [{node.exit_status}]: {node.exit_message}')
    return outputs['descriptors']
