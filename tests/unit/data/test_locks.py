"""Nodes are stored although another process has locked the database for longer than SQLite waits by default."""

import sqlite3
import threading
import time

import pytest
from aiida.manage import get_manager
from aiida.orm import Dict

from aiida_pesfp.data.locks import LONGEST_WAIT

#: The default of Python's sqlite3, s.
DEFAULT_WAIT = 5


@pytest.fixture
def database():
    """The file of the database."""
    storage = get_manager().get_profile_storage()
    if not hasattr(storage, 'filepath_database'):
        pytest.skip('this profile does not keep its database in a file of SQLite')
    return storage.filepath_database


@pytest.mark.parametrize('lock', ['SHARED', 'EXCLUSIVE'])
def test_a_node_waits_until_the_other_has_finished(database, lock):
    """Others read (a report) or write (a worker of the daemon)."""
    locked, begin = threading.Event(), time.monotonic()

    def hold():
        other = sqlite3.connect(database, isolation_level=None)
        other.execute('BEGIN' if lock == 'SHARED' else 'BEGIN EXCLUSIVE')
        other.execute('SELECT count(*) FROM db_dbnode').fetchall()
        locked.set()
        time.sleep(DEFAULT_WAIT + 1.5)
        other.execute('COMMIT')
        other.close()

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait()
    node = Dict({'stored': 'late'}).store()
    thread.join()
    assert DEFAULT_WAIT < time.monotonic() - begin < LONGEST_WAIT
    assert node.is_stored
