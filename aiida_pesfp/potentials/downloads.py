"""Published weights that are fetched by name: pinned by their hashes, cached, and resumed after an interruption."""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiida_pesfp.errors import PotentialError

#: Environment variables: folder of the cache, and base URL of a mirror with the files ``NAME/FILE`` of all weights.
CACHE, MIRROR = 'PESFP_CACHE', 'PESFP_WEIGHTS_URL'
#: Seconds to wait for a connection and between two packets.
_TIMEOUT = (5, 30)


@dataclass(frozen=True)
class Download:
    """Published weights.

    :param name: what users call them.
    :param url: folder of the files.
    :param files: name of each file -> its SHA-256.
    :param size: of all files, bytes.
    :param licence: SPDX identifier of the licence of the weights.
    """

    name: str
    url: str
    files: Mapping[str, str]
    size: int
    licence: str

    def fetch(self) -> Path:
        """The folder of the weights in the cache; what is missing or damaged there is downloaded.

        :raises PotentialError: if a file cannot be downloaded or has another hash.
        """
        import pooch
        from requests import RequestException

        folder = Path(os.environ.get(CACHE) or pooch.os_cache('aiida-pesfp')) / self.name
        present = (folder / file for file in self.files if (folder / file).is_file())
        if {path.name: pooch.file_hash(str(path)) for path in present} == self.files:
            return folder
        mirror = os.environ.get(MIRROR)
        url = f'{mirror.rstrip("/")}/{self.name}' if mirror else self.url
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(folder / '.lock', 'w') as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be fetching the same
                for file, digest in self.files.items():
                    resuming = partial(_resume, folder / f'{file}.part')
                    pooch.retrieve(f'{url}/{file}', f'sha256:{digest}', file, folder, downloader=resuming)
        except (RequestException, OSError, ValueError) as error:  # pooch reports a wrong hash as a ValueError
            raise PotentialError(
                f'the weights {self.name} ({self.size / 1e6:.1f} MB) could not be downloaded from {url} to {folder}: '
                f'{error}. Run the same command again to resume. Without a network, copy {", ".join(self.files)} to a '
                f'folder and give that: `aiida-pesfp potential install {self.name} --from FOLDER`, or `--potential '
                f'FOLDER` of a program. ${MIRROR} names a mirror'
            ) from error
        return folder


def _resume(part: Path, url: str, output_file: str, pooch: object) -> None:
    """A downloader for pooch that resumes the download of which ``part`` has the beginning, if the server can."""
    import requests
    from tqdm import tqdm

    begin = part.stat().st_size if part.is_file() else 0
    headers = {'Accept-Encoding': 'identity'} | ({'Range': f'bytes={begin}-'} if begin else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()  # it is no shorter than the file of the server
            return _resume(part, url, output_file, pooch)
        response.raise_for_status()
        if not response.headers.get('Content-Range', '').startswith(f'bytes {begin}-'):
            begin = 0  # the server sends all of it
        total = begin + int(response.headers.get('Content-Length', 0)) or None
        # disable=None: no bar where standard error is not a terminal
        bar = tqdm(desc=part.stem, total=total, initial=begin, unit='B', unit_scale=True, disable=None)
        with bar, open(part, 'ab' if begin else 'wb') as stream:
            for chunk in response.iter_content(1 << 16):
                bar.update(stream.write(chunk))
    part.replace(output_file)
