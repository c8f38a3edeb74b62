"""A group of three scanned structures, one of them with molecular dynamics, and its report."""

import pytest
from aiida.orm import Dict, Group

from aiida_pesfp.data.potential import PotentialData
from aiida_pesfp.report.collect import collect
from aiida_pesfp.report.page import write_html
from tests.helpers import graph
from tests.helpers.potentials import write_calculator


@pytest.fixture(scope='session')
def potential(aiida_profile, tmp_path_factory):
    path = write_calculator(tmp_path_factory.mktemp('potential') / 'lj.yaml', sigma=2.1)
    return PotentialData.from_spec(str(path)).store()


@pytest.fixture(scope='session')
def scanned(potential):
    """Outputs of the scan: ``pes`` and ``descriptors`` by key."""
    return graph.scan_here(Dict({'spacing': 0.65}), potential, **graph.structures())


@pytest.fixture(scope='session')
def validated(scanned):
    """Conductivities and Arrhenius fit of LiI."""
    from aiida.orm import load_node

    return graph.validate(load_node(scanned['descriptors']['LiI']['structure_uuid']))


@pytest.fixture(scope='session')
def group(scanned, validated):
    group = Group(label='<crystals>').store()
    group.add_nodes(list(scanned['descriptors'].values()))
    return group


@pytest.fixture(scope='session')
def page(group, tmp_path_factory):
    """The HTML file of the group."""
    path = tmp_path_factory.mktemp('report') / 'report.html'
    write_html(collect(group), path)
    return path
