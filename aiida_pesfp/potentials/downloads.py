"""Published weights that are fetched by name: compared with their hashes, cached, and resumed after an interruption."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiida_pesfp.errors import PotentialError

#: Environment variables: folder of the cache, and base URL of a mirror with the files ``NAME/FILE`` of all weights.
CACHE, MIRROR = 'PESFP_CACHE', 'PESFP_WEIGHTS_URL'
#: Seconds to wait for a connection and between two packets.
_TIMEOUT = (5, 30)
#: File of the cache with the SHA-256 of files that no catalogue has and that a user has confirmed.
_CONFIRMED = 'SHA256SUMS'
#: How files of torch begin, as archives or older ones, by what follows their last dot.
_TORCH, _OF_TORCH = (b'PK\x03\x04', b'\x80'), ('.pt', '.pth', '.ckpt', '.model')


@dataclass(frozen=True)
class Download:
    """Published weights.

    :param name: what users call them.
    :param url: folder of the files.
    :param files: name of each file -> its SHA-256; None if that is not known.
    :param megabytes: size of all files, if known.
    """

    name: str
    url: str
    files: Mapping[str, str | None]
    megabytes: float | None = None

    @property
    def folder(self) -> Path:
        """Where they lie in the cache."""
        import pooch

        return Path(os.environ.get(CACHE) or pooch.os_cache('aiida-pesfp')) / self.name

    def fetch(self) -> Path:
        """The folder of the weights in the cache; what is missing or damaged there is downloaded.

        Files without a known SHA-256 must be confirmed before anybody uses them (:meth:`confirm`).

        :raises PotentialError: if a file cannot be downloaded, has another hash or is no weights.
        """
        import pooch
        from requests import RequestException

        folder, expected = self.folder, self._expected()
        present = {file: sha256_of([folder / file]) for file in self.files if (folder / file).is_file()}
        if all(file in present and expected[file] in (None, present[file]) for file in self.files):
            return folder
        mirror = os.environ.get(MIRROR)
        url = f'{mirror.rstrip("/")}/{self.name}' if mirror else self.url
        pooch.get_logger().setLevel('WARNING')  # else it advises to put hashes into a program
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(folder / '.lock', 'w') as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be fetching the same
                for file, digest in expected.items():
                    resuming = partial(_resume, folder / f'{file}.part')
                    pooch.retrieve(f'{url}/{file}', digest and f'sha256:{digest}', file, folder, downloader=resuming)
        except (RequestException, OSError, ValueError) as error:  # pooch reports a wrong hash as a ValueError
            size = f' ({self.megabytes:.1f} MB)' if self.megabytes else ''
            place = 'FOLDER' if len(self.files) > 1 else 'FILE'
            raise PotentialError(
                f'the weights {self.name}{size} could not be downloaded from {url} to {folder}: {error}. Run the same '
                f'command again to resume. Without a network, copy {", ".join(self.files)} to this machine and give '
                f'that: `aiida-pesfp potential install {self.name} --from {place}`. ${MIRROR} names a mirror'
            ) from error
        return folder

    def confirm(self, sha256: str | None) -> None:
        """Compare fetched files whose SHA-256 is not known with the one that a user gives, and remember that.

        :param sha256: of the file; of several, that of the lines of their names and hashes (:func:`sha256_of`).
        :raises PotentialError: if it is another, or is not given and was not before.
        """
        if None not in self._expected().values():
            return
        found = sha256_of([self.folder / file for file in self.files])
        if sha256 is None:
            raise PotentialError(
                f'nobody has told the SHA-256 of {self.name}, so that the download cannot be verified: it has {found}, '
                f'lies in {self.folder}, and is published at {self.url}. If that states the same, or you trust it, run '
                f'`aiida-pesfp potential install {self.name} --sha256 {found}` once'
            )
        if sha256 != found:
            raise PotentialError(
                f'the weights {self.name} in {self.folder} have the SHA-256 {found}, not {sha256}: delete that folder '
                'to fetch them again, or give theirs'
            )
        (self.folder / _CONFIRMED).write_text(_listing(self.folder / file for file in self.files))

    def _expected(self) -> dict[str, str | None]:
        """SHA-256 of each file, if it is known or confirmed."""
        told = self.folder / _CONFIRMED
        lines = [line.split('  ', 1) for line in told.read_text().splitlines()] if told.is_file() else []
        confirmed = {name: digest for digest, name in lines}
        return {file: digest or confirmed.get(file) for file, digest in self.files.items()}


def sha256_of(files: Iterable[Path]) -> str:
    """SHA-256 of one file; of several, that of what ``sha256sum`` prints for them, by name and wherever they lie."""
    files = sorted(files)
    if len(files) > 1:
        return hashlib.sha256(_listing(files).encode()).hexdigest()
    with open(files[0], 'rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def _listing(files: Iterable[Path]) -> str:
    return ''.join(f'{sha256_of([file])}  {file.name}\n' for file in sorted(files))


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
    _check_content(Path(output_file), part.stem, url)


def _check_content(path: Path, name: str, url: str) -> None:
    """:raises ValueError: if a file is what servers send in the place of weights."""
    with open(path, 'rb') as stream:
        head = stream.read(64)
    if head.lstrip().startswith((b'<', b'version https://git-lfs')):
        raise ValueError(f'{url} sent a page or a pointer in the place of {name}')
    if name.endswith(_OF_TORCH) and not head.startswith(_TORCH):
        raise ValueError(f'{url} sent something that is no file of torch in the place of {name}: {head[:20]!r}')
    if name.endswith('.json'):
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            raise ValueError(f'{url} sent something that is no JSON in the place of {name}: {error}') from error
