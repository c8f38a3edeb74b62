"""Nodes of labels and of ranking models: what they hold, and what they refuse."""

import pytest
from aiida.common.exceptions import ValidationError
from aiida.orm import Dict, QueryBuilder

from aiida_pesfp.assessment.labels import LabelTable, Measurement
from aiida_pesfp.assessment.models import RankingModel
from aiida_pesfp.calculations.assessment import assess
from aiida_pesfp.calculations.selection import rank, rank_by_model
from aiida_pesfp.data.assessment import AssessmentData, RankingModelData
from aiida_pesfp.data.descriptors import DescriptorsData
from aiida_pesfp.data.labels import LabelsData
from aiida_pesfp.errors import AssessmentError
from aiida_pesfp.fingerprint.quantities import NAMES
from aiida_pesfp.settings.assessment import TableFormat
from aiida_pesfp.settings.descriptors import XiParameters
from aiida_pesfp.settings.scan import FingerprintSettings
from tests.helpers.crystals import rock_salt


def test_labels_survive_storage():
    form = TableFormat({'id': 'a', 'structure': 'b', 'diffusion': 'c'}, 'cm2/s', 1000.0)
    measurement = Measurement(2, 'x', None, 'LiCl', None, 1000.0, 'diffusion', -1e-6, 1e-7, 1e22, 1)
    excluded = [{'row': 3, 'id': 'y', 'reason': 'because'}]
    table = LabelTable([measurement], excluded, {2: rock_salt('Li', 'Cl', 5.13)})
    node = LabelsData.from_table(table, form).store()
    found = node.to_table()
    assert found.measurements == [measurement]
    assert found.excluded == excluded
    assert found.structures == table.structures
    query = QueryBuilder().append(LabelsData, filters={'attributes.species': 'Li', 'uuid': node.uuid})
    assert query.one() == [node]
    with pytest.raises(ValidationError, match='needs measurements'):
        LabelsData().store()


@pytest.mark.parametrize(
    'model',
    [
        RankingModel.from_xi(XiParameters(connected_cut=-1.0)),
        RankingModel('expression', {'text': '-mpe'}),
        RankingModel('catboost', {'features': ['mpe'], 'feature_set': 'pes', 'mean': [0.0]}, b'\x00cbm\xff'),
    ],
)
def test_a_model_survives_storage(model):
    node = RankingModelData.from_model(model, species='Li').store()
    assert node.to_model() == model
    assert node.kind == model.kind


def test_a_model_knows_what_it_was_made_for():
    grid = {'spacing': 0.25, 'minimum_distance': 1.0}
    origin = {'species': 'Li', 'potential_sha256': 'a' * 64, 'potential_name': 'mine', **grid}
    node = RankingModelData.from_model(RankingModel.from_xi(XiParameters()), **origin)
    scanned = {'species': 'Li', 'potential_sha256': 'a' * 64, **grid}
    assert node.mismatch(scanned) is None
    words = 'the model and the scans differ in the mobile ion: Li and Na'
    assert words in node.mismatch(scanned | {'species': 'Na'})
    words = 'the potential: mine (SHA-256 aaaaaaaaaaaa...) and another one (SHA-256 bbbbbbbbbbbb...)'
    assert words in node.mismatch(scanned | {'potential_sha256': 'b' * 64})
    coarse = node.mismatch(scanned | {'spacing': 0.5})
    assert coarse.endswith('differ in the spacing of the scan: 0.25 and 0.5; scan all structures alike')
    anything = RankingModelData.from_model(RankingModel('expression', {'text': 'xi'}))
    assert anything.mismatch(scanned | {'species': 'Na'}) is None


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'cell': 'size_consistent', 'cell_size': 6.5}, 'cell of the scan: primitive and size_consistent'),
        ({'others': 'removed'}, 'others of the scan: fixed and removed'),
    ],
)
def test_a_model_ranks_no_scans_of_another_cell_or_other_surroundings(change, words):
    origin = {'species': 'Li', 'potential_sha256': 'a' * 64, **FingerprintSettings().compared()}
    model = RankingModelData.from_model(RankingModel('expression', {'text': 'xi'}), **origin)
    values = dict.fromkeys(NAMES, 0.5) | {'formula': 'LiCl', 'spectrum': {}} | origin
    same, other = (DescriptorsData(content).store() for content in (values, values | change))
    rows = rank_by_model(model, Dict({}), same=same, other=other)['rows']
    assert [(row['key'], row['score']) for row in rows] == [('same', 0.5), ('other', None)]
    assert rows[1]['score_error'] == f'the model and the scans differ in the {words}; scan all structures alike'
    with pytest.raises(AssessmentError, match=f'ranks no structure: the model and the scans differ in the {words}'):
        rank_by_model(model, Dict({}), other=other)


def test_scans_that_stopped_early_rank_below_others_and_are_not_assessed():
    origin = {'species': 'Li', 'potential_sha256': 'a' * 64, **FingerprintSettings().compared()}
    values = dict.fromkeys(NAMES, 0.5) | {'formula': 'LiCl', 'spectrum': {}} | origin
    changes = {'exact': {'xi': 0.1, 'xi_upper': 0.1}, 'stopped': {'xi': 0.2, 'xi_upper': 0.3, 'stopped_early': True}}
    nodes = {key: DescriptorsData(values | change).store() for key, change in changes.items()}
    assert [row['key'] for row in rank(**nodes)['rows']] == ['exact', 'stopped']
    model = RankingModelData.from_model(RankingModel('expression', {'text': 'xi'}), **origin)
    assert [row['key'] for row in rank_by_model(model, Dict({}), **nodes)['rows']] == ['exact', 'stopped']
    measurement = Measurement(2, 'x', None, 'LiCl', None, 1000.0, 'diffusion', 1e-6, 1e-7, 1e22, 1)
    form = TableFormat({'id': 'a', 'structure': 'b', 'diffusion': 'c'}, 'cm2/s', 1000.0)
    labels = LabelsData.from_table(LabelTable([measurement], [], {}), form)
    with pytest.raises(AssessmentError, match=r'estimates only \(stopped\): scan them again without stop_below'):
        assess(labels, Dict({}), Dict({}), **nodes)


def test_nodes_without_content_are_refused():
    with pytest.raises(ValidationError, match='needs a kind'):
        RankingModelData().store()
    node = RankingModelData.from_model(RankingModel('expression', {'text': 'xi'}))
    node.base.attributes.set('parameters', {'text': 'energy'})
    with pytest.raises(ValidationError, match="'energy' in 'energy' is not known"):
        node.store()
    with pytest.raises(ValidationError, match='AssessmentData needs rows'):
        AssessmentData({'species': 'Li'}).store()
