"""A process that may die alone."""

import faulthandler
import os
import signal
import time

import numpy as np
import pytest

from aiida_pesfp.crystals.worker import Worker, WorkerDied


def misbehave(how: str) -> str:
    if how == 'crash':
        faulthandler.disable()  # pytest's would print the stack
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == 'exit':
        os._exit(3)
    if how == 'hang':
        time.sleep(100)
    if how == 'memory':
        try:
            np.ones(2**29)
        except MemoryError:
            return 'refused'
    return how


@pytest.mark.parametrize(
    ('how', 'words'), [('crash', 'Segmentation fault'), ('exit', 'exit status 3'), ('hang', 'longer than 1 s')]
)
def test_death_costs_one_call(how, words):
    with Worker(misbehave, seconds=1.0) as call:
        assert call('first') == 'first'
        with pytest.raises(WorkerDied, match=words):
            call(how)
        assert call('next') == 'next'


def test_memory_is_limited():
    with Worker(misbehave, memory=2**30) as call:
        assert call('memory') == 'refused'
        assert call('next') == 'next'


def test_nothing_is_left_behind():
    with Worker(misbehave) as call:
        call('first')
        process = call._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
