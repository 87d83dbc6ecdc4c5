"""An HTTP app on bare sockets, for what a framework would hide: /echo, /call, /big, /slow, /reset, /short, /late, ...

    python socket_app.py PORT [HOST]     with USERS_URL: what it depends on

One thread a connection, keep-alive, no dependencies beyond Python's library.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 0
USERS = os.environ.get("USERS_URL", "http://127.0.0.1:1")
PIECE = bytes(range(256)) * 256  # 64 KiB


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.upstream: http.client.HTTPConnection | None = None
        try:
            while self.one_request():
                pass
        except ConnectionError:
            pass  # the client has gone

    def one_request(self) -> bool:
        line = self.rfile.readline()
        if not line:
            return False
        self.method, target, _version = line.decode().split()
        headers = {}
        while (header := self.rfile.readline().strip()) != b"":
            name, _, value = header.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", "0")))
        url = urlsplit(target)
        page, _, rest = url.path.strip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        pages: dict[str, Callable[[], object]] = {
            "echo": lambda: self.reply({"id": rest, "body": body.decode()}),
            "call": lambda: self.reply({"id": rest, "user": self.call(rest)}),
            "big": lambda: self.big(int(rest.partition("/")[0])),  # what follows is the client's
            "sent": lambda: self.reply({"bytes": SENT[0]}),
            "slow": lambda: self.slow(int(rest)),
            "peer": lambda: self.reply({"peer": self.client_address[0]}),
            "reset": lambda: self.end(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000, reset=True),
            "short": lambda: self.end(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100),
            "listen": lambda: self.reply({"listens": listen(int(rest), query.get("host", "127.0.0.1"))}),
            "unlisten": lambda: self.reply({"closed": unlisten(int(rest))}),
            "connect": lambda: self.reply(connect(query["host"], int(query["port"]), float(query.get("wait", "5")))),
            "own": lambda: self.reply({"own": fetch("127.0.0.1", PORT, "/echo/nested")}),
            "udp": lambda: self.reply({"answer": ask(query["host"], int(query["port"]), rest)}),
            "get": lambda: self.reply({"got": fetch(query["host"], int(query["port"]), "/" + rest)}),
        }
        pages[page]()
        return headers.get("connection", "").lower() != "close" and page not in ("reset", "short")

    def reply(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def call(self, rest: str) -> object:
        """Asks the dependency, over one connection for each of the app's own."""
        if self.upstream is None:
            url = urlsplit(USERS)
            self.upstream = http.client.HTTPConnection(url.hostname or "", url.port, timeout=20)
        try:
            self.upstream.request("GET", f"/users/{rest}")
            return json.loads(self.upstream.getresponse().read())
        except (OSError, http.client.HTTPException) as error:
            self.upstream.close()
            self.upstream = None
            return f"failed: {type(error).__name__}"

    def slow(self, milliseconds: int) -> None:
        time.sleep(milliseconds / 1000)
        self.reply({"slept": str(milliseconds)})

    def big(self, size: int) -> None:
        self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Type: image/x-pieces\r\nContent-Length: {size}\r\n\r\n".encode())
        while size > 0:
            sent = min(size, len(PIECE))
            self.wfile.write(PIECE[:sent])
            size -= sent
            SENT[0] += sent

    def end(self, data: bytes, *, reset: bool = False) -> None:
        self.wfile.write(data)
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


SENT = [0]  # bytes of /big that the kernel has taken
LATE: dict[int, Server] = {}


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, host: str, port: int) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def listen(port: int, host: str) -> int:
    LATE[port] = Server(host, port)
    threading.Thread(target=LATE[port].serve_forever, args=(0.05,), daemon=True).start()
    return port


def unlisten(port: int) -> int:
    server = LATE.pop(port)
    server.shutdown()
    server.server_close()
    return port


def connect(host: str, port: int, wait: float) -> dict[str, object]:
    """How connect() ends: 0 or the number of the error, and after how long."""
    began = time.monotonic()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.settimeout(wait)
        try:
            code = 0
            sock.connect((host, port))
        except TimeoutError:
            code = -1
        except OSError as error:
            code = error.errno or -2
    return {"code": code, "took": time.monotonic() - began}


def fetch(host: str, port: int, path: str) -> object:
    connection = http.client.HTTPConnection(host, port, timeout=20)
    connection.request("GET", path)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def ask(host: str, port: int, text: str) -> str:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(text.encode(), (host, port))
        return sock.recvfrom(65536)[0].decode()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        Server(sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1", PORT).serve_forever(0.05)
