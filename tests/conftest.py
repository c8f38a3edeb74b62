"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope='session')
def shared() -> Path:
    """Folder of reference data that is not part of the project: ``$PESFP_SHARED``, or ``shared`` beside the checkout."""
    folder = Path(os.environ.get('PESFP_SHARED', REPOSITORY.parent / 'shared'))
    if not (folder / 'oracle').is_dir():
        pytest.skip('the reference data (../shared or $PESFP_SHARED) are not on this machine')
    return folder
