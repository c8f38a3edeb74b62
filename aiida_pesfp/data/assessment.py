"""Nodes of an assessment: scores of rankings on labelled materials, and ranking models."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from aiida.common.exceptions import ValidationError
from aiida.orm import Data, Dict

from aiida_pesfp.assessment.comparable import mismatch
from aiida_pesfp.assessment.models import RankingModel
from aiida_pesfp.data.required import RequiredAttributes
from aiida_pesfp.errors import AssessmentError


class AssessmentData(RequiredAttributes, Dict):
    """How well rankings by descriptors find the good conductors among labelled materials.

    ``rows`` with the ``ranking``, its ``score`` (value, error, interval) and number of ``materials``, the best first;
    ``random``, the score of random rankings; ``score_settings`` and ``classes``; ``materials``, key -> weights,
    conductivities, and the UUID of its descriptors; ``excluded`` with every row of the labels and every structure that
    is not used, each with its reason; ``doubts`` of rows that may be of another crystal; ``number_of_good`` and
    ``number_of_bad`` materials, the sums of weights. ``comparison``, which older nodes do not have: that of
    :func:`~aiida_pesfp.assessment.comparison.compare_materials`, or an ``error``, why there is none.
    """

    _REQUIRED = ('rows', 'random', 'materials', 'excluded', 'species', 'potential_sha256')

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) weights of the materials as good and as bad conductors."""
        materials = self['materials'].values()
        return tuple(np.array([entry[name] for entry in materials]) for name in ('good_weight', 'bad_weight'))

    def score_of(self, ranking: str) -> dict:
        """The score of one ranking, such as ``xi``."""
        scores = {row['ranking']: row['score'] for row in self['rows']}
        if ranking not in scores:
            raise AssessmentError(f'no ranking {ranking!r} among {", ".join(scores)}')
        return scores[ranking]


class RankingModelData(Data):
    """A model by which ``pesfp.screen`` can rank: Xi with other parameters, an expression, or a trained model.

    Attributes: ``kind`` and ``parameters`` of :class:`~aiida_pesfp.assessment.models.RankingModel`; ``species``,
    ``potential_name``, ``potential_sha256`` and the settings of the scans for which it was made, if any; its scores.
    The file of a CatBoost model is in the repository.
    """

    _FILE = 'model.cbm'

    @classmethod
    def from_model(cls, model: RankingModel, **attributes) -> RankingModelData:
        """An unstored node of a model, with further attributes for queries, of plain JSON types."""
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

    def mismatch(self, descriptors: Mapping) -> str | None:
        """Why the model cannot rank structures by these descriptors, if so.

        :param descriptors: their attributes, as far as they are known: ion, potential and settings of the scan.
        """
        return mismatch(self.base.attributes.all, descriptors)

    def _validate(self) -> bool:
        super()._validate()
        if 'kind' not in self.base.attributes:
            raise ValidationError('a RankingModelData needs a kind: make it with RankingModelData.from_model')
        try:
            self.to_model()
        except AssessmentError as error:
            raise ValidationError(str(error)) from error
        return True
