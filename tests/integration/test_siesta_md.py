"""``pesfp.siesta_md`` and ``pesfp.siesta_md.base`` with the stand-in: what is kept, and what went wrong and how it goes on."""

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import Dict

from aiida_pesfp.calculations.siesta_md import SiestaMdCalculation
from aiida_pesfp.workflows.siesta_md import SiestaMdBaseWorkChain

CODES = SiestaMdCalculation.exit_codes


def run(inputs):
    return run_get_node(SiestaMdCalculation, **inputs)


def run_base(inputs, **others):
    results, node = run_get_node(SiestaMdBaseWorkChain, md=inputs, **others)
    return (
        results,
        node,
        sorted(
            (child for child in node.called if child.process_label != 'x' and hasattr(child, 'get_option')),
            key=lambda job: job.pk,
        ),
    )


def test_segments_are_one_run(siesta_md_inputs):
    """12 segments of 1 step, 2 x 6 steps and 1 x 12 steps: the same to what nine decimals of .XV allow."""
    whole, node = run(siesta_md_inputs(steps=12))
    assert node.is_finished_ok, node.exit_message
    results, node, jobs = run_base(siesta_md_inputs(steps=12), max_steps_per_job=6)
    assert node.is_finished_ok, node.exit_message
    assert len(jobs) == 2
    print(results['output_parameters'].get_dict())
    for name in ('steps', 'positions', 'velocities', 'energies', 'temperatures', 'conserved', 'times'):
        expected, found = whole['trajectory'].get_array(name), results['trajectory'].get_array(name)
        print(name, abs(expected - found).max())
    assert 0
