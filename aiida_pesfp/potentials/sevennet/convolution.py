"""The convolution of a SevenNet, with the edges of the frozen framework summed once.

A message is linear in the features of the atom that sends it. Its factors depend on the edge alone, and edges between
atoms that do not move do not change. So we sum their factors once for each pair of atoms, over all periodic images.
Then all messages in the framework are one matrix product per kind of feature for a whole batch, however many edges a
pair of atoms has.
"""

import sevenn._keys as KEY
import torch
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
        self._outputs = product.irreps_out.slices()
        # Each path leads from one kind of input features to an output block of its own.
        self._paths = [
            [path.i_out for path in product.instructions if path.i_in1 == kind] for kind in range(len(self._inputs))
        ]

    def kernels(self, data: dict) -> list[Tensor]:
        """For each kind of input features, the (u, N d, N D) matrices of its u channels from N atoms to N atoms.

        :param data: the framework's edges with their embedding. d is the dimension of the features, D that of all
            outputs that they contribute to.
        """
        product, (targets, sources) = self.plain.convolution, data[KEY.EDGE_IDX]
        weight = self.plain.weight_nn(data[KEY.EDGE_EMBEDDING])
        number, kernels = len(data[KEY.ATOMIC_NUMBERS]), []
        for (channels, dimension), where, paths in zip(self._inputs, self._slices, self._paths):
            columns = []
            for component in range(dimension):
                # The response to one component in all channels at once, as they do not mix.
                x = weight.new_zeros(len(weight), product.irreps_in1.dim)
                x[:, where.start + component : where.stop : dimension] = 1
                messages = product(x, data[KEY.EDGE_ATTR], weight)
                blocks = [messages[:, self._outputs[path]].unflatten(1, (channels, -1)) for path in paths]
                messages = torch.cat(blocks, dim=2)
                sums = messages.new_zeros(number * number, *messages.shape[1:])
                columns.append(sums.index_add_(0, sources * number + targets, messages))
            kernel = torch.stack(columns).unflatten(1, (number, number))  # d, source, target, u, D
            kernels.append(kernel.permute(3, 1, 0, 2, 4).reshape(channels, number * dimension, -1).contiguous())
        return kernels

    def forward(self, data: dict) -> dict:
        if KERNELS not in data:
            return self.plain(data)
        plain, x, embedding = self.plain, data[KEY.NODE_FEATURE], data[KEY.EDGE_EMBEDDING]
        # Both directions of an edge have the same length.
        weight = plain.weight_nn(embedding[: len(embedding) // 2]).repeat(2, 1)
        targets, sources = data[KEY.EDGE_IDX]
        messages = plain.convolution(x.index_select(0, sources), data[KEY.EDGE_ATTR], weight)
        out = self._of_framework(x, data[KERNELS][self.name]).index_add_(0, targets, messages)
        data[KEY.NODE_FEATURE] = out / plain.denominator
        return data

    def _of_framework(self, x: Tensor, kernels: list[Tensor]) -> Tensor:
        """(B N, outputs) sums of the messages along all edges of the framework."""
        blocks = {}
        for (channels, dimension), where, paths, kernel in zip(self._inputs, self._slices, self._paths, kernels):
            number = kernel.shape[1] // dimension
            features = x[:, where].reshape(-1, number, channels, dimension)
            features = features.permute(2, 0, 1, 3).reshape(channels, -1, number * dimension)
            sums = torch.bmm(features, kernel).unflatten(2, (number, -1)).flatten(1, 2).transpose(0, 1)
            widths = [(self._outputs[path].stop - self._outputs[path].start) // channels for path in paths]
            blocks |= {path: block.flatten(1) for path, block in zip(paths, sums.split(widths, dim=2))}
        return torch.cat([blocks[path] for path in sorted(blocks)], dim=1)
