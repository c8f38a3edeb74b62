"""Nodes of an evaluation: scores of rankings on labelled materials, and ranking models."""

from __future__ import annotations

import io

import numpy as np
from aiida.common.exceptions import ValidationError
from aiida.orm import Data, Dict

from aiida_pesfp.assessment.models import RankingModel
from aiida_pesfp.errors import AssessmentError


class AssessmentData(Dict):
    """How well rankings by descriptors find the good conductors among labelled materials.

    ``rows`` with the ``ranking``, its ``score`` (value, error, interval) and number of ``materials``, the best first;
    ``random`` the score by chance; ``settings`` and ``classes``; ``materials``, key -> weights, conductivities, and
    the UUID of its descriptors; ``excluded`` with every row of the labels, and every structure, that takes no part,
    each with its reason; ``number_of_good`` and ``number_of_bad`` materials, the sums of weights.
    """

    _REQUIRED = ('rows', 'random', 'materials', 'excluded', 'species', 'potential_sha256')

    def _validate(self) -> bool:
        super()._validate()
        missing = [name for name in self._REQUIRED if name not in self]
        if missing:
            raise ValidationError(f'an AssessmentData needs {", ".join(missing)}')
        return True

    def weights(self, keys: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """(n,) weights of materials as good and as bad conductors."""
        materials = self['materials']
        return tuple(np.array([materials[key][name] for key in keys]) for name in ('good_weight', 'bad_weight'))

    def score_of(self, ranking: str) -> dict:
        """The score of one ranking, such as ``xi``."""
        for row in self['rows']:
            if row['ranking'] == ranking:
                return row['score']
        raise AssessmentError(f'no ranking {ranking!r} among {", ".join(row["ranking"] for row in self["rows"])}')


class RankingModelData(Data):
    """What ``pesfp.screen`` can rank by: Xi with other parameters, an expression, or a model learned from labels.

    Attributes: ``kind`` and ``parameters`` of :class:`~aiida_pesfp.assessment.models.RankingModel`; ``species``,
    ``potential_name``, ``potential_sha256``, and ``spacing`` and ``minimum_distance`` (A) of the scans that it was made
    for, if any; what is known of its quality. The file of a CatBoost model is in the repository.
    """

    _FILE = 'model.cbm'

    @classmethod
    def from_model(cls, model: RankingModel, **attributes) -> RankingModelData:
        """An unstored node of a model.

        :param attributes: further attributes to query by, of plain JSON types.
        """
        node = cls()
        node.base.attributes.set_many(attributes | {'kind': model.kind, 'parameters': model.parameters})
        if model.content is not None:
            node.base.repository.put_object_from_filelike(io.BytesIO(model.content), cls._FILE)
        return node

    def to_model(self) -> RankingModel:
        """The model."""
        content = None
        if self._FILE in self.base.repository.list_object_names():
            content = self.base.repository.get_object_content(self._FILE, mode='rb')
        return RankingModel(self.kind, self.base.attributes.get('parameters'), content)

    @property
    def kind(self) -> str:
        """One of :data:`aiida_pesfp.assessment.models.KINDS`."""
        return self.base.attributes.get('kind')

    def mismatch(self, species: str, potential_sha256: str, grid: dict[str, float]) -> str | None:
        """Why the model must not rank what a potential says of an ion, if so: free volumes differ between them.

        :param grid: of the scan, :data:`~aiida_pesfp.data.descriptors.GRID_SETTINGS`, A.
        """
        attributes = self.base.attributes
        own = attributes.get('species', None)
        if own is not None and own != species:
            return f'the model was made for {own}, the screening is for {species}: make one for it'
        own = attributes.get('potential_sha256', None)
        if own is not None and own != potential_sha256:
            name = attributes.get('potential_name', None)
            return f'the model was made with another potential ({name}, SHA-256 {own[:12]}...): make one for yours'
        for name, value in grid.items():
            own = attributes.get(name, None)
            if own is not None and own != value:
                return f'the model was made from scans with {name} = {own} A, these have {value} A: scan alike'
        return None

    def _validate(self) -> bool:
        super()._validate()
        if 'kind' not in self.base.attributes:
            raise ValidationError('a RankingModelData needs a kind: make it with RankingModelData.from_model')
        try:
            self.to_model()
        except AssessmentError as error:
            raise ValidationError(str(error)) from error
        return True
