"""The server side of HTTP/2 for replay: streams of the app in, recorded responses out.

Frames, settings and windows are the work of `h2`. Requests are asked about one after the other, in the order in which
they are complete; answers go out beside each other, as far as the app's windows allow. Which mock answers is not known
here: `Ask` asks for it. A body in a file is read in pieces as they can be sent (`ReadFile`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from protocols.bodies import KeptBody
from protocols.furniture import Act, Ask, Hang, Limits, ReadFile, Reply, Send
from protocols.http import h2_fields, wire
from protocols.http.serve import miss_body, with_body
from protocols.http.wire import Headers, HttpRequest, HttpResponse
from testset.errors import ProtocolError
from testset.model import Body, Ending, FileBody

_WINDOW = 1 << 20  # bytes that the app may send before it is told to go on
_PIECE = 256 << 10  # of a file
_GRPC_INTERNAL = "13"  # the status for what is wrong with the server
_GRPC_SAFE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")  # in a message; all else is percent-encoded


class _Incoming:
    """A request that is not complete."""

    __slots__ = ("body", "continued", "head", "trailers")

    def __init__(self, head: h2_fields.RequestHead, limit: int) -> None:
        self.head = head
        self.body = KeptBody(limit)
        self.trailers: Headers = ()
        self.continued = False

    def finish(self) -> HttpRequest:
        head = self.head
        return HttpRequest(
            method=head.method,
            target=head.target,
            version="2",
            headers=head.headers,
            body=self.body.finish(),
            trailers=self.trailers,
        )


class _Outgoing:
    """A body that is being sent, as far as the app lets it."""

    __slots__ = ("body", "ending", "error", "position", "reading", "trailers")

    def __init__(self, response: HttpResponse, body: Body, ending: Ending) -> None:
        self.body = body
        self.trailers = response.trailers
        self.ending = ending
        self.error = response.error
        self.position = 0
        self.reading = False  # a piece of the file was asked for

    @property
    def left(self) -> int:
        return wire.body_size(self.body) - self.position


class H2Responder:
    """See `furniture.Responder`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._connection = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._incoming: dict[int, _Incoming] = {}
        self._waiting: deque[tuple[int, HttpRequest, bool]] = deque()  # stream, request, 100 Continue was sent
        self._asked: tuple[int, HttpRequest, bool] | None = None
        self._outgoing: dict[int, _Outgoing] = {}
        self._no_more = False  # the app sends nothing more
        self._finished = False

    def start(self) -> list[Act]:
        connection = self._connection
        connection.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: self._limits.head,
                SettingCodes.MAX_CONCURRENT_STREAMS: min(self._limits.messages, 1000),
            },
        )
        connection.decoder.max_header_list_size = self._limits.head
        connection.initiate_connection()
        connection.increment_flow_control_window(_WINDOW)
        return self._sent()

    def feed(self, data: bytes) -> list[Act]:
        return self._do(lambda: self._receive(data))

    def end(self) -> list[Act]:
        self._no_more = True
        return self._do(lambda: None)

    def answer(self, reply: Reply) -> list[Act]:
        number, request, continued = self._take_asked()
        response: HttpResponse | None = reply.response
        if response is None:
            return self._do(lambda: self._broken(number, reply.ending))
        if reply.body is not None:
            response = with_body(response, reply.body)
        return self._do(partial(self._play, number, request, response, reply.ending, continued=continued))

    def miss(self, text: str, details: Mapping[str, Any]) -> list[Act]:
        number, request, _ = self._take_asked()
        kind = wire.header(request.headers, "content-type") or ""
        if kind.partition(";")[0].partition("+")[0].strip().lower() == "application/grpc":
            message = quote(f"rr: {text}", safe=_GRPC_SAFE)
            headers: Headers = (("content-type", kind), ("grpc-status", _GRPC_INTERNAL), ("grpc-message", message))
            response = HttpResponse(status=200, headers=headers)
        else:
            body = miss_body(text, details)
            headers = (("content-type", "application/json"), ("content-length", str(len(body))))
            response = HttpResponse(status=502, headers=headers, body=body)
        return self._do(partial(self._play, number, request, response, Ending.ANSWERED, continued=True))

    def _do(self, step: Callable[[], None]) -> list[Act]:
        if self._finished:
            return []
        try:
            step()
            return self._go_on()
        except (H2Error, ProtocolError):  # the app is told why, in HTTP/2's own way
            return self._hang(self._sent())

    # -- what the app sends -------------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        for event in self._connection.receive_data(data):
            if isinstance(event, RequestReceived):
                self._head(event.stream_id, event.headers, ends=event.stream_ended is not None)
            elif isinstance(event, DataReceived):
                self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.stream_id in self._incoming:
                    self._incoming[event.stream_id].body.write(event.data)
            elif isinstance(event, TrailersReceived):
                if event.stream_id in self._incoming:
                    self._incoming[event.stream_id].trailers = h2_fields.trailers(event.headers)
            elif isinstance(event, StreamEnded):
                self._complete(event.stream_id)
            elif isinstance(event, StreamReset):
                self._outgoing.pop(event.stream_id, None)
                self._incoming.pop(event.stream_id, None)
                self._waiting = deque(one for one in self._waiting if one[0] != event.stream_id)
            elif isinstance(event, ConnectionTerminated):
                self._finished = True  # `h2` sends nothing after that

    def _head(self, number: int, fields: h2_fields.Fields, *, ends: bool) -> None:
        try:
            head = h2_fields.request_head(fields)
        except ProtocolError:
            self._connection.reset_stream(number, ErrorCodes.PROTOCOL_ERROR)
            return
        incoming = self._incoming[number] = _Incoming(head, self._limits.message)
        if head.method == "CONNECT":  # what follows is no part of the request
            self._complete(number)
        elif not ends and wire.has_token(head.headers, "expect", "100-continue"):
            self._connection.send_headers(number, h2_fields.response_fields(100, ()))
            incoming.continued = True

    def _complete(self, number: int) -> None:
        incoming = self._incoming.pop(number, None)
        if incoming is not None:
            self._waiting.append((number, incoming.finish(), incoming.continued))

    def _take_asked(self) -> tuple[int, HttpRequest, bool]:
        asked, self._asked = self._asked, None
        if asked is None:
            raise ProtocolError("an answer to a request that was not asked about")
        return asked

    def _is_open(self, number: int) -> bool:
        stream = self._connection.streams.get(number)
        return stream is not None and not stream.closed

    # -- what the app gets --------------------------------------------------------------------------------------

    def _play(
        self, number: int, request: HttpRequest, response: HttpResponse, ending: Ending, *, continued: bool
    ) -> None:
        if not self._is_open(number):
            return
        connection = self._connection
        for interim in response.interim:
            if interim.status != 101 and not (interim.status == 100 and continued):
                connection.send_headers(number, h2_fields.response_fields(interim.status, interim.headers))
        headers, body, complete = response.headers, response.body, ending is Ending.ANSWERED
        if wire.bodyless(request.method, response.status):
            body = b""
        elif complete and wire.header(headers, "content-length") is not None:
            headers = wire.with_length(headers, wire.body_size(body))
        ends = complete and not wire.body_size(body) and not response.trailers
        connection.send_headers(number, h2_fields.response_fields(response.status, headers), end_stream=ends)
        if not ends:
            self._outgoing[number] = _Outgoing(response, body, ending)

    def _broken(self, number: int, ending: Ending, error: int = 0) -> None:
        """The answer goes no further, as recorded: by a reset of its stream, or by the end of the connection, where
        nothing else is under way on it. A client that gave up will do so again."""
        if ending is Ending.GIVEN_UP:
            return
        if ending is not Ending.RESET and not (self._incoming or self._waiting or self._outgoing):
            self._finished = True
            if error:
                self._connection.close_connection(error)
        elif self._is_open(number):
            self._connection.reset_stream(number, error or ErrorCodes.INTERNAL_ERROR)

    def _go_on(self) -> list[Act]:
        acts: list[Act] = []
        for number in list(self._outgoing):
            self._send(number, acts)
        if self._finished:
            return self._hang(self._sent())
        if self._asked is None and self._waiting:
            self._asked = self._waiting.popleft()
            acts.append(Ask(self._asked[1]))
        elif self._no_more and self._asked is None and not self._outgoing:
            return self._hang(self._sent())
        return self._sent() + acts

    def _send(self, number: int, acts: list[Act]) -> None:
        """As much of a body as the window of its stream takes."""
        outgoing, connection = self._outgoing[number], self._connection
        if outgoing.reading:
            return
        while outgoing.left:
            window = connection.local_flow_control_window(number)
            if window <= 0:
                return
            if isinstance(outgoing.body, FileBody):
                size = min(window, _PIECE, outgoing.left)
                outgoing.reading = True
                acts.append(ReadFile(outgoing.body, outgoing.position, size, partial(self._read, number)))
                return
            size = min(window, connection.max_outbound_frame_size, outgoing.left)
            self._data(number, outgoing, outgoing.body[outgoing.position : outgoing.position + size])
        if number in self._outgoing:
            self._finish(number, outgoing)

    def _read(self, number: int, data: bytes) -> list[Act]:
        return self._do(lambda: self._piece(number, data))

    def _piece(self, number: int, data: bytes) -> None:
        """A piece of a file. Other streams may have used the window meanwhile: what is too much is asked for again."""
        outgoing, connection = self._outgoing.get(number), self._connection
        if outgoing is None:
            return
        outgoing.reading = False
        if not data:  # the file is shorter than it was
            outgoing.position = wire.body_size(outgoing.body)
        while data and (window := connection.local_flow_control_window(number)) > 0:
            size = min(window, connection.max_outbound_frame_size)
            self._data(number, outgoing, data[:size])
            data = data[size:]

    def _data(self, number: int, outgoing: _Outgoing, data: bytes) -> None:
        outgoing.position += len(data)
        last = not outgoing.left and not outgoing.trailers and outgoing.ending is Ending.ANSWERED
        self._connection.send_data(number, data, end_stream=last)
        if last:
            del self._outgoing[number]

    def _finish(self, number: int, outgoing: _Outgoing) -> None:
        """All of the body is out."""
        del self._outgoing[number]
        if outgoing.ending is not Ending.ANSWERED:
            self._broken(number, outgoing.ending, outgoing.error)
        elif outgoing.trailers:
            self._connection.send_headers(number, h2_fields.trailer_fields(outgoing.trailers), end_stream=True)
        else:
            self._connection.end_stream(number)

    def _sent(self) -> list[Act]:
        data = self._connection.data_to_send()
        return [Send(data)] if data else []

    def _hang(self, acts: list[Act]) -> list[Act]:
        self._finished = True
        self._outgoing.clear()
        self._waiting.clear()
        return [*acts, Hang()]
