"""``pesfp-transport`` as a person calls it."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from click.testing import CliRunner

from aiida_pesfp.programs.transport import main
from aiida_pesfp.transport.conductivity import analyse
from tests.helpers.walks import CELL, D_CM2_S, brownian

TABLE = """T_K,sigma_S_cm,sigma_error_S_cm
1000,1.96,0.14
667,0.86,0.14
500,0.193,0.039
417,0.18,0.09
"""


def call(*arguments):
    """The program, within this process; ``found`` is the object that it prints with ``--json``."""
    result = CliRunner().invoke(main, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    printed = json.loads(result.stdout) if '--json' in arguments and result.exit_code == 0 else None
    return SimpleNamespace(returncode=result.exit_code, stdout=result.stdout, stderr=result.stderr, found=printed)


@pytest.fixture(scope='module')
def walk():
    return brownian(np.random.default_rng(0), duration=60.0, time_step=0.2)


@pytest.fixture(scope='module')
def files(walk, tmp_path_factory):
    """The walk as one wrapped extended XYZ, and as two parts."""
    folder = tmp_path_factory.mktemp('walk')
    frames = [Atoms(walk.symbols, positions=places, cell=walk.cell, pbc=True) for places in walk.positions]
    for atoms in frames:
        atoms.wrap()
    write(folder / 'whole.extxyz', frames)
    write(folder / 'a.extxyz', frames[:120])
    write(folder / 'b.extxyz', frames[119:])
    return folder


RUN = ('--species', 'Li', '--timestep-fs', '1', '--temperature', '1000')


def test_msd_gives_what_the_library_gives(walk, files):
    process = call('msd', files / 'whole.extxyz', *RUN, '--stride', 200, '--json')
    assert process.returncode == 0, process.stderr
    expected = analyse(walk, 'Li', 1000.0)
    assert process.found['sigma_S_cm'] == pytest.approx(expected.value, rel=1e-5)
    assert process.found['sigma_error_S_cm'] == pytest.approx(expected.error, rel=1e-4)
    assert process.found['diffusion_coefficient_cm2_s'] == pytest.approx(D_CM2_S, rel=0.3)
    assert process.found['windows'] == 4
    assert process.found['flagged'] is False
    assert process.found['T_K'] == 1000
    assert process.found['notes'] == []


def test_the_parts_of_a_run_give_the_same_as_the_whole(files):
    whole = call('msd', files / 'whole.extxyz', *RUN, '--stride', 200, '--json')
    parts = call('msd', files / 'a.extxyz', files / 'b.extxyz', *RUN, '--stride', 200, '--json')
    assert parts.returncode == 0, parts.stderr
    assert parts.found['sigma_S_cm'] == pytest.approx(whole.found['sigma_S_cm'], rel=1e-9)
    swapped = call('msd', files / 'b.extxyz', files / 'a.extxyz', *RUN, '--stride', 200, '--json')
    assert swapped.returncode == 1
    assert 'does not begin where' in swapped.stderr


def test_msd_as_a_table_and_its_curves(files, tmp_path):
    process = call('msd', files / 'whole.extxyz', *RUN, '--stride', 200, '--curves', tmp_path / 'curves.npz')
    assert process.returncode == 0, process.stderr
    assert 'Li2S: 16 Li of charge +1, 1000 K, 60 ps in windows of 15 ps' in process.stdout
    for words in ('whole run, one fit', '0 ps to the end', '5 ps to the end', 'confidence interval'):
        assert words in process.stdout
    curves = np.load(tmp_path / 'curves.npz')
    assert curves['window_msds'].shape == (4, len(curves['lags'])) == (4, 76)


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--stride', 100, '--window-ps', 40), 'less than one window of 40 ps'),
        (('--species', 'Na'), 'no Na among the elements of the trajectory (Li, S)'),
        (('--species', 'S', '--charge', '0'), 'charge = 0: ions of S have -2, -1'),
        (('--temperature', '-5'), 'temperature = -5.0: Input should be'),
        (('--temperature', '25'), 'temperature = 25.0: Input should be greater than or equal to 150'),
        (('--timestep-fs', '0'), '0 fs is not a time step'),
        (('--stride', 200, '--fit-start-ps', 20), 'the fit begins at 20 ps, after the window'),
        (('--stride', 200, '--equilibration-ps', 100), 'within the equilibration of 100 ps'),
    ],
)
def test_faults_end_with_one_line_and_status_1(files, arguments, words):
    process = call('msd', files / 'whole.extxyz', *RUN, *arguments, '--json')
    assert process.returncode == 1
    assert process.stdout == ''
    assert words in process.stderr
    assert process.stderr.startswith('Error: ')
    assert len(process.stderr.splitlines()) == 1


def test_a_file_without_a_cell(walk, tmp_path):
    write(tmp_path / 'bare.xyz', [Atoms(walk.symbols, positions=places) for places in walk.positions[:120]], 'xyz')
    options = (*RUN, '--stride', 200, '--json')
    process = call('msd', tmp_path / 'bare.xyz', *options)
    assert process.returncode == 1
    assert 'give it (--cell)' in process.stderr
    by_numbers = call('msd', tmp_path / 'bare.xyz', *options, '--cell', ','.join(map(str, CELL.ravel())))
    assert by_numbers.returncode == 0, by_numbers.stderr
    write(tmp_path / 'one.cif', Atoms('Li', cell=CELL, pbc=True))
    blanks = call('msd', tmp_path / 'bare.xyz', *options, '--cell', ' '.join(map(str, CELL.ravel())))
    assert blanks.stdout == by_numbers.stdout
    other = call('msd', tmp_path / 'bare.xyz', *options, '--cell', tmp_path / 'one.cif')
    assert 'the structure of --cell has 1 atoms and the frames have' in other.stderr
    write(tmp_path / 'cell.cif', Atoms(walk.symbols, positions=walk.positions[0], cell=CELL, pbc=True))
    by_file = call('msd', tmp_path / 'bare.xyz', *options, '--cell', tmp_path / 'cell.cif')
    assert by_file.found['carrier_density'] == pytest.approx(by_numbers.found['carrier_density'], rel=1e-4)
    assert call('msd', tmp_path / 'bare.xyz', *options, '--cell', '1,2').returncode == 2


def test_names_and_files_that_are_odd(files, tmp_path):
    """Each error is one line of what is wrong; a name that is not UTF-8 is no reason for one."""
    odd = tmp_path / os.fsdecode(b'run_\xff\xe9.extxyz')
    text = (files / 'whole.extxyz').read_text()
    odd.write_text(text)
    process = call('msd', odd, *RUN, '--stride', 200)
    assert process.returncode == 0, process.stderr
    assert 'frames 0.2 ps apart' in process.stdout
    (tmp_path / 'empty.xyz').write_text('')
    (tmp_path / 'empty').write_text('')
    (tmp_path / 'one.xyz').write_text(''.join(text.splitlines(keepends=True)[:26]))
    (tmp_path / 'other.xyz').write_text(text.replace('Li ', 'Na '))
    for name, words in (
        ('empty.xyz', 'holds no frame'),
        ('empty', 'empty or of unknown format'),
        ('one.xyz', 'a trajectory of 1 frames has no displacement'),
        ('other.xyz', 'no Li among the elements of the trajectory (Na, S)'),
        ('.', 'is a folder'),
    ):
        process = call('msd', tmp_path / name, *RUN, '--stride', 200)
        assert process.returncode == 1
        assert words in process.stderr
        assert process.stderr.count('Error: ') == 1
        assert len(process.stderr.splitlines()) == 1


def test_what_the_files_do_not_say_is_told_and_what_they_deny_refused(files):
    process = call('msd', files / 'whole.extxyz', '--temperature', 1000, '--timestep-fs', 200, '--json')
    assert process.found['notes'] == [process.stderr.strip().removeprefix('Note: ')]
    assert '1 is assumed (--stride)' in process.stderr
    short = call('msd', files / 'whole.extxyz', *RUN)
    assert re.search(r'0.301 ps, less than one window.*1 is assumed \(--stride\)', short.stderr)
    process = call('msd', files / 'whole.extxyz', *RUN, '--stride', 200, '--unwrapped')
    assert process.returncode == 1
    assert 'they are wrapped, do not say that they are not (--unwrapped)' in process.stderr


def test_arrhenius_gives_table_1(tmp_path):
    (tmp_path / 'table.csv').write_text(TABLE)
    process = call('arrhenius', tmp_path / 'table.csv', '--json')
    assert process.returncode == 0, process.stderr
    found = process.found
    assert round(found['activation_energy_meV']) == 249
    assert round(found['activation_energy_error_meV']) == 18
    assert round(found['chi2_reduced'], 1) == 1.5
    assert round(found['p_value'], 2) == 0.23
    assert round(found['sigma_300K_S_cm'], 4) == 0.0079
    assert round(found['sigma_300K_error_S_cm'], 4) == 0.0037
    people = call('arrhenius', tmp_path / 'table.csv', '--at', 350)
    assert 'E_A = 249 +- 18 meV (linear scale)' in people.stdout
    assert 'sigma(350 K)' in people.stdout


def test_the_installed_program(tmp_path):
    (tmp_path / 'table.csv').write_text(TABLE)
    program = Path(sys.executable).with_name('pesfp-transport')
    for arguments, status, words in (
        (('arrhenius', tmp_path / 'table.csv', '--json'), 0, '"activation_energy_meV": 248.57'),
        (('arrhenius', tmp_path / 'none.csv'), 1, ''),
    ):
        process = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=300)
        assert process.returncode == status, process.stderr
        assert words in process.stdout


HEAD = 'T_K,sigma_S_cm,sigma_error_S_cm\n'
#: The same table in the forms of German Excel, a spreadsheet's export, and other people.
SAME = {
    'german': TABLE.replace(',', ';').replace('.', ','),
    'tabs': TABLE.replace(',', '\t'),
    'numpy': f'# {TABLE}',
    'excel': 'sep=,\n' + TABLE.replace('\n', '\n,,\n'),
    'comments': f'# impedance, 2026\n{TABLE}# the end\n',
    'blanks': TABLE.replace(',', ' , ').replace('\n', '\n\n'),
    'units': TABLE.replace('\n', '\nK,S/cm,S cm\u207b\u00b9\n', 1),
    'fortran': TABLE.replace('0.193', '1.93D-01').replace('0.18,', '1.8E\u221201,'),
    'beside': TABLE.replace('0.193,0.039', '0.193(39),').replace('1.96,0.14', '1960 mS/cm,140 mS/cm'),
    'per cent': TABLE.replace('0.18,0.09', '0.18,50 %').replace('417', '143.85 °C'),
}


@pytest.mark.parametrize('form', SAME)
@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_arrhenius_reads_a_table_as_people_write_it(tmp_path, form, encoding):
    (tmp_path / 'table.csv').write_text(SAME[form], encoding=encoding)
    (tmp_path / 'plain.csv').write_text(TABLE)
    found, plain = (call('arrhenius', tmp_path / f'{name}.csv', '--json').found for name in ('table', 'plain'))
    for name in ('activation_energy_meV', 'activation_energy_error_meV', 'sigma_300K_S_cm'):
        assert found[name] == pytest.approx(plain[name], rel=1e-9)


def test_arrhenius_tells_what_it_does_not_use(tmp_path):
    head, *lines = TABLE.splitlines()
    (tmp_path / 'table.csv').write_text('\n'.join([f'{head},run', *(f'{line},a' for line in lines)]))
    for options in ((), ('--json',)):
        process = call('arrhenius', tmp_path / 'table.csv', *options)
        assert 'Note: not used are the columns run' in process.stderr
    assert 'not used are the columns run' in process.found['notes']


def test_arrhenius_ignores_what_it_is_told_to(tmp_path):
    head, *lines = TABLE.splitlines()
    (tmp_path / 'plain.csv').write_text(TABLE)
    (tmp_path / 'table.csv').write_text('\n'.join([f'{head},Ea_eV,cycle', *(f'{line},0.25,heating' for line in lines)]))
    process = call('arrhenius', tmp_path / 'table.csv', '--json')
    assert process.returncode == 1
    assert "the columns 'Ea_eV', 'cycle' may give numbers or rows another meaning" in process.stderr
    process = call('arrhenius', tmp_path / 'table.csv', '--ignore', 'Ea_eV', '--ignore', 'cycle', '--json')
    assert process.found['points'] == call('arrhenius', tmp_path / 'plain.csv', '--json').found['points']
    assert 'ignored are the columns Ea_eV, cycle' in process.found['notes']
    assert call('arrhenius', tmp_path / 'table.csv', '--ignore', '*', '--json').found == process.found


def test_a_pattern_takes_no_column_that_is_used(tmp_path):
    rows = [f'{kelvin},{_law(kelvin):.6g},{0.05 * _law(kelvin):.6g}' for kelvin in (300, 350, 420, 500)]
    lines = ['T (K),sigma (S/cm),error,excluded,x', *(f'{row},,1' for row in rows), '550,1e-9,1e-10,broken,1']
    (tmp_path / 'table.csv').write_text('\n'.join(lines))
    found = call('arrhenius', tmp_path / 'table.csv', '--ignore', '*', '--json').found
    assert found['activation_energy_meV'] == pytest.approx(350, rel=1e-3)
    assert [point['excluded'] for point in found['points']] == [*4 * [None], 'broken']
    assert 'ignored are the columns x' in found['notes']
    found = call('arrhenius', tmp_path / 'table.csv', '--ignore', 'excluded', '--ignore', 'x', '--json').found
    assert [point['excluded'] for point in found['points']] == 5 * [None]


@pytest.mark.parametrize(
    ('heads', 'unit'),
    [
        ('T (K),sigma (S/cm),error (S/cm)', 1.0),
        ('Temperature (K),\u03c3 (mS/cm),uncertainty (mS/cm)', 1e3),
        ('T / K,Leitf\u00e4higkeit (S/m),Fehler (S/m)', 1e2),
    ],
)
def test_arrhenius_reads_the_heads_of_labels(tmp_path, heads, unit):
    rows = [list(map(float, line.split(','))) for line in TABLE.splitlines()[1:]]
    lines = [f'{t},{unit * value:.12g},{unit * error:.12g}' for t, value, error in rows]
    (tmp_path / 'table.csv').write_text('\n'.join([f'# measured\n{heads}', *lines]))
    (tmp_path / 'plain.csv').write_text(TABLE)
    found, plain = (call('arrhenius', tmp_path / f'{name}.csv', '--json').found for name in ('table', 'plain'))
    assert found['activation_energy_meV'] == pytest.approx(plain['activation_energy_meV'], rel=1e-9)
    assert found['sigma_300K_S_cm'] == pytest.approx(plain['sigma_300K_S_cm'], rel=1e-9)
    (tmp_path / 'table.csv').write_text('\n'.join([f'{heads},sigma_2 (S/cm),err', *(f'{line},,' for line in lines)]))
    assert (
        'all say that it is the error: name one column sigma_error_S_cm'
        in call('arrhenius', tmp_path / 'table.csv').stderr
    )


def _law(kelvin):
    """A conductivity, S/cm, of 0.35 eV."""
    return 300 / kelvin * math.exp(-0.35 / (8.617333e-5 * kelvin))


#: Heads of a table, and what a row has for a temperature and a conductivity. The errors are 5 %.
SCALES = {
    'T (K),sigma (S/cm),error': lambda t, s: (t, s, 0.05 * s),
    '1000/T (1/K),log10(sigma*T) (S K/cm),error': lambda t, s: (1000 / t, math.log10(s * t), 0.05 / math.log(10)),
    '"1000/T (K^-1)",T (°C),ln sigma (S/cm),error': lambda t, s: (1000 / t, t - 273.15, math.log(s), 0.05),
    '10³/T,\u03c3T / S K cm⁻¹,\u0394\u03c3 / S cm⁻¹': lambda t, s: (1000 / t, s * t, 0.05 * s),
    'ln \u03c3,err (mS/cm),1/T,T (K),\u03c3 (mS/cm)': lambda t, s: (math.log(s), 50 * s, 1 / t, t, 1000 * s),
    'T/K,\u03c3/10⁻³ S cm⁻¹,error': lambda t, s: (t, 1e3 * s, 50 * s),
    'T/K,ln(\u03c3T/S cm⁻¹ K),\u03c3 (S/m),err (ln)': lambda t, s: (t, math.log(s * t), 100 * s, 0.05),
    '1/kT (1/eV),sigma (S/cm),error': lambda t, s: (1 / (8.617333e-5 * t), s, 0.05 * s),
    '1/(k_B*T) (eV^-1),ln sigma': lambda t, s: (1 / (8.617333e-5 * t), math.log(s)),
    'T (K),\u03c3 (S/cm),\u03c3T (S K/cm),error \u03c3T (S K/cm)': lambda t, s: (t, s, s * t, 0.05 * s * t),
    'T/K,log(\u03c3/10⁻⁴ S cm⁻¹)': lambda t, s: (t, math.log10(s / 1e-4)),
}


@pytest.mark.parametrize('heads', SCALES)
def test_arrhenius_reads_what_people_plot(tmp_path, heads):
    rows = [','.join(f'{one:.10g}' for one in SCALES[heads](kelvin, _law(kelvin))) for kelvin in (300, 350, 420, 500)]
    (tmp_path / 'table.csv').write_text('\n'.join([heads, *rows]), encoding='utf-8')
    options = () if 'err' in heads or '\u0394' in heads else ('--relative-error', '0.05')
    process = call('arrhenius', tmp_path / 'table.csv', *options, '--json')
    assert process.returncode == 0, process.stderr
    found = process.found
    assert found['activation_energy_meV'] == pytest.approx(350, rel=1e-5)
    for point, kelvin in zip(found['points'], (300, 350, 420, 500)):
        expected = (kelvin, _law(kelvin), 0.05 * _law(kelvin))
        assert [point[name] for name in ('T_K', 'sigma_S_cm', 'sigma_error_S_cm')] == pytest.approx(expected, rel=1e-6)
    note = '4 points have no error: 0.05 of the conductivity is taken'
    assert (note in found['notes']) == bool(options)


def test_a_given_error_is_that_of_points_without_one(tmp_path):
    (tmp_path / 'table.csv').write_text(HEAD + '500,1e-3,2e-4\n600,3e-3,\n700,8e-3,1e-3\n')
    process = call('arrhenius', tmp_path / 'table.csv', '--relative-error', '0.1', '--json')
    assert [one['sigma_error_S_cm'] for one in process.found['points']] == pytest.approx([2e-4, 3e-4, 1e-3])
    assert call('arrhenius', tmp_path / 'table.csv', '--relative-error', '0').returncode == 2


CELSIUS = 'T,sigma (S/cm),error\n' + ''.join(
    f'{t},{_law(t + 273.15):.5e},{0.05 * _law(t + 273.15):.1e}\n' for t in (300, 350, 400, 450)
)


@pytest.mark.parametrize(
    ('line', 'number'),
    [
        *(
            (f'# fit of ln(sigma*T): {text}, R2 = 0.99', 0)
            for text in ('Ea = 0.35 eV', 'E_a = 350 meV', 'E_A: 0.350(5) eV')
        ),
        *((text, 0) for text in ('Ea,0.35 eV', 'Ea (kJ/mol),33.8', ',,activation energy = 0.35 eV', 'E_a,0.35,eV')),
        *((text, 0) for text in ('sigma(400 °C),1.07e-3 S/cm', '# conductivity at 673 K: 1.07 mS/cm', 'Ea,0.3 eV')),
        *(
            (text, 1)
            for text in ('# Ea = 0.45 eV', 'Ea,0.45 eV', '# activation energy 33 meV', '# E_a (300-450 °C) = 0.2 eV')
        ),
        *((text, 1) for text in ('sigma RT (S/cm),1e-3', '# sigma(25 °C) = 1e-3 S/cm', '# \u03c3_400K = 5 mS/cm')),
        *(
            (text, 0)
            for text in ('# E_a = 8.1 kcal/mol', '# Ea/eV: (0.35 \u00b1 0.02)', '# x = 0.5; Ea 33.8(4) kJ mol⁻¹')
        ),
        *((text, 0) for text in ('# ln(\u03c3T) vs 1000/T: y = -4.0616x + 9.2, R² = 1', 'y = -4061.6x + 9.2,')),
        *((text, 1) for text in ('# ln(\u03c3T) vs 1000/T: y = -1.7639x + 4', '# y = 4 - 5.5x')),
        ('# E_a = 0.40 eV \u00b1 0.03 eV', 0),
        ('# E_a = 0.40 eV \u00b1 0.02 eV', 1),
        ('# Ea = 0.45 eV; sigma(25 °C) = 1e-3 S/cm', 2),
        # Of something else, without a unit or a temperature.
        *(
            (f'# {text}', None)
            for text in ('Ea = 0.45', 'sigma = 1 S/cm', 'electronic conductivity at 25 °C: 1e-9 S/cm')
        ),
        *((f'# {text}', None) for text in ('sigma at 25 °C', 'log sigma(25 °C) = -3 S/cm', 'ratio = 0.45 eV')),
    ],
)
def test_what_is_said_beside_the_points_is_compared_with_the_fit(tmp_path, line, number):
    (tmp_path / 'table.csv').write_text(CELSIUS.replace('T,', 'T (°C),') + line + '\n', encoding='utf-8')
    process = call('arrhenius', tmp_path / 'table.csv', '--json')
    assert process.returncode == 0, process.stderr
    remark = process.found['remarks'].get('contradicts_statement', '')
    assert remark.count('line 6 says') == (number or 0)
    assert process.found['flags']['contradicts_statement'] == bool(number)
    assert any('compared with the fit' in note for note in process.found['notes']) == (number is not None)
    assert len(process.found['points']) == 4
    assert ('contradicts_statement: line 6' in call('arrhenius', tmp_path / 'table.csv').stdout) == bool(number)


@pytest.mark.parametrize('rows', [2, 4])
@pytest.mark.parametrize('line', ['# Ea = 0.35 eV', 'ea,33.8 kJ/mol', '# y = -4,0616x + 9,2', 'y = -4.0616x + 9.2,,'])
def test_what_is_said_tells_the_unit_of_temperatures(tmp_path, line, rows):
    (tmp_path / 'table.csv').write_text('\n'.join([*CELSIUS.split('\n')[: rows + 1], line, '']))
    process = call('arrhenius', tmp_path / 'table.csv', '--json')
    assert (process.returncode, process.stdout) == (1, '')
    words = f'line {rows + 2} says .*the fit gives E_A = 0.[01].*0.35 .* if temperatures are in degrees Celsius'
    assert re.search(words, process.stderr)


def test_what_is_said_tells_the_logarithm(tmp_path):
    rows = [f'{kelvin},{math.log(_law(kelvin)):.4f}' for kelvin in (300, 350, 420, 500)]
    (tmp_path / 'table.csv').write_text('\n'.join(['T (K),log(sigma)', *rows, '# Ea = 0.35 eV']))
    process = call('arrhenius', tmp_path / 'table.csv', '--relative-error', '0.05', '--json')
    assert (process.returncode, process.stdout) == (1, '')
    assert re.search(r'line 6 says .* E_A = 0.35 .* if logarithms are natural ones, ln', process.stderr)


def test_arrhenius_excludes_what_it_is_told_to(tmp_path):
    (tmp_path / 'table.csv').write_text(TABLE + '363,0.082,0.023\n')
    process = call('arrhenius', tmp_path / 'table.csv', '--exclude', '363', 'leaves the line', '--json')
    assert process.returncode == 0, process.stderr
    assert round(process.found['activation_energy_meV']) == 249
    assert process.found['points'][-1]['excluded'] == 'leaves the line'
    head, *lines = TABLE.splitlines()
    rows = [f'{head},excluded,species', *(f'{line},null,Na' for line in lines), '363,0.082,0.023,leaves the line,Na']
    (tmp_path / 'again.csv').write_text('\n'.join(rows))
    assert call('arrhenius', tmp_path / 'again.csv', '--json').found['points'] == process.found['points']
    shown = call('arrhenius', tmp_path / 'table.csv', '--exclude', '363', 'leaves the line')
    assert 'excluded: leaves the line' in shown.stdout
    assert 'no point at 300 K' in call('arrhenius', tmp_path / 'table.csv', '--exclude', '300', 'x').stderr


@pytest.mark.parametrize(
    ('table', 'words'),
    [
        (HEAD, 'has no row below its header'),
        ('', 'is empty'),
        (
            'T,sigma\n500,1\n600,2\n',
            'says that it is the error: name one column sigma_error_S_cm, or say how well they are known: '
            '--relative-error 0.05',
        ),
        ('1000/T,log R\n2,3\n', 'none of 1000/T, log R says that it is the conductivity: name one column sigma_S_cm'),
        ('1000/T,ln(sigma T) (S/cm),err\n2,3,1\n', "'ln(sigma T) (S/cm)' is not understood from 'T) (S/cm)' on"),
        ('Conductivity of LLZO in mS/cm,,\nT,sigma,err\n500,1,1\n', 'Its first line is the header: begin titles above'),
        ('T (K),sigma bulk,sigma total,err\n500,1,2,0.1\n', 'sigma bulk and sigma total all say that it is the cond'),
        (
            'T (K),sigma (S/cm),ln sigma,err\n500,1e-3,-6.9078,0.1\n600,2e-3,-6.2146,0.1\n',
            "'err' may be the error of sigma (S/cm) or of ln sigma: put the unit, or log10 or ln, into its name",
        ),
        (
            'T (K),1000/T,sigma,err\n500,2,1e-3,1e-4\n600,1.5,2e-3,1e-4\n',
            "row 3: the column '1000/T' has '1.5', but 'T (K)' has '600'",
        ),
        ('T_K,T_K,sigma_S_cm,sigma_error_S_cm\n1,500,1,0.1\n', 'T_K and T_K all say that it is the temperature'),
        (HEAD + '500,0,1,0,01\n700,0,2,0,01\n', 'the first because it has 5 cells for 3 columns'),
        (HEAD + '26,1,0.1\n227,2,0.1\n', 'is 26 K, not between 150 and 5000 K'),
        (HEAD + '500,1,0.1\n', '500 K is the only temperature'),
        (HEAD + '500,0,0.1\n700,-0.1,0.1\n900,0,0.1\n', 'no conductivity is above zero'),
        (HEAD + '500,1,\n700,2,0.1\n', 'row 2 (500 K) has no uncertainty'),
        (HEAD + '500,1\n700,2,0.1\n', 'row 2 (500 K) has no uncertainty'),
        (HEAD + '500,1,0.1\n700,2,0\n', 'row 3 (700 K) has an uncertainty of 0 S/cm'),
        (HEAD + '500,one,0.1\n700,1,0.1\n', "row 2: its conductivity 'one' is not a number"),
        (HEAD + '500,,0.1\n700,1,0.1\n', 'row 2: it has no conductivity'),
        (HEAD + '500,1e-3,10\n700,2e-2,5\n', 'are they in percent? Write each as 10 %'),
        (HEAD + '500,nan,0.1\n700,2,0.1\n', 'row 2: it has no conductivity'),
        (
            HEAD + '500,1e6,0.1\n700,2,0.1\n',
            "row 2: its conductivity '1e6' is 1e+06 S/cm, not between -0.1 and 10 S/cm",
        ),
        *(
            (f'{name},{HEAD}a,500,1,0.1\nb,700,2,0.1\n', f'{name} is a, b: one material, one table')
            for name in ('material', 'composition', 'species', 'Sample')
        ),
        *(
            (f'{name},{HEAD}0,500,1,0.1\n0.25,700,2,0.1\n', f'the columns {name!r} may give numbers or rows another')
            for name in ('x', 'composition x', 'doping (%)', 'phase', 'cycle', 'Ea_eV', 'exponent', 'sigma_xx')
        ),
        *(
            (f'# {text}\n{HEAD}500,1,0.1\n700,2,0.1\n', 'but errors are read as standard errors: give these')
            for text in (
                'errors are 95% confidence intervals',
                '2 sigma errors',
                '\u00b1 is 2\u03c3',
                'CI (95 %)',
                '+- 2 std',
            )
        ),
        ('use,' + HEAD + 'yes,500,1,0.1\nno,700,2,0.1\n', "the column 'use' has 'no', remove such rows"),
        ('excluded,' + HEAD + 'True,500,1,0.1\n,700,2,0.1\n', "'excluded' has 'True', remove such rows"),
        ('T_set,' + HEAD + '500,500,1,0.1\n650,700,2,0.1\n', "'T_set' has '650', but 'T_K' has '700'"),
        ('# T_K sigma_S_cm sigma_error_S_cm\n500 1 0.1\n', 'its columns are separated by blanks'),
        (HEAD + '500,1,0.1\n500,1,0.1\n700,2,0.1\n', 'row 3: the same as row 2: correct the row, or remove it'),
        (HEAD + '500,<1,0.1\n700,2,0.1\n', 'row 2: its conductivity is a limit'),
        ('1000/T,' + HEAD + '2.0,500,1,0.1\n1.43,770,2,0.1\n', "row 3: the column '1000/T' has '1.43', but 'T_K' has"),
        ('T_C,' + HEAD + '227,500,1,0.1\n427,427,2,0.1\n', "row 3: the column 'T_C' has '427', but 'T_K' has '427'"),
        (HEAD + '500,1(1),0.1\n700,2,0.1\n', "row 2: the column 'sigma_S_cm' has '1(1)'"),
        (HEAD + '°C,S/cm,S/cm\n500,1,0.1\n700,2,0.1\n', "'T_K', with '°C' in its first row, is not understood"),
        (HEAD + 'K,mS/cm,S/cm\n500,1,0.1\n700,2,0.1\n', "'mS/cm' in its first row, is not understood"),
    ],
)
def test_arrhenius_refuses_what_it_cannot_fit(tmp_path, table, words):
    (tmp_path / 'table.csv').write_text(table)
    process = call('arrhenius', tmp_path / 'table.csv', '--json')
    assert process.returncode == 1
    assert process.stdout == ''
    assert words in process.stderr


def test_a_missing_file_and_wrong_usage(tmp_path):
    assert 'No such file' in call('arrhenius', tmp_path / 'none.csv').stderr
    assert 'no such file' in call('msd', tmp_path / 'none.extxyz', *RUN).stderr
    assert call('msd', '--temperature', '500').returncode == 2
