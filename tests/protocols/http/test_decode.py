"""Playbooks: what went over a connection, and the exchanges that it was."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.furniture import Limits
from protocols.http.decode import HttpDecoder
from protocols.http.wire import Framing, HttpRequest, HttpResponse, Interim
from tests.protocols.playbook import (
    CLIENT,
    INBOUND,
    LIMITS,
    OUTBOUND,
    SERVER,
    Ends,
    MemoryBody,
    Step,
    client,
    cut,
    play,
    server,
    timeless,
)
from testset.errors import LimitError, ProtocolError
from testset.model import Ending, ExchangeId, Side

GET = b"GET /users/7 HTTP/1.1\r\nHost: user-service:5001\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
POST = b"POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"


def test_an_exchange_with_bodies() -> None:
    exchange = play(
        HttpDecoder,
        [
            client(b"POST /orders?x=1 HTTP/1.1\r\nHost: shop:8080\r\ncontent-TYPE:application/json \r\n"),
            client(b"Content-Length: 9\r\n\r\n"),
            client(b'{"a": 12}'),
            server(b"HTTP/1.1 201 Made It\r\nContent-Length: 8\r\nX-A: 1\r\nX-A: 2\r\n\r\n"),
            server(b'{"id":1}'),
        ],
        context=INBOUND,
    ).only()
    assert exchange.id == ExchangeId(1, 0)
    assert exchange.inbound
    assert exchange.request == HttpRequest(
        method="POST",
        target="/orders?x=1",
        headers=(("Host", "shop:8080"), ("content-TYPE", "application/json"), ("Content-Length", "9")),
        body=b'{"a": 12}',
    )
    assert exchange.response == HttpResponse(
        status=201,
        reason="Made It",
        headers=(("Content-Length", "8"), ("X-A", "1"), ("X-A", "2")),
        body=b'{"id":1}',
    )
    # from the first byte of the request to the last of the response
    assert (exchange.started_ns, exchange.ended_ns) == (1_000_000_000, 5_000_000_000)


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
AS_HEAD = {"status": 200, "reason": "OK", "headers": (("Transfer-Encoding", "chunked"),), "framing": Framing.CHUNKED}
BROKEN = {"status": 502, "framing": Framing.BROKEN}


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (HEAD + b"3\r\nabc\r\nzz\r\nmore", {**AS_HEAD, "body": b"abc", "broken": b"zz\r\nmore"}),
        (HEAD + b"3\r\nabc\r\n0\r\n\0: x\r\n\r\n", {**AS_HEAD, "body": b"abc", "broken": b"\0: x\r\n\r\n"}),
        (HEAD + b"3\r\nabc\r\n1", {**AS_HEAD, "body": b"abc", "broken": b"1"}),
        (HEAD + b"ff\r\nabc", {**AS_HEAD, "body": b"abc", "missing": 252}),
        (b"\0 no HTTP\r\n\r\nat all", {**BROKEN, "broken": b"\0 no HTTP\r\n\r\nat all"}),
        (b"HTTP/1.1 200 OK\r\nContent-", {**BROKEN, "broken": b"HTTP/1.1 200 OK\r\nContent-"}),
        (b"HTTP/1.1 100 Continue\r\n\r\nzz\r\n\r\n",
         {**BROKEN, "interim": (Interim(status=100, reason="Continue"),), "broken": b"zz\r\n\r\n"}),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5000, {**BROKEN, "broken": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2028}),
    ],
    ids=["no chunk", "no trailer", "half a chunk's head", "half a chunk", "no head", "half a head", "after an interim",
         "a head without an end"],
)  # fmt: skip
def test_an_answer_that_is_no_http(said: bytes, expected: dict[str, Any], size: int) -> None:
    limits = replace(LIMITS, head=1024, message=2048)
    played = play(HttpDecoder, [client(GET), *cut([server(said)], size), Ends(SERVER), Ends(CLIENT)], limits=limits)
    exchange = played.only()
    assert (exchange.response, exchange.ending) == (HttpResponse(**expected), Ending.CUT_SHORT)
    assert played.error is None
    assert played.settled == (len(GET), len(said), 1)


def test_a_client_that_has_heard_enough_resets_nothing() -> None:
    """It hangs up at once; at replay the bytes must arrive before the end does."""
    exchange = play(HttpDecoder, [client(GET), server(b"zz\r\n\r\n"), Ends(CLIENT, Ending.RESET)]).only()
    assert exchange.ending is Ending.CUT_SHORT
    exchange = play(HttpDecoder, [client(GET), server(b"zz\r\n\r\n"), Ends(SERVER, Ending.RESET)]).only()
    assert exchange.ending is Ending.RESET


def test_chunks_with_extensions_and_trailers_both_ways() -> None:
    exchange = play(
        HttpDecoder,
        [
            client(b"PUT /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
            server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"),
            server(b'4;name="v"\r\nWiki\r\nA\r\n0123456789\r\n000\r\nX-Sum: 9\r\nX-More: 1\r\n\r\n'),
        ],
    ).only()
    assert exchange.request.body == b"abc"
    assert exchange.response.body == b"Wiki0123456789"
    assert exchange.response.framing is Framing.CHUNKED
    assert exchange.response.trailers == (("X-Sum", "9"), ("X-More", "1"))


@pytest.mark.parametrize(
    ("request_line", "status_line"),
    [
        (b"HEAD / HTTP/1.1", b"HTTP/1.1 200 OK"),
        (b"GET / HTTP/1.1", b"HTTP/1.1 204 No Content"),
        (b"GET / HTTP/1.1", b"HTTP/1.1 304 Not Modified"),
    ],
)
def test_a_response_without_a_body_whatever_its_length_says(request_line: bytes, status_line: bytes) -> None:
    played = play(
        HttpDecoder,
        [
            client(request_line + b"\r\nHost: a\r\n\r\n" + GET),
            server(status_line + b"\r\nContent-Length: 5\r\n\r\n" + OK),
        ],
    )
    first, second = played.exchanges
    assert (first.response.body, first.response.framing) == (b"", Framing.NONE)
    assert first.response.headers == (("Content-Length", "5"),)
    assert second.response.body == b"ok"


def test_expect_continue() -> None:
    exchange = play(
        HttpDecoder,
        [
            client(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
            server(b"HTTP/1.1 100 Continue\r\n\r\n"),
            client(b"hi"),
            server(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK),
        ],
    ).only()
    assert exchange.response.interim == (
        Interim(status=100, reason="Continue"),
        Interim(status=103, reason="Early Hints", headers=(("Link", "</a>"),)),
    )
    assert exchange.response.status == 200


def test_pipelined_requests_are_answered_in_order() -> None:
    second = GET.replace(b"/users/7", b"/users/8")
    played = play(HttpDecoder, [client(GET + second), server(OK + OK.replace(b"ok", b"no"))])
    assert [(e.request.target, e.response.body) for e in played.exchanges] == [
        ("/users/7", b"ok"),
        ("/users/8", b"no"),
    ]
    assert [e.id.index for e in played.exchanges] == [0, 1]


def test_a_body_until_the_connection_closes() -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    exchange = play(
        HttpDecoder, [client(b"GET / HTTP/1.0\r\n\r\n"), server(head + b"to the "), server(b"end"), Ends(SERVER)]
    ).only()
    assert exchange.response.body == b"to the end"
    assert (exchange.response.version, exchange.response.framing) == ("1.0", Framing.CLOSE)
    assert exchange.ending is Ending.ANSWERED


@pytest.mark.parametrize(("told", "ending"), [(Ending.ANSWERED, Ending.CUT_SHORT), (Ending.RESET, Ending.RESET)])
def test_a_request_without_an_answer(told: Ending, ending: Ending) -> None:
    played = play(HttpDecoder, [client(GET + POST), Ends(SERVER, told), Ends(CLIENT, told)])
    assert played.error is None
    assert [(e.request.method, e.response, e.ending) for e in played.exchanges] == [
        ("GET", None, ending),
        ("POST", None, ending),
    ]
    assert played.settled == (len(GET + POST), 0, 2)


@pytest.mark.parametrize(("told", "ending"), [(Ending.ANSWERED, Ending.CUT_SHORT), (Ending.RESET, Ending.RESET)])
def test_half_a_response_is_kept(told: Ending, ending: Ending) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    exchange = play(HttpDecoder, [client(GET), server(half), Ends(SERVER, told), Ends(CLIENT, told)]).only()
    assert exchange.ending is ending
    assert exchange.response.body == b"half"


@pytest.mark.parametrize("end", [[Ends(CLIENT, Ending.RESET)], [Ends(CLIENT), Ends(SERVER)]])
@pytest.mark.parametrize("said", [[], [server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")]])
def test_a_client_that_has_waited_long_enough(said: list[Step], end: list[Step]) -> None:
    assert play(HttpDecoder, [client(GET), *said, *end]).only().ending is Ending.GIVEN_UP


def test_the_server_answers_before_the_request_is_complete() -> None:
    head = b"POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n"
    too_large = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    exchange = play(HttpDecoder, [client(head + b"abc"), server(too_large), client(b"def")]).only()
    assert (exchange.request.body, exchange.request.complete, exchange.response.status) == (b"abcdef", True, 413)
    assert exchange.ended_ns == 2_000_000_000

    exchange = play(HttpDecoder, [client(head + b"abc"), server(too_large), Ends(SERVER), Ends(CLIENT)]).only()
    assert (exchange.request.body, exchange.request.complete, exchange.response.status) == (b"abc", False, 413)
    assert exchange.ending is Ending.ANSWERED


UPGRADE = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "response"),
    [(UPGRADE, SWITCHING), (b"CONNECT db:3306 HTTP/1.1\r\nHost: db:3306\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")],
)
def test_after_a_switch_the_rest_is_left_alone(request_: bytes, response: bytes) -> None:
    played = play(
        HttpDecoder, [client(GET), server(OK), client(request_), server(response + b"\x81\x01"), client(b"x")]
    )
    assert [e.response.status for e in played.exchanges] == [200, int(response[9:12])]
    assert "no longer HTTP" in str(played.error)
    # whoever keeps the rest as raw bytes begins exactly behind the heads
    assert played.settled == (len(GET + request_), len(OK + response), 2)

    quiet = play(HttpDecoder, [client(request_), server(response), Ends(SERVER), Ends(CLIENT)])
    assert quiet.error is None
    assert len(quiet.exchanges) == 1


def test_an_upgrade_that_the_server_declines_stays_http() -> None:
    played = play(HttpDecoder, [client(UPGRADE + GET), server(OK + OK)])
    assert played.error is None
    assert [e.request.target for e in played.exchanges] == ["/ws", "/users/7"]


def test_settled_is_where_another_decoder_can_go_on() -> None:
    requests, responses = GET + POST + GET, OK + OK
    played = play(HttpDecoder, [client(requests), server(responses + OK[:10])])
    assert played.settled == (len(GET + POST), len(responses), 2)

    settled_client, settled_server, index = played.settled
    resumed = play(
        HttpDecoder,
        [client(requests[settled_client:]), server((responses + OK)[settled_server:])],
        context=replace(OUTBOUND, first_index=index),
    ).only()
    assert (resumed.id.index, resumed.request.target) == (2, "/users/7")


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_an_error_and_what_came_before_is_not_lost(garbage: bytes) -> None:
    for size in (1, 7, 10_000):
        played = play(HttpDecoder, cut([client(GET), server(OK), client(garbage), Ends(CLIENT), Ends(SERVER)], size))
        assert isinstance(played.error, ProtocolError), garbage
        assert [e.request.target for e in played.exchanges] == ["/users/7"]
        assert played.settled == (len(GET), len(OK), 1)


def test_a_server_that_speaks_unasked_is_no_http_server() -> None:
    played = play(HttpDecoder, [server(b"220 mail.local ESMTP\r\n"), Ends(SERVER), Ends(CLIENT)])
    assert isinstance(played.error, ProtocolError)


@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_limits(size: int) -> None:
    tight = Limits(head=100, message=200, messages=2, exchange=64 << 20)
    long_head = b"GET /" + b"a" * 200 + b" HTTP/1.1\r\n\r\n"
    assert isinstance(play(HttpDecoder, cut([client(long_head)], size), limits=tight).error, LimitError)
    short = b"GET / HTTP/1.1\r\n\r\n"
    assert isinstance(play(HttpDecoder, cut([client(short * 3)], size), limits=tight).error, LimitError)
    chunk_header = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 200
    assert isinstance(play(HttpDecoder, cut([client(chunk_header)], size), limits=tight).error, LimitError)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_passes_through_without_being_kept(chunked: bool) -> None:
    piece = bytes(1 << 18)
    pieces = 256

    class Counting(MemoryBody):
        size = 0

        def write(self, data: bytes) -> None:
            Counting.size += len(data)

    decoder = HttpDecoder(OUTBOUND, LIMITS, Counting)
    decoder.feed(Side.CLIENT, GET, 1)
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (len(piece) * pieces)
    tracemalloc.start()
    try:
        decoder.feed(Side.SERVER, b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n", 2)
        for _ in range(pieces):
            data = b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
            assert decoder.feed(Side.SERVER, data, 3) == [] or Counting.size == len(piece) * pieces
        exchanges = decoder.feed(Side.SERVER, b"0\r\n\r\n", 4) if chunked else []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert Counting.size == len(piece) * pieces
    assert peak < 4 * len(piece), f"{peak} bytes kept of a body of {Counting.size}"
    assert len(exchanges) == chunked


def test_a_body_that_turns_out_to_be_garbage_is_discarded() -> None:
    made: list[Noting] = []

    class Noting(MemoryBody):
        discarded = False

        def __init__(self) -> None:
            super().__init__()
            made.append(self)

        def discard(self) -> None:
            self.discarded = True

    decoder = HttpDecoder(OUTBOUND, LIMITS, Noting)
    decoder.feed(Side.CLIENT, b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc", 1)
    with pytest.raises(ProtocolError):
        decoder.feed(Side.CLIENT, b"defg", 2)
    assert [body.discarded for body in made] == [True], "a large body has a file that someone must remove"


# -- properties -------------------------------------------------------------------------------------------------

CONVERSATIONS: list[list[Step]] = [
    [client(GET), server(OK), client(POST), server(OK), Ends(CLIENT), Ends(SERVER)],
    [client(GET + POST + GET), server(OK + OK), Ends(SERVER, Ending.RESET)],
    [client(b"\r\n" + POST[:-2]), server(OK), client(POST[-2:]), Ends(SERVER), Ends(CLIENT)],
    [
        client(b"PUT /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\n\r\r\n0\r\nA: b\r\n\r\n"),
        server(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        ),
        Ends(SERVER),
    ],
    [client(b"HEAD / HTTP/1.0\r\n\r\n"), server(b"HTTP/1.0 200 \r\nContent-Length: 9\r\n\r\n"), Ends(SERVER)],
    [client(GET), server(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"), Ends(SERVER), Ends(CLIENT)],
    [client(UPGRADE), server(SWITCHING), client(b"\x81\x85raw"), Ends(SERVER)],
]


@given(conversation=st.sampled_from(CONVERSATIONS), size=st.integers(1, 40))
def test_however_the_bytes_are_cut_the_exchanges_are_the_same(conversation: list[Step], size: int) -> None:
    whole = play(HttpDecoder, conversation)
    pieces = play(HttpDecoder, cut(conversation, size))
    assert timeless(pieces.exchanges) == timeless(whole.exchanges)
    assert pieces.settled == whole.settled
    assert type(pieces.error) is type(whole.error)


@settings(max_examples=300)
@given(data=st.data(), conversation=st.sampled_from(CONVERSATIONS))
def test_damaged_input_yields_exchanges_or_a_protocol_error(data: st.DataObject, conversation: list[Step]) -> None:
    """`play` lets nothing but a `ProtocolError` pass; and damage is the same however it is cut."""
    damaged: list[Step] = []
    for step in conversation:
        if isinstance(step, Ends):
            damaged.append(step)
            continue
        raw = bytearray(step.data)
        for _ in range(data.draw(st.integers(0, 2))):
            position = data.draw(st.integers(0, len(raw)))
            removed = data.draw(st.integers(0, 3))
            raw[position : position + removed] = data.draw(
                st.one_of(st.binary(max_size=3), st.sampled_from([b"\r\n", b"\r\n\r\n", b"0", b":", b" ", b"HTTP/1.1"]))
            )
        damaged.append(type(step)(step.side, bytes(raw)))
    whole = play(HttpDecoder, damaged)
    pieces = play(HttpDecoder, cut(damaged, data.draw(st.integers(1, 9))))
    assert timeless(pieces.exchanges) == timeless(whole.exchanges)
    assert pieces.settled == whole.settled
