"""From frames to exchanges: what each connection turns out to be, and what is remembered of what is not finished."""

from __future__ import annotations

import json
from typing import Any

from intercept.journal import CLIENT, SERVER, Frame, Kind
from recorder.reading import Reading
from tests.protocols.http.h2_peers import Talker, answers, asks
from testset.model import Body, Ending, Exchange, Side


class Buffer:
    """A body in memory."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def finish(self) -> Body:
        return self.data

    def discard(self) -> None:
        self.data = b""


class Story:
    """Feeds a `Reading` as the relay would have written it; each frame is in a segment of its own."""

    def __init__(self, reading: Reading | None = None) -> None:
        self.reading = reading or Reading(Buffer)
        self.segment = 0
        self.offsets: dict[tuple[int, int], int] = {}

    def put(self, kind: Kind, side: int, connection: int, data: bytes = b"") -> list[Exchange[Any, Any]]:
        self.segment += 1
        offset = self.offsets.get((connection, side), 0)
        if kind is Kind.DATA:
            self.offsets[connection, side] = offset + len(data)
        return self.reading.feed(Frame(kind, side, connection, offset, data, self.segment * 1000, self.segment))

    def open(self, number: int, *, inbound: bool = True, server: tuple[str, int] = ("127.0.0.1", 80)) -> None:
        facts = {"inbound": inbound, "client": ["10.0.0.9", 5], "server": list(server), "started_ns": 1}
        self.put(Kind.OPEN, CLIENT, number, json.dumps(facts).encode())

    def asks(self, number: int, target: str = "/a") -> list[Exchange[Any, Any]]:
        return self.put(Kind.DATA, CLIENT, number, f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())

    def answers(self, number: int, text: str = "ok") -> list[Exchange[Any, Any]]:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n"
        return self.put(Kind.DATA, SERVER, number, (head + text).encode())


def test_an_http_exchange() -> None:
    story = Story()
    story.open(1)
    assert story.asks(1) == []
    assert story.reading.unfinished() == 1
    [exchange] = story.answers(1)
    assert (exchange.protocol, exchange.inbound, exchange.request.target) == ("http", True, "/a")
    assert str(exchange.server) == "localhost:80"
    assert story.reading.unfinished() == 0


def test_what_is_needed_is_what_is_unfinished() -> None:
    story = Story()
    story.open(1)
    assert story.reading.needed_segment() is None
    story.asks(1)
    assert story.reading.needed_segment() == 2
    assert story.reading.open_since() == 2000
    story.answers(1)
    assert story.reading.needed_segment() is None
    assert story.reading.open_since() is None


def test_the_origin_of_an_exchange_is_where_it_began() -> None:
    story = Story()
    story.open(1)
    story.asks(1, "/first")
    story.answers(1)
    story.asks(1, "/second")
    story.put(Kind.NOTE, 0, 0, b"{}")
    story.answers(1)
    origin = story.reading.origins[1]
    assert origin.segment == 4
    assert origin.resume is not None
    assert origin.resume.index == 1

    heir = Story(Reading(Buffer, {1: origin.resume}))
    heir.offsets = {(1, CLIENT): origin.resume.client, (1, SERVER): origin.resume.server}
    heir.asks(1, "/second")
    [again] = heir.answers(1)
    assert again.request.target == "/second"
    assert again.id.index == 1


def test_a_connection_of_http_2_that_never_rests_needs_only_what_its_open_streams_need() -> None:
    story = Story()
    story.open(1)
    app, service = Talker(Side.CLIENT), Talker(Side.SERVER)
    story.put(Kind.DATA, CLIENT, 1, app.hello().data)
    story.put(Kind.DATA, SERVER, 1, service.hello().data)
    for stream in range(1, 41, 2):  # each begins before the one before it ends
        story.put(Kind.DATA, CLIENT, 1, app.headers(stream, asks("GET", f"/{stream}"), end=True).data)
        began = story.segment
        if stream > 1:
            answer = service.headers(stream - 2, answers(204), end=True)
            [exchange] = story.put(Kind.DATA, SERVER, 1, answer.data)
            assert exchange.request.target == f"/{stream - 2}"
            assert story.reading.needed_segment() == began
            resume = story.reading.resume()[1]
            assert (resume.index, resume.state is None) == (stream // 2 + 1, False)


def test_a_connection_that_is_no_protocol_is_kept_raw_and_named() -> None:
    story = Story()
    story.open(1, server=("127.0.0.1", 9000))
    story.put(Kind.DATA, CLIENT, 1, b"\x00\x01HELO\n")
    story.put(Kind.DATA, SERVER, 1, b"\x00\x02OK\n")
    found = story.put(Kind.RESET, CLIENT, 1)
    assert [exchange.protocol for exchange in found] == ["generic"]
    assert story.reading.notes.not_http == {9000: 1}


def test_a_client_that_only_connects_is_nothing() -> None:
    story = Story()
    story.open(1)
    assert story.put(Kind.END, CLIENT, 1) == []
    assert story.put(Kind.END, SERVER, 1) == []
    assert story.reading.notes.not_http == {}
    assert story.reading.resume() == {}, "it is forgotten"


def test_a_reset_after_a_half_close_ends_the_connection() -> None:
    story = Story()
    story.open(1)
    story.asks(1)
    story.put(Kind.END, CLIENT, 1)
    [exchange] = story.put(Kind.RESET, CLIENT, 1)
    assert exchange.ending is Ending.GIVEN_UP
    assert story.reading.resume() == {}


def test_a_decoder_that_gives_up_hands_over_the_rest_as_raw_bytes() -> None:
    story = Story()
    story.open(1, inbound=False, server=("10.0.0.5", 8080))
    story.asks(1)
    [http] = story.answers(1)
    assert http.protocol == "http"
    story.put(Kind.DATA, CLIENT, 1, b"\xff\xfenot http at all\r\n\r\n")
    found = [*story.put(Kind.END, SERVER, 1), *story.put(Kind.END, CLIENT, 1)]
    assert [exchange.protocol for exchange in found] == ["generic"]
    assert len(story.reading.notes.gave_up) == 1
    assert "10.0.0.5:8080" in story.reading.notes.gave_up[0]


def test_an_answer_that_is_no_http_belongs_to_its_request_and_is_told() -> None:
    story = Story()
    story.open(1, inbound=False, server=("10.0.0.5", 8080))
    story.asks(1)
    story.put(Kind.DATA, SERVER, 1, b"\xff\xfenot http at all\r\n\r\n")
    [exchange] = [*story.put(Kind.END, SERVER, 1), *story.put(Kind.END, CLIENT, 1)]
    assert exchange.protocol == "http"
    assert story.reading.notes.gave_up == ["10.0.0.5:8080 gave an answer that is no HTTP: it is kept as it came"]


def test_a_failed_connection_is_an_exchange_with_its_ending() -> None:
    for how, ending in (
        ("refused", Ending.REFUSED),
        ("unreachable", Ending.UNREACHABLE),
        ("timed out", Ending.TIMED_OUT),
    ):
        facts = {"inbound": False, "client": ["", 0], "server": ["192.0.2.1", 5432], "how": how, "started_ns": 5}
        [exchange] = Story().put(Kind.FAILED, 0, 3, json.dumps(facts).encode())
        assert (exchange.ending, str(exchange.server), exchange.started_ns) == (ending, "192.0.2.1:5432", 5)


def test_when_the_relay_dies_everything_in_its_hands_was_reset() -> None:
    story = Story()
    story.open(1)
    story.asks(1)
    story.open(2, inbound=False, server=("10.0.0.5", 80))
    story.asks(2, "/out")
    found = story.put(Kind.GAP, 0, 0, b'{"why": "it died"}')
    assert {(exchange.inbound, exchange.ending) for exchange in found} == {(True, Ending.RESET), (False, Ending.RESET)}
    assert set(story.reading.origins) == {1, 2}
    assert story.reading.open_since() is None
    assert story.reading.notes.gaps == ["it died"]


def test_the_end_of_the_recording_cuts_short_what_is_open() -> None:
    story = Story()
    story.open(1, inbound=False, server=("10.0.0.5", 80))
    story.asks(1)
    story.put(Kind.DATA, SERVER, 1, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    [exchange] = story.reading.finish(99_000)
    assert exchange.ending is Ending.GIVEN_UP
    assert exchange.response is not None
    assert exchange.response.status == 200


def test_udp_is_counted() -> None:
    story = Story()
    for count in (2, 3):
        story.put(Kind.NOTE, 0, 0, json.dumps({"udp": {"10.0.0.1:53": count}}).encode())
    assert story.reading.notes.udp == {"10.0.0.1:53": 5}
