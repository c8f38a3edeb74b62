"""What lies in an archive of torch or numpy, read without torch and without running anything in it."""

from __future__ import annotations

import pickletools
import zipfile
import zlib
from pathlib import Path

from aiida_pesfp.errors import PotentialError

_ZIP_BEGIN = b'PK\x03\x04'
#: Largest pickle that is read, bytes: without its tensors, a checkpoint has less than 1 MB.
_LARGEST = 64 << 20


def members(path: Path) -> list[str]:
    """Names of the members of a ZIP archive, which is what torch and numpy write; none for any other file or a folder.

    :raises PotentialError: if the file begins as an archive but is damaged.
    """
    if not path.is_file():
        return []
    with open(path, 'rb') as stream:
        if stream.read(len(_ZIP_BEGIN)) != _ZIP_BEGIN:
            return []
    try:
        with zipfile.ZipFile(path) as archive:  # its directory stands at the end, so a truncated file has none
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise _damaged(path, error) from error


def strings_of(path: Path) -> frozenset[str]:
    """The strings in the pickle of a torch archive, such as the keys of its dictionaries; none for any other file.

    :raises PotentialError: if the archive is damaged.
    """
    pickles = [name for name in members(path) if name.endswith('/data.pkl')]
    if len(pickles) != 1:
        return frozenset()
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(pickles[0]).file_size > _LARGEST:
                return frozenset()
            operations = pickletools.genops(archive.read(pickles[0]))
            return frozenset(argument for _, argument, _ in operations if isinstance(argument, str))
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> PotentialError:
    return PotentialError(f'{path} is damaged ({path.stat().st_size} bytes; {error}): fetch it again')
