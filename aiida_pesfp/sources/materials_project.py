"""Structures of the Materials Project, through its own client mp-api (extra ``mp``)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

import requests
from pymatgen.core import Structure

from aiida_pesfp.errors import SourceError, UnreadableStructure
from aiida_pesfp.sources.entry import Entry, number

ENDPOINT = 'https://api.materialsproject.org/'
FIELDS = ['material_id', 'structure', 'band_gap', 'energy_above_hull']
KEY = 'MP_API_KEY'
_PAGE = 200


def query_materials_project(
    limit: int | None = None, endpoint: str = ENDPOINT, timeout: float = 30.0, **criteria
) -> Iterator[Entry]:
    """The structures that meet some criteria; the key to the interface is taken from the environment.

    :param limit: most structures.
    :param endpoint: address of the interface.
    :param timeout: s, of each request.
    :param criteria: of mp-api's ``SummaryRester.search``, such as ``elements`` or ``band_gap``.
    :raises SourceError: if the extra is missing, the key is wrong, or there is no sensible answer.
    """
    documents, version = _search(limit, endpoint, timeout, criteria)
    for document in documents:
        if not isinstance(document, dict) or not document.get('material_id'):
            yield Entry('materials_project', '?', error=f'is not a document of the database: {str(document)[:80]}')
            continue
        identifier = document['material_id']
        try:
            known = {name: number(document.get(name), name) for name in ('band_gap', 'energy_above_hull')}
        except UnreadableStructure as error:
            yield Entry('materials_project', identifier, error=str(error))
            continue
        yield Entry.from_answer(
            lambda document=document: Structure.from_dict(document['structure']),
            'materials_project',
            identifier,
            database='Materials Project',
            database_version=version,
            url=f'https://next-gen.materialsproject.org/materials/{identifier}',
            **known,
        )


def _search(limit: int | None, endpoint: str, timeout: float, criteria: dict) -> tuple[list[dict], str]:
    """The documents that are found, and the version of the database."""
    try:
        from mp_api.client.core.exceptions import MPRestError
        from mp_api.client.routes.materials.summary import SummaryRester
    except ImportError as error:
        raise SourceError("the client of the Materials Project is missing: pip install 'aiida-pesfp[mp]'") from error
    key = os.environ.get(KEY)
    if not key:
        raise SourceError(f'no key to the Materials Project: get one at its web page, then export {KEY}=...')
    endpoint = endpoint.rstrip('/') + '/'
    version = _version(endpoint, timeout)
    chunks = {} if limit is None else {'chunk_size': min(limit, _PAGE), 'num_chunks': -(-limit // _PAGE)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            # Not through MPRester, which does not pass a timeout on.
            rester = SummaryRester(key, endpoint, use_document_model=False, mute_progress_bars=True, timeout=timeout)
            with rester:
                documents = rester.search(**criteria, fields=FIELDS, **chunks)
    except (MPRestError, requests.RequestException) as error:
        text = ' '.join(str(error).split())[:300]
        if any(code in text for code in ('401', '403', 'API key')):
            raise SourceError(f'the Materials Project refuses the key in {KEY}: {text}') from error
        raise SourceError(f'the Materials Project at {endpoint} does not answer the query: {text}') from error
    except Exception as error:  # mp-api does not check what it gets
        raise SourceError(
            f'the Materials Project at {endpoint} sends what its client cannot read: {type(error).__name__}: {error}'
        ) from error
    return documents[:limit], version


def _version(endpoint: str, timeout: float) -> str:
    """Version of the database. Asked first and here, as the client would wait for an answer for ever."""
    try:
        answer = requests.get(f'{endpoint}heartbeat', timeout=timeout)
        answer.raise_for_status()
        return str(answer.json()['db_version'])
    except requests.Timeout as error:
        raise SourceError(
            f'the Materials Project at {endpoint} has not answered within {timeout:g} s: try again later'
        ) from error
    except requests.JSONDecodeError as error:
        raise SourceError(f'what answers at {endpoint} is not the Materials Project: no JSON') from error
    except requests.RequestException as error:
        raise SourceError(f'the Materials Project at {endpoint} cannot be reached: {error}') from error
    except (KeyError, TypeError) as error:
        raise SourceError(f'what answers at {endpoint} is not the Materials Project: no db_version') from error
