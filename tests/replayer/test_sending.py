"""A recorded request is sent as it was, and whatever comes back is told."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from protocols.http.wire import Headers, HttpRequest
from replayer.sending import Received, renamed, send
from testset.model import Body, Ending, FileBody

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def request(body: Body = b"", *headers: tuple[str, str], method: str = "POST") -> HttpRequest:
    size = body.size if isinstance(body, FileBody) else len(body)
    length: Headers = () if ("Transfer-Encoding", "chunked") in headers else (("Content-Length", str(size)),)
    return HttpRequest(method=method, target="/orders?id=7", headers=(("Host", "app"), *headers, *length), body=body)


def exchange(asked: HttpRequest, app: Callable[[socket.socket], None], timeout: float = 5.0) -> Received:
    """Send `asked` to `app`, which gets the other end of the connection."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    def run() -> None:
        with theirs:
            app(theirs)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        return asyncio.run(send(ours, asked, timeout))
    finally:
        thread.join(10)


def reading(into: list[bytes], size: int, answer: bytes) -> Callable[[socket.socket], None]:
    """An app that reads `size` bytes at least, and then answers."""

    def app(sock: socket.socket) -> None:
        data = b""
        while len(data) < size and (piece := sock.recv(65536)):
            data += piece
        into.append(data)
        sock.sendall(answer)

    return app


def test_on_the_wire_it_is_as_recorded() -> None:
    asked = request(b'{"a":1}', ("X-Odd", "  two  "), ("x-odd", "again"))
    wire = (
        b'POST /orders?id=7 HTTP/1.1\r\nHost: app\r\nX-Odd:   two  \r\nx-odd: again\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )
    came: list[bytes] = []
    got = exchange(asked, reading(came, len(wire), OK))
    assert came == [wire]
    assert got.problem is None
    assert got.response is not None
    assert (got.response.status, got.response.body) == (200, b"ok")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_larger_than_any_buffer_and_one_in_a_file(chunked: bool, tmp_path: Path) -> None:
    data = bytes(range(256)) * 16384  # 4 MiB
    path = tmp_path / "body.bin"
    path.write_bytes(data)
    coding = (("Transfer-Encoding", "chunked"),) if chunked else ()
    kept = FileBody(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    for body in (data, kept):
        came: list[bytes] = []
        got = exchange(request(body, *coding), reading(came, len(data) + 20, OK))
        assert got.problem is None
        head, _, sent = came[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /orders?id=7")
        assert len(sent) >= len(data)
        if not chunked:
            assert sent == data


def test_an_app_that_answers_before_it_has_read_all() -> None:
    """It refuses a large upload: what it says counts, and not that it stopped listening."""

    def app(sock: socket.socket) -> None:
        sock.recv(100)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    got = exchange(request(b"x" * (8 << 20)), app)
    assert got.response is not None
    assert got.response.status == 413


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "closed the connection without an answer"),
        (b"HELLO\r\n\r\n", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "not complete"),
    ],
    ids=["nothing", "garbage", "half"],
)
def test_what_is_wrong_with_an_answer_is_said(answer: bytes, problem: str) -> None:
    got = exchange(request(), reading([], 1, answer))
    assert got.problem is not None
    assert problem in got.problem
    assert got.ending is (Ending.CUT_SHORT if problem == "not complete" else Ending.ANSWERED)


def test_an_app_that_does_not_answer() -> None:
    ended = threading.Event()

    def app(sock: socket.socket) -> None:
        while sock.recv(65536):
            pass
        ended.set()

    got = exchange(request(), app, timeout=0.05)
    assert got.response is None
    assert got.problem == "the app did not answer within 0.05 s"
    assert ended.is_set(), "rr has closed the connection"


def test_values_are_renamed_wherever_they_stand() -> None:
    asked = HttpRequest(
        method="PUT",
        target="/orders/old",
        headers=(("Authorization", "Bearer old"),),
        body="{'id': 'old', 'ü'}".encode(),
    )
    now = renamed(asked, lambda text: text.replace("old", "new"))
    assert now.target == "/orders/new"
    assert now.headers == (("Authorization", "Bearer new"),)
    assert now.body == "{'id': 'new', 'ü'}".encode()
