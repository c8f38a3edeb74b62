"""The convolution of a SevenNet, with the edges of the frozen framework summed once.

A message is linear in the features of the atom that sends it. Its factors depend on the edge alone, and edges between
atoms that do not move do not change. So we sum their factors once for each pair of atoms, over all periodic images.
Then all messages to an atom of the framework are one matrix product per kind of feature for a whole batch, however many
edges a pair of atoms has. Only pairs within the cutoff have factors: time and memory grow as the number of atoms.
"""

import sevenn._keys as KEY
import torch
from e3nn.o3 import TensorProduct
from sevenn.nn.convolution import IrrepsConvolution
from torch import Tensor, nn

#: Key of the :class:`FrozenConvolution` kernels in the data that travel through a network.
KERNELS = 'frozen_kernels'


class FrozenConvolution(nn.Module):
    """Replaces a convolution: its edges are those of the ion, and kernels stand for all others.

    Without kernels it is the plain convolution with all edges.
    """

    def __init__(self, convolution: IrrepsConvolution, name: str):
        super().__init__()
        self.plain, self.name = convolution, name
        product = convolution.convolution
        self._inputs = [(block.mul, block.ir.dim) for block in product.irreps_in1]
        self._slices = product.irreps_in1.slices()
        # Each path leads from one kind of input features to an output block of its own, channel by channel.
        self._paths = [
            [path.i_out for path in product.instructions if path.i_in1 == kind] for kind in range(len(self._inputs))
        ]
        self._outputs = [(block.mul, block.ir.dim) for block in product.irreps_out]
        one_channel = (
            [(1, block.ir) for block in irreps]
            for irreps in (product.irreps_in1, product.irreps_in2, product.irreps_out)
        )
        paths = [(path.i_in1, path.i_in2, path.i_out, 'uvu', False) for path in product.instructions]
        self._one_channel = TensorProduct(*one_channel, paths).to(convolution.denominator.device)

    @property
    def bytes_per_pair(self) -> int:
        """Memory of the kernels of one pair of atoms, in single precision."""
        kinds = zip(self._inputs, self._paths)
        return sum(4 * u * d * sum(self._outputs[path][1] for path in paths) for (u, d), paths in kinds)

    def kernels(self, data: dict) -> tuple[list[Tensor], list[list[Tensor]]]:
        """Which n atoms each atom has edges from, and for each kind of input features the (u, D, n d) matrices of its u
        channels that make their sums, one for each atom.

        :param data: the framework's edges with their embedding, ordered by target. d is the dimension of the features,
            D that of all outputs that they contribute to.
        """
        targets, sources = data[KEY.EDGE_IDX]
        counts = torch.bincount(targets, minlength=len(data[KEY.ATOMIC_NUMBERS])).tolist()
        neighbours, places = zip(*(torch.unique(one, return_inverse=True) for one in sources.split(counts)))
        channels, widths = zip(*self._outputs)
        weights = self.plain.weight_nn(data[KEY.EDGE_EMBEDDING]).split(channels, dim=1)
        unit = torch.eye(self._one_channel.irreps_in1.dim).to(weights[0])
        responses = self._one_channel(unit.expand(len(targets), -1, -1), data[KEY.EDGE_ATTR][:, None])
        responses, begin, kernels = responses.split(widths, dim=2), 0, []
        for (_, dimension), paths in zip(self._inputs, self._paths):
            response = torch.cat([responses[path][:, begin : begin + dimension] for path in paths], dim=2)
            weight = torch.cat([weights[path][..., None].expand(-1, -1, widths[path]) for path in paths], dim=2)
            begin += dimension
            of_atoms = []
            for near, place, r, w in zip(neighbours, places, response.split(counts), weight.split(counts)):
                factors = r[:, None] * w[:, :, None]  # edge, u, d, D
                sums = factors.new_zeros(len(near), *factors.shape[1:]).index_add_(0, place, factors)
                of_atoms.append(sums.permute(1, 3, 0, 2).flatten(2))
            kernels.append(of_atoms)
        return list(neighbours), kernels

    def forward(self, data: dict) -> dict:
        if KERNELS not in data:
            return self.plain(data)
        plain, x, embedding = self.plain, data[KEY.NODE_FEATURE], data[KEY.EDGE_EMBEDDING]
        # Both directions of an edge have the same length.
        weight = plain.weight_nn(embedding[: len(embedding) // 2]).repeat(2, 1)
        targets, sources = data[KEY.EDGE_IDX]
        messages = plain.convolution(x.index_select(0, sources), data[KEY.EDGE_ATTR], weight)
        out = self._of_framework(x, *data[KERNELS][self.name]).index_add_(0, targets, messages)
        data[KEY.NODE_FEATURE] = out / plain.denominator
        return data

    def _of_framework(self, x: Tensor, neighbours: list[Tensor], kernels: list[list[Tensor]]) -> Tensor:
        """(B N, outputs) sums of the messages along all edges of the framework."""
        blocks = {}
        for (channels, dimension), where, paths, of_atoms in zip(self._inputs, self._slices, self._paths, kernels):
            features = x[:, where].reshape(-1, len(neighbours), channels, dimension).permute(2, 1, 3, 0).contiguous()
            sums = [
                torch.bmm(kernel, features.index_select(1, near).flatten(1, 2))  # u, D, B
                for near, kernel in zip(neighbours, of_atoms)
            ]
            sums = torch.stack(sums).permute(3, 0, 1, 2).flatten(0, 1)  # B N, u, D
            widths = [self._outputs[path][1] for path in paths]
            blocks |= {path: block.flatten(1) for path, block in zip(paths, sums.split(widths, dim=2))}
        return torch.cat([blocks[path] for path in sorted(blocks)], dim=1)
