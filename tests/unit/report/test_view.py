"""Geometry of the view in space, and the figures for papers."""

import itertools

import numpy as np
import pytest
from ase.data import atomic_numbers, chemical_symbols
from ase.data.colors import jmol_colors
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from aiida_pesfp.fingerprint.levels import level_map, lowest_point, neighbour_steps, tile_around
from aiida_pesfp.report.collect import collect
from aiida_pesfp.report.colours import element_colours
from aiida_pesfp.report.content import load_surface
from aiida_pesfp.report.plots.matplotlib import write_figures
from aiida_pesfp.report.view import MOST_TRIANGLES, accessible_field, bonds, cell_edges, isosurface, structure_view
from tests.helpers.crystals import face_centred

SKEWED = np.array([[8.0, 0, 0], [2.0, 7.0, 0], [1.0, -1.5, 9.0]])


def volume(mesh):
    """Volume inside a closed mesh, by the divergence theorem, A^3; its sign is the orientation's."""
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2).astype(float)
    return abs(np.einsum('ij,ij->i', a, np.cross(b, c)).sum() / 6)


def ball(points, cell):
    """Distance from the middle, A, on a map from minus to plus each lattice vector."""
    axes = np.linspace(-1, 1, 2 * points + 1)
    places = np.stack(np.meshgrid(axes, axes, axes, indexing='ij'), axis=-1) @ cell
    return np.linalg.norm(places, axis=-1)


@pytest.mark.parametrize('points', [12, 30, 60])
def test_an_isosurface_lies_where_the_level_is_the_threshold(points):
    mesh = isosurface(ball(points, SKEWED), SKEWED, 4.0)
    assert len(mesh.faces) <= MOST_TRIANGLES
    radii = np.linalg.norm(mesh.vertices, axis=1)
    assert radii == pytest.approx(4.0, abs=0.15)
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.06)


def test_an_isosurface_is_closed_at_the_faces_of_the_view():
    """Below the threshold is a slab through the whole view: what is enclosed is its volume."""
    axis = np.abs(np.linspace(-1, 1, 41))
    levels = np.broadcast_to(axis, (41, 41, 41))
    mesh = isosurface(levels, SKEWED, 0.5)
    assert volume(mesh) == pytest.approx(0.5 * 8 * abs(np.linalg.det(SKEWED)), rel=0.03)


def test_a_rough_isosurface_is_coarsened():
    levels = np.random.default_rng(1).random((81, 81, 81))
    assert 0 < len(isosurface(levels, SKEWED, 0.5).faces) < 2 * MOST_TRIANGLES
    # A point in the middle outlives any coarsening: it is the ion's own.
    levels[40, 40, 40] = -1
    assert np.abs(isosurface(levels, SKEWED, -0.5).vertices).max() < 1


def test_nothing_below_the_threshold_is_no_isosurface():
    assert isosurface(ball(5, SKEWED), SKEWED, -1.0) is None


def test_the_ion_stands_in_the_middle_among_its_neighbours(group):
    entry = next(one for one in collect(group).entries if one.label == 'LiCl')
    view = structure_view(load_surface(entry.surface), 0, 0.5)
    symbols = np.array(view.symbols)
    lithium, chlorine = (view.positions[symbols == symbol] for symbol in ('Li', 'Cl'))
    # All 27 corners, edges, faces and the middle of the doubled cell; chlorine in the middle of each of the 8 cells.
    assert (len(lithium), len(chlorine)) == (27, 8)
    assert np.linalg.norm(lithium, axis=1).min() == pytest.approx(0, abs=1e-9)
    assert np.linalg.norm(chlorine, axis=1).min() == pytest.approx(5.13 / 2, abs=0.5)
    end = np.linalg.solve(view.cell.T, view.path[-1])
    assert end == pytest.approx(np.rint(end), abs=1e-9)
    assert np.abs(end).max() >= 1
    assert view.profile.barrier == pytest.approx(entry['barrier_1d'], abs=1e-6)


@given(
    shape=st.tuples(*[st.integers(4, 9)] * 3),
    seed=st.integers(0, 2**32 - 1),
    threshold=st.floats(0.1, 1.5),
)
@settings(max_examples=25, deadline=None)
def test_the_smooth_field_says_of_each_point_of_the_grid_what_the_level_map_says(shape, seed, threshold):
    energies = np.random.default_rng(seed).random(shape).astype(np.float32) * 2
    energies -= energies.min()
    levels = level_map(tile_around(energies, lowest_point(energies)), shape, neighbour_steps(np.eye(3), '26'))
    field = accessible_field(energies, levels, lowest_point(energies), threshold)
    factor = (field.shape[0] - 1) // (2 * shape[0])
    assert factor >= 4
    assert ((field[::factor, ::factor, ::factor] < 0) == (levels < threshold)).all()


def test_a_coarse_grid_draws_a_smooth_surface():
    """A harmonic well on a grid of 0.5 A: the surface is a ball, and not that of the grid."""
    count, cell = 16, 8 * np.eye(3)
    axis = (np.arange(count) - count / 2) * 0.5
    energies = (np.stack(np.meshgrid(axis, axis, axis, indexing='ij')) ** 2).sum(axis=0) / 8
    levels = level_map(tile_around(energies, lowest_point(energies)), energies.shape, neighbour_steps(np.eye(3), '26'))
    mesh = isosurface(accessible_field(energies, levels, lowest_point(energies), 0.5), cell, 0.0)
    # The ball of radius 2 A in the middle is that of the lowest point; its images cannot be reached below 0.5 eV.
    assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(2.0, abs=0.02)


@example({'Fe', 'Ac', 'Au', 'Re', 'Ta', 'W'}, 0)
@given(st.sets(st.sampled_from(chemical_symbols[1:96]), min_size=1, max_size=6), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_elements_of_a_structure_have_colours_that_differ(symbols, mobile):
    found = element_colours(symbols, sorted(symbols)[mobile % len(symbols)])
    assert set(found) == symbols
    labs = {symbol: rgb2lab(colour) for symbol, colour in found.items()}
    for one, other in itertools.combinations(labs.values(), 2):
        assert deltaE_ciede2000(one, other) >= 15


def test_colours_are_those_of_jmol_unless_they_look_alike():
    jmol = {symbol: tuple(jmol_colors[atomic_numbers[symbol]]) for symbol in ('Li', 'I', 'P', 'S', 'Cl')}
    argyrodite = element_colours(['Li', 'P', 'S', 'Cl'], 'Li')
    assert {symbol: tuple(colour) for symbol, colour in argyrodite.items()} == {
        symbol: jmol[symbol] for symbol in ('Li', 'P', 'S', 'Cl')
    }
    iodide = element_colours(['Li', 'I'], 'Li')
    assert tuple(iodide['I']) == jmol['I']
    assert iodide['Li'] == pytest.approx(np.array([134, 223, 115]) / 255)  # VESTA's green


def test_edges_and_bonds():
    cell = face_centred(5.0).matrix
    edges = cell_edges(cell, np.zeros(3))
    assert edges.shape == (12, 2, 3)
    assert np.linalg.norm(edges[:, 0] - edges[:, 1], axis=1) == pytest.approx(5 / np.sqrt(2))
    positions = np.array([[0, 0, 0], [2.05, 0, 0], [0, 2.4, 0], [9.0, 0, 0]])
    assert bonds(['P', 'S', 'Li', 'S'], positions, 'Li').tolist() == [[0, 1]]
    assert bonds(['Li'], positions[:1], 'Li').shape == (0, 2)


def test_figures_for_papers(group, tmp_path):
    report = collect(group)
    place = [one.label for one in report.entries].index('LiI') + 1
    files = write_figures(report, tmp_path / 'figures', top=place)
    names = {path.name for path in files}
    wanted = {'structure', 'profile', 'spectrum', 'msd-1-1000K', 'msd-2-667K', 'msd-3-500K', 'arrhenius-1'}
    assert {f'{place:02d}-LiI-{kind}.{ending}' for kind in wanted for ending in ('png', 'pdf')} <= names
    assert {'xi-map.png', 'xi-map.pdf', 'spectra.png', 'spectra.pdf'} <= names
    assert not any(name.startswith(f'{place + 1:02d}') for name in names)
    for path in files:
        if path.suffix == '.pdf':
            assert path.read_bytes().startswith(b'%PDF')
        else:
            image = np.asarray(Image.open(path).convert('L'))
            assert image.shape[1] >= 900  # a column at 300 dpi
            assert 0.005 < (image < 200).mean() < 0.6  # something is drawn, and not over everything
