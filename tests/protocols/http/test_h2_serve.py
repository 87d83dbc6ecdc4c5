"""Playbooks of the replay over HTTP/2: what the app sends, what rr asks, what the app gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from hypothesis import given
from hypothesis import strategies as st

from protocols.furniture import Act, Ask, Hang, ReadFile, Reply, Send
from protocols.http.h2_frames import PREFACE
from protocols.http.h2_serve import H2Responder
from protocols.http.versions import AnyResponder
from protocols.http.wire import Framing, HttpRequest, HttpResponse, Interim
from tests.protocols.playbook import LIMITS
from testset.errors import ProtocolError
from testset.model import Ending, FileBody

WINDOW = 65_535  # of a stream and of a connection, before anybody says otherwise

OK = HttpResponse(status=200, reason="OK", version="2", headers=(("content-length", "2"),), body=b"ok")


class App:
    """An app's client, and rr as its server. What rr asks is kept in `asked`."""

    def __init__(self, make: Callable[[], Any] = lambda: AnyResponder(LIMITS)) -> None:
        self.responder = make()
        self.asked: list[HttpRequest] = []
        self.hung: list[Hang] = []
        self.sent = b""  # by rr
        self.statuses: dict[int, int] = {}
        self.interim: dict[int, list[int]] = {}
        self.headers: dict[int, tuple[tuple[str, str], ...]] = {}
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, tuple[tuple[str, str], ...]] = {}
        self.ended: set[int] = set()
        self.reset: dict[int, int] = {}
        self.gone: int | None = None
        self.connection = H2Connection(H2Configuration(header_encoding="latin-1"))
        self.connection.initiate_connection()
        self._do(self.responder.start())
        self.flush()

    def ask(self, stream: int, path: str = "/users/7", *more: tuple[str, str], end: bool = True) -> None:
        head = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a:1"), *more]
        self.connection.send_headers(stream, head, end_stream=end)
        self.flush()

    def flush(self) -> None:
        while data := self.connection.data_to_send():
            self._do(self.responder.feed(data))

    def answer(self, response: HttpResponse | None, ending: Ending = Ending.ANSWERED) -> None:
        self._do(self.responder.answer(Reply(response, ending)))
        self.flush()

    def take(self, stream: int, size: int) -> None:
        """The app has used up so much of a body."""
        self.connection.acknowledge_received_data(size, stream)
        self.flush()

    def _do(self, acts: list[Act]) -> None:
        while acts:
            act = acts.pop(0)
            match act:
                case Send(data):
                    self.sent += data
                    for event in self.connection.receive_data(data):
                        self._see(event)
                case Ask(request):
                    self.asked.append(request)
                case ReadFile(body, offset, size, then):
                    acts = then(body.path.read_bytes()[offset : offset + size]) + acts
                case Hang():
                    self.hung.append(act)
                case _:
                    raise AssertionError(act)

    def _see(self, event: Any) -> None:
        match event:
            case InformationalResponseReceived():
                self.interim.setdefault(event.stream_id, []).append(int(event.headers[0][1]))
            case ResponseReceived():
                self.statuses[event.stream_id] = int(event.headers[0][1])
                self.headers[event.stream_id] = tuple((name, value) for name, value in event.headers[1:])
            case DataReceived():
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            case TrailersReceived():
                self.trailers[event.stream_id] = tuple((name, value) for name, value in event.headers)
            case StreamEnded():
                self.ended.add(event.stream_id)
            case StreamReset():
                self.reset[event.stream_id] = event.error_code
            case ConnectionTerminated():
                self.gone = event.error_code
            case _:
                pass


def test_a_request_is_asked_about_and_answered() -> None:
    app = App()
    app.ask(1, "/o?x=1", ("content-type", "text/plain"), end=False)
    assert app.asked == []
    app.connection.send_data(1, b"body", end_stream=True)
    app.flush()
    assert app.asked == [
        HttpRequest(
            method="GET",
            target="/o?x=1",
            version="2",
            headers=(("host", "a:1"), ("content-type", "text/plain")),
            body=b"body",
        )
    ]
    app.answer(OK)
    assert (app.statuses, app.bodies, app.ended) == ({1: 200}, {1: b"ok"}, {1})
    assert app.headers[1] == (("content-length", "2"),)


def test_streams_are_asked_about_one_after_the_other() -> None:
    app = App()
    app.ask(1, "/slow", end=False)
    app.ask(3, "/b")
    app.ask(5, "/c")
    app.connection.end_stream(1)
    app.flush()
    assert [request.target for request in app.asked] == ["/b"], "one at a time, in the order of their ends"
    for body in (b"b", b"c", b"slow"):
        app.answer(HttpResponse(status=200, body=body, framing=Framing.FRAMES))
    assert [request.target for request in app.asked] == ["/b", "/c", "/slow"]
    assert app.bodies == {3: b"b", 5: b"c", 1: b"slow"}


def test_a_large_body_waits_for_the_app_s_window_and_no_other_stream_waits_for_it() -> None:
    app = App()
    large = bytes(range(256)) * 1024
    app.ask(1, "/large")
    app.answer(HttpResponse(status=200, body=large, framing=Framing.FRAMES))
    assert len(app.bodies[1]) == WINDOW
    app.connection.increment_flow_control_window(100)  # of the connection; the stream's is used up
    app.ask(3, "/small")
    app.answer(OK)
    assert 3 in app.ended
    while 1 not in app.ended:
        before = len(app.bodies[1])
        app.take(1, WINDOW // 2 + 1)
        assert len(app.bodies[1]) > before, "the window is open, and nothing comes"
    assert app.bodies[1] == large


def test_a_body_in_a_file_is_read_as_it_can_be_sent(tmp_path: Path) -> None:
    large = bytes(range(256)) * 1024
    path = tmp_path / "body.bin"
    path.write_bytes(large)
    body = FileBody(path=path, size=len(large), sha256="")
    app = App()
    app.ask(1)
    app.ask(3)
    trailers = (("x-sum", "1"),)
    app.answer(HttpResponse(status=200, body=body, framing=Framing.FRAMES, trailers=trailers))
    app.answer(HttpResponse(status=200, body=body, headers=(("content-length", "1"),)))
    for _ in range(40):
        for stream in {1, 3} - app.ended:
            app.take(stream, min(16_384, len(app.bodies.get(stream, b""))))
    assert app.ended == {1, 3}
    assert app.bodies == {1: large, 3: large}
    assert app.trailers == {1: trailers}
    assert app.headers[3] == (("content-length", str(len(large))),)


def test_what_was_recorded_in_http_1_is_served() -> None:
    response = HttpResponse(
        status=200,
        reason="OK",
        headers=(
            ("Content-Type", "text/plain"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "keep-alive, X-Hop"),
            ("Keep-Alive", "timeout=5"),
            ("X-Hop", "1"),
            ("X-Stays", " yes"),
        ),
        body=b"hello",
        trailers=(("X-Sum", "1"),),
        framing=Framing.CHUNKED,
    )
    app = App()
    app.ask(1)
    app.answer(response)
    assert app.headers[1] == (("content-type", "text/plain"), ("x-stays", "yes"))
    assert (app.bodies[1], app.trailers[1]) == (b"hello", (("x-sum", "1"),))


def test_what_was_recorded_in_http_2_is_served_in_http_1() -> None:
    made = AnyResponder(LIMITS)
    (ask,) = made.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert isinstance(ask, Ask)
    assert made.answer(
        Reply(HttpResponse(status=200, version="2", body=b"hi", framing=Framing.FRAMES), Ending.ANSWERED)
    ) == [Send(b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi")]
    made.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    sums = HttpResponse(status=200, version="2", body=b"hi", trailers=(("x-sum", "1"),), framing=Framing.FRAMES)
    assert made.answer(Reply(sums, Ending.ANSWERED)) == [
        Send(b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n")
    ]


def test_interim_responses_come_before_and_100_only_once() -> None:
    recorded = HttpResponse(
        status=204,
        version="2",
        framing=Framing.NONE,
        interim=(Interim(status=100), Interim(status=103, headers=(("link", "</a>"),))),
    )
    app = App()
    app.ask(1, "/", ("expect", "100-continue"), end=False)
    assert app.interim == {1: [100]}, "the app waits for it before it sends its body"
    app.connection.send_data(1, b"body", end_stream=True)
    app.flush()
    app.answer(recorded)
    assert (app.interim, app.statuses, app.ended) == ({1: [100, 103]}, {1: 204}, {1})


# -- misses -----------------------------------------------------------------------------------------------------


def test_a_miss_is_told_as_json_and_the_connection_lives_on() -> None:
    app = App()
    app.ask(1)
    app._do(app.responder.miss("no mock for GET /users/7", {"nearest": "mock-1"}))
    assert app.statuses == {1: 502}
    assert json.loads(app.bodies[1]) == {"error": "rr: no mock for GET /users/7", "nearest": "mock-1"}
    app.ask(3)
    app.answer(OK)
    assert app.statuses[3] == 200


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto"])
def test_a_miss_of_grpc_is_told_in_its_trailers(kind: str) -> None:
    app = App()
    app.ask(1, "/shop.Users/Get", ("content-type", kind))
    app._do(app.responder.miss("no mock, 100 % sure: é\n", {}))
    assert (app.statuses[1], app.bodies, app.ended) == (200, {}, {1})
    assert app.headers[1] == (
        ("content-type", kind),
        ("grpc-status", "13"),
        ("grpc-message", "rr: no mock, 100 %25 sure: %C3%A9%0A"),
    )


# -- endings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("response", [None, HttpResponse(status=200, body=b"half", framing=Framing.FRAMES)])
def test_a_reset_resets_its_stream_only(response: HttpResponse | None) -> None:
    app = App()
    app.ask(1)
    app.ask(3)
    app.answer(response, Ending.RESET)
    assert app.reset == {1: ErrorCodes.INTERNAL_ERROR}
    assert app.bodies.get(1, b"") == (b"" if response is None else b"half")
    app.answer(OK)
    assert (app.ended, app.hung) == ({3}, [])


@pytest.mark.parametrize("response", [None, HttpResponse(status=200, body=b"half", framing=Framing.FRAMES)])
def test_what_was_cut_short_ends_the_connection(response: HttpResponse | None) -> None:
    app = App()
    app.ask(1)
    app.answer(response, Ending.CUT_SHORT)
    assert (app.ended, app.hung) == (set(), [Hang()])
    assert app.bodies.get(1, b"") == (b"" if response is None else b"half")


@pytest.mark.parametrize("ending", [Ending.RESET, Ending.CUT_SHORT])
def test_the_server_s_own_error_is_told(ending: Ending) -> None:
    app = App()
    app.ask(1)
    app.answer(HttpResponse(status=200, body=b"half", framing=Framing.FRAMES, error=11), ending)
    if ending is Ending.RESET:
        assert (app.reset, app.hung) == ({1: 11}, [])
    else:
        assert (app.gone, app.hung) == (11, [Hang()])


def test_what_was_cut_short_takes_no_other_stream_with_it() -> None:
    app = App()
    app.ask(1, "/watch")
    app.ask(3, "/call")
    app.answer(HttpResponse(status=200, body=b"so far", framing=Framing.FRAMES), Ending.CUT_SHORT)
    assert (app.bodies, app.reset, app.hung) == ({1: b"so far"}, {1: ErrorCodes.INTERNAL_ERROR}, [])
    app.answer(OK)
    assert app.ended == {3}


def test_a_stream_that_the_app_gave_up_when_it_was_recorded_stays_open() -> None:
    so_far = HttpResponse(status=200, version="2", body=b"so far", framing=Framing.FRAMES)
    app = App()
    app.ask(1, "/watch")
    app.answer(so_far, Ending.GIVEN_UP)
    app.ask(3, "/call")
    app.answer(OK)
    assert (app.bodies[1], app.ended, app.reset, app.hung) == (b"so far", {3}, {}, [])

    made = AnyResponder(LIMITS)
    made.feed(b"GET /watch HTTP/1.1\r\nHost: a\r\n\r\n")
    assert made.answer(Reply(so_far, Ending.GIVEN_UP)) == [Send(b"HTTP/1.1 200 \r\n\r\nso far")]


def test_an_app_that_got_no_answer_gets_none() -> None:
    app = App()
    app.ask(1, "/slow")
    app.answer(None, Ending.GIVEN_UP)
    assert (app.ended, app.reset, app.hung) == (set(), {}, [])


def test_a_stream_that_the_app_has_given_up_is_not_asked_about_and_not_answered() -> None:
    app = App()
    app.ask(1, "/asked")
    app.ask(3, "/waiting")
    app.ask(5, "/stays")
    for stream in (1, 3):
        app.connection.reset_stream(stream, ErrorCodes.CANCEL)
    app.flush()
    app.answer(OK)
    assert [request.target for request in app.asked] == ["/asked", "/stays"]
    app.answer(OK)
    assert app.ended == {5}


def test_the_app_sends_no_more() -> None:
    app = App()
    app.ask(1)
    app._do(app.responder.end())
    assert app.hung == [], "an answer is owed"
    app.answer(OK)
    assert (app.ended, app.hung) == ({1}, [Hang()])
    assert app.responder.feed(b"more") == []


@pytest.mark.parametrize("garbage", [b"\0\0\x08\x06\0\0\0\0\x01" + bytes(8), b"\0\0\1\1\4\0\0\0\1\xbf"])
def test_what_is_not_http_2_ends_the_connection_and_says_why(garbage: bytes) -> None:
    app = App()
    acts = app.responder.feed(garbage)
    assert isinstance(acts[0], Send)
    assert acts[0].data[3] == 7, "GOAWAY"
    assert acts[1:] == [Hang()]


def test_a_request_that_says_nothing_is_reset() -> None:
    app = App()
    app.connection.config.validate_outbound_headers = False
    app.connection.send_headers(1, [(":method", "GET")], end_stream=True)
    app.flush()
    assert (app.reset, app.asked) == ({1: ErrorCodes.PROTOCOL_ERROR}, [])


def test_an_answer_that_nobody_asked_for_is_a_mistake() -> None:
    with pytest.raises(ProtocolError):
        App().responder.answer(Reply(OK, Ending.ANSWERED))


@given(st.data())
def test_any_bytes_of_the_app_are_answered_with_bytes_or_an_end(data: st.DataObject) -> None:
    responder = H2Responder(LIMITS)
    responder.start()
    responder.feed(PREFACE + b"\0\0\0\x04\0\0\0\0\0")
    for _ in range(data.draw(st.integers(1, 4))):
        payload = data.draw(st.binary(max_size=20))
        kind, flags, stream = data.draw(st.tuples(st.integers(0, 11), st.integers(0, 255), st.integers(0, 4)))
        acts = responder.feed(
            len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
        )
        while any(isinstance(act, Ask) for act in acts):
            acts = responder.answer(Reply(OK, Ending.ANSWERED))
        assert all(isinstance(act, Send | Hang) for act in acts)
