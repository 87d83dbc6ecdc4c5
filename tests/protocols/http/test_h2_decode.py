"""Playbooks of HTTP/2: frames of both sides, and the exchanges that they were."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.furniture import Limits
from protocols.http.h2_decode import H2Decoder
from protocols.http.h2_frames import END_HEADERS, PREFACE, Type
from protocols.http.versions import AnyDecoder
from protocols.http.wire import Framing, HttpRequest, HttpResponse, Interim
from tests.protocols.http.h2_peers import PING, SETTINGS, WINDOW_UPDATE, Talker, answers, asks, frame
from tests.protocols.playbook import (
    CLIENT,
    LIMITS,
    OUTBOUND,
    SERVER,
    Ends,
    MemoryBody,
    Played,
    Sends,
    Step,
    client,
    cut,
    play,
    server,
    timeless,
)
from testset.errors import LimitError, ProtocolError
from testset.model import Ending, ExchangeId, Side

CANCEL, REFUSED_STREAM, ENHANCE_YOUR_CALM = 8, 7, 11


def begun() -> tuple[Talker, Talker, list[Step]]:
    """Both sides, and what they say first."""
    app, service = Talker(CLIENT), Talker(SERVER)
    return app, service, [app.hello(), service.hello()]


def get(app: Talker, stream: int, path: str = "/users/7") -> Sends:
    return app.headers(stream, asks("GET", path), end=True)


def ok(service: Talker, stream: int, body: bytes = b"ok") -> list[Step]:
    return [service.headers(stream, answers(200)), service.data(stream, body, end=True)]


def paths(played: Played) -> list[str]:
    assert played.error is None, played.error
    return [exchange.request.target for exchange in played.exchanges]


def test_an_exchange_with_bodies() -> None:
    app, service, steps = begun()
    exchange = play(
        H2Decoder,
        [
            *steps,
            app.headers(1, asks("POST", "/orders?x=1", ("content-type", "application/json"))),
            app.data(1, b'{"a":'),
            app.data(1, b" 12}", end=True),
            service.headers(1, answers(201, ("content-length", "8"), ("x-a", "1"), ("x-a", "2"))),
            service.data(1, b'{"id":1}', end=True),
        ],
    ).only()
    assert exchange.id == ExchangeId(2, 0)
    assert exchange.request == HttpRequest(
        method="POST",
        target="/orders?x=1",
        version="2",
        headers=(("host", "user-service:5001"), ("content-type", "application/json")),
        body=b'{"a": 12}',
    )
    assert exchange.response == HttpResponse(
        status=201,
        reason="Created",
        version="2",
        headers=(("content-length", "8"), ("x-a", "1"), ("x-a", "2")),
        body=b'{"id":1}',
    )
    # from the first byte of the request to the last of the response
    assert (exchange.started_ns, exchange.ended_ns) == (3_000_000_000, 7_000_000_000)


def test_a_unary_call_of_grpc() -> None:
    app, service, steps = begun()
    grpc = ("content-type", "application/grpc")
    exchange = play(
        H2Decoder,
        [
            *steps,
            app.headers(1, asks("POST", "/shop.Users/Get", grpc, ("te", "trailers"))),
            app.data(1, b"\0\0\0\0\x02\x08\x07", end=True),
            service.headers(1, answers(200, grpc)),
            service.data(1, b"\0\0\0\0\x02\x08\x09"),
            service.headers(1, [("grpc-status", "0")], end=True),
        ],
    ).only()
    assert (exchange.request.body, exchange.response.body) == (b"\0\0\0\0\x02\x08\x07", b"\0\0\0\0\x02\x08\x09")
    assert exchange.response.trailers == (("grpc-status", "0"),)
    assert exchange.response.framing is Framing.FRAMES


def test_https_is_said_by_the_connection() -> None:
    app, service, steps = begun()
    exchange = play(H2Decoder, [*steps, get(app, 1), *ok(service, 1)], context=replace(OUTBOUND, secure=True)).only()
    assert exchange.request.scheme == "https"


def test_streams_beside_each_other_are_yielded_as_they_end() -> None:
    app, service, steps = begun()
    played = play(
        H2Decoder,
        [
            *steps,
            get(app, 1, "/slow"),
            app.headers(3, asks("POST", "/upload")),
            get(app, 5, "/quick"),
            service.headers(1, answers(200)),
            *ok(service, 5, b"quick"),
            service.data(1, b"sl"),
            app.data(3, b"up", end=True),
            service.data(1, b"ow", end=True),
            *ok(service, 3, b"taken"),
        ],
    )
    assert paths(played) == ["/quick", "/slow", "/upload"]
    assert [e.response.body for e in played.exchanges] == [b"quick", b"slow", b"taken"]
    assert [e.id.index for e in played.exchanges] == [2, 0, 1]


def test_streams_that_are_opened_at_once_are_in_their_order_whenever_they_end() -> None:
    app, service, steps = begun()
    at_once = client(b"".join(get(app, number, f"/{number}").data for number in (1, 3, 5)))
    played = play(H2Decoder, [*steps, at_once, *ok(service, 5), *ok(service, 1), *ok(service, 3)])
    assert paths(played) == ["/5", "/1", "/3"]
    assert [e.request.target for e in sorted(played.exchanges, key=lambda e: e.started_ns)] == ["/1", "/3", "/5"]


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("padding", [0, 5, 200])
def test_padding_priority_and_continuation(pieces: int, padding: int) -> None:
    app, service, steps = begun()
    exchange = play(
        H2Decoder,
        [
            *steps,
            app.headers(1, asks("PUT", "/f"), pieces=pieces, padding=padding),
            app.data(1, b"body", end=True, padding=padding),
            service.headers(1, answers(200, ("x-a", "1")), pieces=pieces, padding=padding),
            service.data(1, b"", padding=padding),
            service.data(1, b"answer", padding=padding),
            service.data(1, b"", end=True, padding=padding),
        ],
    ).only()
    assert (exchange.request.target, exchange.request.body, exchange.response.body) == ("/f", b"body", b"answer")


def test_frames_that_say_nothing_of_exchanges_are_skipped() -> None:
    app, service, steps = begun()
    noise = PING + WINDOW_UPDATE + frame(0x0A, 0, 0, b"alternative service") + frame(2, 0, 1, bytes(5))
    played = play(
        H2Decoder,
        [*steps, client(noise), get(app, 1), client(noise), server(noise), *ok(service, 1), server(noise + SETTINGS)],
    )
    assert paths(played) == ["/users/7"]
    assert played.settled[2] == 1


def test_interim_responses_and_early_ones() -> None:
    app, service, steps = begun()
    exchange = play(
        H2Decoder,
        [
            *steps,
            app.headers(1, asks("POST", "/", ("expect", "100-continue"))),
            service.headers(1, answers(100)),
            service.headers(1, answers(103, ("link", "</a>"))),
            *ok(service, 1),
            app.data(1, b"late", end=True),
        ],
    ).only()
    assert exchange.response.interim == (
        Interim(status=100, reason="Continue"),
        Interim(status=103, reason="Early Hints", headers=(("link", "</a>"),)),
    )
    assert exchange.request.body == b"late"


def test_a_cookie_in_crumbs_is_one() -> None:
    app, service, steps = begun()
    crumbs = [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]
    exchange = play(H2Decoder, [*steps, app.headers(1, asks("GET", "/", *crumbs), end=True), *ok(service, 1)]).only()
    assert exchange.request.headers[1:] == (("cookie", "a=1; b=2"), ("x", "y"))


def test_what_a_server_pushes_is_passed_over() -> None:
    app, service, steps = begun()
    played = play(
        H2Decoder,
        [
            *steps,
            get(app, 1, "/page"),
            service.promise(1, 2, asks("GET", "/style.css", ("x-new", "in the table"))),
            *ok(service, 2, b"css"),
            *ok(service, 1, b"page"),
            get(app, 3, "/next"),
            service.headers(3, answers(200, ("x-new", "in the table")), end=True),
        ],
    )
    assert paths(played) == ["/page", "/next"]
    assert played.exchanges[1].response.headers == (("x-new", "in the table"),)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ([*asks("CONNECT", "/chat"), (":protocol", "websocket")], "WebSocket"),
        ([(":method", "CONNECT"), (":authority", "db:3306")], "tunnel"),
    ],
)
def test_what_follows_a_connect_is_passed_on_and_named(fields: list[tuple[str, str]], what: str) -> None:
    app, service, steps = begun()
    played = play(
        H2Decoder,
        [
            *steps,
            app.headers(1, fields),
            service.headers(1, answers(200)),
            app.data(1, b"\x81\x05"),
            service.data(1, b"\x81\x05"),
            get(app, 3),
            *ok(service, 3),
        ],
    )
    connect, other = played.exchanges
    assert what in connect.remark
    assert (connect.request.method, connect.request.body, connect.response.body) == ("CONNECT", b"", b"")
    assert other.request.target == "/users/7"
    assert played.settled[2] == 2, "a WebSocket that stays open holds back nothing"


# -- endings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_a_stream_that_is_reset(side: Any) -> None:
    app, service, steps = begun()
    talker = app if side is CLIENT else service
    played = play(
        H2Decoder,
        [
            *steps,
            get(app, 1, "/half"),
            get(app, 3, "/other"),
            service.headers(1, answers(200)),
            service.data(1, b"half"),
            talker.reset(1, CANCEL),
            service.data(1, b"on its way"),
            *ok(service, 3),
        ],
    )
    assert paths(played) == ["/half", "/other"]
    half, other = played.exchanges
    assert (half.ending, half.response.body) == (Ending.GIVEN_UP if side is CLIENT else Ending.RESET, b"half")
    assert half.response.error == (0 if side is CLIENT else CANCEL)
    assert other.ending is Ending.ANSWERED


def test_an_answer_before_the_request_is_complete_and_a_reset_that_says_so() -> None:
    app, service, steps = begun()
    exchange = play(
        H2Decoder,
        [*steps, app.headers(1, asks("POST", "/big")), app.data(1, b"ab"), *ok(service, 1), service.reset(1, 0)],
    ).only()
    assert (exchange.ending, exchange.request.complete, exchange.request.body) == (Ending.ANSWERED, False, b"ab")


def test_what_the_server_refuses_to_see_is_no_exchange() -> None:
    """The client sends it again elsewhere: that is the one that counts."""
    app, service, steps = begun()
    played = play(
        H2Decoder,
        [
            *steps,
            get(app, 1, "/answered"),
            get(app, 3, "/refused"),
            service.reset(3, REFUSED_STREAM),
            get(app, 5, "/too-late"),
            service.go_away(1),
            *ok(service, 1),
            Ends(SERVER),
            Ends(CLIENT),
        ],
    )
    assert paths(played) == ["/answered"]


def test_a_server_that_gives_up_the_connection_is_not_left_by_a_client_that_then_closes_it() -> None:
    app, service, steps = begun()
    played = play(
        H2Decoder,
        [
            *steps,
            get(app, 1, "/half"),
            get(app, 3, "/none"),
            service.headers(1, answers(200)),
            service.data(1, b"half"),
            service.go_away(1, ENHANCE_YOUR_CALM),
            Ends(CLIENT),
        ],
    )
    half, none = played.exchanges
    assert (half.ending, half.response.error) == (Ending.CUT_SHORT, ENHANCE_YOUR_CALM)
    assert half.response.framing is Framing.FRAMES
    assert (none.ending, none.response) == (Ending.CUT_SHORT, None)


@pytest.mark.parametrize(("told", "ending"), [(Ending.ANSWERED, Ending.CUT_SHORT), (Ending.RESET, Ending.RESET)])
def test_the_connection_ends_in_the_middle(told: Ending, ending: Ending) -> None:
    app, service, steps = begun()
    half = service.data(3, b"half")
    played = play(
        H2Decoder,
        [
            *steps,
            get(app, 1, "/none"),
            get(app, 3, "/half"),
            service.headers(3, answers(200)),
            server(half.data[:-2]),
            Ends(SERVER, told),
            Ends(CLIENT, told),
        ],
    )
    assert paths(played) == ["/none", "/half"]
    none, some = played.exchanges
    assert (none.response, none.ending, some.response.body, some.ending) == (None, ending, b"ha", ending)


@pytest.mark.parametrize("first", [CLIENT, SERVER])
def test_who_has_left_first_tells_whether_more_would_have_come(first: Side) -> None:
    app, service, steps = begun()
    steps += [get(app, 1, "/watch"), service.headers(1, answers(200)), service.data(1, b"so far")]
    unheard: list[Step] = [service.headers(1, [("grpc-status", "14")], end=True)] if first is CLIENT else []
    exchange = play(H2Decoder, [*steps, Ends(first), *unheard, Ends(first.other)]).only()
    ending = Ending.GIVEN_UP if first is CLIENT else Ending.CUT_SHORT
    assert (exchange.ending, exchange.response.body) == (ending, b"so far")


# -- going on in the middle -------------------------------------------------------------------------------------


def long_conversation() -> list[Step]:
    """Streams that overlap all the time, with tables that grow, shrink and are used."""
    app, service, steps = begun()
    token = ("authorization", "Bearer abcdefgh")
    for number in range(12):
        stream = 2 * number + 1
        steps.append(app.headers(stream, asks("POST", f"/calls/{number}", token, ("x-call", str(number)))))
        if number:
            steps.append(app.data(stream - 2, b"ask %d" % (number - 1), end=True))
        if number > 1:
            steps.append(service.headers(stream - 4, answers(200, ("x-answer", str(number - 2)), ("x-same", "s"))))
        if number > 2:
            steps.append(service.data(stream - 6, b"answer %d" % (number - 3), end=True))
        if number == 6:
            app.resize(200)
            service.resize(0)
    return steps


@pytest.mark.parametrize("size", [1, 20, 10_000])
def test_settled_and_state_are_where_another_decoder_can_go_on(size: int) -> None:
    steps = [step for step in cut(long_conversation(), size) if isinstance(step, Sends)]
    whole = play(AnyDecoder, steps).exchanges
    assert [e.request.target for e in whole] == [f"/calls/{number}" for number in range(9)]
    totals = [sum(len(step.data) for step in steps if step.side is side) for side in (CLIENT, SERVER)]

    decoder = AnyDecoder(OUTBOUND, LIMITS, MemoryBody)
    known: list[Any] = []
    places: set[tuple[int, int]] = set()
    for fed, step in enumerate(steps, 1):
        known += decoder.feed(step.side, step.data, 1)
        client_at, server_at, index = decoder.settled()
        if (client_at, server_at) in places:
            continue
        places.add((client_at, server_at))
        state = decoder.state()
        again = json.loads(json.dumps(state))
        context = replace(OUTBOUND, first_index=index, state=again)
        resumed = play(AnyDecoder, after(steps, client_at, server_at), context=context).exchanges
        merged = {e.id: e for e in [*known, *resumed]}
        assert by_index(merged.values()) == by_index(whole), f"after step {fed}, at {client_at}, {server_at}"
        assert not {e.id for e in resumed} & {e.id for e in known[:-4]}, "too much is read again"
    assert len(places) > 8, "it settles while other streams are open"
    assert max(places) > (totals[0] // 2, totals[1] // 2)


def by_index(exchanges: Iterable[Any]) -> list[Any]:
    return timeless(sorted(exchanges, key=lambda exchange: exchange.id.index))


def after(steps: list[Sends], client_at: int, server_at: int) -> list[Step]:
    """The same steps without what lies before these places."""
    skip = {CLIENT: client_at, SERVER: server_at}
    result: list[Step] = []
    for step in steps:
        data = step.data[skip[step.side] :]
        skip[step.side] = max(0, skip[step.side] - len(step.data))
        if data:
            result.append(Sends(step.side, data))
    return result


def test_a_connection_at_rest_is_settled_to_the_last_byte() -> None:
    app, service, steps = begun()
    steps += [get(app, 1), *ok(service, 1), client(WINDOW_UPDATE), server(PING)]
    sizes = tuple(
        sum(len(s.data) for s in steps if isinstance(s, Sends) and s.side is side) for side in (CLIENT, SERVER)
    )
    assert play(H2Decoder, steps).settled == (*sizes, 1)


# -- what is not HTTP/2 -----------------------------------------------------------------------------------------


def bad_starts() -> list[list[Step]]:
    app, service = Talker(CLIENT), Talker(SERVER)
    hello: list[Step] = [app.hello(), service.hello()]
    return [
        [client(PREFACE + PING)],
        [client(PREFACE[:-1] + b"!")],
        [app.hello(), server(b"HTTP/1.1 400 Bad Request\r\n\r\n")],
        [*hello, client(frame(Type.HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"))],
        [*hello, client(frame(Type.HEADERS, END_HEADERS, 1, b"\xbf"))],
        [*hello, client(frame(Type.HEADERS, END_HEADERS | 8, 1, b"\x20\x82"))],
        [*hello, client(frame(Type.HEADERS, 0, 1, b"\x82") + PING)],
        [*hello, client(frame(Type.CONTINUATION, END_HEADERS, 1, b"\x82"))],
        [*hello, Talker(CLIENT).headers(2, asks("GET", "/"))],
        [*hello, Talker(CLIENT).headers(1, [(":method", "GET")])],
        [*hello, Talker(CLIENT).headers(1, [*asks("GET", "/"), ("x", "a\r\nb: c")])],
        [*hello, Talker(CLIENT).headers(1, asks("GET", "/")), server(frame(Type.DATA, 0, 1, b"body"))],
        [*hello, Talker(CLIENT).headers(1, asks("GET", "/")), Talker(SERVER).headers(1, answers(20))],
    ]


@pytest.mark.parametrize("steps", bad_starts())
@pytest.mark.parametrize("size", [1, 10_000])
def test_what_is_not_http_2_is_an_error(steps: list[Step], size: int) -> None:
    assert isinstance(play(H2Decoder, cut(steps, size)).error, ProtocolError)


def test_what_was_complete_before_an_error_is_not_lost() -> None:
    app, service, steps = begun()
    app_data = get(app, 1).data
    garbage = frame(Type.CONTINUATION, END_HEADERS, 1, b"x")
    steps += [client(app_data), *ok(service, 1)]
    settled = play(H2Decoder, steps).settled
    for size in (1, 9, 10_000):
        played = play(H2Decoder, [*cut(steps, size), *cut([client(garbage), Ends(CLIENT)], size)])
        assert isinstance(played.error, ProtocolError)
        assert [e.request.target for e in played.exchanges] == ["/users/7"]
        assert played.settled == settled


@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_limits(size: int) -> None:
    tight = Limits(head=300, message=200, messages=2, exchange=64 << 20)
    app, _, steps = begun()
    long_head = [*steps, app.headers(1, asks("GET", "/" + "a" * 500))]
    assert isinstance(play(H2Decoder, cut(long_head, size), limits=tight).error, LimitError)

    app, _, steps = begun()
    many_pieces = [*steps, app.headers(1, asks("GET", "/" + "a" * 500), pieces=50)]
    assert isinstance(play(H2Decoder, cut(many_pieces, size), limits=tight).error, LimitError)

    app, _, steps = begun()
    bomb = [
        *steps,
        app.headers(1, asks("GET", "/", ("x", "b" * 100))),
        app.headers(3, asks("GET", "/", *[("x", "b" * 100)] * 9)),
    ]
    assert isinstance(play(H2Decoder, cut(bomb, size), limits=tight).error, LimitError)

    app, _, steps = begun()
    streams = [*steps, *(get(app, number) for number in (1, 3, 5))]
    assert isinstance(play(H2Decoder, cut(streams, size), limits=tight).error, LimitError)


def test_a_large_body_passes_through_without_being_kept() -> None:
    piece, pieces = bytes(1 << 18), 256

    class Counting(MemoryBody):
        size = 0

        def write(self, data: bytes) -> None:
            Counting.size += len(data)

    app, service, steps = begun()
    decoder = H2Decoder(OUTBOUND, LIMITS, Counting)
    for step in [*steps, get(app, 1), service.headers(1, answers(200))]:
        assert isinstance(step, Sends)
        decoder.feed(step.side, step.data, 1)
    tracemalloc.start()
    try:
        for _ in range(pieces):
            assert decoder.feed(SERVER, service.data(1, piece).data, 2) == []
        done = decoder.feed(SERVER, service.data(1, b"", end=True).data, 3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (Counting.size, len(done)) == (len(piece) * pieces, 1)
    assert peak < 5 * len(piece), f"{peak} bytes kept of a body of {Counting.size}"


def test_bodies_of_a_connection_that_turns_out_to_be_garbage_are_discarded() -> None:
    made: list[Noting] = []

    class Noting(MemoryBody):
        discarded = False

        def __init__(self) -> None:
            super().__init__()
            made.append(self)

        def discard(self) -> None:
            self.discarded = True

    app, _, steps = begun()
    decoder = H2Decoder(OUTBOUND, LIMITS, Noting)
    for step in [*steps, app.headers(1, asks("PUT", "/")), app.data(1, b"abc")]:
        assert isinstance(step, Sends)
        decoder.feed(step.side, step.data, 1)
    with pytest.raises(ProtocolError):
        decoder.feed(CLIENT, frame(Type.CONTINUATION, 0, 1), 2)
    assert [body.discarded for body in made] == [True], "a large body has a file that someone must remove"


# -- properties -------------------------------------------------------------------------------------------------


def conversations() -> list[list[Step]]:
    result: list[list[Step]] = [long_conversation()]
    app, service, steps = begun()
    grpc = ("content-type", "application/grpc")
    result.append(
        [
            *steps,
            app.headers(1, asks("POST", "/a/b", grpc), padding=3, pieces=2),
            client(WINDOW_UPDATE),
            app.data(1, b"abcdef", padding=7),
            service.headers(1, answers(103)),
            app.headers(1, [("x-trailer", "t")], end=True),
            service.promise(1, 2, asks("GET", "/pushed")),
            service.headers(1, answers(200, grpc), pieces=2),
            service.data(2, b"pushed", end=True),
            service.data(1, b"answer", padding=1),
            service.headers(1, [("grpc-status", "0")], end=True),
            get(app, 3),
            get(app, 5),
            service.reset(3, CANCEL),
            service.go_away(5),
            service.headers(5, answers(204), end=True),
            get(app, 7),
            Ends(SERVER),
            Ends(CLIENT),
        ]
    )
    app, service, steps = begun()
    result.append([steps[1], steps[0], get(app, 1), *ok(service, 1), Ends(SERVER, Ending.RESET)])
    return result


CONVERSATIONS = conversations()


@given(conversation=st.sampled_from(CONVERSATIONS), size=st.integers(1, 60))
def test_however_the_bytes_are_cut_the_exchanges_are_the_same(conversation: list[Step], size: int) -> None:
    whole = play(AnyDecoder, conversation)
    pieces = play(AnyDecoder, cut(conversation, size))
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
        for _ in range(data.draw(st.integers(0, 1))):
            position = data.draw(st.integers(0, len(raw)))
            removed = data.draw(st.integers(0, 3))
            raw[position : position + removed] = data.draw(
                st.one_of(st.binary(max_size=3), st.sampled_from([b"\0", b"\x01\x04", b"\xff\xff", PING, SETTINGS]))
            )
        damaged.append(Sends(step.side, bytes(raw)))
    whole = play(AnyDecoder, damaged)
    pieces = play(AnyDecoder, cut(damaged, data.draw(st.integers(1, 9))))
    assert timeless(pieces.exchanges) == timeless(whole.exchanges)
    assert pieces.settled == whole.settled
