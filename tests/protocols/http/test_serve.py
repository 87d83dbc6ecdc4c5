"""Playbooks of the replay: what the app sends, what rr asks, what the app gets."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send, SendFile
from protocols.http.serve import HttpResponder
from protocols.http.wire import Framing, HttpRequest, HttpResponse, Interim
from tests.protocols.playbook import LIMITS
from testset.errors import LimitError, ProtocolError
from testset.model import Ending, FileBody

GET = b"GET /users/7 HTTP/1.1\r\nHost: a\r\n\r\n"
JSON = (("Content-Type", "application/json"),)
FOUND = HttpResponse(status=200, reason="OK", headers=(*JSON, ("Content-Length", "2")), body=b"{}")


def responder() -> HttpResponder:
    made = HttpResponder(LIMITS)
    assert made.start() == []
    return made


def asked(acts: list[Act]) -> HttpRequest:
    (act,) = acts
    assert isinstance(act, Ask)
    assert isinstance(act.request, HttpRequest)
    return act.request


def answered(response: HttpResponse, *, request: bytes = GET, ending: Ending = Ending.ANSWERED) -> list[Act]:
    made = responder()
    asked(made.feed(request))
    return made.answer(Reply(response, ending))


def test_a_request_is_asked_about_and_answered() -> None:
    made = responder()
    request = asked(made.feed(b"POST /o?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"))
    assert (request.method, request.target, request.body) == ("POST", "/o?x=1", b"body")
    assert made.answer(Reply(FOUND, Ending.ANSWERED)) == [
        Send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
    ]
    assert asked(made.feed(GET)).target == "/users/7"


def test_pipelined_requests_are_asked_about_one_after_the_other() -> None:
    made = responder()
    assert asked(made.feed(GET + GET.replace(b"/users/7", b"/users/8"))).target == "/users/7"
    assert made.feed(GET.replace(b"/users/7", b"/users/9")) == []
    sent, ask = made.answer(Reply(FOUND, Ending.ANSWERED))
    assert isinstance(sent, Send)
    assert asked([ask]).target == "/users/8"
    assert asked(made.answer(Reply(FOUND, Ending.ANSWERED))[1:]).target == "/users/9"


def test_a_chunked_response_is_chunked_again() -> None:
    response = HttpResponse(
        status=200,
        reason="OK",
        headers=(("Transfer-Encoding", "chunked"),),
        body=b"hello",
        trailers=(("X-Sum", "1"),),
        framing=Framing.CHUNKED,
    )
    assert answered(response) == [
        Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
    ]


def test_a_response_until_close_closes() -> None:
    response = HttpResponse(status=200, reason="OK", body=b"to the end", framing=Framing.CLOSE)
    assert answered(response) == [Send(b"HTTP/1.1 200 OK\r\n\r\nto the end"), Hang()]


@pytest.mark.parametrize(
    "request_",
    [GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), b"GET / HTTP/1.0\r\n\r\n"],
)
def test_the_connection_is_closed_when_the_app_wants_it(request_: bytes) -> None:
    assert answered(FOUND, request=request_)[-1] == Hang()


def test_http_1_0_may_keep_the_connection() -> None:
    assert len(answered(FOUND, request=b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")) == 1


def test_a_head_request_gets_the_head() -> None:
    response = HttpResponse(status=200, reason="OK", headers=(("Content-Length", "9"),), framing=Framing.NONE)
    assert answered(response, request=b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n") == [
        Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    ]


def test_continue_is_sent_once_and_only_when_the_app_waits_for_it() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    recorded = HttpResponse(
        status=200,
        reason="OK",
        headers=(("Content-Length", "0"),),
        interim=(Interim(status=100, reason="Continue"), Interim(status=103, reason="Early Hints")),
    )
    made = responder()
    assert made.feed(head) == [Send(b"HTTP/1.1 100 Continue\r\n\r\n")]
    asked(made.feed(b"hi"))
    (sent,) = made.answer(Reply(recorded, Ending.ANSWERED))
    assert sent == Send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(responder().feed(head + b"hi")[0], Ask)


@pytest.mark.parametrize(("ending", "reset"), [(Ending.RESET, True), (Ending.CUT_SHORT, False)])
def test_a_broken_response_breaks_again(ending: Ending, reset: bool) -> None:
    half = HttpResponse(status=200, reason="OK", headers=(("Content-Length", "10"),), body=b"half")
    assert answered(half, ending=ending) == [
        Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        Hang(reset=reset),
    ]
    chunked = HttpResponse(
        status=200,
        reason="OK",
        headers=(("Transfer-Encoding", "chunked"),),
        body=b"half",
        framing=Framing.CHUNKED,
    )
    sent = answered(chunked, ending=ending)[0]
    assert isinstance(sent, Send)
    assert sent.data.endswith(b"\r\n\r\n4\r\nhalf\r\n"), "the last chunk must not be sent"
    made = responder()
    made.feed(GET)
    assert made.answer(Reply(None, ending)) == [Hang(reset=reset)]


def test_a_client_that_gave_up_waits_again_until_it_has_had_enough() -> None:
    half = HttpResponse(status=200, reason="OK", headers=(("Content-Length", "10"),), body=b"half")
    sent = Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    assert answered(half, ending=Ending.GIVEN_UP) == [sent]
    made = responder()
    made.feed(GET)
    assert made.answer(Reply(None, Ending.GIVEN_UP)) == []
    assert made.feed(GET) == []
    assert made.end() == [Hang()]
    made = responder()
    made.feed(GET)
    assert made.end() == [], "it may still listen"
    assert made.answer(Reply(half, Ending.GIVEN_UP)) == [sent, Hang()]


def test_an_answer_of_http_2_that_was_cut_short_says_no_length_to_a_client_of_1_1() -> None:
    half = HttpResponse(status=200, reason="OK", version="2", framing=Framing.FRAMES, body=b"half")
    assert answered(half, ending=Ending.CUT_SHORT) == [Send(b"HTTP/1.1 200 OK\r\n\r\nhalf"), Hang()]


@pytest.mark.parametrize(
    ("response", "sent"),
    [
        (HttpResponse(status=502, framing=Framing.BROKEN, broken=b"\x00\x01 hi"), b"\x00\x01 hi"),
        (HttpResponse(status=200, reason="OK", framing=Framing.CHUNKED, body=b"half", broken=b"zz\r\n"),
         b"HTTP/1.1 200 OK\r\n\r\n4\r\nhalf\r\nzz\r\n"),
        (HttpResponse(status=200, reason="OK", framing=Framing.CHUNKED, body=b"half", missing=12),
         b"HTTP/1.1 200 OK\r\n\r\n10\r\nhalf"),
    ],
    ids=["no HTTP at all", "no chunk", "half a chunk"],
)  # fmt: skip
def test_what_was_no_http_is_said_again(response: HttpResponse, sent: bytes) -> None:
    assert answered(response, ending=Ending.CUT_SHORT) == [Send(sent), Hang()]


@pytest.mark.parametrize(("missing", "end"), [(0, b"\r\nzz"), (12, b"zz")])
def test_the_same_with_a_body_in_a_file(missing: int, end: bytes) -> None:
    body = FileBody(path=Path("large"), size=4, sha256="")
    response = HttpResponse(status=200, framing=Framing.CHUNKED, body=body, missing=missing, broken=b"zz")
    head, middle, rest, _hang = answered(response, ending=Ending.CUT_SHORT)
    assert isinstance(head, Send)
    assert head.data.endswith(b"\r\n\r\n%x\r\n" % (4 + missing))
    assert (middle, rest) == (SendFile(body), Send(end))


def test_a_body_made_anew_gets_its_length() -> None:
    made = responder()
    made.feed(GET)
    (sent,) = made.answer(Reply(FOUND, Ending.ANSWERED, body=b'{"id": 8}'))
    assert isinstance(sent, Send)
    assert sent.data.endswith(b'Content-Length: 9\r\n\r\n{"id": 8}')


def test_a_body_in_a_file_is_sent_by_whoever_may_read_it() -> None:
    body = FileBody(path=Path("assets/a.bin"), size=300, sha256="0" * 64)
    assert answered(HttpResponse(status=200, reason="OK", body=body)) == [
        Send(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n"),
        SendFile(body),
    ]
    chunked = HttpResponse(
        status=200, reason="OK", headers=(("Transfer-Encoding", "chunked"),), body=body, framing=Framing.CHUNKED
    )
    assert answered(chunked) == [
        Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n"),
        SendFile(body),
        Send(b"\r\n0\r\n\r\n"),
    ]


def test_a_miss_says_so_and_the_connection_lives_on() -> None:
    made = responder()
    made.feed(GET)
    (sent,) = made.miss("no mock matches GET /users/7", {"nearest": "test-1.1", "difference": "path"})
    assert isinstance(sent, Send)
    head, _, body = sent.data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body) == {
        "error": "rr: no mock matches GET /users/7",
        "nearest": "test-1.1",
        "difference": "path",
    }
    asked(made.feed(GET))


def test_after_a_switch_nothing_is_http() -> None:
    made = responder()
    made.feed(GET)
    (sent,) = made.answer(
        Reply(HttpResponse(status=101, reason="Switching Protocols", framing=Framing.NONE), Ending.ANSWERED)
    )
    assert sent == Send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    with pytest.raises(ProtocolError):
        made.feed(b"\x81\x01x")


def test_a_large_upload_is_known_by_its_digest() -> None:
    made = HttpResponder(Limits(head=1000, message=1000, messages=2, exchange=64 << 20))
    made.feed(b"PUT /f HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n")
    made.feed(b"a" * 1500)
    body = asked(made.feed(b"a" * 1500)).body
    assert isinstance(body, FileBody)
    assert (body.size, body.sha256) == (3000, hashlib.sha256(b"a" * 3000).hexdigest())


def test_limits() -> None:
    made = HttpResponder(Limits(head=100, message=1000, messages=2, exchange=64 << 20))
    with pytest.raises(LimitError):
        made.feed(b"GET /" + b"a" * 200)
    made = HttpResponder(Limits(head=100, message=100, messages=2, exchange=64 << 20))
    made.feed(GET)
    with pytest.raises(LimitError):
        made.feed(GET * 10)


STREAM = (
    GET
    + b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    + b"PUT /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
)


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_however_the_app_cuts_its_bytes_it_is_asked_the_same(sizes: list[int]) -> None:
    made = responder()
    requests: list[HttpRequest] = []
    position = 0
    for size in [*sizes, len(STREAM)]:
        acts = made.feed(STREAM[position : position + size])
        position += size
        while acts:
            act = acts.pop()
            if isinstance(act, Ask):
                requests.append(act.request)
                acts = made.answer(Reply(FOUND, Ending.ANSWERED))
    assert [(r.method, r.body) for r in requests] == [("GET", b""), ("POST", b"abc"), ("PUT", b"hello")]


@given(data=st.binary(max_size=60), damaged=st.integers(0, len(STREAM)))
def test_damaged_requests_are_asked_about_or_a_protocol_error(data: bytes, damaged: int) -> None:
    made = responder()
    try:
        acts = made.feed(STREAM[:damaged] + data + STREAM[damaged:])
        while acts:
            acts = made.answer(Reply(FOUND, Ending.ANSWERED)) if isinstance(acts[-1], Ask) else []
    except ProtocolError:
        pass
    assert all(isinstance(act, Ask | Send | Hang) for act in made.end())
