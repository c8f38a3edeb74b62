"""The rows of the docs' table of potentials (``benchmarks/crystals.py``) are what these potentials give."""

import re
import warnings
from pathlib import Path

import pytest
from pymatgen.core import Structure

from aiida_pesfp.crystals.canonical import canonical_cell
from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.scan import scan
from aiida_pesfp.potentials import load_potential
from tests.helpers import REPOSITORY, SHARED

CRYSTALS = ('Li2Te', 'LiI_wurtzite', 'Li3N', 'Li2O', 'LiCl')
ROW = re.compile(r'^(\S+)((?:\s+\d\.\d\d \(\d\.\d\d\)){5})\s', re.MULTILINE)


def rows() -> dict[str, list[tuple[float, float]]]:
    """Xi and MPE (eV) of each crystal by the name of the potential, as they were printed."""
    printed = (REPOSITORY / 'benchmarks' / 'results' / 'crystals.txt').read_text()
    pairs = {name: re.findall(r'(\d\.\d\d) \((\d\.\d\d)\)', values) for name, values in ROW.findall(printed)}
    return {name: [(float(xi), float(mpe)) for xi, mpe in found] for name, found in pairs.items()}


def spec(name: str) -> str:
    """How to name the potential of a row."""
    path = SHARED / 'weights' / name
    if not (path.exists() or name.startswith('matgl-') or path.suffix == '.nqx'):
        return name
    if not path.exists():
        pytest.skip(f'{name} is not among the reference data')
    return f'nequix:{path}' if path.suffix == '.nqx' else str(path)


@pytest.mark.parametrize('name', rows())
def test_a_potential_gives_its_row(name, request):
    if name.startswith('chgnet'):
        pytest.importorskip('chgnet', reason='the extra chgnet is not installed')
    if Path(name).suffix == '.nqx':
        pytest.importorskip('torch_sim', reason='torch-sim is not installed: see tests/torchsim.sh')
    named = request.getfixturevalue('m3gnet_weights') if name.startswith('m3gnet-mp') else spec(name)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        potential = load_potential(str(named), device='cpu')
    expected = dict(zip(CRYSTALS, rows()[name]))
    for crystal in ('LiCl', 'Li2O'):
        structure = Structure.from_file(REPOSITORY / 'examples' / 'structures' / f'{crystal}.cif')
        structure = canonical_cell(structure)
        found = describe(scan(structure, potential.evaluator(structure))).values
        assert (found['xi'], found['mpe']) == pytest.approx(expected[crystal], abs=0.0051)


def test_the_docs_have_these_rows():
    table = (REPOSITORY / 'docs' / 'topics' / 'measured.md').read_text()
    for found in rows().values():
        assert ' | '.join(f'{xi:.2f} ({mpe:.2f})' for xi, mpe in found) in table
    assert len(rows()) == 14
