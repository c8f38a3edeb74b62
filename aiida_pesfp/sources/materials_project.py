"""Structures of the Materials Project, through its client mp-api (extra ``mp``)."""

import os
import warnings
from collections.abc import Iterator

import requests

from aiida_pesfp.crystals.documents import from_document
from aiida_pesfp.errors import SourceError, one_line
from aiida_pesfp.sources.entry import Entry

ENDPOINT = 'https://api.materialsproject.org/'
FIELDS = ['material_id', 'structure', 'band_gap', 'energy_above_hull']
KEY = 'MP_API_KEY'
_PAGE = 200


def query_materials_project(
    limit: int | None = None, endpoint: str = ENDPOINT, timeout: float = 30.0, **criteria
) -> Iterator[Entry]:
    """The structures that meet some criteria. The environment variable ``MP_API_KEY`` must hold the key.

    :param limit: largest number of structures.
    :param timeout: of each request, s.
    :param criteria: of mp-api's ``SummaryRester.search``, such as ``elements`` or ``band_gap``.
    :raises SourceError: if the extra is missing, the key is wrong or the answer is invalid.
    """
    documents, version = _search(limit, endpoint, timeout, criteria)
    for document in documents:
        if not isinstance(document, dict) or not document.get('material_id'):
            yield Entry('materials_project', '?', error=f'is not a document of the database: {str(document)[:80]}')
            continue
        identifier = document['material_id']
        yield Entry.from_answer(
            'materials_project',
            identifier,
            lambda document=document: from_document(document),
            {name: document.get(name) for name in ('band_gap', 'energy_above_hull')},
            database='Materials Project',
            database_version=version,
            url=f'https://next-gen.materialsproject.org/materials/{identifier}',
        )


def _search(limit: int | None, endpoint: str, timeout: float, criteria: dict) -> tuple[list[dict], str]:
    """The documents found, and the version of the database."""
    try:
        from mp_api.client.core.exceptions import MPRestError
        from mp_api.client.routes.materials.summary import SummaryRester
    except ImportError as error:
        raise SourceError("the client of the Materials Project is missing: pip install 'aiida-pesfp[mp]'") from error
    key = os.environ.get(KEY)
    if not key:
        raise SourceError(f'no key for the Materials Project: get one on its web page, then export {KEY}=...')
    endpoint = endpoint.rstrip('/') + '/'
    version = _version(endpoint, timeout)
    chunks = {} if limit is None else {'chunk_size': min(limit, _PAGE), 'num_chunks': -(-limit // _PAGE)}
    try:
        with warnings.catch_warnings(action='ignore'):
            # MPRester does not pass on the timeout.
            rester = SummaryRester(key, endpoint, use_document_model=False, mute_progress_bars=True, timeout=timeout)
            with rester:
                documents = rester.search(**criteria, fields=FIELDS, **chunks)
    except (MPRestError, requests.RequestException) as error:
        text = one_line(error, 300)
        if any(code in text for code in ('401', '403', 'API key')):
            raise SourceError(f'the Materials Project refuses the key in {KEY}: {text}') from error
        raise SourceError(f'the Materials Project at {endpoint} does not answer the query: {text}') from error
    except Exception as error:  # mp-api does not check the answer
        text = f'{type(error).__name__}: {error}'
        raise SourceError(f'the Materials Project at {endpoint} sends an unreadable answer: {text}') from error
    return documents[:limit], version


def _version(endpoint: str, timeout: float) -> str:
    """Version of the database. This comes first, because the client would wait for an answer for ever."""
    try:
        answer = requests.get(f'{endpoint}heartbeat', timeout=timeout)
        answer.raise_for_status()
        return str(answer.json()['db_version'])
    except requests.Timeout as error:
        text = f'has not answered within {timeout:g} s: try again later'
        raise SourceError(f'the Materials Project at {endpoint} {text}') from error
    except (requests.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f'the server at {endpoint} is not the Materials Project: no db_version') from error
    except requests.RequestException as error:
        raise SourceError(f'the Materials Project at {endpoint} cannot be reached: {error}') from error
