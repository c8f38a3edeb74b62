"""``aiida-pesfp rank``, ``show`` and ``launch`` on nodes made by hand, and what they say to wrong input."""

import csv
import json

import pytest
from aiida.orm import Dict, Group, InstalledCode, StructureData

from aiida_pesfp.assessment.calibrated import shipped
from aiida_pesfp.assessment.models import RankingModel
from aiida_pesfp.data.assessment import RankingModelData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.report.collect import collect
from aiida_pesfp.report.table import columns, distinctions
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.scan import FingerprintSettings
from tests.helpers.crystals import antifluorite, rock_salt


def descriptors(structure, xi, mpe, doubts=(), **scan):
    content = {'xi': xi, 'mpe': mpe, 'fv_connected': 0.1, 'fv_disconnected': 0.2, 'formula': structure.get_formula()}
    content |= {'spectrum': {'thresholds': [0.5], 'connected': [0.1], 'disconnected': [0.2]}, 'species': 'Li'}
    node = DescriptorsData(
        content
        | {'structure_uuid': structure.uuid, 'potential_name': 'none', 'potential_sha256': '0', 'doubts': list(doubts)}
        | scan
    )
    node.label = structure.label
    return node.store()


@pytest.fixture(scope='module')
def candidates():
    """Group of two structures with descriptors."""
    crystals = {'rankLiCl': rock_salt('Li', 'Cl', 5.13), 'rankLi2O': antifluorite('Li', 'O', 4.62)}
    group = Group('rank-group').store()
    Group('rank-empty').store()
    for (label, crystal), xi, mpe in zip(crystals.items(), (0.3, 0.9), (0.2, 0.8)):
        structure = StructureData(pymatgen=crystal, label=label).store()
        group.add_nodes(structure)
        descriptors(structure, xi, mpe)
    Group('rank-unscanned').store().add_nodes(
        StructureData(pymatgen=rock_salt('Li', 'Br', 5.5), label='rankLiBr').store()
    )
    return group


def labels(output):
    return [row['label'] for row in json.loads(output)]


def test_order_and_filters(aiida_pesfp, candidates):
    command = ['rank', 'rank-group', '--format', 'json']
    assert labels(aiida_pesfp(*command)) == ['rankLi2O', 'rankLiCl']
    assert labels(aiida_pesfp(*command, '--sort', 'mpe')) == ['rankLiCl', 'rankLi2O']
    assert labels(aiida_pesfp(*command, '--sort', 'band_gap - xi', '--limit', '1')) == ['rankLiCl']
    assert labels(aiida_pesfp(*command, '--where', 'xi > 0.25 and mpe < 0.5')) == ['rankLiCl']
    assert labels(aiida_pesfp('rank', 'rankLi2O', '--format', 'json')) == ['rankLi2O']
    assert {'rankLiCl', 'rankLi2O'} <= set(labels(aiida_pesfp('rank', '--format', 'json')))


def test_formats(aiida_pesfp, candidates):
    output = aiida_pesfp('rank', 'rank-group')
    table = output[output.index('  PK') :].splitlines()
    assert [line.split()[2] for line in table[2:4]] == ['rankLi2O', 'rankLiCl']
    assert 'Gap/eV' not in table[0]  # nothing is known of it
    lines = aiida_pesfp('rank', 'rank-group', '--format', 'csv').splitlines()
    assert lines[0].startswith('pk,label,formula')
    assert len(lines) == 3


@pytest.fixture
def own_cuts():
    """A calibration as `aiida-pesfp calibrate` stores it, which turns the order of Xi around."""
    parameters = XiParameters(connected_cut=-0.5, disconnected_cut=-0.5)
    origin = {'species': 'Li', 'potential_name': 'own', 'potential_sha256': 'c' * 64}
    found = {'errors': {'connected_cut': 0.1, 'disconnected_cut': 0.2}}
    node = RankingModelData.from_model(RankingModel.from_xi(parameters), **origin, calibration=found)
    node.label = 'xi-own'
    return node.store()


def scanned_with_own(label, xi, volume):
    structure = StructureData(pymatgen=rock_salt('Li', 'Cl', 5 + volume), label=label).store()
    both = {f'fv_{kind}': volume for kind in ('connected', 'disconnected')}
    spectrum = {'thresholds': [0.5], 'connected': [volume], 'disconnected': [volume]}
    return descriptors(structure, xi, 0.5, potential_sha256='c' * 64, potential_name='own', spectrum=spectrum, **both)


def test_the_calibration_of_the_potential_ranks_and_is_told(aiida_pesfp, own_cuts):
    nodes = [scanned_with_own('rankFirst', 0.1, 0.5), scanned_with_own('rankSecond', 0.9, 0.2)]
    group = Group('rank-own').store()
    group.add_nodes(nodes)
    output = aiida_pesfp('rank', 'rank-own')
    words = (
        f'own, Li: ranked by Xi with the cuts xi-own<{own_cuts.pk}> (connected -0.50 +- 0.10, disconnected -0.50 +- '
    )
    assert words in ' '.join(output.split())
    assert 'Xi own' in output
    command = ['rank', 'rank-own', '--format', 'json']
    assert labels(aiida_pesfp(*command)) == ['rankFirst', 'rankSecond']
    assert labels(aiida_pesfp(*command, '--sort', '-xi')) == ['rankSecond', 'rankFirst']
    assert labels(aiida_pesfp(*command, '--where', 'xi_calibrated > 0.25')) == ['rankFirst']
    lines = list(csv.DictReader(aiida_pesfp('rank', 'rank-own', '--format', 'csv').splitlines()))
    assert {line['ranked_by'] for line in lines if line['label'] in ('rankFirst', 'rankSecond')} == {
        f'Xi, xi-own<{own_cuts.pk}>'
    }
    shown = aiida_pesfp('show', nodes[0].pk)
    assert f'Xi, xi-own<{own_cuts.pk}>' in shown
    report = collect(group)
    assert [entry.label for entry in report.entries] == ['rankFirst', 'rankSecond']
    assert report.entries[0].cuts == XiParameters(connected_cut=-0.5, disconnected_cut=-0.5)
    assert report.ranked_by[0].startswith('own, Li: ranked by Xi with the cuts xi-own')


def test_without_a_calibration_free_volumes_rank_and_the_command_is_named(aiida_pesfp, candidates):
    output = ' '.join(aiida_pesfp('rank', 'rank-group').split())
    assert 'none, Li: ranked by free volumes, connected times disconnected' in output
    assert 'find them with `aiida-pesfp calibrate`' in output
    assert '`aiida-pesfp calibrate`' in collect(candidates).ranked_by[0]


def test_the_softening_of_a_shipped_potential_stands_beside_its_mpe(aiida_pesfp):
    known = next(one for one in shipped() if one.name == 'sevennet-0')
    structure = StructureData(pymatgen=rock_salt('Li', 'Cl', 5.4), label='rankSoft').store()
    origin = FingerprintSettings().origin(known.content['potential_sha256'], 'sevennet-0')
    node = descriptors(structure, 0.1, 0.654, **origin)
    lines = aiida_pesfp('show', node.pk).splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith('MPE'))
    assert '0.654' in lines[place]
    assert lines[place + 1].split()[:2] == ['softening', f'{known.softening["slope"]:.2f}']
    assert 'not applied' in lines[place + 1]
    assert 'of those by DFT' in aiida_pesfp('rank', 'rankSoft')


def test_doubts_are_told_wherever_a_result_is_shown(aiida_pesfp):
    crystal = StructureData(pymatgen=rock_salt('Li', 'I', 6.0), label='rankLiI').store()
    node = descriptors(crystal, 0.5, 0.2, ['scanned as given', 'elements may be swapped'])
    words = 'rankLiI: doubtful: scanned as given; elements may be swapped'
    assert words in aiida_pesfp('rank', 'rankLiI')
    assert 'doubtful: elements may be swapped' in aiida_pesfp('show', node.pk)
    (entry,) = collect(node).entries
    assert entry.doubts == ('scanned as given', 'elements may be swapped')
    flagged = [column.title for column in columns([entry]) if column.cell(entry).flagged]
    assert flagged == ['\N{GREEK CAPITAL LETTER XI}']


def test_only_the_newest_counts_unless_all_are_wanted(aiida_pesfp, candidates):
    structure = StructureData(pymatgen=rock_salt('Li', 'F', 4.0), label='rankTwice').store()
    descriptors(structure, 0.1, 0.1)
    descriptors(structure, 0.2, 0.2)
    command = ['rank', 'rankTwice', '--format', 'json']
    assert [row['xi'] for row in json.loads(aiida_pesfp(*command))] == [0.2]
    assert [row['xi'] for row in json.loads(aiida_pesfp(*command, '--all'))] == [0.2, 0.1]


def test_other_cells_and_surroundings_are_told_and_not_mixed_silently(aiida_pesfp):
    large = {'cell': 'size_consistent', 'cell_size': 8.0, 'others': 'fixed'}
    kinds = {'rankLarge': large, 'rankEmptied': {'cell': 'primitive', 'cell_size': None, 'others': 'removed'}}
    group, nodes = Group('rank-kinds').store(), {}
    for (label, scan), constant in zip(kinds.items(), (6.1, 6.2)):
        structure = StructureData(pymatgen=rock_salt('Li', 'I', constant), label=label).store()
        nodes[label] = descriptors(structure, 0.5, 0.2, **scan)
        group.add_nodes(structure)
    words = 'results differ in Cell, Cell size/A, Others: Xi and energies compare where these are the same, such as'
    mixed = ' '.join(aiida_pesfp('rank', 'rank-kinds').split())
    assert f'{words} with --where "cell == \'' in mixed
    report = collect(group)
    assert len([note for note in report.notes if 'compare within one of them only' in note]) == 2
    assert report.notes[0].startswith('The column Cell has ')
    for label, told in (('rankLarge', 'size_consistent'), ('rankEmptied', 'removed')):
        alone = aiida_pesfp('rank', label)
        assert told in alone
        assert 'differ' not in alone
        assert told in aiida_pesfp('show', nodes[label].pk)
        (entry,) = collect(nodes[label]).entries
        assert next(one.text(entry) for one in distinctions([entry])) == told.replace('_', ' ')
    # What is as in the paper is not worth a word.
    usual = {'cell': 'primitive', 'cell_size': None, 'others': 'fixed'}
    node = descriptors(StructureData(pymatgen=rock_salt('Li', 'I', 6.3), label='rankUsual').store(), 0.5, 0.2, **usual)
    assert 'primitive' not in aiida_pesfp('rank', 'rankUsual') + aiida_pesfp('show', node.pk)
    assert distinctions(collect(node).entries) == []


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['rank', 'rank-empty'], "the group 'rank-empty' is empty"),
        (['rank', 'rank-unscanned'], 'nothing of the group'),
        (['rank', 'rankLiBr'], 'has no descriptors'),
        (['rank', 'nowhere'], "there is no group and no node 'nowhere'"),
        (['rank', 'rank-group', '--where', 'xi > 2'], "none of 2 structures meets 'xi > 2'"),
        (['rank', 'rank-group', '--where', 'xii > 2'], "'xii' in 'xii > 2' is not known"),
        (['rank', 'rank-group', '--where', '__import__("os")'], "the function '__import__' in"),
        (['rank', 'rank-group', '--where', 'formula < 2'], 'cannot be evaluated'),
        (['show', 'nowhere'], 'there is no group and no node'),
        (['show', 'rankLiCl', '--ion', '7'], 'has no mobile ion 7'),
        (['export', 'ranking', 'rank-group', '-o', 'x.pdf'], 'the ending has to be one of .csv, .json, .extxyz'),
        (['export', 'pes', 'nowhere', '-o', 'x.cube'], 'no PesData found with'),
        (['status', '999999'], 'no ProcessNode found with ID<999999>'),
    ],
)
def test_wrong_input_is_a_sentence(aiida_pesfp, candidates, arguments, words):
    output = ' '.join(aiida_pesfp(*arguments, fails=True).split())
    assert words in output
    assert 'Traceback' not in output


@pytest.fixture(scope='module')
def stored(tmp_path_factory, candidates):
    """Labels of a code that runs something else, one of ``pesfp-scan``, and a potential; none of them is ever run."""
    from aiida.orm import Computer

    folder = tmp_path_factory.mktemp('launch')
    computer = Computer('rank', 'localhost', '', 'core.local', 'core.direct', str(folder)).store()
    for label, plugin in (('rank-scan', 'pesfp.scan'), ('rank-other', 'core.arithmetic.add')):
        InstalledCode(
            computer=computer, filepath_executable='/bin/true', label=label, default_calc_job_plugin=plugin
        ).store()
    path = folder / 'lj.yaml'
    path.write_text('calculator: ase.calculators.lj.LennardJones\nparameters: {sigma: 2.2}\n')
    potential = PotentialData.from_spec(str(path))
    potential.label = 'rank-lj'
    potential.store()
    (folder / 'overrides.yaml').write_text('criteria: {band_gap: 3}\n')
    (folder / 'unknown.yaml').write_text('spacing: 0.3\n')
    (folder / 'broken.yaml').write_text('- {a: 1\n')
    (folder / 'empty').mkdir()
    return folder


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'structures': 'rank-empty'}, "the group 'rank-empty' is empty"),
        ({'structures': 'nowhere'}, "there is no group, structure, file or folder 'nowhere'"),
        ({'structures': '{folder}/empty'}, 'no structure was found'),
        ({'code': 'nowhere@localhost'}, '`aiida-pesfp setup`'),
        ({'code': 'rank-other'}, 'runs core.arithmetic.add, not pesfp.scan'),
        ({'potential': 'nowhere'}, '`aiida-pesfp potential install`'),
        ({'potential': 'rankLiCl'}, '`aiida-pesfp potential install`'),
        ({'species': 'Xx'}, "'Xx' is not the symbol of a chemical element"),
        ({'overrides': '{folder}/overrides.yaml'}, "there is no input 'criteria.band_gap': known are allow"),
        (
            {'overrides': '{folder}/unknown.yaml'},
            "unknown.yaml: there is no input 'spacing': it belongs to scan.",
        ),
        ({'overrides': '{folder}/broken.yaml'}, 'broken.yaml: it is neither YAML nor JSON'),
        ({'walltime': 'long'}, 'write 90min'),
        ({'cell': 'small'}, "'small' is not one of 'primitive', 'size_consistent', 'as_given'"),
        ({'cell-size': '7'}, 'cell_size = 7 A counts with cell size_consistent only'),
        ({'cell': 'size_consistent', 'cell-size': '0'}, 'cell_size = 0.0: Input should be greater than 0'),
        ({'stop-below': '1.5'}, 'stop_below = 1.5: Input should be less than 1'),
        ({'others': 'none'}, "'none' is not one of 'fixed', 'removed', 'interstitial'"),
    ],
)
def test_launch_says_what_is_wrong(aiida_pesfp, stored, change, words):
    given = {'structures': 'rank-group', 'code': 'rank-scan', 'potential': 'rank-lj'} | change
    structures = given.pop('structures').format(folder=stored)
    options = [part for name, value in given.items() for part in (f'--{name}', value.format(folder=stored))]
    output = ' '.join(aiida_pesfp('launch', 'screen', structures, *options, fails=True).split())
    assert words in output


@pytest.mark.parametrize('command', ['scan', 'screen', 'screen-and-validate --no-ml'])
def test_every_launch_that_scans_takes_cell_and_surroundings(aiida_pesfp, stored, command):
    chosen = ['--others', 'removed', '--cell', 'as_given', '--cell-size', '7']
    given = ['rank-group', '--code', 'rank-scan', '--potential', 'rank-lj', *chosen]
    output = ' '.join(aiida_pesfp('launch', *command.split(), *given, fails=True).split())
    assert 'cell_size = 7 A counts with cell size_consistent only' in output


def test_no_broker_no_submission(aiida_pesfp, stored, aiida_profile):
    if aiida_profile.process_control_backend is not None:
        pytest.skip('this profile has a broker')
    command = ['launch', 'scan', 'rank-group', '--code', 'rank-scan', '--potential', 'rank-lj', '--submit']
    assert 'has no broker and so no daemon: leave out --submit' in ' '.join(aiida_pesfp(*command, fails=True).split())


def test_status_of_something_else(aiida_pesfp, candidates):
    from aiida_pesfp.calculations.selection import reject

    _, node = reject.run_get_node(Dict(), Dict(), Dict(), a=candidates.nodes[0])
    assert 'is of another kind' in aiida_pesfp('status', node.pk, fails=True)
    assert 'nothing is running' in aiida_pesfp('status')


def test_the_tab_key_completes(stored):
    from aiida_pesfp.cli import parameters as params

    def offered(kind, incomplete):
        return {item.value for item in kind.shell_complete(None, None, incomplete)}

    assert offered(params.StructuresParamType(), 'rank-g') == {'rank-group'}
    assert offered(params.DescriptorsParamType(), 'rank-e') == {'rank-empty'}
    assert offered(params.POTENTIAL, 'rank-') == {'rank-lj'}
    assert 'rank-scan' in {value.split('@')[0] for value in offered(params.CODE, 'rank-s')}


@pytest.mark.parametrize(
    'command',
    [
        *('import folder', 'import mp', 'import optimade', 'launch scan', 'launch screen'),
        *('status', 'rank', 'show', 'export ranking', 'export pes'),
    ],
)
def test_help_teaches(aiida_pesfp, command):
    lines = aiida_pesfp(*command.split(), '--help').splitlines()
    options = [line for line in lines if line.startswith('  -')]
    assert len(options) >= 2
    assert len(lines) > len(options) + 5
