"""The bytes of an HTTP/2 connection become HTTP exchanges, one for each of its streams.

rr stands between the peers and judges nothing that they must judge themselves: settings and windows are theirs. What it
needs is the frames, and the header compression of both directions. An exchange is yielded when its stream is complete,
so their order is that of their ends, and its index is its stream's number: the same wherever a decoder began. What
follows a CONNECT (a tunnel, a WebSocket) passes and is not kept; nor is what a server pushes unasked.

To go on in the middle means to know the compression tables of that moment. So each stream remembers what they were
when it began (`_Mark`), and `settled()` is where the oldest open stream began: streams before it that ended later are
known by their numbers, and are not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from protocols.furniture import Context, Limits
from protocols.http import h2_fields, wire
from protocols.http.h2_frames import END_HEADERS, END_STREAM, PREFACE, Frame, Frames, Type
from protocols.http.h2_tables import Blocks, Table
from protocols.http.state import Part, State, after
from protocols.http.wire import Headers, HttpRequest, HttpResponse, Interim
from testset.errors import LimitError, ProtocolError
from testset.model import Body, BodyBuffer, Ending, Exchange, ExchangeId, Side

HttpExchange = Exchange[HttpRequest, HttpResponse]

_DATA, _HEADERS, _CONTINUATION = int(Type.DATA), int(Type.HEADERS), int(Type.CONTINUATION)
_WITH_BLOCKS = frozenset({_HEADERS, int(Type.PUSH_PROMISE), _CONTINUATION})
_REFUSED_STREAM = 7

_REQUEST_OPEN = frozenset({State.SENDING, State.BOTH, State.EARLY})
_RESPONSE_OPEN = frozenset({State.BOTH, State.ANSWERING})


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place in the connection, and what a decoder has to know that begins there."""

    offsets: tuple[int, int]
    begun: tuple[bool, bool]  # whether the first frames are before it
    tables: tuple[Table, Table]
    highest: int  # the last stream that was opened before it

    def as_json(self) -> dict[str, Any]:
        tables = [table.as_json() for table in self.tables]
        return {"begun": list(self.begun), "tables": tables, "highest": self.highest}


class _Half:
    """One direction of a stream."""

    __slots__ = ("_buffer", "headers", "trailers")

    def __init__(self) -> None:
        self.headers: Headers = ()
        self.trailers: Headers = ()
        self._buffer: BodyBuffer | None = None

    def write(self, data: bytes, new_body: Callable[[], BodyBuffer]) -> None:
        if data:
            if self._buffer is None:
                self._buffer = new_body()
            self._buffer.write(data)

    def finish(self) -> Body:
        buffer, self._buffer = self._buffer, None
        return b"" if buffer is None else buffer.finish()

    def discard(self) -> None:
        if self._buffer is not None:
            self._buffer.discard()


class _Stream:
    """An exchange that is not finished."""

    __slots__ = ("ended_ns", "interim", "mark", "method", "number", "remark", "request", "response", "started_ns",
                 "state", "status", "target")  # fmt: skip

    def __init__(self, number: int, head: h2_fields.RequestHead, started_ns: int, mark: _Mark) -> None:
        self.number = number
        self.mark = mark
        self.started_ns = started_ns
        self.ended_ns = 0  # when the response was complete, if it is
        self.state = after(State.IDLE, Part.REQUEST_HEAD)
        self.method = head.method
        self.target = head.target
        self.request = _Half()
        self.request.headers = head.headers
        self.response = _Half()
        self.status = 0  # until the response's head is there
        self.interim: list[Interim] = []
        self.remark: str | None = None
        if head.method == "CONNECT":
            what = "WebSocket" if head.protocol == "websocket" else head.protocol or "tunnel"
            self.remark = f"a {what} over HTTP/2 is passed on, and what is said in it is not recorded"

    @property
    def answered(self) -> bool:
        return self.state in (State.EARLY, State.DONE)


class _Direction:
    """What one side sends."""

    __slots__ = ("block", "blocks", "frames", "heads", "offset", "size")

    def __init__(self, frames: Frames, blocks: Blocks) -> None:
        self.frames = frames
        self.blocks = blocks
        self.heads: Frame | None = None  # HEADERS or PUSH_PROMISE whose block is not complete
        self.block: list[bytes] = []
        self.size = 0
        self.offset = 0  # where a frame begins, and no block is open

    def rests(self) -> None:
        if self.heads is None and self.frames.begun:
            self.offset = self.frames.offset


class H2Decoder:
    """See `furniture.Decoder`."""

    def __init__(self, context: Context, limits: Limits, new_body: Callable[[], BodyBuffer]) -> None:
        self._context = context
        self._limits = limits
        self._new_body = new_body
        self._scheme = "https" if context.secure else "http"
        state: Mapping[str, Any] | None = context.state
        begun = (False, False) if state is None else tuple(state["begun"])
        tables = (Table(), Table()) if state is None else tuple(map(Table.from_json, state["tables"]))
        preface = PREFACE if state is None else b""
        self._client = _Direction(Frames(limits.head, preface, begun=begun[0]), Blocks(limits.head, tables[0]))
        self._server = _Direction(Frames(limits.head, begun=begun[1]), Blocks(limits.head, tables[1]))
        self._streams: dict[int, _Stream] = {}  # the oldest first
        self._highest = 0 if state is None else int(state["highest"])  # the last stream that the client opened
        self._latest_ns = 0  # when that one was
        self._failure: ProtocolError | None = None
        self._error = 0  # for which the server has given up the connection
        self._ended = False

    # -- the furniture ------------------------------------------------------------------------------------------

    def feed(self, side: Side, data: bytes, time_ns: int) -> list[HttpExchange]:
        self._raise_failure()
        done: list[HttpExchange] = []
        if not data or self._ended:
            return done
        direction = self._client if side is Side.CLIENT else self._server
        try:
            direction.frames.push(data, time_ns)
            self._read(direction, time_ns, done)
        except ProtocolError as error:
            self._fail(error)
            if not done:
                raise
        return done

    def end(self, side: Side, ending: Ending, time_ns: int) -> list[HttpExchange]:
        self._raise_failure()
        done: list[HttpExchange] = []
        if self._ended:
            return done
        self._ended = True  # a client of HTTP/2 that closes is gone: what a server then says, nobody hears
        if side is Side.CLIENT and not self._error:  # after an error of the server it only draws the conclusion
            ending = Ending.GIVEN_UP
        elif ending is Ending.ANSWERED:
            ending = Ending.CUT_SHORT
        for stream in list(self._streams.values()):
            self._emit(stream, ending, time_ns, done)
        return done

    def settled(self) -> tuple[int, int, int]:
        mark = self._mark()
        index = max(self._context.first_index, self._highest + 1 >> 1)
        return *mark.offsets, index

    def state(self) -> Mapping[str, Any] | None:
        mark = self._mark()
        return mark.as_json() if any(mark.offsets) or self._context.state is not None else None

    def _mark(self) -> _Mark:
        """Where the oldest open stream began, or here."""
        for stream in self._streams.values():
            return stream.mark
        return self._here()

    def _here(self) -> _Mark:
        client, server = self._client, self._server
        return _Mark(
            (client.offset, server.offset),
            (client.frames.begun, server.frames.begun),
            (client.blocks.table(), server.blocks.table()),
            self._highest,
        )

    # -- frames -------------------------------------------------------------------------------------------------

    def _read(self, direction: _Direction, time_ns: int, done: list[HttpExchange]) -> None:
        frames = direction.frames
        from_client = direction is self._client
        while True:
            frame = frames.next()
            if frame is None:
                direction.rests()
                return
            kind = frame.type
            if direction.heads is not None and kind != _CONTINUATION:
                raise ProtocolError("an HTTP/2 header block that is interrupted")
            if kind == _DATA:
                self._data(frame, from_client, time_ns, done)
            elif kind in _WITH_BLOCKS:
                self._block(direction, frame, from_client, time_ns, done)
            elif kind == Type.RST_STREAM:
                self._reset(frame, from_client, time_ns, done)
            elif kind == Type.GOAWAY and not from_client:
                self._go_away(frame)
            direction.rests()

    def _block(
        self, direction: _Direction, frame: Frame, from_client: bool, time_ns: int, done: list[HttpExchange]
    ) -> None:
        if frame.type != _CONTINUATION:
            direction.heads = frame
            direction.size = 0
        elif direction.heads is None or direction.heads.stream != frame.stream:
            raise ProtocolError("an HTTP/2 header block that goes on and was not begun")
        direction.size += len(frame.payload)
        if direction.size > self._limits.head:
            raise LimitError(f"a head of more than {self._limits.head} bytes")
        if frame.payload:
            direction.block.append(frame.payload)
        if not frame.flags & END_HEADERS:
            return
        heads = direction.heads
        block = direction.block[0] if len(direction.block) == 1 else b"".join(direction.block)
        direction.block.clear()
        opens = from_client and heads.type == _HEADERS and heads.stream > self._highest
        mark = self._here() if opens else None
        fields = direction.blocks.read(block)
        direction.heads = None
        if heads.type != _HEADERS:
            return  # a promise of what was not asked for
        if mark is not None:
            self._open(heads.stream, h2_fields.request_head(fields), mark, direction.frames.began_ns)
        stream = self._streams.get(heads.stream)
        if stream is None:
            return
        ends = bool(heads.flags & END_STREAM)
        if not from_client:
            self._response_head(stream, fields, ends, time_ns, done)
        elif mark is None:
            stream.request.trailers = h2_fields.trailers(fields)
            if not ends:
                raise ProtocolError("HTTP/2 trailers that do not end their stream")
        if ends:
            self._end_stream(stream, from_client, time_ns, done)

    def _open(self, number: int, head: h2_fields.RequestHead, mark: _Mark, started_ns: int) -> None:
        if not number % 2:
            raise ProtocolError(f"an HTTP/2 client that opens stream {number}")
        if len(self._streams) >= self._limits.messages:
            raise LimitError(f"more than {self._limits.messages} requests at once")
        self._highest = number
        # Streams that were opened at once are told apart: their order is that of the requests, whenever they end.
        self._latest_ns = max(started_ns, self._latest_ns + 1)
        self._streams[number] = _Stream(number, head, self._latest_ns, mark)

    def _response_head(
        self, stream: _Stream, fields: list[h2_fields.Field], ends: bool, time_ns: int, done: list[HttpExchange]
    ) -> None:
        if stream.status:
            if not ends:
                raise ProtocolError("HTTP/2 trailers that do not end their stream")
            stream.response.trailers = h2_fields.trailers(fields)
            return
        status, headers = h2_fields.response_head(fields)
        if status < 200:
            stream.state = after(stream.state, Part.INTERIM)
            if len(stream.interim) >= self._limits.messages:
                raise LimitError(f"more than {self._limits.messages} interim responses")
            stream.interim.append(Interim(status=status, reason=wire.standard_reason(status), headers=headers))
            return
        stream.state = after(stream.state, Part.RESPONSE_HEAD)
        stream.status = status
        stream.response.headers = headers
        if stream.remark is not None and status < 300:  # from here on it is no HTTP
            self._emit(stream, Ending.ANSWERED, time_ns, done)

    def _data(self, frame: Frame, from_client: bool, time_ns: int, done: list[HttpExchange]) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None:
            return
        if stream.state not in (_REQUEST_OPEN if from_client else _RESPONSE_OPEN):
            raise ProtocolError(f"DATA from the {'client' if from_client else 'server'} while {stream.state}")
        if stream.remark is None:
            (stream.request if from_client else stream.response).write(frame.payload, self._new_body)
        if frame.flags & END_STREAM:
            self._end_stream(stream, from_client, time_ns, done)

    # -- endings ------------------------------------------------------------------------------------------------

    def _end_stream(self, stream: _Stream, from_client: bool, time_ns: int, done: list[HttpExchange]) -> None:
        if stream.number not in self._streams:
            return
        stream.state = after(stream.state, Part.REQUEST_END if from_client else Part.RESPONSE_END)
        if not from_client:
            stream.ended_ns = time_ns
        if stream.state is State.DONE:
            self._emit(stream, Ending.ANSWERED, time_ns, done)

    def _reset(self, frame: Frame, from_client: bool, time_ns: int, done: list[HttpExchange]) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None:
            return
        code = int.from_bytes(frame.payload[:4], "big")
        if code == _REFUSED_STREAM and not from_client and not stream.status:
            self._forget(stream)
        else:
            ending = Ending.GIVEN_UP if from_client and not self._error else Ending.RESET
            self._emit(stream, ending, time_ns, done, error=0 if from_client else code)

    def _go_away(self, frame: Frame) -> None:
        """The server takes no more streams: those beyond the last that it names it has not seen. With an error it goes
        on with none of them, and whoever then hangs up only draws the conclusion."""
        self._error = int.from_bytes(frame.payload[4:8], "big")
        if self._error:
            return
        last = int.from_bytes(frame.payload[:4], "big") & 0x7FFF_FFFF
        for stream in [one for one in self._streams.values() if one.number > last and not one.status]:
            self._forget(stream)

    def _forget(self, stream: _Stream) -> None:
        """The server has done nothing for this request, and says so: its client sends it again elsewhere."""
        del self._streams[stream.number]
        stream.request.discard()
        stream.response.discard()

    def _emit(
        self,
        stream: _Stream,
        ending: Ending,
        time_ns: int,
        done: list[HttpExchange],
        *,
        error: int = 0,
    ) -> None:
        """The exchange is over. A response that was complete stays one. `error`: with which the server gave it up."""
        del self._streams[stream.number]
        context = self._context
        complete = stream.state not in _REQUEST_OPEN or stream.remark is not None
        done.append(
            Exchange(
                id=ExchangeId(context.connection, stream.number >> 1),
                protocol="http",
                inbound=context.inbound,
                server=context.server,
                request=HttpRequest(
                    scheme=self._scheme,
                    method=stream.method,
                    target=stream.target,
                    version="2",
                    headers=stream.request.headers,
                    body=stream.request.finish(),
                    trailers=stream.request.trailers,
                    complete=complete,
                ),
                response=_response(stream, error or self._error),
                ending=Ending.ANSWERED if stream.answered else ending,
                started_ns=stream.started_ns,
                ended_ns=stream.ended_ns or time_ns,
                remark=stream.remark,
            )
        )

    def _fail(self, error: ProtocolError) -> None:
        self._failure = error
        for stream in self._streams.values():
            stream.request.discard()
            stream.response.discard()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _response(stream: _Stream, error: int) -> HttpResponse | None:
    if not stream.status:
        return None
    headers = stream.response.headers
    return HttpResponse(
        status=stream.status,
        reason=wire.standard_reason(stream.status),
        version="2",
        headers=headers,
        body=stream.response.finish(),
        trailers=stream.response.trailers,
        interim=tuple(stream.interim),
        framing=wire.stream_framing(stream.method, stream.status, headers),
        error=0 if stream.answered else error,
    )
