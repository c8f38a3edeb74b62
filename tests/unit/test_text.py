"""Encodings and compression."""

import bz2
import gzip
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_pesfp import text
from aiida_pesfp.text import decode, read_text

WORDS = 'data_Müller\nLi 0.5\n'


@pytest.mark.parametrize(
    'encoding',
    ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be', 'utf-32', 'latin-1'],
)
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_encodings_and_ends_of_lines(encoding, end):
    assert decode(WORDS.replace('\n', end).encode(encoding)) == WORDS


def test_the_dash_of_excel():
    assert decode('1,2E\u201304 \u00e4\n'.encode('cp1252')) == '1,2E\u201304 \u00e4\n'
    assert decode(b'\x81\xe4') == '\ufffd\u00e4'  # no character of Windows


@given(words=st.text(st.characters(exclude_characters='\0\r', exclude_categories=['Cs'])))
def test_any_text_in_utf_8_comes_back(words):
    assert decode(b'\xef\xbb\xbf' + words.encode()) == words
    if not words.startswith('\ufeff'):
        assert decode(words.encode()) == words


@pytest.mark.parametrize('data', [b'ab\0\0\0c', b'\xff\xfea', bytes(64), b'\x7fELF\x02\x01\x01' + bytes(9)])
def test_what_is_not_text_is_told(data):
    with pytest.raises(ValueError, match='not text'):
        decode(data)


@pytest.mark.parametrize(('ending', 'library'), [('.gz', gzip), ('.BZ2', bz2), ('.xz', lzma)])
def test_compressed_files(tmp_path, ending, library, monkeypatch):
    compress = library.compress
    path = tmp_path / f'a.cif{ending}'
    path.write_bytes(compress(WORDS.encode()))
    assert read_text(path) == WORDS
    assert read_text(path.rename(tmp_path / 'a.cif')) == WORDS  # browsers change names
    path.write_bytes(compress(WORDS.encode())[:-6])
    with pytest.raises(ValueError, match='damaged'):
        read_text(path)
    path.write_bytes(WORDS.encode())
    with pytest.raises(ValueError, match='damaged'):
        read_text(path)
    monkeypatch.setattr(text, 'LARGEST', 10)
    path.write_bytes(compress(bytes(10**6)))
    with pytest.raises(ValueError, match='larger than'):
        read_text(path)
