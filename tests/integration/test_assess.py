"""``pesfp.assess``, ranking by models, and the commands, on invented descriptors and on a real scan."""

import csv
import io
import itertools
import logging
import re

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcFunctionNode, Dict, QueryBuilder, SinglefileData, StructureData, load_node
from click.testing import CliRunner

from aiida_pesfp.assessment.models import RankingModel
from aiida_pesfp.calculations.assessment import calibrate as calibrate_xi
from aiida_pesfp.calculations.assessment import read_labels
from aiida_pesfp.calculations.selection import rank_by_model
from aiida_pesfp.cli.main import main
from aiida_pesfp.data.assessment import AssessmentData, RankingModelData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.fingerprint.quantities import rank_key
from aiida_pesfp.queries.descriptors import surfaces_of
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.workflows.assess import AssessWorkChain
from aiida_pesfp.workflows.screen import ScreenWorkChain
from tests.helpers.crystals import rock_salt
from tests.helpers.graph import jobs_of
from tests.helpers.materials import random_descriptors
from tests.helpers.potentials import LENNARD_JONES

CLASSES = {'good': 1e-3, 'bad': 1e-4}
FORM = {'columns': {'id': 'name', 'conductivity': 'sigma', 'error': 'error'}, 'unit': 'S/cm', 'temperature': 300.0}
#: One crystal with each: models leave out a whole composition.
PARTNERS = [
    'F', 'Cl', 'Br', 'I', 'O', 'S', 'Se', 'Te', 'N', 'P', 'As', 'Sb', 'H', 'B', 'C',
    'Na', 'K', 'Rb', 'Cs', 'Mg', 'Ca', 'Sr', 'Ba', 'Al', 'Ga', 'In', 'Tl', 'Ge', 'Sn', 'Pb',
]  # fmt: skip
NUMBER = len(PARTNERS)
#: Each makes another potential.
EPSILONS = itertools.count(100)


def descriptors_node(table, **attributes):
    common = {'species': 'Li', 'potential_name': 'invented', 'potential_sha256': 'f' * 64, 'settings': {}}
    return DescriptorsData(table | common | attributes)


@pytest.fixture
def potential(potential_of):
    """One of its own: calibrations that are stored here rank what any other test scans with the same potential."""
    return potential_of(**LENNARD_JONES | {'epsilon': 0.33})


@pytest.fixture
def labels_of(tmp_path):
    """Makes the LabelsData of names and conductivities."""

    def make(values, name='labels.csv', form=FORM):
        path = tmp_path / name
        with open(path, 'w', newline='') as stream:
            writer = csv.writer(stream)
            writer.writerow(['name', 'sigma', 'error'])
            writer.writerows(
                [key, *np.atleast_1d(value), *([''] if np.ndim(value) == 0 else [])] for key, value in values.items()
            )
        return read_labels(SinglefileData(path), Dict(form))

    return make


@pytest.fixture
def invented():
    """Structures with invented descriptors, and conductivities that rise with the connected free volume."""
    tables = random_descriptors(NUMBER)
    order = np.argsort(np.argsort([table['fv_connected'] for table in tables]))
    structures, descriptors, sigma = {}, {}, {}
    for k, table in enumerate(tables):
        key = f's_{k}'
        structures[key] = StructureData(pymatgen=rock_salt('Li', PARTNERS[k], 5.0), label=f's-{k}').store()
        descriptors[key] = descriptors_node(table, structure_uuid=structures[key].uuid).store()
        sigma[f's-{k}'] = (1e-2, 1e-4) if order[k] >= NUMBER - 10 else (1e-6, 1e-7)
    return structures, descriptors, sigma


def test_all_of_it(invented, labels_of):
    """Two sets of labels: scores, models trained on one and tested on the other, recalibration, exclusions."""
    structures, descriptors, sigma = invented
    opposite = {key: (1e-2, 1e-4) if value[0] < 1e-3 else (1e-6, 1e-7) for key, value in sigma.items()}
    labels = {'right': labels_of(sigma | {'nobody': (1.0, 0.1)}), 'opposite': labels_of(opposite, 'other.csv')}
    del descriptors['s_3']
    del structures['s_4'], descriptors['s_4'], structures['s_3']
    parameters = {
        'sets': {name: {'classes': CLASSES} for name in labels},
        'score': {'resamples': 50},
        'expressions': ['connected(0.5) * 2', '1 / (mpe - mpe)'],
        'models': {'train_on': 'right', 'kinds': ['logistic_l2']},
        'calibration': {'sets': ['right'], 'cuts': [-2.0, -1.5, -1.0, -0.5], 'score': {'resamples': 10}},
    }
    results, node = run_get_node(
        AssessWorkChain, labels=labels, structures=structures, descriptors=descriptors, parameters=Dict(parameters)
    )
    assert node.is_finished_ok, node.exit_message
    right, opposite = results['assessments']['right'], results['assessments']['opposite']
    for ranking in ('connected(0.5)', 'connected(0.5) * 2'):
        assert right.score_of(ranking)['value'] == pytest.approx(1)
        assert opposite.score_of(ranking)['value'] == pytest.approx(0)
    assert right['rows'][0]['score']['value'] == pytest.approx(1)
    failed = next(row for row in right['rows'] if row['ranking'].startswith('1 /'))
    assert len(failed['missing']) == NUMBER - 2
    assert 'division' in failed['missing']['s_0']
    assert {entry['id'] for entry in right['excluded']['unmatched_rows']} == {'nobody', 's-3', 's-4'}
    predictions = results['predictions']['logistic_l2_pes']
    assert predictions['right']['score']['value'] > 0.6
    assert predictions['opposite']['score']['value'] < 0.2
    calibration = results['calibration'].base.attributes.get('calibration')
    assert calibration['after'] > calibration['before']
    # From a number of the table to the descriptors it came from.
    query = QueryBuilder().append(DescriptorsData, tag='descriptors', project='uuid')
    query.append(type(right), filters={'uuid': right.uuid}, with_ancestors='descriptors')
    assert set(query.all(flat=True)) == {entry['descriptors'] for entry in right['materials'].values()}
    # The results rank.
    others = {'worse': random_descriptors(9, 3)[0], 'better': random_descriptors(9, 3)[0]}
    others['better'] = others['better'] | {'spectrum': others['better']['spectrum'] | {'connected': [0.9] * 3}}
    nodes = {key: descriptors_node(table) for key, table in others.items()}
    for model in (results['calibration'], results['models']['logistic_l2_pes']):
        rows = rank_by_model(model, Dict({}), **nodes)['rows']
        assert [row['key'] for row in rows] == ['better', 'worse']
        assert rows[0]['score'] > rows[1]['score']


def test_a_failed_set_does_not_affect_the_other(invented, labels_of):
    structures, descriptors, sigma = invented
    labels = {'right': labels_of(sigma), 'equal': labels_of(dict.fromkeys(sigma, (1e-2, 1e-4)), 'equal.csv')}
    parameters = {'sets': {name: {'classes': CLASSES} for name in labels}, 'score': {'resamples': 10}}
    inputs = {'structures': structures, 'descriptors': descriptors}
    results, node = run_get_node(AssessWorkChain, labels=labels, parameters=Dict(parameters), **inputs)
    assert node.exit_status == AssessWorkChain.exit_codes.ERROR_INCOMPLETE.status
    assert 'set equal: 0 of 30 materials are bad conductors' in node.exit_message
    assert list(results['assessments']) == ['right']
    del labels['right'], parameters['sets']['right']
    _, node = run_get_node(AssessWorkChain, labels=labels, parameters=Dict(parameters), **inputs)
    assert node.exit_status == AssessWorkChain.exit_codes.ERROR_ALL_SETS_FAILED.status


def test_what_cannot_be_compared_is_assessed_all_the_same(labels_of, tmp_path, capsys):
    """All materials of one family: scores, but no comparison."""
    from aiida_pesfp.cli.compare import print_comparison
    from aiida_pesfp.report.plots.assessment import write_figures

    keys = [f's_{place}' for place in range(6)]
    structures = {key: StructureData(pymatgen=rock_salt('Li', 'F', 4.0), label=key).store() for key in keys}
    descriptors = {key: descriptors_node(one).store() for key, one in zip(keys, random_descriptors(6))}
    sigma = {key: (1e-2, 1e-4) if place < 3 else (1e-6, 1e-7) for place, key in enumerate(keys)}
    results, node = run_get_node(
        AssessWorkChain, labels={'a': labels_of(sigma)}, structures=structures, descriptors=descriptors,
        parameters=Dict({'sets': {'a': {'classes': CLASSES}}, 'score': {'resamples': 20}}),
    )  # fmt: skip
    assert node.is_finished_ok, node.exit_message
    content = results['assessments']['a'].get_dict()
    assert content['comparison'] == {
        'error': 'all good conductors are of one family (F), an interval needs 2: label materials of other families'
    }
    assert results['assessments']['a'].score_of('xi')['value'] is not None
    print_comparison(content['comparison'])
    assert 'rankings are not compared: all good conductors are of one family (F)' in capsys.readouterr().out
    older = {name: value for name, value in content.items() if name != 'comparison'}
    for one in (content, older):
        written = write_figures(tmp_path / 'figures', {'a': one}, {'a': {}})
        assert [path.stem for path in written] == ['scores', 'free-volumes']


@pytest.mark.parametrize(
    ('attributes', 'words'),
    [
        (
            {'potential_sha256': '0' * 64, 'potential_name': 'second'},
            r'the potential: second \(SHA-256 0{12}\.\.\.\) and invented \(SHA-256 f{12}\.\.\.\); use one potential',
        ),
        ({'species': 'Na'}, 'the mobile ion: Na and Li; use one ion at a time'),
        ({'spacing': 0.5}, r'the spacing of the scan: 0\.5 and None; scan all structures alike'),
        ({'settings': {'smearing': 0.1}}, "the settings of the descriptors: {'smearing': 0.1} and {}; describe all"),
    ],
)
def test_descriptors_that_do_not_compare_are_not_mixed(invented, labels_of, attributes, words):
    structures, descriptors, sigma = invented
    descriptors['s_7'] = descriptors_node(random_descriptors(1)[0], **attributes)
    parameters = Dict({'sets': {'a': {'classes': CLASSES}}, 'score': {'resamples': 10}})
    inputs = {'labels': {'a': labels_of(sigma)}, 'structures': structures, 'descriptors': descriptors}
    _, node = run_get_node(AssessWorkChain, parameters=parameters, **inputs)
    assert re.search(r's_7 and \w+ differ in ' + words, node.exit_message), node.exit_message


def test_what_is_calibrated_together_is_known_by_its_content_not_its_name(invented, labels_of):
    """The same file stored under another name: assessed and calibrated together."""
    structures, descriptors, sigma = invented
    for key in ('s_7', 's_8'):
        descriptors[key] = descriptors_node(descriptors[key].get_dict(), potential_name='renamed')
    labels = {'right': labels_of(sigma), 'again': labels_of(sigma, 'again.csv')}
    parameters = {
        'sets': {name: {'classes': CLASSES} for name in labels},
        'score': {'resamples': 10},
        'calibration': {'cuts': [-2.0, -1.0], 'score': {'resamples': 2}},
    }
    inputs = {'structures': structures, 'descriptors': descriptors, 'parameters': Dict(parameters)}
    results, node = run_get_node(AssessWorkChain, labels=labels, **inputs)
    assert node.is_finished_ok, node.exit_message
    assert {'s_7', 's_8'} <= set(results['assessments']['right']['materials'])
    renamed = AssessmentData(results['assessments']['right'].get_dict() | {'potential_name': 'renamed'}).store()
    other = AssessmentData(results['assessments']['right'].get_dict() | {'potential_sha256': '0' * 64}).store()
    sets = {'as_it_was': {'assessment': results['assessments']['again'], 'descriptors': descriptors}}
    parameters = Dict({'cuts': [-2.0, -1.0], 'score': {'resamples': 2}})
    model = calibrate_xi(parameters, **sets, renamed={'assessment': renamed, 'descriptors': descriptors})
    assert model.base.attributes.get('potential_sha256') == 'f' * 64
    with pytest.raises(
        AssessmentError, match='other and as_it_was differ in the potential: .*; use one potential at a time'
    ):
        calibrate_xi(parameters, **sets, other={'assessment': other, 'descriptors': descriptors})
    other = AssessmentData(results['assessments']['right'].get_dict() | {'spacing': 0.5}).store()
    with pytest.raises(AssessmentError, match=r'differ in the spacing of the scan: 0\.5 and None; scan all'):
        calibrate_xi(parameters, **sets, other={'assessment': other, 'descriptors': descriptors})


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({}, 'no set of labels is described'),
        ({'sets': {'a': {}}}, "the parameters need 'good'"),
        ({'sets': {'b': {'classes': CLASSES}}}, "the parameters describe the sets \\['b'\\]"),
        ({'sets': {'a': {'classes': CLASSES, 'match_by': ['luck']}}}, "unknown method 'luck'"),
        ({'sets': {'a': {'classes': CLASSES}}, 'expressions': ['import os']}, 'not an expression'),
        (
            {'sets': {'a': {'classes': CLASSES}}, 'models': {'kinds': ['forest']}},
            "kind = 'forest': Input should be 'logistic_l1', ",
        ),
        ({'sets': {'a': {'classes': CLASSES}}, 'calibration': {'sets': ['c']}}, "no set 'c' of labels"),
        ({'sets': {'a': {'classes': CLASSES}}, 'colour': 1}, "there is no input 'colour'"),
        ({'sets': {'a': {'classes': CLASSES, 'matchby': ['id']}}}, 'did you mean sets.a.match_by'),
        ({'sets': {'a': {'classes': CLASSES | {'good': 5e3}}}}, 'sets.a.classes.good = 5000.0: '),
        ({'sets': {'a': {'classes': CLASSES | {'temperature': 25}}}}, 'sets.a.classes.temperature = 25: '),
        ({'sets': {'a': {'classes': CLASSES}}, 'models': {'kind': ['logistic_l2']}}, 'models.kind'),
        ({'sets': {'a': {'classes': CLASSES}}, 'score': {'seed': -1}}, 'score.seed = -1: '),
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(invented, labels_of, parameters, words):
    structures, descriptors, sigma = invented
    with pytest.raises(ValueError, match=words):
        run_get_node(
            AssessWorkChain,
            labels={'a': labels_of(sigma)},
            structures=structures,
            descriptors=descriptors,
            parameters=Dict(parameters),
        )


def test_missing_descriptors_are_scanned_and_a_model_ranks_the_screening(code, potential, structures, labels_of):
    """From labels to a recalibrated Xi to a screening by it; each score leads back to its surfaces.

    The fluorides differ by their volume alone: a screening scans one of them, an assessment all that have labels.
    """
    extra = {f'LiF_{k}': StructureData(pymatgen=rock_salt('Li', 'F', 3.8 + 0.3 * k)).store() for k in range(3)}
    crystals = structures | extra
    builder = ScreenWorkChain.get_builder_from_protocol(
        code, crystals, potential, 'fast', {'scan': {'parameters': {'spacing': 0.6}}}
    )
    sigma = {key: (1e-2, 1e-4) if k < 3 else (1e-6, 1e-7) for k, key in enumerate(crystals)}
    parameters = {
        'sets': {'a': {'classes': CLASSES}},
        'score': {'resamples': 20},
        'calibration': {'cuts': [-2.0, -1.0], 'score': {'resamples': 5}},
    }
    results, node = run_get_node(
        AssessWorkChain,
        labels={'a': labels_of(sigma)},
        structures=crystals,
        screen={'scan': dict(builder.scan), 'max_iterations': builder.max_iterations},
        parameters=Dict(parameters),
    )
    assert node.is_finished_ok, node.exit_message
    assert set(results['descriptors']) == set(crystals)
    materials = results['assessments']['a']['materials']
    assert len(materials) == len(crystals)
    for key, material in materials.items():
        descriptors = load_node(material['descriptors'])
        assert surfaces_of([descriptors.pk]) == {descriptors.pk: results['pes'][key].pk}

    # A screening finds the calibration; to name it is the same, and to stop early by it too.
    builder.structures, own = structures, results['calibration']
    builder.scan.parameters = Dict(builder.scan.parameters.get_dict() | {'stop_below': 0.9})
    ranked, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    rows = ranked['ranking']['rows']
    assert ranked['ranking']['model'] == {'uuid': own.uuid, 'kind': 'xi'}
    assert ranked['ranking']['ranked_by'] == f'xi_calibrated, the cuts {own.label}<{own.pk}>'
    assert [row['key'] for row in rows] == [row['key'] for row in sorted(rows, key=rank_key)]
    assert [row['xi_calibrated'] for row in rows] == [row['score'] for row in rows]
    assert len(rows) == 3
    scan = next(one for one in jobs_of(node) if one.process_type.endswith('pesfp.scan'))
    assert scan.inputs.parameters['stop_xi'] == own.base.attributes.get('parameters')
    builder.model = own
    again, _ = run_get_node(builder)
    assert again['ranking']['rows'] != []
    assert again['ranking']['ranked_by'] == ranked['ranking']['ranked_by']

    builder.model = RankingModelData.from_model(
        RankingModel.from_xi(XiParameters()), species='Li', potential_sha256='0' * 64
    )
    with pytest.raises(ValueError, match='the model and the scans differ in the potential'):
        run_get_node(builder)


class TestCommands:
    """``aiida-pesfp assess`` and ``calibrate`` as a user calls them, in the profile of the tests."""

    @pytest.fixture
    def stored(self, potential_of, tmp_path, invented):
        """Descriptors of a stored potential, with which nothing else was scanned, and a table of labels."""
        structures, descriptors, sigma = invented
        potential = potential_of(sigma=2.1, epsilon=next(EPSILONS) / 1000)
        potential.label = f'of-{tmp_path.name}'
        potential.store()
        for key, structure in structures.items():
            attributes = {'potential_sha256': potential.sha256, 'potential_name': 'x', 'structure_uuid': structure.uuid}
            descriptors_node(descriptors[key].get_dict(), **attributes).store()
        path = tmp_path / 'labels.csv'
        path.write_text('name,sigma\n' + ''.join(f'{key},{value[0]}\n' for key, value in sigma.items()) + 'x-1,-.01\n')
        return potential, path

    @pytest.fixture
    def log(self):
        """What the engine writes to the terminal."""
        stream, logger = io.StringIO(), logging.getLogger('aiida')
        handler = logging.StreamHandler(stream)
        logger.addHandler(handler)
        yield stream
        logger.removeHandler(handler)

    def call(self, command, *arguments):
        return CliRunner().invoke(main, [command.name, *map(str, arguments)])

    def test_assess_then_calibrate(self, stored, tmp_path, log):
        from aiida_pesfp.cli.assess import assess, calibrate

        potential, path = stored
        common = [path, '--column', 'id=name', '--column', 'conductivity=sigma', '--potential', potential.pk]
        common += ['--table-temperature', 300, '--resamples', 20, '--bad', 1e-4]
        printed = self.call(
            assess, *common, '--unit', 'S/cm', '--good', 1e-3, '--expression', 'connected(0.3) - 1',
            '--model', 'logistic_l1', '--figures', tmp_path / 'figures',
        ).output  # fmt: skip
        assert '30 materials' in printed
        assert 'connected(0.3) - 1' in printed
        assert 'logistic_l1_pes (left out)' in printed
        assert '1 unmatched rows:\n  row 32 (x-1): no structure of the same id' in printed
        assert re.search(r'\d+ more rankings: --all', printed)
        assert '31 labels, 0 rows left out' in printed
        assert '30 structures were scanned for Li' in printed
        figures = {entry.stem for entry in (tmp_path / 'figures').iterdir()}
        assert figures == {'scores', 'free-volumes', 'comparison', 'models', 'reliability'}
        for words in (
            'nothing is shown to be better than xi',
            'cannot be seen with 10 good and 20 bad conductors in 30 families',
            'p is corrected for 3 rankings (Holm); intervals hold 95 % of 20 draws of whole families',
            '20 resamples cannot show a p below 0.3: take more',
            'the same order as -mpe, and not counted again: -barrier_1d, -barrier_2d, -barrier_3d',
            "fv_joint is not compared: the descriptors have no 'fv_joint'",
        ):
            assert words in printed
        assert max(map(len, printed.splitlines())) < 130
        assessment = QueryBuilder().append(AssessmentData).order_by({AssessmentData: {'id': 'desc'}}).first(flat=True)
        printed = self.call(calibrate, assessment.pk, '--resamples', 3, '--label', 'mine').output
        assert 'connected_cut' in printed
        assert 'to expect for other materials' in printed
        assert 'Warning: assessment_' not in printed  # 10 good and 20 bad conductors are enough
        model = QueryBuilder().append(RankingModelData, filters={'label': 'mine'}).one()[0]
        assert model.base.attributes.get('potential_sha256') == potential.sha256
        # From now on these cuts are compared too.
        trained = ('--model', 'logistic_monotone', '--leave-out', 'relatives')
        printed = self.call(assess, *common, '--unit', 'S/cm', '--good', 1e-3, *trained).output
        assert re.search(r'^xi_calibrated ', printed, re.M)
        brier = re.search(r'logistic_monotone_pes as a probability: Brier score ([\d.]+), ([\d.]+) for', printed)
        assert float(brier[1]) < float(brier[2])
        made = QueryBuilder().append(CalcFunctionNode, filters={'label': 'group_relatives'}).all(flat=True)
        assert len(made) == 1
        assert len(set(made[0].outputs.result.get_dict().values())) > 20
        assert f'xi_calibrated has the cuts mine<{model.pk}>: if these labels made them' in printed
        again = load_node(int(re.search(r'stored the assessment labels<(\d+)>', printed)[1]))
        assert again.creator.inputs.calibration_of_xi.uuid == model.uuid
        values = {key: one['rankings']['xi_calibrated'] for key, one in again['materials'].items()}
        tables = {key: again.creator.inputs[key].get_dict() for key in values}
        assert list(values.values()) == pytest.approx(model.to_model().rank_values(list(tables.values())).tolist())
        refused = self.call(calibrate, assessment.pk, '--resamples', 1).output
        assert 'resamples = 1: Input should be greater than or equal to 2' in refused
        assert 'add --vary threshold' in self.call(calibrate, assessment.pk, '--threshold', 0.5).output

        lab = tmp_path / 'lab.csv'  # of a laboratory: semicolons, degrees Celsius, limits, Latin-1
        lines = [line.split(',') for line in path.read_text().splitlines()[1:]]
        rows = ''.join(f'{name};25;{"<" if float(sigma) < 1e-5 else ""}{sigma}\r\n' for name, sigma in lines[:-1])
        lab.write_bytes(f'name;temp\u00e9rature;sigma\r\n{rows}'.encode('latin-1'))
        columns = ('id=name', 'temperature=temp\u00e9rature', 'conductivity=sigma')
        of_lab = [lab, *(word for column in columns for word in ('--column', column)), '--potential', potential.pk]
        of_lab += ['--resamples', 20, '--bad', 1e-4, '--good', 1e-3, '--unit', 'S/cm']
        printed = self.call(assess, *of_lab).output
        assert 'has 25 without a unit: kelvin or degrees Celsius? Give temperature_unit' in printed
        printed = self.call(assess, *of_lab, '--temperature-unit', 'C', '--all').output
        assert '30 materials; weights: 8.2 good, 21.6 bad' in printed
        assert 'limits, such as <1e-10, in 20 rows' in printed

        for change, words in (
            (['--unit', 'furlong', '--good', 1e-3], "unknown unit 'furlong'"),
            (['--unit', 'S/cm', '--good', 1e-5], 'is below bad'),
            (['--unit', 'S/cm', '--good', -1], 'good = -1.0: Input should be greater than 0'),
            (['--unit', 'S/cm', '--good', 1e-3, '--species', 'Na'], 'was scanned for Na'),
            (['--unit', 'S/cm', '--good', 100], '0 of 30 materials are good conductors'),
            (['--unit', 'S/cm', '--good', 1e-3, '--model', 'forest'], "'forest' is not one of 'logistic_l1'"),
            (['--unit', 'S/cm', '--good', 1e-3, '--potential', 'nowhere'], '`aiida-pesfp potential list`'),
        ):
            assert words in self.call(assess, *common, *change).output
        # Other tests may have set up logging anew, without this handler: alone, this test sees what the engine writes.
        assert 'Traceback' not in log.getvalue()

    def test_scans_of_one_setting_are_chosen_and_compared(self, stored, aiida_pesfp, tmp_path):
        """Two kinds of cells of one potential: each is assessed, then they are compared on what both have."""
        potential, path = stored
        filters = {'attributes.potential_sha256': potential.sha256}
        first = QueryBuilder().append(DescriptorsData, filters=filters).all(flat=True)
        first.sort(key=lambda node: node['fv_connected'])
        origin = {'potential_sha256': potential.sha256, 'potential_name': 'x', 'spacing': 0.5, 'others': 'fixed'}
        for node in first:
            descriptors_node(node.get_dict(), **origin, cell='primitive').store()
        for place, node in enumerate(first[2:]):  # with an Xi as it should be; two crystals were not scanned again
            better = {'cell': 'size_consistent', 'cell_size': 6.5, 'xi': 0.01 * place}
            descriptors_node(node.get_dict(), **origin, **better).store()
        common = ['assess', path, '--column', 'id=name', '--column', 'conductivity=sigma', '--potential', potential.pk]
        common += ['--table-temperature', 300, '--bad', 1e-4, '--unit', 'S/cm', '--good', 1e-3]
        refused = aiida_pesfp(*common, fails=True)
        assert 'the newest scans differ in the cell, ' in refused
        assert 'primitive' in refused
        assert 'choose with --cell ' in refused
        nodes = []
        for cell in ('primitive', 'size_consistent'):
            printed = aiida_pesfp(*common, '--cell', cell)
            nodes.append(int(re.search(r'stored the assessment labels<(\d+)>', printed)[1]))
            assert f'{30 if cell == "primitive" else 28} materials' in printed
        assert 'with spacing = 0.1' in aiida_pesfp(*common, '--spacing', 0.1, fails=True)

        figures = tmp_path / 'compared'
        printed = aiida_pesfp('compare', *nodes, '--label', f'cells-{tmp_path.name}', '--figures', figures)
        assert [path.name for path in figures.iterdir()] == ['comparison.html']
        assert re.search(r'x, size_consistent, 6.5 A: xi +0.59 .* \+0\.54 ', printed)
        assert re.search(r'x: xi .* reference', printed)
        assert 'x, size_consistent, 6.5 A: xi is better than x: xi by 0.54 (p = 0.0015)' in printed
        assert 'x: 2 structures take no part, as not all assessments have them' in printed
        found = load_node(f'cells-{tmp_path.name}')
        assert found['materials'] == 28
        assert {node.pk for node in found.creator.base.links.get_incoming(AssessmentData).all_nodes()} == {*nodes}

        assert 'give two assessments or more' in aiida_pesfp('compare', nodes[0], fails=True)
        assert 'each once' in aiida_pesfp('compare', nodes[0], nodes[0], fails=True)
        content = load_node(nodes[1]).get_dict()
        old = {key: {**one} for key, one in content['materials'].items()}
        for one in old.values():
            del one['rankings']
        relabelled = {key: one | {'good_weight': 0.5} for key, one in content['materials'].items()}
        few = dict(list(content['materials'].items())[:1])
        for change, words in (
            ({'materials': old}, 'was made by an older version: run `aiida-pesfp assess` again'),
            ({'materials': relabelled}, 'has other labels in x, size_consistent, 6.5 A ([0.5, '),
            ({'materials': few}, 'of the 1 structures that all assessments have: '),
            ({'classes': content['classes'] | {'good': 1.0}}, 'differ in the classes'),
        ):
            other = AssessmentData(content | change).store()
            assert words in aiida_pesfp('compare', nodes[0], other.pk, fails=True)


def test_from_a_folder_and_a_table_to_tables_and_figures(code, potential_of, aiida_pesfp, tmp_path):
    """The whole way of a user: structures from CIFs, a real screening, labels from a CSV, an assessment."""
    potential = potential_of(**LENNARD_JONES | {'epsilon': 0.37})
    potential.label = f'own-{tmp_path.name}'
    potential.store()
    crystals = tmp_path / 'cifs'
    crystals.mkdir()
    lines = ['name,sigma (S/cm),temperature (K)']
    for place, (anion, a) in enumerate(
        [('F', 4.1), ('Cl', 5.2), ('Br', 5.6), ('I', 6.1), ('S', 5.1), ('Se', 5.4), ('Te', 6.0), ('O', 4.3)]
    ):
        rock_salt('Li', anion, a).to_file(str(crystals / f'Li{anion}.cif'))
        lines.append(f'Li{anion},{"<1e-10" if place == 0 else 10.0 ** -(8 - place)},300')
    table = tmp_path / 'labels.csv'
    table.write_text('\n'.join([*lines, 'nobody,1e-3,300']) + '\n')
    group, figures = f'own-{tmp_path.name}', tmp_path / 'figures'
    aiida_pesfp('import', 'folder', crystals, '--group', group)
    (tmp_path / 'coarse.yaml').write_text('scan: {parameters: {spacing: 0.6}}')
    scan = [
        '--protocol',
        'fast',
        '--overrides',
        tmp_path / 'coarse.yaml',
        '--potential',
        potential.label,
        '--code',
        code.uuid,
    ]
    aiida_pesfp('launch', 'screen', group, *scan, '--transition-metals', '--duplicates', 'keep')
    printed = aiida_pesfp(
        'assess', table, '--column', 'id=name', '--column', 'conductivity=sigma (S/cm)', '--column',
        'temperature=temperature (K)', '--unit', 'S/cm', '--good', 1e-4, '--bad', 1e-5, '--potential', potential.label,
        '--group', group, '--spacing', 0.6, '--resamples', 50, '--figures', figures,
    )  # fmt: skip
    assert '8 structures were scanned for Li' in printed
    assert '8 materials; weights: ' in printed
    assert re.search(
        r'^ranking +score +95 % +difference +95 % +p +Spearman$', printed, re.M
    )  # of 8 materials all are among the first 10
    assert re.search(r'^xi .* reference', printed, re.M)
    assert 'p is corrected for ' in printed
    assert 'with fewer than 10' in printed
    assert '1 unmatched rows:' in printed
    assert {path.name for path in figures.iterdir()} == {'scores.html', 'free-volumes.html', 'comparison.html'}
    node = load_node(int(re.search(r'stored the assessment labels<(\d+)>', printed)[1]))
    assert {row['ranking'] for row in node['comparison']['rows']} >= {'xi'}
    for key, material in node['materials'].items():
        assert set(material['rankings']) >= {'xi', '-mpe', 'fv_joint', '-barrier_joint'}
        assert load_node(material['structure']).label == key
    page = (figures / 'comparison.html').read_text()
    assert 'the reference' in page
    assert 'no difference is shown' in page
