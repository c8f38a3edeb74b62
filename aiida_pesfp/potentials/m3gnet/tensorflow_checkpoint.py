"""Tensors from a TensorFlow checkpoint, without TensorFlow.

A checkpoint is a table of sorted strings (``NAME.index``, the format of LevelDB). Its values say where the bytes of
each tensor are in ``NAME.data-00000-of-00001``. This reader knows what published weights need: uncompressed blocks, one
data file, single-precision tensors.
"""

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

_MAGIC = 0xDB4775248B80FB57
_FOOTER_SIZE, _UNCOMPRESSED = 48, 0
_FLOAT = 1  # tensorflow.DataType.DT_FLOAT
_SUFFIX = '/.ATTRIBUTES/VARIABLE_VALUE'


def read_tensors(prefix: Path) -> dict[str, np.ndarray]:
    """All single-precision variables of a checkpoint by their names in the object graph.

    :param prefix: path of the files without ``.index`` and ``.data-00000-of-00001``.
    :raises ValueError: if the files are truncated or of another form.
    :raises OSError: if there are none.
    """
    data, table = Path(f'{prefix}.data-00000-of-00001').read_bytes(), Path(f'{prefix}.index').read_bytes()
    if len(table) < _FOOTER_SIZE or struct.unpack('<Q', table[-8:])[0] != _MAGIC:
        raise ValueError('the index is truncated or no TensorFlow checkpoint')
    footer, tensors = BytesIO(table[-_FOOTER_SIZE:]), {}
    for _ in range(2):
        _varint(footer)  # place and size of meta data, of which there are none
    for _, block in _entries(table, footer):
        for key, value in _entries(table, BytesIO(block)):
            name, entry = key.decode(), dict(_fields(value))
            if not name.endswith(_SUFFIX) or entry.get(1) != _FLOAT:
                continue
            shape = [dict(_fields(size)).get(1, 0) for field, size in _fields(entry.get(2, b'')) if field == 2]
            begin, size = entry.get(4, 0), entry.get(5, 0)
            if size != 4 * int(np.prod(shape)) or begin + size > len(data):
                raise ValueError(f'the tensor {name} is not whole')
            tensors[name.removesuffix(_SUFFIX)] = np.frombuffer(data, '<f4', size // 4, begin).reshape(shape)
    return tensors


def _entries(table: bytes, handle: BytesIO) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the block whose place and size come next in ``handle``."""
    begin, size = _varint(handle), _varint(handle)
    if table[begin + size] != _UNCOMPRESSED:
        raise ValueError('the index is compressed')
    restarts = struct.unpack('<I', table[begin + size - 4 : begin + size])[0]
    block, key = BytesIO(table[begin : begin + size - 4 * (restarts + 1)]), b''
    while block.tell() < len(block.getbuffer()):
        shared, unshared, length = _varint(block), _varint(block), _varint(block)
        key = key[:shared] + block.read(unshared)  # only the part that differs from the key before is written
        yield key, block.read(length)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of the fields of a protocol buffer message."""
    stream = BytesIO(message)
    while stream.tell() < len(message):
        number, wire = divmod(_varint(stream), 8)
        if wire not in (0, 2, 5):
            raise ValueError(f'unexpected wire type {wire} in the index')
        value = 4 if wire == 5 else _varint(stream)
        yield number, value if wire == 0 else stream.read(value)


def _varint(stream: BytesIO) -> int:
    """An integer of seven bits a byte, the lowest first."""
    value = shift = 0
    while byte := stream.read(1):
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return value
        if shift > 63:
            break
    raise ValueError('the index is truncated')
