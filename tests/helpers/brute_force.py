"""Slow, plain twins of the level map and the descriptors, written from the paper, to compare with."""

import itertools

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree


def neighbours(vectors, rule):
    """Steps to the neighbours of a grid point, by the words of the rules."""
    diagonal = np.sqrt(sum(np.dot(vector, vector) for vector in vectors)) + 1e-4
    for step in itertools.product((-1, 0, 1), repeat=3):
        length = np.linalg.norm(np.dot(step, vectors))
        allowed = {'26': True, '6': np.count_nonzero(step) == 1, 'sqrt3': length <= diagonal}[rule]
        if any(step) and allowed:
            yield step


def minimax(field, seed, steps):
    """Level map from a minimum spanning tree: its paths are minimax paths of the graph."""
    index = np.arange(field.size).reshape(field.shape)
    edges = []
    for step in steps:
        here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, field.shape))
        there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, field.shape))
        edges.append((index[here].ravel(), index[there].ravel()))
    return _minimax_of_edges(field, int(index[seed]), *np.concatenate(edges, axis=1))


def periodic_minimax(field, seed, steps):
    """As :func:`minimax`, with paths that go on at the opposite face."""
    index = np.arange(field.size).reshape(field.shape)
    edges = [(index.ravel(), np.roll(index, step, (0, 1, 2)).ravel()) for step in steps]
    return _minimax_of_edges(field, int(index[seed]), *np.concatenate(edges, axis=1))


def _minimax_of_edges(field, start, rows, columns):
    # Of double edges scipy would add the weights.
    rows, columns = np.unique(np.sort([rows, columns], axis=0), axis=1)
    shift = 1 - field.min()  # scipy takes a weight of zero for a missing edge
    weights = np.maximum(field.flat[rows], field.flat[columns]) + shift
    tree = minimum_spanning_tree(coo_matrix((weights, (rows, columns)), shape=(field.size,) * 2).tocsr())
    tree = tree + tree.T
    order, parents = breadth_first_order(tree, start, directed=False)
    levels = np.full(field.size, np.inf)
    levels[start] = field.flat[start]
    for node in order[1:]:
        levels[node] = max(levels[parents[node]], field.flat[node])
    return levels.reshape(field.shape)


def _lowest(energy):
    return next(i for i in np.ndindex(*energy.shape) if energy[i] <= energy.min() + np.float32(1e-4))


def joint(energies, vectors, threshold, rule='sqrt3', seeds=None):
    """Free volume and barrier of all ions together by plain loops, from one periodic (N1, N2, N3) grid per ion.

    :param seeds: where each ion starts; by default at its lowest point.
    """
    shape, prime, steps = energies[0].shape, 5, list(neighbours(vectors, rule))
    sites, levels = [], []
    for energy, seed in zip(energies, seeds or [None] * len(energies)):
        energy = np.where(np.isnan(energy), np.nanmax(energy), energy)
        sites.append(seed or _lowest(energy))
        levels.append(periodic_minimax(energy, sites[-1], steps))
    lowest = np.min(levels, axis=0)
    volume = np.mean([(lowest < threshold + offset).mean() for offset in (-0.04, -0.02, 0.0, 0.02, 0.04)])
    # On a torus of 5 x 5 x 5 cells, the first image that an ion or its followers reach.
    torus, cells = np.tile(lowest, (prime,) * 3), np.array(list(np.ndindex(*(prime,) * 3)))
    images = [periodic_minimax(torus, site, steps)[tuple((site + cells * shape).T)] for site in sites]
    return volume, min(np.sort(of_site)[1] for of_site in images)


def descriptors(energies, vectors, thresholds, rule='sqrt3', seeds=None):
    """MPE and free volumes by plain loops from one (N1, N2, N3) grid (eV, NaN where excluded) per ion.

    :param seeds: where each ion starts; by default at its lowest point.
    """
    shape = np.array(energies[0].shape)
    mpe, connected_masks = np.inf, {}
    disconnected_masks = {}
    levels_to_try = sorted({t + offset for t in thresholds for offset in (-0.04, -0.02, 0.0, 0.02, 0.04)})
    for energy, seed in zip(energies, seeds or [None] * len(energies)):
        energy = np.where(np.isnan(energy), np.nanmax(energy), energy)
        origin = np.array(seed or _lowest(energy))
        tiled = np.empty(2 * shape + 1)
        for c in np.ndindex(*tiled.shape):
            tiled[c] = energy[tuple((origin + c - shape) % shape)]
        levels = minimax(tiled, tuple(shape), list(neighbours(vectors, rule)))
        faces = [levels[0], levels[-1], levels[:, 0], levels[:, -1], levels[:, :, 0], levels[:, :, -1]]
        mpe = min(mpe, *(face.min() for face in faces))
        in_cell = np.full(2 * shape, np.inf)
        for c in np.ndindex(*tiled.shape):
            place = tuple((origin + c - shape) % (2 * shape))
            in_cell[place] = min(in_cell[place], levels[c])
        for level in levels_to_try:
            connected_masks[level] = connected_masks.get(level, False) | (in_cell < level)
            disconnected_masks[level] = disconnected_masks.get(level, False) | (energy < level)

    def mean_volume(masks, threshold):
        return np.mean([masks[threshold + offset].mean() for offset in (-0.04, -0.02, 0.0, 0.02, 0.04)])

    connected = [mean_volume(connected_masks, t) for t in thresholds]
    disconnected = [mean_volume(disconnected_masks, t) for t in thresholds]
    return mpe, connected, disconnected
