"""Blocks of the original M3GNet on a CPU in single precision, without derivatives: the same numbers in half the time.

A block is many small layers on long lists of bonds. If the layers run one after the other, most time goes into moving
intermediate arrays through memory. Here bonds pass through a whole block in tiles that stay in a core's cache. torch
computes the matrix products, and one compiled loop everything between two of them.
"""

import numba
import numpy as np
import torch
from torch import Tensor

from aiida_pesfp.potentials.m3gnet.network import RADIAL_OF_FEATURE, UNITS, Block, Bonds, GatedPair, dense

#: Bonds of a tile: its arrays, about 1 kB a bond, fit into half a megabyte.
TILE = 768

_FEATURES = np.array(RADIAL_OF_FEATURE)
_F = np.float32
# exp(x) = 2**n exp(r) with |r| <= log(2)/2. The Taylor series to sixth order gives exp(r) to single precision. log(2)
# is split in two, so that r keeps its digits. Adding 1.5 * 2**23 rounds a number and leaves it in the last bits.
_LOG2_E, _LOG_2_HIGH, _LOG_2_LOW = _F(1.4426950408889634), _F(0.693359375), _F(-2.12194440e-4)
_C2, _C3, _C4, _C5, _C6 = (_F(1 / factorial) for factorial in (2, 6, 24, 120, 720))
_ONE, _SMALLEST, _LARGEST, _ROUNDING = _F(1), _F(-87), _F(87), _F(1.5 * 2**23)
_MANTISSA_BITS, _BITS_OF_ONE = np.int32(23), np.int32(127 << 23)

_compile = numba.njit(cache=True, nogil=True, error_model='numpy', fastmath={'contract', 'nsz', 'arcp'})


@numba.njit(inline='always')
def _sigmoid(x):
    """1 / (1 + exp(-x)), to single precision; written so that the compiler vectorises it."""
    y = min(max(-x, _SMALLEST), _LARGEST)
    rounded = y * _LOG2_E + _ROUNDING
    n = rounded - _ROUNDING
    r = (y - n * _LOG_2_HIGH) - n * _LOG_2_LOW
    series = _ONE + r * (_ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * _C6)))))
    power = np.int32((np.float32(rounded).view(np.int32) << _MANTISSA_BITS) + _BITS_OF_ONE).view(_F)
    return _ONE / (_ONE + series * power)


@_compile
def _hidden(hidden, of_atoms, centres, neighbours):
    """First dense layers, in place: silu of the bonds' part (E, 128) plus those of both atoms (N, 256)."""
    width = hidden.shape[1]
    for k in range(hidden.shape[0]):
        bond, centre, neighbour = hidden[k], of_atoms[centres[k], :width], of_atoms[neighbours[k], width:]
        for j in range(width):
            x = bond[j] + centre[j] + neighbour[j]
            bond[j] = x * _sigmoid(x)


@_compile
def _update_bonds(e, core, gate, core_bias, gate_bias, radial, kernel):
    """Second dense layers of the bond update: e += silu(core) sigmoid(gate) (radial kernel)."""
    for k in range(e.shape[0]):
        r0, r1, r2 = radial[k, 0], radial[k, 1], radial[k, 2]
        bond, c, g = e[k], core[k], gate[k]
        for j in range(e.shape[1]):
            x, y = c[j] + core_bias[j], g[j] + gate_bias[j]
            weight = r0 * kernel[0, j] + r1 * kernel[1, j] + r2 * kernel[2, j]
            bond[j] += x * _sigmoid(x) * _sigmoid(y) * weight


@_compile
def _update_atoms(h, centres, core, gate, core_bias, gate_bias, radial, kernel):
    """Second dense layers of the atom update: h of the centre += silu(core) sigmoid(gate) silu(radial kernel)."""
    for k in range(core.shape[0]):
        r0, r1, r2 = radial[k, 0], radial[k, 1], radial[k, 2]
        atom, c, g = h[centres[k]], core[k], gate[k]
        for j in range(h.shape[1]):
            x, y = c[j] + core_bias[j], g[j] + gate_bias[j]
            weight = r0 * kernel[0, j] + r1 * kernel[1, j] + r2 * kernel[2, j]
            atom[j] += x * _sigmoid(x) * _sigmoid(y) * weight * _sigmoid(weight)


@_compile
def _sum_features(sums, centres, neighbours, short, radial, harmonics, of_ends, features):
    """Sum over the short bonds of each atom of radial function, end atom's factor and harmonic: (N, 27)."""
    for k in range(short.shape[0]):
        bond = short[k]
        total, factors = sums[centres[bond]], of_ends[neighbours[bond]]
        for f in range(features.shape[0]):
            total[f] += radial[k, features[f]] * factors[features[f]] * harmonics[k, f]


@_compile
def _moments(moments, sums, centres, neighbours, short, radial, harmonics, of_ends, envelope, features):
    """(S, 9) three-body moments of short bonds: the sum over the other short bonds of the centre."""
    for k in range(short.shape[0]):
        bond = short[k]
        total, factors = sums[centres[bond]], of_ends[neighbours[bond]]
        for i in range(9):
            moments[k, i] = -radial[k, i] * factors[i]  # a bond makes no angle with itself
        for f in range(features.shape[0]):
            moments[k, features[f]] += total[f] * harmonics[k, f]
        for i in range(9):
            moments[k, i] *= envelope[k, 0]


@_compile
def _update_short(e, short, gated):
    """e of short bonds += silu(first half of gated) sigmoid(second half)."""
    for k in range(short.shape[0]):
        bond, values = e[short[k]], gated[k]
        for j in range(e.shape[1]):
            bond[j] += values[j] * _sigmoid(values[j]) * _sigmoid(values[j + e.shape[1]])


class FusedBlock(Block):
    """A block on a CPU in single precision. It changes bond features in place."""

    def __init__(self, weights: dict[str, Tensor], prefix: str):
        super().__init__(weights, prefix)
        self._three = torch.cat([self.three_core, self.three_gate], dim=1)

    def summed_updates(self, h: Tensor, e: Tensor, bonds: Bonds) -> tuple[Tensor, Tensor]:
        self._add_three_body(h, e, bonds)
        sums, of_bonds, of_atoms = torch.zeros_like(h), dense(self.bond_update.atom, h), dense(self.atom_update.atom, h)
        centres, neighbours, radial = bonds.centres.numpy(), bonds.neighbours.numpy(), bonds.radial.numpy()
        arrays = torch.empty(TILE, 2 * UNITS), *torch.empty(2, TILE, UNITS)
        for begin in range(0, len(e), TILE):
            tile = slice(begin, begin + TILE)
            bond, ends = e[tile], (centres[tile], neighbours[tile])
            layers = _second_layers(self.bond_update, arrays, bond, of_bonds.numpy(), *ends)
            _update_bonds(bond.numpy(), *layers, radial[tile], self.bond_rbf.numpy())
            layers = _second_layers(self.atom_update, arrays, bond, of_atoms.numpy(), *ends)
            _update_atoms(sums.numpy(), ends[0], *layers, radial[tile], self.atom_rbf.numpy())
        return sums, e

    def _add_three_body(self, h: Tensor, e: Tensor, bonds: Bonds) -> None:
        of_ends = torch.sigmoid(dense(self.three_atom, h)).numpy()
        centres, neighbours, _, short, envelope, radial, harmonics = (table.numpy() for table in bonds)
        sums = np.zeros((h.shape[0], len(_FEATURES)), dtype=np.float32)
        _sum_features(sums, centres, neighbours, short, radial, harmonics, of_ends, _FEATURES)
        moments, gated = torch.empty(TILE, 9), torch.empty(TILE, 2 * UNITS)
        for begin in range(0, len(short), TILE):
            tile = slice(begin, begin + TILE)
            number = len(short[tile])
            geometry = (short[tile], radial[tile], harmonics[tile])
            _moments(moments[:number].numpy(), sums, centres, neighbours, *geometry, of_ends, envelope[tile], _FEATURES)
            torch.mm(moments[:number], self._three, out=gated[:number])
            _update_short(e.numpy(), short[tile], gated[:number].numpy())


def _second_layers(pair: GatedPair, arrays: tuple[Tensor, ...], e: Tensor, of_atoms, centres, neighbours) -> list:
    """Products of the second layers of ``pair`` for the bonds of a tile, core and gate, and then both biases.

    :param arrays: memory for a tile, used again for tile after tile.
    """
    hidden, core, gate = (array[: len(e)] for array in arrays)
    torch.mm(e, pair.bond, out=hidden)
    _hidden(hidden.numpy(), of_atoms, centres, neighbours)
    torch.mm(hidden[:, :UNITS], pair.core[1], out=core)
    torch.mm(hidden[:, UNITS:], pair.gate[1], out=gate)
    return [table.numpy() for table in (core, gate, pair.core[0], pair.gate[0])]
