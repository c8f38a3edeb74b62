"""Questions about calibrations: which cuts of Xi a profile has for its potentials, and the node of each."""

from aiida.orm import QueryBuilder

from aiida_pesfp.assessment.calibrated import Calibration, Calibrations
from aiida_pesfp.assessment.models import RankingModel
from aiida_pesfp.data.assessment import RankingModelData


def calibrations() -> Calibrations:
    """Those of the profile, made by ``aiida-pesfp calibrate``, the newest first; then those that are shipped."""
    filters = {'and': [{'attributes.kind': 'xi'}, {'attributes': {'has_key': 'calibration'}}]}
    filters['and'].append({'attributes': {'!has_key': 'provenance'}})  # those are nodes of shipped ones
    nodes = QueryBuilder().append(RankingModelData, filters=filters).order_by({RankingModelData: {'id': 'desc'}})
    found = nodes.all(flat=True)
    return Calibrations(
        tuple(Calibration(f'{one.label}<{one.pk}>', one.base.attributes.all, one.uuid) for one in found)
    )


def node_of(calibration: Calibration) -> RankingModelData:
    """The stored node of a calibration; one that is shipped is stored when it is first needed."""
    if calibration.uuid is not None:
        return QueryBuilder().append(RankingModelData, filters={'uuid': calibration.uuid}).one()[0]
    filters = {'label': calibration.name, 'attributes.potential_sha256': calibration.content['potential_sha256']}
    stored = QueryBuilder().append(RankingModelData, filters=filters).all(flat=True)
    if same := [node for node in stored if node.base.attributes.all == calibration.content]:
        return same[0]
    node = RankingModelData.from_model(RankingModel.from_xi(calibration.parameters), **calibration.content)
    node.label = calibration.name
    return node.store()
