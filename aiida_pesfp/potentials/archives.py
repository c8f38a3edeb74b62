"""What lies in an archive of torch or numpy, read without torch and without running anything in it."""

import pickletools
import zipfile
import zlib
from pathlib import Path

from aiida_pesfp.errors import PotentialError

#: Largest pickle that is read, bytes: without its tensors, a checkpoint has less than 1 MB.
_LARGEST = 64 << 20


def names_in(path: Path) -> frozenset[str]:
    """Names of the members of an archive, and of torch's also the strings in its pickle, such as keys of dictionaries.

    :returns: no names for a folder or any other file.
    :raises PotentialError: if the file begins as an archive but is damaged.
    """
    if not path.is_file():
        return frozenset()
    with open(path, 'rb') as stream:
        if stream.read(4) != b'PK\x03\x04':
            return frozenset()
    try:
        with zipfile.ZipFile(path) as archive:  # its directory stands at the end, so a truncated file has none
            names = frozenset(archive.namelist())
            pickles = [entry for entry in archive.infolist() if entry.filename.endswith('/data.pkl')]
            if len(pickles) != 1 or pickles[0].file_size > _LARGEST:
                return names
            operations = pickletools.genops(archive.read(pickles[0]))
            return names.union(argument for _, argument, _ in operations if isinstance(argument, str))
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError) as error:
        raise PotentialError(f'{path} is damaged ({path.stat().st_size} bytes; {error}): fetch it again') from error
