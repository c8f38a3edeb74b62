"""Structures of any provider of OPTIMADE (https://www.optimade.org), through its client (extra ``optimade``)."""

from collections.abc import Iterator
from functools import reduce

from aiida_pesfp.crystals.optimade import FIELDS, from_optimade
from aiida_pesfp.errors import SourceError, one_line
from aiida_pesfp.sources.entry import Entry

_MISSING = "the client of OPTIMADE is missing: pip install 'aiida-pesfp[optimade]'"


def query_optimade(
    provider: str,
    query: str,
    limit: int | None = None,
    timeout: float = 30.0,
    band_gap_field: str | None = None,
    energy_above_hull_field: str | None = None,
) -> Iterator[Entry]:
    """The structures of a provider that match a filter.

    If a provider fails in between, the structures before the failure are yielded before the error is raised.

    :param provider: base URL, or identifier in the list of providers, such as ``cod``.
    :param query: filter in OPTIMADE's language.
    :param limit: largest number of structures; ``timeout`` (s) is that of each request.
    :param band_gap_field: the provider's field of the band gap (eV); dots separate the names of nested fields. The
        other one is that of the energy above hull (eV/atom).
    :raises SourceError: if the extra is missing, the provider is unknown or the answer is invalid.
    """
    fields = {'band_gap': band_gap_field, 'energy_above_hull': energy_above_hull_field}
    wanted = [*FIELDS, *(path.split('.')[0] for path in fields.values() if path)]
    left = 10**6 if limit is None else limit
    for address in _addresses(provider):
        if left == 0:
            return
        pages, errors = _ask(address, query, wanted, left, timeout)
        for page in pages:
            for document in page['data'] if isinstance(page['data'], list) else []:
                if left == 0:
                    return
                left -= 1
                yield _entry(document, page['meta'], address, fields)
        if errors:
            raise SourceError(f'the provider at {address}: {"; ".join(errors)[:400]}')


def _addresses(provider: str) -> list[str]:
    """Base URLs of the databases of a provider."""
    if provider.startswith(('http://', 'https://')):
        return [provider]
    try:
        from optimade.utils import get_all_databases

        found = list(get_all_databases(include_providers={provider}))
    except ImportError as error:
        raise SourceError(_MISSING) from error
    except Exception as error:
        raise SourceError(f'the list of providers is not available ({error}): give a base URL') from error
    if not found:
        way_out = 'give an identifier of https://providers.optimade.org, or a base URL'
        raise SourceError(f'no provider {provider!r} is known, or it does not answer: {way_out}')
    return found


def _ask(address: str, query: str, fields: list[str], limit: int, timeout: float) -> tuple[list[dict], list[str]]:
    """The pages of the answer, and the errors."""
    try:
        from optimade.client import OptimadeClient
    except ImportError as error:
        raise SourceError(_MISSING) from error
    pages = []
    # The client discards all pages if a later one fails, so we keep every page.
    options = {'callbacks': [lambda _, page: pages.append(page)], 'max_attempts': 2, 'use_async': False, 'silent': True}
    client = OptimadeClient(address, max_results_per_provider=limit, http_timeout=timeout, **options)
    try:
        answer = client.get(query, 'structures', response_fields=fields)
    except RuntimeError as error:
        raise SourceError(f'{query!r} is not a filter of OPTIMADE: {error}') from error
    errors = [_plain(error) for result in answer['structures'][query].values() for error in result['errors']]
    if not errors and not all(isinstance(page['data'], list) for page in pages):
        errors = ['the answer has no list of structures']
    return pages, errors


def _plain(error) -> str:
    text = one_line(error, 400)
    if 'timed out' in text or 'Timeout' in text:
        return f'it did not answer in time ({text[:120]})'
    return f'its answer is not JSON ({text[:120]})' if 'Could not decode' in text else text


def _entry(document, meta, address: str, fields: dict[str, str | None]) -> Entry:
    if not isinstance(document, dict) or not document.get('id') or not isinstance(document.get('attributes'), dict):
        return Entry('optimade', '?', error=f'is not a structure of OPTIMADE: {str(document)[:80]}')
    attributes, identifier = document['attributes'], str(document['id'])
    meta = meta if isinstance(meta, dict) else {}
    provider, implementation = meta.get('provider') or {}, meta.get('implementation') or {}
    return Entry.from_answer(
        'optimade',
        identifier,
        lambda: from_optimade(attributes),
        {name: reduce(_value_of, path.split('.'), attributes) for name, path in fields.items() if path},
        database=provider.get('name') or address,
        database_version=implementation.get('version'),
        url=f'{address.rstrip("/")}/v1/structures/{identifier}',
    )


def _value_of(attributes, name: str):
    return attributes.get(name) if isinstance(attributes, dict) else None
