"""The table of quantities."""

import json

import numpy as np
import pytest

from aiida_pesfp.fingerprint.descriptors import describe
from aiida_pesfp.fingerprint.quantities import NAMES, OF_EACH_ION, QUANTITIES, rank_key
from tests.helpers.surfaces import make_surface

#: Names in stored nodes: none of them can be changed or removed.
FROZEN = {'xi', 'mpe', 'fv_connected', 'fv_disconnected', 'barrier_1d', 'barrier_2d', 'barrier_3d'}


def test_rows_are_complete():
    assert len(set(NAMES)) == len(NAMES)
    assert set(NAMES) >= FROZEN
    for quantity in QUANTITIES:
        assert quantity.name.isidentifier()
        assert quantity.better in ('higher', 'lower')
        assert quantity.meaning
        assert quantity.of_each_ion or quantity.over_ions is None


def test_a_structure_and_its_ions_have_every_quantity():
    found = describe(make_surface(np.random.default_rng(0).random((2, 3, 4, 5))))
    content = json.loads(json.dumps(found.as_dict()))
    assert set(content) == {*NAMES, 'stopped_early', 'spectrum', 'ions'}
    for quantity in OF_EACH_ION:
        values = [ion[quantity.name] for ion in content['ions']]
        assert values == [getattr(ion, quantity.name) for ion in found.ions]
        if quantity.over_ions is not None:
            assert getattr(found, quantity.name) == quantity.over_ions(values)
    with pytest.raises(AttributeError, match='nonsense'):
        _ = found.nonsense


def test_rankings():
    names = ('xi_calibrated', 'xi', 'fv_connected', 'mpe')
    values = (
        (0.9, 0.1, 0.1, 0.5),
        (0.9, 0.1, 0.1, 0.7),
        (0.9, 0.1, 0.05, 0.1),
        (0.9, 0.0, 0.1, 0.1),
        (0.2, 1, 0.9, 0.1),
    )
    rows = [dict(zip(names, one)) | {'fv_disconnected': 0.5} for one in values]
    backwards = rows[::-1]
    assert sorted(backwards, key=rank_key) == rows
    assert {one.name: one.ranking for one in QUANTITIES}['mpe'] == '-mpe'
    assert {one.name: one.text(0.12345) for one in QUANTITIES}['mpe'] == '0.123 eV'
