"""What the test apps depend on: a small HTTP server whose answers follow from the request alone.

    with Dependency() as dependency:
        ... dependency.url ... dependency.requests

It runs in threads of the test's own process, so that a test can count what reached it, and stop it when it wants to.
Some of its pages misbehave on purpose: /slow, /reset, /close-early.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.harness.network import free_port

NAMES = ("Alice", "Bob", "Chloé", "Dmitri", "Eve")


@dataclass(frozen=True, slots=True)
class Received:
    """A request that reached the dependency."""

    method: str
    path: str
    body: bytes


def number(text: str) -> int:
    """The same number for the same text, in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.received.append(Received(self.command, self.path, body))
        url = urlsplit(self.path)
        page, _, rest = url.path.strip("/").partition("/")
        query = parse_qs(url.query)
        pages: dict[str, Callable[[], None]] = {
            "users": lambda: self.user(rest),
            "stock": lambda: self.reply_json({"id": rest, "quantity": number(rest) % 100}),
            "prices": lambda: self.reply_json({"id": rest, "amount": f"{number(rest) % 10000 / 100:.2f}"}),
            "reservations": lambda: self.reservation(body),
            "echo": lambda: self.reply(200, body, self.headers.get("Content-Type", "application/octet-stream")),
            "status": lambda: self.reply_json({"status": int(rest)}, int(rest)),
            "big": lambda: self.reply(200, b"fedcba9876543210" * 65536, "application/octet-stream"),
            "gzip": lambda: self.reply(
                200, gzip.compress(b"squeezed " * 100, mtime=0), "text/plain", {"Content-Encoding": "gzip"}
            ),
            "chunked": lambda: self.chunked([f"piece {index}\n".encode() for index in range(1, 6)]),
            "slow": lambda: self.slow(int(query.get("ms", ["200"])[0])),
            "reset": self.reset,
            "close-early": self.close_early,
        }
        pages.get(page, lambda: self.reply_json({"error": "no such page"}, 404))()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_request

    def user(self, user_id: str) -> None:
        if user_id.startswith("nobody"):
            self.reply_json({"exists": False}, 404)
        else:
            self.reply_json({"exists": True, "id": user_id, "name": NAMES[number(user_id) % len(NAMES)]})

    def reservation(self, body: bytes) -> None:
        self.reply_json({"id": f"RES-{number(body.decode('utf-8', 'replace'))}"}, 201)

    def slow(self, milliseconds: int) -> None:
        time.sleep(milliseconds / 1000)
        self.reply_json({"slept": milliseconds})

    def reset(self) -> None:
        """Not one byte of an answer, and a reset instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def close_early(self) -> None:
        """Promises 1000 bytes, sends 100 and ends."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100)
        self.close_connection = True

    def chunked(self, pieces: list[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in [*pieces, b""]:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def reply_json(self, value: Any, status: int = 200) -> None:
        self.reply(status, json.dumps(value).encode(), "application/json")

    def reply(self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: a test reads `requests` instead."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int]) -> None:
        self.received: list[Received] = []
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Without the look-up of the host's name that http.server makes here: tests must not wait for a resolver."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # another may have the port right after it
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here; the tests look at the app."""


class Dependency:
    """The server, started and stopped as the test wants it."""

    def __init__(self, host: str = "127.0.0.1", port: int | None = None) -> None:
        """`port`: not of the kernel's choice, which would give it to a connection once the server has stopped."""
        self.host = host
        self._server = Server((host, port or free_port(host)))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def url_as(self, name: str) -> str:
        """The same server by another name of this machine."""
        return f"http://{name}:{self.port}"

    @property
    def requests(self) -> list[Received]:
        """What has arrived so far, in order."""
        return list(self._server.received)

    def stop(self) -> None:
        """From now on connections are refused. May be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()
