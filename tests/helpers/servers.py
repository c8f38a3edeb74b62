"""Small HTTP servers for tests without a network: databases of structures, and mirrors of published weights."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@contextlib.contextmanager
def running(answer: Callable[[BaseHTTPRequestHandler], None]):
    """A server on this machine whose handlers are passed to ``answer``; the base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(OSError):  # who asked may be gone
                answer(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()


def serve(answer: Callable):
    """A server of JSON; the base URL.

    :param answer: path, query (name -> last value), headers -> status and content; a number is seconds of silence.
    """

    def handle(handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        status, content = answer(parts.path, query, handler.headers)
        if isinstance(content, float):
            time.sleep(content)
            content = {}
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        handler.send_response(status)
        handler.send_header('Content-Type', 'application/json')
        handler.send_header('Content-Length', str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return running(handle)


class WeightServer:
    """Serves files on this machine, as a mirror of published weights does.

    :ivar files: path below the base URL -> content.
    :ivar ranges: whether parts of files can be asked for.
    :ivar break_after: bytes of a file after which the connection breaks.
    :ivar requests: (path, value of the header Range) of all requests.
    """

    def __init__(self, files: dict[str, bytes]):
        self.files, self.ranges, self.break_after, self.requests = files, True, None, []

    def __enter__(self):
        self._running = running(self.answer)
        self.url = self._running.__enter__()
        return self

    def __exit__(self, *reason):
        self._running.__exit__(*reason)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path, asked = handler.path.lstrip('/'), handler.headers.get('Range')
        self.requests.append((path, asked))
        if path not in self.files:
            return handler.send_error(404)
        content, begin = self.files[path], 0
        if asked and self.ranges:
            begin = int(asked.removeprefix('bytes=').removesuffix('-'))
            if begin >= len(content):
                return handler.send_error(416)
        handler.send_response(206 if asked and self.ranges else 200)
        if asked and self.ranges:
            handler.send_header('Content-Range', f'bytes {begin}-{len(content) - 1}/{len(content)}')
        handler.send_header('Content-Length', str(len(content) - begin))
        handler.end_headers()
        handler.wfile.write(content[begin : self.break_after])


KEY = 'a' * 32


def materials_project(documents: list, key: str = KEY):
    """The two addresses of the Materials Project that a search needs, with its pages and its refusal of wrong keys."""

    def answer(path, query, headers):
        if path == '/heartbeat':
            return 200, {
                'status': 'OK',
                'db_version': '2025.09.25',
                'version': '1.0.0',
                'access_controlled_batch_ids': [],
            }
        if headers.get('x-api-key') != key:
            return 401, {'message': 'Invalid authentication credentials'}
        if path.rstrip('/') != '/materials/summary':
            return 404, {'detail': 'Not Found'}
        found = [document for document in documents if _is_wanted(document, query)]
        begin = int(query.get('_skip', 0))
        return 200, {'data': found[begin : begin + int(query.get('_limit', 1000))], 'meta': {'total_doc': len(found)}}

    return answer


def _is_wanted(document, query) -> bool:
    if not isinstance(document, dict) or 'elements' not in document:
        return True
    elements = set(document['elements'])
    if 'material_ids' in query:
        return document['material_id'] in query['material_ids'].split(',')
    return (
        set(query.get('elements', '').split(',')) - {''} <= elements
        and not elements & set(query.get('exclude_elements', '').split(','))
        and document['band_gap'] >= float(query.get('band_gap_min', 0))
        and document['energy_above_hull'] <= float(query.get('energy_above_hull_max', 1e9))
    )


def optimade(documents: list, page: int = 2):
    """A provider of OPTIMADE that answers any filter with all it has, in pages that are linked as the protocol says."""

    def answer(path, query, headers):
        if path != '/v1/structures':
            return 404, {'errors': [{'title': 'Not Found', 'detail': path}]}
        begin = int(query.get('page_offset', 0))
        link = None
        if begin + page < len(documents):
            link = f'http://{headers["Host"]}{path}?filter=x&page_offset={begin + page}'
        meta = {
            'api_version': '1.1.0',
            'provider': {'name': 'Crystals of a test', 'prefix': 'test', 'description': 'none'},
            'implementation': {'version': '7'},
            'data_available': len(documents),
            'data_returned': len(documents),
            'more_data_available': link is not None,
        }
        return 200, {'data': documents[begin : begin + page], 'links': {'next': link}, 'meta': meta}

    return answer


def optimade_document(identifier: str, structure, **attributes) -> dict:
    """The entry of a structure in OPTIMADE's JSON."""
    names = sorted({site.specie.symbol for site in structure})
    own = {
        'lattice_vectors': structure.lattice.matrix.tolist(),
        'cartesian_site_positions': structure.cart_coords.tolist(),
        'species': [{'name': name, 'chemical_symbols': [name], 'concentration': [1.0]} for name in names],
        'species_at_sites': [site.specie.symbol for site in structure],
        'nperiodic_dimensions': 3,
    }
    return {'id': identifier, 'type': 'structures', 'attributes': own | attributes}
