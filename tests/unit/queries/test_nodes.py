"""Questions about nodes of any kind."""

import pytest
from aiida.common import timezone
from aiida.orm import CalcJobNode, Log

from aiida_pesfp.queries.nodes import reason_of_pause

REFUSED = 'Traceback (most recent call last):\n  ...\nSchedulerError: Error during submission\nstderr=no such queue\n'


@pytest.mark.parametrize(
    ('status', 'errors', 'expected'),
    [
        ('Pausing after failed transport task', ['another', REFUSED], 'stderr=no such queue'),
        ('Paused through the command line', [], 'Paused through the command line'),
        (None, [], 'by a user'),
    ],
)
def test_the_reason_of_a_pause(aiida_localhost, status, errors, expected):
    job = CalcJobNode(computer=aiida_localhost).store()
    job.set_process_status(status)
    for text in errors:
        Log(timezone.now(), 'test', 'ERROR', job.pk, text)
    assert reason_of_pause(job) == expected
