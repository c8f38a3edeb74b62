"""Settings and overrides of any content are accepted and survive, or refused in a sentence."""

import json
import math
import os
import random
import re

import pytest

import aiida_pesfp.settings.arrhenius
import aiida_pesfp.settings.assessment
import aiida_pesfp.settings.barrier
import aiida_pesfp.settings.md
import aiida_pesfp.settings.program
import aiida_pesfp.settings.screen  # noqa: F401
from aiida_pesfp.settings.base import Settings
from aiida_pesfp.settings.scan import FingerprintSettings
from aiida_pesfp.workflows.protocols import ProtocolMixin

TRIALS = int(os.environ.get('PESFP_FUZZ', 1000))
ODD = [
    *(None, True, False, 0, 1, -1, 0.5, 3, -0.0, 1e300, -1e300, math.nan, math.inf, 10**400, 1j),
    *('', ' ', 'x', '\0', '1', 'Li', 'é', '9' * 5000, b'x', [], [1], ['a'], [[]], [None], [10**400], [math.nan]),
    *({}, {'a': 1}, {1: 2}, (1,), set(), object(), {'threshold': None}, {'threshold': 'x'}, {'slope': math.nan}),
]
#: Values that some key accepts, so that trials come to the others.
FAIR = {'temperature': 500, 'steps': 5, 'unit': 'S/cm', 'columns': {}, 'good': 1e-3, 'bad': 1e-5}


def kinds(parent=Settings):
    for kind in parent.__subclasses__():
        if kind.__module__.startswith('aiida_pesfp.'):
            yield from [kind] if kind.known() else []
            yield from kinds(kind)


def attempt(errors, function, *arguments):
    """The result and None, or None and the message of one of these errors."""
    try:
        return function(*arguments), None
    except errors as error:
        return None, str(error)


def trial(choose, kind):
    if choose.random() < 0.05:
        return choose.choice(ODD)
    known = [*kind.known()]
    keys = (choose.choice(known if choose.random() < 0.9 else ['x', '', 1, None, (1, 2), 'scan']) for _ in range(3))
    fair = {key: value for key, value in FAIR.items() if key in known and choose.random() < 0.9}
    return fair | {key: choose.choice(ODD) for key in keys if choose.random() < 0.7}


@pytest.mark.parametrize('kind', dict.fromkeys(kinds()), ids=lambda kind: kind.__name__)
def test_settings(kind):
    choose = random.Random(kind.__name__)
    for _ in range(TRIALS // 10):
        values = trial(choose, kind)
        found, reason = attempt((ValueError, kind.ERROR), kind.from_dict, values)
        if found is None:
            assert 0 < len(reason) < 2000
            continue
        again = kind.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False)))
        assert again == found


@pytest.mark.parametrize(
    'values',
    [
        {'spacing': 1e40}, {'spacing': -1}, {'spacing': math.nan}, {'spacing': 10**400}, {'minimum_distance': 1e6},
        {'thresholds': [1e300]}, {'thresholds': [0.1] * 10**5}, {'xi': {'slope': math.inf}},
    ],
)  # fmt: skip
def test_absurd_numbers_are_refused(values):
    with pytest.raises(ValueError, match='spacing|minimum_distance|thresholds|slope'):
        FingerprintSettings.from_dict(values)


def test_a_reason_is_short():
    with pytest.raises(
        ValueError, match="^the species '99999999999999999999' is not the symbol of a chemical element$"
    ):
        FingerprintSettings.from_dict({'species': '9' * 5000})


def protocols():
    found = []
    for name in ('md', 'scan', 'screen', 'screen_and_validate', 'siesta_md'):
        found.append(type(name, (ProtocolMixin,), {'_protocol': name}))
    return found


def mutated(choose, content):
    """Some entries of nested dictionaries are replaced, renamed or left out."""
    if not isinstance(content, dict) or choose.random() < 0.05:
        return choose.choice(ODD[:-4]) if choose.random() < 0.4 else content
    return {
        choose.choice(['x', 1, None, key]) if choose.random() < 0.05 else key: mutated(choose, value)
        for key, value in content.items()
        if choose.random() < 0.8
    }


def alike(base, other):
    """Whether dictionaries are where they are in ``base``."""
    return not isinstance(base, dict) or (
        isinstance(other, dict) and all(alike(base[key], other[key]) for key in base if key in other)
    )


@pytest.mark.parametrize('protocol', protocols(), ids=lambda protocol: protocol._protocol)
def test_overrides(protocol):
    choose = random.Random(protocol._protocol)
    original = protocol.get_protocol_inputs()
    for _ in range(TRIALS // 3):
        overrides = mutated(choose, original)
        found, reason = attempt(ValueError, protocol.get_protocol_inputs, 'fast', overrides)
        assert alike(original, found) if found is not None else 0 < len(reason) < 1000
    assert protocol.get_protocol_inputs() == original


@pytest.mark.parametrize(
    ('overrides', 'words'),
    [
        ({'scan': None}, 'scan = None: it has to hold entries, such as '),
        ({'scan': {'parameters': [1]}}, 'scan.parameters = [1]: it has to hold entries, such as spacing'),
        ({'max_iterations': 'x'}, "max_iterations = 'x': Input should be a valid integer"),
        ({'max_iterations': True}, 'max_iterations = True: Input should be a valid integer'),
        ({'max_iterations': math.nan}, 'max_iterations = nan: Input should be a valid integer'),
        ({1: 2}, 'the overrides: the key 1 is not a text'),
        ([], 'the overrides = []: it has to hold entries, such as '),
    ],
)
def test_overrides_of_another_kind_are_named(overrides, words):
    scan = type('scan', (ProtocolMixin,), {'_protocol': 'scan'})
    with pytest.raises(ValueError, match=f'^{re.escape(words)}'):
        scan.get_protocol_inputs(None, overrides)
