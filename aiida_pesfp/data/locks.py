"""Patience with a database of SQLite that another process has locked."""

import sqlite3

from sqlalchemy import event
from sqlalchemy.pool import Pool

#: Longest wait for a lock, s. The default of Python, 5 s, is less than a busy machine needs: who writes waits until all
#: who read have finished, and a process of AiiDA that gets "database is locked" is lost.
LONGEST_WAIT = 120


def wait_for_others() -> None:
    """From now on, let each connection to SQLite of this process wait for locks instead of failing.

    The daemon has opened its connection before it loads this package, so the wait is set whenever one is used.
    """
    if not event.contains(Pool, 'checkout', _be_patient):
        event.listen(Pool, 'checkout', _be_patient)


def _be_patient(connection, _record, _proxy) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f'PRAGMA busy_timeout = {1000 * LONGEST_WAIT}')
