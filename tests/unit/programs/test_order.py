"""``pesfp-order``, and ``pesfp-scan --orderings``, as a person calls them."""

import json

import pytest
from pymatgen.core import Lattice, Structure

from aiida_pesfp.crystals.formats import read_file
from tests.helpers.crystals import rock_salt
from tests.helpers.disordered import write_cif
from tests.helpers.potentials import write_calculator

#: A rock salt in which Cl and Br share a site: five different orderings in a few cells.
MIXED = Structure(rock_salt('Li', 'Cl', 5.2).lattice, ['Li', {'Cl': 0.75, 'Br': 0.25}], [[0, 0, 0], [0.5, 0.5, 0.5]])
CHARGED = Structure(MIXED.lattice, ['Li', {'Cl': 0.9, 'S': 0.1}], MIXED.frac_coords)
COARSE = ('--spacing', '1.0')


@pytest.fixture
def pesfp_order(invoke_program):
    """Run ``pesfp-order``."""
    return lambda *arguments, **options: invoke_program('order', *arguments, '--json', **options)


def test_orderings_are_written_and_told(pesfp_order, tmp_path):
    path = write_cif(tmp_path / 'mixed.cif', MIXED)
    done = pesfp_order(path, '-n', 3, '-o', tmp_path / 'out', potential='none')
    assert done.returncode == 0, done.stderr
    [found] = done.found
    assert found['structure'] == str(path)
    assert found['error'] is None
    assert found['charge'] == 0
    assert found['composition_deviation'] == 0
    assert found['weights'] == pytest.approx([1 / 3] * 3)
    assert found['orderings'] == [str(tmp_path / 'out' / 'mixed' / f'{number}.cif') for number in range(3)]
    records = json.loads((tmp_path / 'out' / 'mixed' / 'orderings.json').read_text())
    assert len(records) == 3
    assert records[0]['oxidation_states'] == {'Li': 1, 'Cl': -1, 'Br': -1}
    for name in found['orderings']:
        [reading] = read_file(tmp_path / 'out' / 'mixed' / name)
        assert reading.error is None
        assert reading.structure.composition.reduced_formula == 'Li4BrCl3'


def test_fewer_orderings_replace_more(pesfp_order, tmp_path):
    path, out = write_cif(tmp_path / 'mixed.cif', MIXED), tmp_path / 'out'
    for number in (3, 2):
        assert pesfp_order(path, '-n', number, '-o', out).returncode == 0
    assert sorted(one.name for one in (out / 'mixed').glob('*.cif')) == ['0.cif', '1.cif']


def test_bad_structures_do_not_affect_others(pesfp_order, tmp_path):
    """One that cannot be balanced, one that is ordered, one that is no file, and a name that is no name of a folder."""
    paths = [
        write_cif(tmp_path / 'charged.cif', CHARGED),
        write_cif(tmp_path / 'ordered.cif', rock_salt('Li', 'F', 4.1)),
        tmp_path / 'missing.cif',
        write_cif(tmp_path / '...cif', MIXED),
    ]
    done = pesfp_order(*paths, '-n', 2, '-o', tmp_path / 'out')
    assert done.returncode == 1
    charged, ordered, missing, mixed = done.found
    assert 'no number of Li balances the charges' in charged['error']
    assert charged['orderings'] == []
    assert charged['composition_deviation'] is None
    assert 'all its sites are full' in ordered['error']
    assert 'no such file' in missing['error']
    assert mixed['error'] is None
    assert len(mixed['orderings']) == 2
    inside = {one.name for one in (tmp_path / 'out').iterdir()}
    assert len(inside) >= 4
    assert '..' not in inside
    assert {one.name for one in tmp_path.iterdir()} == {'charged.cif', 'ordered.cif', '...cif', 'out'}


def test_the_folder_must_be_named_and_the_settings_possible(pesfp_order, tmp_path):
    path = write_cif(tmp_path / 'mixed.cif', MIXED)
    assert '--output' in pesfp_order(path).stderr
    assert 'needs energies' in pesfp_order(path, '--weigh', 'boltzmann', '-o', tmp_path / 'out').stderr


def test_swaps_with_a_potential_have_energies(pesfp_order, tmp_path, lennard_jones):
    path = write_cif(tmp_path / 'mixed.cif', MIXED)
    options = ('--choose', 'monte_carlo', '--sweeps', 1, '--weigh', 'boltzmann', '-n', 2)
    done = pesfp_order(path, *options, '-o', tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    records = json.loads((tmp_path / 'out' / 'mixed' / 'orderings.json').read_text())
    assert all(isinstance(one['energy'], float) for one in records)
    assert sum(one['weight'] for one in records) == pytest.approx(1)


def test_only_mobile_ions_are_relaxed_if_asked(pesfp_order, tmp_path):
    structure = Structure(
        MIXED.lattice, ['Li', {'Cl': 0.5, 'Br': 0.5}], [[0.03, 0, 0], [0.5, 0.5, 0.5]]
    )  # Li is off its place
    path = write_cif(tmp_path / 'mixed.cif', structure)
    found = {}
    for relax in ('none', 'mobile', 'all'):
        out = tmp_path / relax
        done = pesfp_order(path, '-n', 1, '--relax-orderings', relax, '-o', out)
        assert done.returncode == 0, done.stderr
        found[relax] = Structure.from_file(out / 'mixed' / '0.cif')
    moved = {
        relax: {
            symbol: max(
                min(site.distance(other) for other in found['none'] if other.specie == site.specie)
                for site in found[relax]
                if site.specie.symbol == symbol
            )
            for symbol in ('Li', 'Cl')
        }
        for relax in ('mobile', 'all')
    }
    assert moved['mobile']['Li'] > 0.01
    assert moved['mobile']['Cl'] < 1e-4
    assert moved['all']['Cl'] > 1e-3


def test_scan_of_orderings_names_their_parent(invoke_program, tmp_path):
    paths = [write_cif(tmp_path / 'mixed.cif', MIXED), write_cif(tmp_path / 'charged.cif', CHARGED)]
    paths.append(write_cif(tmp_path / 'LiCl.cif', rock_salt('Li', 'Cl', 5.13)))
    request = (*paths, *COARSE, '--orderings', 2, '--json', '-o', tmp_path / 'out')
    done = invoke_program('scan', *request)
    assert done.returncode == 1
    first, second, charged, ordered = done.found
    assert (first['parent'], second['parent'], charged['parent'], ordered['parent']) == ('mixed', 'mixed', None, None)
    assert first['weight'] == second['weight'] == 0.5
    assert first['structure'] == f'{paths[0]} (ordering 0)'
    assert first['formula'] == 'Li4BrCl3'
    assert 'balances the charges' in charged['error']
    assert ordered['error'] is None
    folder = tmp_path / 'out' / 'mixed-1'
    assert (folder / 'pes.npz').exists()
    assert json.loads((folder / 'ordering.json').read_text())['weight'] == 0.5
    run = json.loads((tmp_path / 'out' / 'run.json').read_text())
    assert run['structures']['mixed-0']['parent'] == 'mixed'
    assert run['ordering_settings']['number'] == 2
    again = invoke_program('scan', *request)  # the same seed: from the files
    assert [one['evaluations'] for one in again.found] == [one['evaluations'] for one in done.found]
    assert [one['xi'] for one in again.found] == [one['xi'] for one in done.found]
    mean = json.loads((tmp_path / 'out' / 'ensembles.json').read_text())['mixed']
    assert mean['mpe'] == pytest.approx((first['mpe'] + second['mpe']) / 2)
    assert mean['orderings'] == ['mixed-0', 'mixed-1']
    table = invoke_program('scan', *[part for part in request if part != '--json']).stdout
    assert [line.split()[0] for line in table.splitlines()[2:4]] in (['mixed', 'LiCl'], ['LiCl', 'mixed'])
    assert 'Xi from' in table


def test_orderings_that_took_the_potential_are_kept(invoke_program, tmp_path):
    """The same command resumes with them; another number, other settings or --fresh make others."""
    path, out = write_cif(tmp_path / 'mixed.cif', MIXED), tmp_path / 'out'

    def files(*options):
        request = (path, '--spacing', 2, '--orderings', 1, '--relax-orderings', *options, '-o', out, '--json')
        assert invoke_program('scan', *request).found[0]['parent'] == 'mixed'
        return {one.name: one.stat().st_mtime_ns for one in (out / 'orderings').glob('*.json')}

    first = files('mobile')
    assert len(first) == 1
    assert files('mobile') == first
    assert files('all').items() > first.items()
    again = files('mobile', '--fresh')
    assert again.keys() == first.keys()
    assert again != first


def test_orderings_are_added_until_the_error_is_small(invoke_program, tmp_path):
    """The mixed one has four orderings, the other one many; what was scanned of fewer is not scanned again."""
    many = Structure(MIXED.lattice, ['Li', {'Cl': 0.5, 'Br': 0.25, 'F': 0.25}], MIXED.frac_coords)
    paths = [write_cif(tmp_path / 'mixed.cif', MIXED), write_cif(tmp_path / 'many.cif', many)]
    out, limits = tmp_path / 'out', ('--most-orderings', 7, '--largest-error', 1e-6)
    fixed = invoke_program('scan', *paths, '--spacing', 1.2, '--orderings', 2, '--json', '-o', out)
    times = {path: path.stat().st_mtime_ns for path in out.glob('*/pes.npz')}
    assert len(times) == 4
    done = invoke_program('scan', *paths, '--spacing', 1.2, '--orderings', 'auto', *limits, '--json', '-o', out)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in times} == times
    names = [*(f'mixed-{number}' for number in range(4)), *(f'many-{number}' for number in range(7))]
    assert [one['structure'].split('/')[-1] for one in done.found] == [
        f'{name.replace("-", ".cif (ordering ")})' for name in names
    ]
    assert [one['weight'] for one in done.found] == pytest.approx([1 / 4] * 4 + [1 / 7] * 7)
    assert [done.found[place]['xi'] for place in (0, 1, 4, 5)] == [one['xi'] for one in fixed.found]
    ensembles = json.loads((out / 'ensembles.json').read_text())
    assert ensembles['many']['orderings'] == names[4:]
    assert 'allow more orderings (--most-orderings)' in ensembles['many']['shortfall']
    assert 'it has no more orderings that are different' in ensembles['mixed']['shortfall']
    request = (paths[1], '--spacing', 1.2, '--orderings', 'auto', '--largest-error', 5, '-o', out)
    enough = invoke_program('scan', *request)
    assert enough.returncode == 0, enough.stderr
    assert len(json.loads((out / 'ensembles.json').read_text())['many']['orderings']) == 5
    assert '--orderings' not in enough.stdout


def test_a_potential_that_fails_for_one_structure_does_not_stop_the_others(invoke_program, tmp_path):
    """EMT knows no bromine."""
    potential = write_calculator(tmp_path / 'emt.yaml', 'ase.calculators.emt.EMT')
    alloy = Structure(Lattice.cubic(3.9), [{'Cu': 0.5, 'Au': 0.5}, 'Ni'], [[0, 0, 0], [0.5, 0.5, 0.5]])
    paths = [write_cif(tmp_path / 'mixed.cif', MIXED), write_cif(tmp_path / 'alloy.cif', alloy)]
    options = ('--orderings', 1, '--relax-orderings', 'all', '--species', 'Ni', '--spacing', 2)
    mixed, other = invoke_program('scan', *paths, *options, '--json', potential=potential).found
    assert 'the potential failed' in mixed['error']
    assert other['parent'] == 'alloy'


def test_without_orderings_a_disordered_structure_is_refused(invoke_program, tmp_path):
    done = invoke_program('scan', write_cif(tmp_path / 'mixed.cif', MIXED), *COARSE, '--json')
    assert '--orderings' in done.found[0]['error']
    assert 'ordered approximant' in done.found[0]['error']
