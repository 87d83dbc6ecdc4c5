"""Requests known by their bytes: exactly those that are the same request, and nothing that is out of the ordinary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.furniture import Limits, Reply
from protocols.http.ready import Ready, answer_bytes, key_of
from protocols.http.wire import Framing, HttpRequest, HttpResponse, request_bytes
from testset.model import Ending

LIMITS = Limits(head=1 << 16, message=1 << 20, messages=16, exchange=64 << 20)
GET = HttpRequest(method="GET", target="/users/7?full=1", headers=(("Host", "users"), ("Accept", "application/json")))
POST = HttpRequest(
    method="POST", target="/orders", headers=(("Content-Type", "application/json"), ("Content-Length", "9")),
    body=b'{"id": 1}',
)  # fmt: skip


@pytest.fixture
def ready() -> Ready[str]:
    known: Ready[str] = Ready()
    for request, name in ((GET, "get"), (POST, "post")):
        key = key_of(request)
        assert key is not None
        known.add(key, name)
    return known


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (request_bytes(GET), ("get", False)),
        (request_bytes(POST), ("post", False)),
        # who asks, how it is called and what the client is does not count; nor how a field's name is written
        (b"GET /users/7?full=1 HTTP/1.1\r\naccept: application/json\r\nUser-Agent: x\r\n\r\n", ("get", False)),
        (b"GET /users/7?full=1 HTTP/1.1\r\nAccept: application/json\r\nConnection: close\r\n\r\n", ("get", True)),
        # what counts
        (b"GET /users/8?full=1 HTTP/1.1\r\nAccept: application/json\r\n\r\n", None),
        (b"GET /users/7?full=1 HTTP/1.1\r\nAccept: text/html\r\n\r\n", None),
        (b"GET /users/7?full=1 HTTP/1.1\r\n\r\n", None),
        (b"HEAD /users/7?full=1 HTTP/1.1\r\nAccept: application/json\r\n\r\n", None),
        (request_bytes(POST).replace(b'"id": 1', b'"id": 2'), None),
        # out of the ordinary, or not whole: for somebody else to read
        (b"GET /users/7?full=1 HTTP/1.0\r\nAccept: application/json\r\n\r\n", None),
        (b"GET /users/7?full=1 HTTP/1.1\r\nAccept: application/json\r\nExpect: 100-continue\r\n\r\n", None),
        (b"GET /users/7?full=1 HTTP/1.1\r\nAccept: application/json\r\nUpgrade: h2c\r\n\r\n", None),
        (request_bytes(GET) + request_bytes(GET), None),
        (request_bytes(GET)[:-1], None),
        (request_bytes(POST)[:-1], None),
        (request_bytes(POST) + b"x", None),
        (b"POST /orders HTTP/1.1\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n{}", None),
        (b"\r\n" + request_bytes(GET), None),
        (b"", None),
    ],
)
def test_what_is_known(ready: Ready[str], data: bytes, found: tuple[str, bool] | None) -> None:
    assert ready.find(data) == found
    assert ready.find(data) == found, "and the same again, from what is remembered"


@given(st.binary(max_size=200))
def test_any_bytes_are_found_or_not(data: bytes) -> None:
    known: Ready[str] = Ready()
    key = key_of(GET)
    assert key is not None
    known.add(key, "get")
    assert known.find(data) is None
    assert known.find(request_bytes(GET) + data) == (None if data else ("get", False))


def test_an_operation_in_a_header_counts(ready: Ready[str]) -> None:
    request = HttpRequest(method="POST", target="/", headers=(("X-Amz-Target", "AmazonSQS.SendMessage"),))
    key = key_of(request)
    assert key is not None
    ready.add(key, "send")
    assert ready.find(b"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n\r\n") == ("send", False)
    assert ready.find(b"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n\r\n") is None


def test_the_answer_is_what_the_responder_would_send() -> None:
    response = HttpResponse(status=200, reason="OK", headers=(("Content-Length", "2"),), body=b"{}")
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    assert answer_bytes("GET", Reply(response, Ending.ANSWERED), LIMITS) == whole
    assert answer_bytes("GET", Reply(response, Ending.RESET), LIMITS) is None
    until_close = HttpResponse(status=200, reason="OK", headers=(), body=b"{}", framing=Framing.CLOSE)
    assert answer_bytes("GET", Reply(until_close, Ending.ANSWERED), LIMITS) is None
