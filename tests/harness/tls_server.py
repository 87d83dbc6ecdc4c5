"""An HTTPS server of a test's own, for HTTP/1.1 and HTTP/2: it answers what it is told to, also what no server should.

A thread for each connection; `Page` says what is answered, and for HTTP/1.1 it may be any bytes at all.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset

from tests.harness.network import free_port

_PIECE = 65536


class Breach(Enum):
    """How an answer of HTTP/2 may end before its time."""

    RESET = "the stream is reset in the middle of the body"
    GOAWAY = "the connection is given up in the middle of the body"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    chunked: bool = False  # in HTTP/1.1: without a length
    raw: Callable[[], Iterator[bytes]] | None = None  # in HTTP/1.1: these bytes instead, and then the end
    rude: bool = False  # of TLS: the end is not announced
    breach: Breach | None = None  # in HTTP/2


Pages = Callable[[Request], Page]


class TlsServer:
    """Serves while the `with` block runs, on a port of its own on the loopback."""

    def __init__(
        self,
        certificate: Path,
        pages: Pages,
        protocols: Sequence[str] = ("h2", "http/1.1"),
        talk: Callable[[ssl.SSLSocket], None] | None = None,
    ) -> None:
        """`certificate`: a file with the key and the chain. `talk`: what is spoken instead of HTTP."""
        self._pages = pages
        self._talk = talk
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.set_alpn_protocols(list(protocols))
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:  # it has ended by itself
                    continue

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._context.wrap_socket(sock, server_side=True) as secure:
                if self._talk is not None:
                    self._talk(secure)
                elif secure.selected_alpn_protocol() == "h2":
                    _serve_http2(secure, self._pages)
                else:
                    _serve_http1(secure, self._pages)
        except OSError:
            return  # whoever does not like the certificate hangs up
        finally:
            with self._lock:
                self._open.discard(sock)


# -- HTTP/1.1 ---------------------------------------------------------------------------------------------------


def _serve_http1(sock: ssl.SSLSocket, pages: Pages) -> None:
    stream = sock.makefile("rb")
    while True:
        line = stream.readline().decode("latin-1").split()
        if len(line) != 3:
            return
        headers: dict[str, str] = {}
        while (header := stream.readline().decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect"):
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding"):
            body = b""
            while size := int(stream.readline(), 16):
                body += stream.read(size)
                stream.readline()
            stream.readline()
        else:
            body = stream.read(int(headers.get("content-length", "0")))
        page = pages(Request(line[0], line[1], headers, body))
        if page.raw is not None:
            for piece in page.raw():
                sock.sendall(piece)
            if not page.rude:
                sock.unwrap()
            return
        for piece in _http1(page, with_body=line[0] != "HEAD"):
            sock.sendall(piece)


def _http1(page: Page, *, with_body: bool) -> Iterator[bytes]:
    lines = [f"HTTP/1.1 {page.status} {HTTPStatus(page.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in page.headers.items()]
    if page.chunked:
        lines.append("Transfer-Encoding: chunked")
    elif page.status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(page.body)}")
    yield "\r\n".join([*lines, "", ""]).encode("latin-1")
    if not with_body:
        return
    if not page.chunked:
        yield page.body
        return
    step = max(1, len(page.body) // 5)
    for start in range(0, len(page.body), step):
        piece = page.body[start : start + step]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


# -- HTTP/2 -----------------------------------------------------------------------------------------------------


def _serve_http2(sock: ssl.SSLSocket, pages: Pages) -> None:
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    sock.sendall(connection.data_to_send())
    heads: dict[int, dict[str, str]] = {}
    bodies: dict[int, bytes] = {}
    answers: dict[int, tuple[bytes, Breach | None]] = {}  # what is still to be sent
    while data := sock.recv(_PIECE):
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                heads[event.stream_id], bodies[event.stream_id] = dict(event.headers), b""
            elif isinstance(event, DataReceived):
                bodies[event.stream_id] += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                stream = event.stream_id
                head = heads.pop(stream)
                page = pages(Request(head[":method"], head[":path"], head, bodies.pop(stream)))
                fields = [(":status", str(page.status)), *((k.lower(), v) for k, v in page.headers.items())]
                if not page.chunked and page.status != HTTPStatus.NO_CONTENT:
                    fields.append(("content-length", str(len(page.body))))
                connection.send_headers(stream, fields)
                answers[stream] = page.body if page.breach is None else page.body[: len(page.body) // 2], page.breach
            elif isinstance(event, StreamReset):
                answers.pop(event.stream_id, None)
            elif isinstance(event, ConnectionTerminated):
                return
        gone = [_answer(connection, stream, answers) for stream in list(answers)]
        sock.sendall(connection.data_to_send())
        if any(gone):
            sock.unwrap()
            return


def _answer(connection: H2Connection, stream: int, answers: dict[int, tuple[bytes, Breach | None]]) -> bool:
    """As much as may be sent by now; whether nothing more will be."""
    body, breach = answers[stream]
    while body and (window := connection.local_flow_control_window(stream)) > 0:
        size = min(window, connection.max_outbound_frame_size, len(body))
        connection.send_data(stream, body[:size])
        body = body[size:]
    if body:
        answers[stream] = body, breach
        return False
    del answers[stream]
    if breach is Breach.RESET:
        connection.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
    elif breach is Breach.GOAWAY:
        connection.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
    else:
        connection.end_stream(stream)
    return breach is Breach.GOAWAY
