"""What the engine writes to the terminal when a function raises an error of this package."""

import logging
from contextlib import contextmanager

from aiida_pesfp.errors import PesfpError


def _is_no_error_of_ours(record: logging.LogRecord) -> bool:
    return f'\n{PesfpError.__module__}.' not in record.getMessage()


@contextmanager
def without_tracebacks_of_ours():
    """Let the engine log no traceback of an error that this package raises on purpose: its message is enough."""
    handlers = logging.getLogger('aiida').handlers
    for handler in handlers:
        handler.addFilter(_is_no_error_of_ours)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_is_no_error_of_ours)
