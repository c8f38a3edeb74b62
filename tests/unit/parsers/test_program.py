"""What is common to the parsers of jobs that run a program of this package."""

import pytest
from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, FolderData

from aiida_pesfp.parsers.program import lacked_memory

pytestmark = pytest.mark.usefixtures('aiida_profile')


@pytest.mark.parametrize(
    ('told', 'expected'),
    [
        # As Slurm 22.05 wrote it, after a line of the program.
        ('a warning\nslurmstepd: error: StepId=10.batch exceeded memory limit (547 > 314), being killed', True),
        ('slurmstepd: error: Exceeded job memory limit', True),
        ('slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch.', True),
        ('slurmstepd: error: *** JOB 8 ON cluster CANCELLED AT 2026-11-29T09:57:20 DUE TO TIME LIMIT ***', False),
        ('', False),
        (None, False),
    ],
)
def test_memory_is_looked_for_in_all_that_the_scheduler_said(aiida_localhost, told, expected):
    job = CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:pesfp.scan')
    job.set_option('scheduler_stderr', 'stderr.txt')
    job.store()
    retrieved = FolderData()
    if told is not None:
        retrieved.base.repository.put_object_from_bytes(told.encode(), 'stderr.txt')
    retrieved.base.links.add_incoming(job, LinkType.CREATE, 'retrieved')
    retrieved.store()
    assert lacked_memory(job) == expected
