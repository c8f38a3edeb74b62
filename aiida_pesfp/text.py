"""Text of files as people have them: compressed or not, in whatever encoding."""

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

#: Endings of compressed files.
COMPRESSIONS = {'.gz': gzip.open, '.bz2': bz2.open, '.xz': lzma.open}
#: Most bytes that are read of one file, after decompression: a bomb of a few kB holds more.
LARGEST = 256 * 2**20
_COMPRESSED = {b'\x1f\x8b\x08': '.gz', b'BZh': '.bz2', b'\xfd7zXZ\0': '.xz'}
_MARKS = {
    codecs.BOM_UTF8: 'utf-8-sig',
    codecs.BOM_UTF32_LE: 'utf-32',  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: 'utf-32',
    codecs.BOM_UTF16_LE: 'utf-16',
    codecs.BOM_UTF16_BE: 'utf-16',
}


def read_text(path: Path) -> str:
    """The text of a file, decompressed, with ``\\n`` at the end of each line.

    :raises OSError: if the file cannot be read.
    :raises ValueError: if it is too large, damaged or not text.
    """
    with _opener(path)(path, 'rb') as stream:
        try:
            data = stream.read(LARGEST + 1)
        except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
            raise ValueError(f'the compressed file is damaged ({error})') from error
    if len(data) > LARGEST:
        raise ValueError(f'the file is larger than {LARGEST >> 20} MiB: split it')
    return decode(data)


def _opener(path: Path) -> Callable:
    """What opens a file: browsers leave files compressed whose names do not say so."""
    with open(path, 'rb') as stream:
        beginning = stream.read(8)
    known = (COMPRESSIONS[ending] for mark, ending in _COMPRESSED.items() if beginning.startswith(mark))
    return next(known, COMPRESSIONS.get(path.suffix.lower(), open))


def decode(data: bytes) -> str:
    """Text in UTF-8, UTF-16 or UTF-32, with or without a mark, else in that of Windows; ``\\n`` ends each line.

    :raises ValueError: if it is not text.
    """
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    if encoding is None and b'\0' in data[:100]:  # every other byte of plain words in UTF-16
        encoding = 'utf-16-le' if b'\0' in data[1:100:2] else 'utf-16-be'
    try:
        text = data.decode(encoding or 'utf-8')
    except UnicodeDecodeError:
        if encoding is not None:
            raise ValueError(f'the file is not text in {encoding.upper()}, as its beginning says') from None
        text = data.decode('cp1252', errors='replace')
    if '\0' in text:
        raise ValueError('the file is not text')
    return text.replace('\r\n', '\n').replace('\r', '\n')


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters: of a longer one, the beginning and the end."""
    return text if len(text) <= most else f'{text[: most // 2 - 3]} ... {text[-(most // 2 - 2) :]}'
