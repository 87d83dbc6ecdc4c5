"""A request recorded over HTTP/2 is sent over it, to a server that speaks nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, TrailersReceived
from h2.exceptions import H2Error

from protocols.http.wire import Headers, HttpRequest
from replayer.sending import Received, send
from testset.model import Body, Ending, FileBody

Answer = Callable[[H2Connection, int], None]


def request(body: Body = b"", *headers: tuple[str, str], trailers: Headers = (), complete: bool = True) -> HttpRequest:
    return HttpRequest(
        method="POST",
        target="/orders?id=7",
        version="2",
        headers=(("host", "app"), *headers),
        body=body,
        trailers=trailers,
        complete=complete,
    )


class Service(threading.Thread):
    """A server for one connection: keeps what it is asked, and answers with `answer` when `begins` or all has come."""

    def __init__(self, sock: socket.socket, answer: Answer, *, at_once: bool) -> None:
        super().__init__(daemon=True)
        self._sock = sock
        self._answer = answer
        self._at_once = at_once
        self.head: list[tuple[str, str]] = []
        self.body = b""
        self.trailers: list[tuple[str, str]] = []
        self.ended = False

    def run(self) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        connection.initiate_connection()
        with self._sock:
            try:
                self._sock.sendall(connection.data_to_send())
                while data := self._sock.recv(65_536):
                    for event in connection.receive_data(data):
                        self._see(connection, event)
                    self._sock.sendall(connection.data_to_send())
            except (OSError, H2Error):
                pass  # the other side has what it wanted

    def _see(self, connection: H2Connection, event: Any) -> None:
        match event:
            case RequestReceived():
                self.head = [(name, value) for name, value in event.headers]
                if self._at_once:
                    self._answer(connection, event.stream_id)
            case DataReceived():
                self.body += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case TrailersReceived():
                self.trailers = [(name, value) for name, value in event.headers]
            case StreamEnded():
                self.ended = True
                if not self._at_once:
                    self._answer(connection, event.stream_id)
            case ConnectionTerminated():
                raise OSError


def ok(connection: H2Connection, stream: int) -> None:
    connection.send_headers(stream, [(":status", "200"), ("x-a", "1")])
    connection.send_data(stream, b"ok")
    connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)


def exchange(asked: HttpRequest, answer: Answer = ok, *, at_once: bool = False, timeout: float = 5.0) -> Any:
    """What came back, and what the server saw."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    service = Service(theirs, answer, at_once=at_once)
    service.start()
    got: Received = asyncio.run(send(ours, asked, timeout))
    service.join(10)
    assert not service.is_alive()
    return got, service


def test_it_is_sent_as_recorded_and_the_answer_is_read() -> None:
    trailers = (("x-sum", "9"),)
    got, service = exchange(request(b"\0\0\0\0\1x", ("te", "trailers"), ("cookie", "a=1; b=2"), trailers=trailers))
    assert service.head == [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/orders?id=7"),
        (":authority", "app"),
        ("te", "trailers"),
        ("cookie", "a=1; b=2"),
    ]
    assert (service.body, service.trailers) == (b"\0\0\0\0\1x", [("x-sum", "9")])
    assert got.problem is None
    assert (got.response.status, got.response.version, got.response.headers) == (200, "2", (("x-a", "1"),))
    assert (got.response.body, got.response.trailers) == (b"ok", (("grpc-status", "0"),))


@pytest.mark.parametrize("length", [False, True])
def test_a_body_larger_than_any_window_and_one_in_a_file(length: bool, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192  # 2 MiB
    path = tmp_path / "body.bin"
    path.write_bytes(data)
    headers = (("content-length", "1"),) if length else ()  # as it was recorded, before values were renamed
    for body in (data, FileBody(path=path, size=len(data), sha256="")):
        got, service = exchange(request(body, *headers))
        assert (got.problem, service.body == data, service.ended) == (None, True, True)
        assert (("content-length", str(len(data))) in service.head) is length


def test_an_answer_larger_than_any_window() -> None:
    large = bytes(range(256)) * 200

    def answer(connection: H2Connection, stream: int) -> None:
        connection.send_headers(stream, [(":status", "200")])
        for _ in range(100):
            for begin in range(0, len(large), 16_384):
                connection.send_data(stream, large[begin : begin + 16_384])
        connection.end_stream(stream)

    got, _ = exchange(request(), answer)
    assert (got.problem, got.response.body == large * 100) == (None, True)


def test_a_request_that_was_never_complete_is_not_completed() -> None:
    def early(connection: H2Connection, stream: int) -> None:
        connection.send_headers(stream, [(":status", "413")], end_stream=True)
        connection.reset_stream(stream, 0)

    got, service = exchange(request(b"half", complete=False), early, at_once=True)
    assert (got.problem, got.response.status, service.ended) == (None, 413, False)


@pytest.mark.parametrize("begun", [False, True])
def test_the_app_resets_the_stream(begun: bool) -> None:
    def reset(connection: H2Connection, stream: int) -> None:
        if begun:
            connection.send_headers(stream, [(":status", "200")])
            connection.send_data(stream, b"half")
        connection.reset_stream(stream, 2)

    got, _ = exchange(request(), reset)
    assert got.problem is not None
    if begun:
        assert (got.response.body, got.ending) == (b"half", Ending.RESET)


def test_the_app_speaks_http_1_only() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        theirs.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        got = asyncio.run(send(ours, request(), 5.0))
    assert got.response is None
    assert "not valid HTTP" in (got.problem or "")


def test_the_app_says_nothing() -> None:
    got, _ = exchange(request(), lambda _connection, _stream: None, timeout=0.2)
    assert got.problem == "the app did not answer within 0.2 s"
