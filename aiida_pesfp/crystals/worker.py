"""A process that may die alone: parsers crash, hang and eat memory on malformed files."""

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

#: Longest time (s) and most memory (bytes) that one call may take.
SECONDS, MEMORY = 60.0, 4 * 2**30
# A fork starts at once, as the parsers are imported here already. Elsewhere it is not safe or not there.
_CONTEXT = multiprocessing.get_context('fork' if sys.platform == 'linux' else 'spawn')


class WorkerDied(Exception):
    """The call has no result; the text says why."""


class Worker:
    """Calls a function in another process, which is made again after it has died. A context, which ends the process.

    :param function: of a module; it must not raise.
    """

    def __init__(self, function: Callable, seconds: float = SECONDS, memory: int = MEMORY):
        self._function, self._seconds, self._memory = function, seconds, memory
        self._process = self._connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def __call__(self, argument: object) -> object:
        """The result of the function.

        :raises WorkerDied: if the function crashed, or took too long.
        """
        if self._process is None:
            self._start()
        try:
            self._connection.send(argument)
            if self._connection.poll(self._seconds):
                return self._connection.recv()
            cause = f'took longer than {self._seconds:g} s'
        except (EOFError, OSError):
            self._process.join(5)
            code = self._process.exitcode or 0
            reason = signal.strsignal(-code) if code < 0 else f'exit status {code}'
            cause = f'ended the process that did it ({reason})'
        self._end()
        raise WorkerDied(cause)

    def _start(self) -> None:
        self._connection, other = _CONTEXT.Pipe()
        arguments = (self._function, self._memory, other, self._connection)
        self._process = _CONTEXT.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        other.close()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
        self._process = self._connection = None


def _serve(function: Callable, memory: int, connection: Connection, other: Connection) -> None:
    """Answer calls until the other side is gone, whose end of the connection this process must not keep open."""
    other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit(memory)
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(function(connection.recv()))


def _limit(memory: int) -> None:
    """Refuse to use more memory than now and this."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # not every system has such limits
        import resource

        used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + memory, resource.RLIM_INFINITY))
