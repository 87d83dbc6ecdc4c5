"""Two byte streams of a connection become HTTP exchanges.

Requests wait in a queue for their responses, so pipelining needs nothing of its own. What comes after a switch of
protocols (101, CONNECT) or after garbage is not touched: `settled()` says where it begins, and the next call raises
`ProtocolError`. An error waits in the same way when exchanges were completed before it in the same call, so that
these are the same however the bytes were cut.

A dependency that answers a whole request with what is no HTTP has answered all the same: what it says, from there to
the end of the connection, belongs to its response as it came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from protocols.furniture import Context, Limits
from protocols.http import wire
from protocols.http.state import Part, State, after
from protocols.http.stream import Stream
from protocols.http.wire import Framing, Headers, HttpRequest, HttpResponse, Interim
from testset.errors import LimitError, ProtocolError
from testset.model import Body, BodyBuffer, Ending, Exchange, ExchangeId, Side

HttpExchange = Exchange[HttpRequest, HttpResponse]


class _Open:
    """An exchange that is not finished."""

    __slots__ = (
        "ended_ns",
        "headers",
        "interim",
        "method",
        "request",
        "request_end",
        "response",
        "started_ns",
        "state",
        "target",
        "version",
    )

    def __init__(self, method: str, target: str, version: str, headers: Headers, started_ns: int) -> None:
        self.state = after(State.IDLE, Part.REQUEST_HEAD)
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.started_ns = started_ns
        self.request: HttpRequest | None = None
        self.request_end = 0  # offset in the client's stream
        self.ended_ns = 0  # when the response was complete, if it is
        self.interim: list[Interim] = []
        self.response: tuple[int, str, str, Headers, Framing] | HttpResponse | None = None

    def close_request(self, scheme: str, body: Body, trailers: Headers, *, complete: bool) -> None:
        self.request = HttpRequest(
            scheme=scheme,
            method=self.method,
            target=self.target,
            version=self.version,
            headers=self.headers,
            body=body,
            trailers=trailers,
            complete=complete,
        )

    def close_response(self, body: Body, trailers: Headers, missing: int = 0) -> None:
        if isinstance(self.response, tuple):
            status, reason, version, headers, framing = self.response
            self.response = HttpResponse(
                status=status,
                reason=reason,
                version=version,
                headers=headers,
                body=body,
                trailers=trailers,
                interim=tuple(self.interim),
                framing=framing,
                missing=missing,
            )


class HttpDecoder:
    """See `furniture.Decoder`."""

    def __init__(self, context: Context, limits: Limits, new_body: Callable[[], BodyBuffer]) -> None:
        self._context = context
        self._scheme = "https" if context.secure else "http"
        self._limits = limits
        self._new_body = new_body
        self._client = Stream(limits)
        self._server = Stream(limits)
        self._client_started: int | None = None  # time of the first byte of the request whose head is awaited
        self._client_open: _Open | None = None  # its request body is being read
        self._server_open: _Open | None = None  # its response body is being read
        self._queue: deque[_Open] = deque()  # oldest first; the last may be `_client_open`
        self._held: _Open | None = None  # may switch protocols: the client's bytes after it wait for the answer
        self._index = context.first_index
        self._settled = (0, 0, context.first_index)
        self._failure: ProtocolError | None = None
        self._switched = ""  # why the connection is no longer HTTP
        self._broken: bytearray | None = None  # what the server says that is no HTTP
        self._client_ended = False
        self._ended = False

    # -- the furniture ------------------------------------------------------------------------------------------

    def feed(self, side: Side, data: bytes, time_ns: int) -> list[HttpExchange]:
        self._raise_failure()
        done: list[HttpExchange] = []
        if not data or self._ended:
            return done
        if self._broken is not None:
            self._listen(side, data)
            return done
        try:
            if side is Side.CLIENT:
                self._client.push(data)
                self._read_client(time_ns, done)
                if self._server.waiting:  # it spoke before the request was known
                    self._hear_server(time_ns, done)
            else:
                self._server.push(data)
                self._hear_server(time_ns, done)
        except ProtocolError as error:
            self._fail(error, done)
        return done

    def end(self, side: Side, ending: Ending, time_ns: int) -> list[HttpExchange]:
        self._raise_failure()
        done: list[HttpExchange] = []
        if self._ended:
            return done
        if ending is Ending.ANSWERED and side is Side.CLIENT:
            self._client_ended = True
            return done
        self._ended = True
        try:
            if ending is Ending.ANSWERED:
                ending = Ending.CUT_SHORT
                if self._server_open is not None and self._server.until_close:
                    self._response_end(time_ns, done)
            if self._broken is None and self._server.waiting and self._is_answering():
                self._break_off()  # inside a head, or a chunk's
            if side is Side.CLIENT or self._client_ended:
                ending = Ending.GIVEN_UP
            if self._broken is not None and ending is Ending.GIVEN_UP:
                ending = Ending.CUT_SHORT  # it has heard enough
            self._abandon(ending, time_ns, done)
            if self._client.waiting or self._server.waiting:
                raise ProtocolError("the connection ended inside a message's head")
        except ProtocolError as error:
            self._fail(error, done)
        return done

    def settled(self) -> tuple[int, int, int]:
        return self._settled

    def state(self) -> None:
        return None

    # -- the client's side --------------------------------------------------------------------------------------

    def _read_client(self, time_ns: int, done: list[HttpExchange]) -> None:
        stream = self._client
        while True:
            if self._client_open is None:
                if self._switched:
                    raise ProtocolError(self._switched)
                if self._held is not None:
                    if stream.waiting > self._limits.message:
                        raise LimitError("too many bytes behind a request that may switch protocols")
                    return
                stream.skip_empty_lines()
                if not stream.waiting:
                    return
                if self._client_started is None:
                    self._client_started = time_ns
                head = stream.head()
                if head is None:
                    return
                self._request_head(head, self._client_started)
                self._client_started = None
            if not stream.body():
                return
            self._request_end(time_ns, done, complete=True)

    def _request_head(self, head: bytes, started_ns: int) -> None:
        if len(self._queue) >= self._limits.messages:
            raise LimitError(f"more than {self._limits.messages} requests at once")
        method, target, version, headers = wire.parse_request_head(head)
        framing, length = wire.request_framing(version, headers)
        opened = _Open(method, target, version, headers, started_ns)
        self._client.begin(framing, length, None if framing is Framing.NONE else self._new_body())
        self._client_open = opened
        self._queue.append(opened)

    def _request_end(self, time_ns: int, done: list[HttpExchange], *, complete: bool) -> None:
        opened = self._client_open
        assert opened is not None
        self._client_open = None
        opened.close_request(self._scheme, self._client.finish(), self._client.trailers, complete=complete)
        opened.request_end = self._client.offset
        opened.state = after(opened.state, Part.REQUEST_END)
        if opened.state is State.DONE:
            self._emit(opened, Ending.ANSWERED, time_ns, done)
        elif wire.wants_switch(opened.method, opened.headers):
            self._held = opened

    # -- the server's side --------------------------------------------------------------------------------------

    def _read_server(self, time_ns: int, done: list[HttpExchange]) -> None:
        stream = self._server
        while True:
            if self._switched:
                if stream.waiting or self._client.waiting:
                    raise ProtocolError(self._switched)
                return
            if self._server_open is None:
                opened = self._next_to_answer()
                if opened is None:
                    if stream.waiting > self._limits.head:
                        raise ProtocolError("the server speaks and nothing was asked")
                    return
                head = stream.head()
                if head is None:
                    return
                if not self._response_head(opened, head, time_ns, done):
                    continue
            if not stream.body():
                return
            self._response_end(time_ns, done)

    def _hear_server(self, time_ns: int, done: list[HttpExchange]) -> None:
        try:
            self._read_server(time_ns, done)
        except ProtocolError:
            if not self._is_answering():
                raise
            self._break_off()

    def _is_answering(self) -> bool:
        """Whether what the server says can only be its answer to the one request that there is."""
        if self._context.inbound or self._switched or len(self._queue) != 1 or self._client.waiting:
            return False
        return self._queue[0].request is not None and self._queue[0].state is not State.EARLY

    def _break_off(self) -> None:
        self._broken = bytearray(self._server.rest()[: self._limits.message])

    def _listen(self, side: Side, data: bytes) -> None:
        assert self._broken is not None
        if side is Side.CLIENT:
            self._queue[0].request_end += len(data)
        else:
            self._server.offset += len(data)
            self._broken += data[: self._limits.message - len(self._broken)]

    def _next_to_answer(self) -> _Open | None:
        if not self._queue:
            return None
        first = self._queue[0]
        return None if first.state is State.EARLY else first

    def _response_head(self, opened: _Open, head: bytes, time_ns: int, done: list[HttpExchange]) -> bool:
        """True when a body follows, be it an empty one."""
        try:
            status, reason, version, headers = wire.parse_response_head(head)
            framing, length = wire.response_framing(opened.method, status, version, headers)
        except ProtocolError:
            self._server.give_back(len(head) + 2)
            raise
        if status < 200 and status != 101:
            opened.state = after(opened.state, Part.INTERIM)
            if len(opened.interim) >= self._limits.messages:
                raise LimitError(f"more than {self._limits.messages} interim responses")
            opened.interim.append(Interim(status=status, reason=reason, headers=headers))
            return False
        if wire.switches(opened.method, status):
            self._switch(opened, (status, reason, version, headers, Framing.NONE), time_ns, done)
            return False
        opened.state = after(opened.state, Part.RESPONSE_HEAD)
        opened.response = (status, reason, version, headers, framing)
        self._server.begin(framing, length, None if framing is Framing.NONE else self._new_body())
        self._server_open = opened
        return True

    def _response_end(self, time_ns: int, done: list[HttpExchange]) -> None:
        opened = self._server_open
        assert opened is not None
        self._server_open = None
        opened.close_response(self._server.finish(), self._server.trailers)
        opened.state = after(opened.state, Part.RESPONSE_END)
        opened.ended_ns = time_ns
        if opened.state is not State.DONE:
            return
        held = self._held is opened
        self._emit(opened, Ending.ANSWERED, time_ns, done)
        if held:  # it did not switch: what the client sent since is HTTP
            self._held = None
            self._read_client(time_ns, done)

    def _switch(
        self,
        opened: _Open,
        response: tuple[int, str, str, Headers, Framing],
        time_ns: int,
        done: list[HttpExchange],
    ) -> None:
        if opened.request is None:
            raise ProtocolError("a switch of protocols before the request was complete")
        opened.state = after(opened.state, Part.SWITCH)
        opened.response = response
        opened.close_response(b"", ())
        opened.ended_ns = time_ns
        self._emit(opened, Ending.ANSWERED, time_ns, done)
        self._switched = f"the connection is no longer HTTP after {opened.method} was answered with {response[0]}"

    # -- endings ------------------------------------------------------------------------------------------------

    def _emit(self, opened: _Open, ending: Ending, time_ns: int, done: list[HttpExchange]) -> None:
        assert opened.request is not None
        assert not isinstance(opened.response, tuple)
        self._queue.remove(opened)
        context = self._context
        done.append(
            Exchange(
                id=ExchangeId(context.connection, self._index),
                protocol="http",
                inbound=context.inbound,
                server=context.server,
                request=opened.request,
                response=opened.response,
                ending=ending,
                started_ns=opened.started_ns,
                ended_ns=opened.ended_ns or time_ns,
            )
        )
        self._index += 1
        self._settled = (opened.request_end, self._server.offset, self._index)

    def _abandon(self, ending: Ending, time_ns: int, done: list[HttpExchange]) -> None:
        """The connection is over: what is open ends so. A response that was complete stays one."""
        if self._server_open is not None:
            missing = self._server.missing
            self._server_open.close_response(self._server.finish(), self._server.trailers, missing)
        if self._broken is not None:
            self._close_broken(self._queue[0], bytes(self._broken))
        if self._client_open is not None:
            opened = self._client_open
            opened.close_request(self._scheme, self._client.finish(), (), complete=False)
            opened.request_end = self._client.offset
        while self._queue:
            opened = self._queue[0]
            answered = opened.state is State.EARLY
            self._emit(opened, Ending.ANSWERED if answered else ending, time_ns, done)

    def _close_broken(self, opened: _Open, said: bytes) -> None:
        response = opened.response
        if not isinstance(response, HttpResponse):  # its head was none
            response = HttpResponse(status=502, interim=tuple(opened.interim), framing=Framing.BROKEN)
        opened.response = replace(response, broken=said)

    def _fail(self, error: ProtocolError, done: list[HttpExchange]) -> None:
        self._failure = error
        self._client.discard()
        self._server.discard()
        if not done:
            raise error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
