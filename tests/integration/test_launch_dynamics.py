"""``aiida-pesfp launch conductivity`` and ``screen-and-validate``, ``setup --siesta`` and ``status`` of dynamics."""

import pytest
import yaml
from aiida.orm import CalcJobNode, InstalledCode, QueryBuilder, StructureData, load_code

from aiida_pesfp.workflows.conductivity import ConductivityWorkChain
from aiida_pesfp.workflows.screen_and_validate import ScreenAndValidateWorkChain
from tests.helpers.crystals import rock_salt
from tests.helpers.siesta_standin import write_launcher

SHORT = ('--protocol', 'fast', '--picoseconds', '0.06', '-t', '600')
MD = {'md': {'dynamics': {'stride': 1}}, 'supercell': {'minimum_distance': 4.0}}


@pytest.fixture
def machine(machine_with, potential, tmp_path):
    """A computer with the codes of this environment and a potential; the name of the computer."""
    label = machine_with('scan', 'md', 'relax')
    potential.label = f'lj-{tmp_path.name}'
    potential.store()
    return label


@pytest.fixture
def options_of(machine, potential, tmp_path):
    """Options of a launch: code, potential, overrides."""

    def make(code, overrides):
        path = tmp_path / f'{code}.yaml'
        path.write_text(yaml.safe_dump(overrides))
        return ('--code', f'{code}@{machine}', '--potential', potential.label, '--overrides', path)

    return make


@pytest.fixture
def crystal():
    """A label that names one structure."""
    node = StructureData(pymatgen=rock_salt('Li', 'Cl', 4.6))
    node.label = f'LiCl-{node.uuid[:8]}'
    return node.store()


def assert_jobs_run_on_the_cpu(node, number):
    jobs = [called for called in node.called_descendants if isinstance(called, CalcJobNode)]
    assert len(jobs) == number
    for job in jobs:
        assert '--device=cpu' in job.base.repository.get_object_content('_aiidasubmit.sh').replace("'", '')


def launched(workchain, label):
    return QueryBuilder().append(workchain, filters={'label': label}).one()[0]


def test_conductivity_of_two_structures(aiida_pesfp, options_of, crystal, tmp_path):
    """One is a node, the other a file; what they gave stands in the tables."""
    path = tmp_path / 'imported.cif'
    rock_salt('Li', 'Cl', 4.7).to(path)
    printed = aiida_pesfp(
        'launch', 'conductivity', crystal.label, path, *options_of('pesfp-md', MD), *SHORT, '--device', 'cpu'
    )
    for label in (crystal.label, 'imported'):
        node = launched(ConductivityWorkChain, f'{label}, fast')
        assert node.is_finished_ok
        assert set(node.outputs.conductivities) == {'T600K'}
        assert 'relaxed_structure' in node.outputs
        assert_jobs_run_on_the_cpu(node, 2)
        sigma = node.outputs.conductivities.T600K
        assert f'{sigma.conductivity:.3g}' in printed
        assert 'fit_starts_early' in sigma.flags
        assert sigma.base.attributes.get('windows') == 4
    assert 'Too short to publish' in printed


def test_conductivity_with_siesta(aiida_pesfp, siesta_pseudos, machine, tmp_path):
    """The code alone says that it is SIESTA, and that it needs no MPI; it relaxes as well. No potential is stored
    under the default label, nor needed."""
    code = InstalledCode(
        computer=load_code(f'pesfp-md@{machine}').computer,
        filepath_executable=str(write_launcher(tmp_path / 'siesta')),
        label='siesta',
        default_calc_job_plugin='pesfp.siesta_md',
        with_mpi=False,
    ).store()
    structure = StructureData(pymatgen=rock_salt('Li', 'I', 6.0), label=f'LiI-{tmp_path.name}').store()
    overrides = tmp_path / 'siesta.yaml'
    overrides.write_text(yaml.safe_dump(MD))
    arguments = ('--code', code.full_label, '--overrides', overrides, *SHORT, '--label', tmp_path.name)
    without = aiida_pesfp('launch', 'conductivity', structure.label, *arguments, fails=True)
    assert 'pseudo' in without
    printed = aiida_pesfp(
        'launch', 'conductivity', structure.label, *arguments, '--pseudo-family', siesta_pseudos.label
    )
    node = launched(ConductivityWorkChain, tmp_path.name)
    assert node.is_finished_ok, printed
    assert 'siesta' in node.inputs
    assert 'siesta_relax' in node.inputs
    assert set(node.outputs.conductivities) == {'T600K'}


def test_screen_and_validate(aiida_pesfp, options_of, crystal, tmp_path):
    overrides = {'screen': {'scan': {'parameters': {'spacing': 0.8}}}, 'stages': {'ml': {'overrides': MD}}}
    printed = aiida_pesfp(
        'launch', 'screen-and-validate', crystal.label, *options_of('pesfp-scan', overrides), *SHORT,
        '--select', 'xi > -1', '--ml-candidates', '1', '--label', tmp_path.name, '--device', 'cpu',
    )  # fmt: skip
    node = launched(ScreenAndValidateWorkChain, tmp_path.name)
    assert node.is_finished_ok
    (row,) = node.outputs.candidates['rows']
    assert row['ml_highest_temperature'] == 600
    assert_jobs_run_on_the_cpu(node, 3)
    assert f'{row["xi"]:.4f}' in printed
    assert 'fit_starts_early' in printed
    assert 'Too short to publish' in printed
    status = aiida_pesfp('status', node.pk)
    assert 'structures done   1 of 1' in status
    assert f'{crystal.label}, ml, 600 K: 60 of 60 steps (0.06 ps), finished' in status


def test_what_is_wrong_with_the_options_is_a_sentence(aiida_pesfp, options_of, machine, crystal):
    printed = aiida_pesfp('launch', 'conductivity', crystal.label, '--code', f'pesfp-md@{machine}', fails=True)
    assert 'sevennet-0' in printed
    assert 'aiida-pesfp potential install' in ' '.join(printed.split())
    code = ('--code', f'pesfp-scan@{machine}')
    printed = aiida_pesfp('launch', 'conductivity', crystal.label, *options_of('pesfp-md', MD), *code, fails=True)
    assert 'runs pesfp.scan, not pesfp.md or pesfp.siesta_md' in ' '.join(printed.split())
    printed = aiida_pesfp('launch', 'conductivity', crystal.label, *options_of('pesfp-md', {'mdd': 1}), fails=True)
    assert "there is no input 'mdd'" in ' '.join(printed.split())


def test_setup_refuses_what_is_no_siesta(aiida_pesfp, tmp_path):
    """That it takes one is tested with the examples."""
    false = tmp_path / 'false'
    false.write_text('#!/bin/sh\necho no\nexit 1\n')
    false.chmod(0o755)
    assert 'is no SIESTA' in aiida_pesfp('setup', '--siesta', false, fails=True)
    assert 'there is no executable' in aiida_pesfp('setup', '--siesta', tmp_path / 'nothing', fails=True)


def test_status_of_running_dynamics(
    aiida_pesfp, status_when, options_of, potential_of, crystal, tmp_path, patient_daemon
):
    """The steps of a job that runs are read from its folder."""
    slow = potential_of('tests.helpers.calculators.SlowAbove', sigma=2.1, epsilon=0.3, rc=5.0, seconds=0.2)
    slow.label = f'slow-{tmp_path.name}'
    slow.store()
    printed = aiida_pesfp(
        'launch', 'conductivity', crystal.label, *options_of('pesfp-md', MD), '--potential', slow.label, '--no-relax',
        '--protocol', 'fast', '--picoseconds', '2', '-t', '300', '--submit', '--walltime', '5min',
    )  # fmt: skip
    pk = int(printed.split('submitted ConductivityWorkChain<')[1].split('>')[0])
    printed = status_when('ns a day', pk)
    assert f'ConductivityWorkChain<{pk}>' in printed
    assert 'ml, 300 K: ' in printed
    assert ' of 2000 steps' in printed
    assert ' left' in printed
    assert 'MdBaseWorkChain' not in printed  # it belongs to the conductivity
    aiida_pesfp('process', 'kill', pk, command=_verdi())


def _verdi():
    from aiida.cmdline.commands.cmd_verdi import verdi

    return verdi
