"""A client on a bare socket, and a watch on the memory of rr's processes, for what is seen on the wire."""

from __future__ import annotations

import hashlib
import json
import select
import socket
import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.crash import Family

MIB = 1 << 20


@dataclass(slots=True)
class Watch:
    """Measures all the while how much memory rr's processes hold, and its journal."""

    processes: Family
    journal: Path  # the folder in memory
    most: int = 0
    most_journal: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._measure)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(10)

    def _measure(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, self.processes.resident())
            held = 0
            for path in self.journal.glob("rr-*/session-*/*"):
                try:
                    held += path.stat().st_size
                except OSError:  # released meanwhile
                    continue
            self.most_journal = max(self.most_journal, held)


def connect(port: int, host: str = "127.0.0.1", source: str | None = None) -> socket.socket:
    return socket.create_connection((host, port), 30, (source, 0) if source else None)


def request(target: str, *, close: bool = False) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: app\r\n{'Connection: close' if close else 'X-Keep: 1'}\r\n\r\n".encode()


def head_of(sock: socket.socket) -> tuple[bytes, bytes]:
    """The head of an answer, and what of the body came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionError("the connection ended before the head was complete")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def answer(sock: socket.socket) -> bytes:
    """The body of one answer."""
    head, body = head_of(sock)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    parts = [body]
    size = len(body)
    while size < length:
        piece = sock.recv(1 << 20)
        if not piece:
            raise ConnectionError(f"the connection ended after {size} of {length} bytes")
        parts.append(piece)
        size += len(piece)
    return b"".join(parts)


def ask(port: int, target: str, host: str = "127.0.0.1", source: str | None = None) -> Any:
    with closing(connect(port, host, source)) as sock:
        sock.sendall(request(target, close=True))
        return json.loads(answer(sock))


def stream(port: int, size: int) -> str:
    """Gets `size` bytes without keeping them; their hash."""
    digest = hashlib.sha256()
    with closing(connect(port)) as sock:
        sock.sendall(request(f"/big/{size}", close=True))
        _head, body = head_of(sock)
        digest.update(body)
        left = size - len(body)
        while left:
            piece = sock.recv(1 << 20)
            if not piece:
                raise ConnectionError(f"the connection ended {left} bytes early")
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


def pieces(size: int) -> str:
    """The hash of what the app sends for /big/SIZE."""
    piece = bytes(range(256)) * 256
    digest = hashlib.sha256()
    for _ in range(size // len(piece)):
        digest.update(piece)
    digest.update(piece[: size % len(piece)])
    return digest.hexdigest()


def in_sequence(port: int, count: int) -> list[str]:
    """One connection after the other; the ids that did not come back."""
    return [id for id in map(str, range(count)) if ask(port, f"/echo/{id}")["id"] != id]


def at_once(port: int, count: int) -> list[str]:
    """All connections are open before the first asks; the ids that did not come back."""
    sockets = {str(number): connect(port) for number in range(count)}
    for id, sock in sockets.items():
        sock.sendall(request(f"/echo/{id}"))
    wrong = [id for id, sock in sockets.items() if json.loads(answer(sock))["id"] != id]
    for sock in sockets.values():
        sock.close()
    return wrong


def is_quiet(sock: socket.socket, seconds: float) -> bool:
    """Whether nothing comes for that long."""
    return not select.select([sock], [], [], seconds)[0]
