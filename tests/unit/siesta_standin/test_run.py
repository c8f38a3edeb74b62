"""The stand-in as a program: what it leaves on disk, how it restarts, how it ends."""

import re
import signal

import numpy as np
import pytest
from ase import Atoms
from ase.units import GPa
from scipy.io import FortranFile

from aiida_pesfp.trajectories.siesta import read_struct_out
from tests.helpers.siesta_standin.potential import IonicPairs

RESTART = ('siesta.XV', 'siesta.NOSE_RESTART', 'siesta.DM')
GENUINE_RECORD = 8 + 4 + 2 * 3 * 8 * 8

CRYSTAL = """
SystemLabel siesta
%block chemicalspecieslabel
1 3 Li
2 53 I
%endblock chemicalspecieslabel
lattice-constant 1.0 Ang
%block lattice-vectors
{a} 0.0 0.0
0.0 {a} 0.0
0.0 0.0 {a}
%endblock lattice-vectors
atomic-coordinates-format ScaledByLatticeVectors
%block atomiccoordinatesandatomicspecies
0.0 0.0 0.0 1 Li 1
0.5 0.5 0.0 1 Li 2
0.5 0.0 0.5 1 Li 3
0.0 0.5 0.5 1 Li 4
0.5 0.5 0.5 2 I 5
0.0 0.0 0.5 2 I 6
0.0 0.5 0.0 2 I 7
0.5 0.0 0.0 2 I 8
%endblock atomiccoordinatesandatomicspecies
maxwalltime 3600
max-scf-iterations 10
scf-must-converge false
"""

DYNAMICS = """
md-type-of-run Nose
md-final-time-step {steps}
md-initial-temperature 600.0 K
md-target-temperature 600.0 K
md-nose-mass 50.0 Ry*fs**2
md-use-save-xv true
dm-use-save-dm true
write-md-history true
"""


def dynamics(steps, more='', a=6.03):
    """Input of a run of molecular dynamics; labels in ``more`` count before the others."""
    return more + CRYSTAL.format(a=a) + DYNAMICS.format(steps=steps)


def relaxation(more, a=6.03):
    """Input of a relaxation, as the plugin writes it."""
    return more + CRYSTAL.format(a=a) + 'md-type-of-run CG\n'


@pytest.fixture(scope='module')
def whole(run_siesta):
    """Twenty steps without an interruption."""
    run = run_siesta(dynamics(20), 'whole')
    assert run.code == 0
    return run


def steps_of(run):
    """The numbers of an .MDE file."""
    return np.array([line.split() for line in run.lines('siesta.MDE') if not line.startswith('#')], dtype=float)


def messages(run):
    """MESSAGES without the warning that a small cell brings in every step."""
    noise = 'Gamma-point calculation|Some features|e.g. DM'
    return [line for line in run.lines('MESSAGES') if not re.search(noise, line)]


def shape(line):
    """A line with each number replaced by as many ``#`` as the columns it fills."""
    return re.sub(r'[ -]*\d+', lambda number: '#' * len(number.group()), line)


def test_two_halves_equal_the_whole(siesta, whole):
    first = siesta(dynamics(10), 'first')
    second = siesta(dynamics(10), 'second', carry=(first, RESTART))
    assert (first.code, second.code) == (0, 0)
    records = (whole.folder / 'siesta.MD').read_bytes()
    halves = [(half.folder / 'siesta.MD').read_bytes() for half in (first, second)]
    assert halves[0] == records[: 10 * GENUINE_RECORD]
    for step in range(10):
        # All but the step's number, which begins again.
        begin = step * GENUINE_RECORD + 8
        assert (
            halves[1][begin : begin + GENUINE_RECORD - 8]
            == records[begin + 10 * GENUINE_RECORD :][: GENUINE_RECORD - 8]
        )
    assert np.array_equal(steps_of(second)[:, 1:], steps_of(whole)[10:, 1:])
    assert steps_of(second)[:, 0].tolist() == list(range(1, 11))
    for name in ('siesta.XV', 'siesta.NOSE_RESTART'):
        assert second.read(name) == whole.read(name)
    assert 'MD restart: Read old positions and Nose variables from NOSE_RESTART' in second.read('siesta.out')


def test_restart_without_thermostat_is_another_trajectory(siesta, whole):
    first = siesta(dynamics(10), 'first')
    wrong = siesta(dynamics(2), 'wrong', carry=(first, ('siesta.XV', 'siesta.DM')))
    assert wrong.code == 0
    assert 'siesta.NOSE_RESTART not found' in wrong.read('siesta.out')
    assert abs(steps_of(whole)[10, 1] - steps_of(wrong)[0, 1]) > 1.0


def test_files_are_appended_to(siesta):
    siesta(dynamics(5))
    both = siesta(dynamics(5))
    assert steps_of(both)[:, 0].tolist() == [1, 2, 3, 4, 5] * 2
    assert both.read('siesta.MDE').count('# Step') == 2
    assert (both.folder / 'siesta.MD').stat().st_size == 10 * GENUINE_RECORD
    assert both.read('siesta.ANI').count('\n\n') == 10


def test_energy_with_the_thermostat_is_conserved(siesta):
    run = siesta(dynamics(150))
    steps = steps_of(run)
    assert np.ptp(steps[:, 2]) > 0.3
    assert np.ptp(steps[:, 3]) < 4e-3
    assert steps[0, 1] == 600.0


def test_output_looks_like_the_genuine_one(siesta, genuine):
    """Every line from the first step on has a line of the same columns in the genuine output; so have MESSAGES."""
    fdf = (genuine / '01_nose_md' / 'input.fdf').read_text()
    run = siesta(fdf)
    assert run.code == 0
    known = {shape(line.rstrip()) for line in (genuine / '01_nose_md' / 'siesta.out').read_text().splitlines()}
    output = run.read('siesta.out')
    assert output.count('Begin MD step') == 20
    lines = output[output.index('Begin MD step') :].splitlines()[1:]
    unknown = {shape(line.rstrip()) for line in lines} - known
    assert {line for line in unknown if not line.startswith('>> End of run')} == set()
    assert run.read('MESSAGES') == (genuine / '01_nose_md' / 'MESSAGES').read_text()


def test_scf_that_does_not_converge(siesta, genuine):
    run = siesta((genuine / '08_scf_nonconv' / 'input.fdf').read_text())
    assert run.code == 0
    genuine_messages = (genuine / '08_scf_nonconv' / 'MESSAGES').read_text()
    assert [shape(line) for line in run.lines('MESSAGES')] == [shape(line) for line in genuine_messages.splitlines()]

    run = siesta((genuine / '09_scf_mustconv' / 'input.fdf').read_text(), 'must')
    genuine_messages = (genuine / '09_scf_mustconv' / 'MESSAGES').read_text()
    assert run.code == -signal.SIGABRT
    assert [shape(line) for line in run.lines('MESSAGES')] == [shape(line) for line in genuine_messages.splitlines()]
    assert not (run.folder / 'siesta.MDE').exists()


def test_scf_cycles_on_demand(siesta):
    run = siesta(dynamics(2), scf_cycles=11)
    assert sum('SCF_NOT_CONV' in line for line in messages(run)) == 2
    run = siesta(dynamics(2), 'enough', scf_cycles=8)
    assert messages(run) == ['INFO: Job completed']


def test_walltime(siesta, whole):
    more = 'max-walltime 10 s\nmax-walltime-slack 5 s\n'
    run = siesta(dynamics(1000, more), sleep=0.5)
    assert run.code == -signal.SIGABRT
    done = len(steps_of(run))
    assert done < 11
    assert messages(run)[-1].startswith('FATAL: OUT_OF_TIME: Time is up')

    rest = siesta(dynamics(3), 'rest', carry=(run, RESTART))
    assert np.array_equal(steps_of(rest)[:, 1:], steps_of(whole)[done : done + 3, 1:])


def test_walltime_within_the_first_scf_cycle(siesta):
    run = siesta(dynamics(3, 'max-walltime 5 s\n'))
    assert run.code == -signal.SIGABRT
    assert messages(run) == [
        'WARNING: SCF_NOT_CONV: SCF did not converge before wall time exhaustion',
        ' (info): Geom step, scf iteration, dmax:    1     1    0.000000',
        'FATAL: OUT_OF_TIME: Time is up.',
    ]
    assert (run.folder / 'siesta.XV').exists()
    assert not (run.folder / 'siesta.DM').exists()


@pytest.mark.parametrize(('place', 'records', 'energies'), [('scf', 6, 6), ('restart', 6, 6), ('record', 6.5, 7)])
def test_kill(siesta, whole, tmp_path, place, records, energies):
    faults = {'kill_step': 7, 'kill_place': place, 'once': tmp_path / 'killed'}
    run = siesta(dynamics(10), **faults)
    assert run.code == -signal.SIGKILL
    assert (run.folder / 'siesta.MD').stat().st_size == records * GENUINE_RECORD
    assert len(steps_of(run)) == energies
    assert run.lines('siesta.out').count('                        Begin MD step =      7') == 1

    # Only once; and what is on disk is where an uninterrupted run was, except between the two restart files.
    again = siesta(dynamics(8), 'again', carry=(run, RESTART), **faults)
    assert again.code == 0
    assert np.array_equal(steps_of(again)[:, 1:], steps_of(whole)[energies : energies + 8, 1:]) is (place != 'restart')
    if place == 'restart':
        # SIESTA takes the two equal sets of positions for atoms at rest, without a word (0.03 K instead of 800 K).
        assert steps_of(again)[0, 1] < 1.0 < steps_of(whole)[energies, 1]


def test_divergence_and_not_a_number(siesta):
    run = siesta(dynamics(6), diverge_step=3)
    assert run.code == 0
    assert run.lines('siesta.MDE')[-1].split()[1] == '*********'
    run = siesta(dynamics(6), 'nan', nan_step=3)
    assert run.code == 0
    assert run.lines('siesta.MDE')[-1].split()[1:4] == ['NaN'] * 3
    with FortranFile(run.folder / 'siesta.MD') as file:
        frames = [file.read_record('<i4', '(8,3)<f8', '(8,3)<f8') for _ in range(6)]
    assert [bool(np.isnan(positions).all()) for _, positions, _ in frames] == [False, False, True, True, True, True]


def test_relaxation_of_the_cell(siesta):
    run = siesta(relaxation('md-variable-cell true\nmd-num-cg-steps 30\nmd-max-force-tol 0.02 eV/Ang\n', a=5.5))
    assert run.code == 0
    output = run.read('siesta.out')
    assert 'outcoor: Relaxed atomic coordinates (fractional):' in output
    assert messages(run) == ['INFO: Job completed']
    # The geometry that was found is the last one that was computed.
    cell, positions = read_struct_out(run.folder / 'siesta.STRUCT_OUT')
    assert 5.7 < cell[0, 0] < 6.2
    atoms = Atoms('Li4I4', cell=cell, scaled_positions=positions, pbc=True, calculator=IonicPairs())
    assert abs(atoms.get_stress()[:3].mean()) < 1 * GPa


def test_relaxation_that_is_not_done(siesta):
    more = 'md-variable-cell true\nmd-num-cg-steps 2\nwrite-md-history true\n'
    run = siesta(relaxation(more, a=5.0))
    assert run.code == 0
    assert 'outcoor: Final (unrelaxed) atomic coordinates (fractional):' in run.read('siesta.out')
    assert messages(run) == ['INFO: Job completed']
    assert steps_of(run)[:, 0].tolist() == [0, 1, 2]
    with FortranFile(run.folder / 'siesta.MD') as file:
        step, positions, velocities = file.read_record('<i4', '(8,3)<f8', '(8,3)<f8')
        cell, cell_velocities = file.read_record('(3,3)<f8', '(3,3)<f8')
    assert step == 0
    assert cell[0, 0] > 5.0 / 0.529177
    assert not velocities.any()
    assert not cell_velocities.any()
    assert positions.max() < cell[0, 0]

    run = siesta('geometry-must-converge true\n' + relaxation(more, a=5.0), 'must')
    assert run.code == -signal.SIGABRT
    assert messages(run)[-2:] == [
        'FATAL: GEOM_NOT_CONV: Geometry relaxation not converged',
        'FATAL: ABNORMAL_TERMINATION',
    ]


def test_single_point(siesta):
    run = siesta(relaxation(''))
    assert run.code == 0
    assert run.read('siesta.out').count('E_KS(eV)') == 1
    assert messages(run) == ['INFO: Job completed']


@pytest.mark.parametrize(
    ('old', 'new', 'reason'),
    [
        ('0.5 0.5 0.0 1 Li', '0 0.5 0.5 1 Li', 'Wrong species 0'),
        ('50.0 Ry*fs**2', '50.0 furlong', 'unknown unit furlong'),
        ('run Nose', 'run Verlet', 'MD.TypeOfRun Verlet'),
        ('1 3 Li', '1 3 Na', 'Atomic number 3 does not belong to Na'),
        ('2 53 I', '2 53 Iodine', 'Pseudopotential file not found: Iodine'),
    ],
)
def test_input_that_stops_it(siesta, old, new, reason):
    fdf = dynamics(2)
    assert old in fdf
    run = siesta(fdf.replace(old, new))
    assert run.code == -signal.SIGABRT
    assert reason in messages(run)[-1]
    assert messages(run)[-1].startswith('FATAL: ')


def test_other_calculator(siesta, whole):
    run = siesta(dynamics(1), calculator='ase.calculators.lj:LennardJones')
    assert run.code == 0
    assert steps_of(run)[0, 2] != steps_of(whole)[0, 2]


def test_stop_on_demand(siesta):
    run = siesta(dynamics(3), die_step=2)
    assert run.code == -signal.SIGABRT
    assert messages(run) == ['FATAL: sys::die called']
