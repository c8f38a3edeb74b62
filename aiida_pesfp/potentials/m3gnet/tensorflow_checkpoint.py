"""Tensors from a TensorFlow checkpoint, without TensorFlow.

A checkpoint is a table of sorted strings (``NAME.index``, the format of LevelDB) whose values say where in
``NAME.data-00000-of-00001`` the bytes of each tensor lie. Only what published weights need is read: uncompressed
blocks, one data file, single-precision tensors.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
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
    data = Path(f'{prefix}.data-00000-of-00001').read_bytes()
    tensors = {}
    for key, value in _entries_of_table(Path(f'{prefix}.index').read_bytes()):
        name = key.decode()
        entry = dict(_fields(value))
        if not name.endswith(_SUFFIX) or entry.get(1) != _FLOAT:
            continue
        shape = [dict(_fields(dimension)).get(1, 0) for field, dimension in _fields(entry.get(2, b'')) if field == 2]
        begin, size = entry.get(4, 0), entry.get(5, 0)
        if size != 4 * int(np.prod(shape)) or begin + size > len(data):
            raise ValueError(f'the tensor {name} is not whole')
        tensors[name.removesuffix(_SUFFIX)] = np.frombuffer(data, '<f4', size // 4, begin).reshape(shape)
    return tensors


def _entries_of_table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(table) < _FOOTER_SIZE or struct.unpack('<Q', table[-8:])[0] != _MAGIC:
        raise ValueError('the index is truncated or no TensorFlow checkpoint')
    footer = table[-_FOOTER_SIZE:]
    _, at = _handle(footer, 0)  # of meta data, of which there are none
    index, _ = _handle(footer, at)
    for _, value in _entries_of_block(table, *index):
        yield from _entries_of_block(table, *_handle(value, 0)[0])


def _entries_of_block(table: bytes, begin: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys share a prefix with the key before, of which only the rest is written."""
    if table[begin + size] != _UNCOMPRESSED:
        raise ValueError('the index is compressed')
    block = table[begin : begin + size]
    restarts = struct.unpack('<I', block[-4:])[0]
    at, end, key = 0, size - 4 * (restarts + 1), b''
    while at < end:
        shared, at = _varint(block, at)
        unshared, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        yield key, block[at : at + length]
        at += length


def _handle(content: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = _varint(content, at)
    size, at = _varint(content, at)
    return (offset, size), at


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of the fields of a protocol buffer message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
        elif wire == 2:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        elif wire == 5:
            value, at = message[at : at + 4], at + 4
        else:
            raise ValueError(f'unexpected wire type {wire} in the index')
        yield number, value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, the lowest first, and the place after it."""
    value = shift = 0
    while True:
        if at >= len(content):
            raise ValueError('the index is truncated')
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
