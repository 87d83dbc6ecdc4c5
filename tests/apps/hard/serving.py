"""What the four have in common: pages by "METHOD /path/*", JSON in and out, and calls to a dependency."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `rest`: what stands for the star."""

    rest: str
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


Pages = Mapping[str, Callable[[Asked], Answer]]


def call(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """What a dependency answers."""
    sent = None if body is None else json.dumps(body).encode()
    known = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data=sent, headers=known, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(port: int, pages: Pages) -> None:
    """Until Ctrl-C."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            head, _, rest = self.path[1:].partition("/")
            page = pages.get(f"{self.command} /{head}/*" if rest else f"{self.command} /{head}")
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(rest, json.loads(body) if body else None, headers)
            answer = page(asked) if page is not None else Answer({"error": "no such page"}, status=404)
            sent = json.dumps(answer.body).encode()
            self.send_response_only(answer.status)
            known = {"Content-Type": "application/json", "Content-Length": str(len(sent))}
            for name, value in {**known, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PUT = do_DELETE = handle_request

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    try:
        _Server(("127.0.0.1", port), Handler).serve_forever(0.05)
    except KeyboardInterrupt:
        pass
