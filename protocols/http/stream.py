"""One direction of a connection, cut into heads and bodies. Used by `decode` for both sides and by `serve` for one.

It is asked, it does not call: `head()` gives the next head when it is there, `begin()` says how the body that follows
is framed (only the caller knows: it may depend on the other direction), `body()` reads on and says when all is there.
Body bytes go to the buffer in the slices in which they came.
"""

from __future__ import annotations

from protocols.furniture import Limits
from protocols.http import wire
from protocols.http.state import BODY_STEP, Step
from protocols.http.wire import Framing, Headers
from testset.errors import LimitError, ProtocolError
from testset.model import Body, BodyBuffer


class Stream:
    """The bytes of one side. `offset` counts those that were used up."""

    __slots__ = ("_buffer", "_data", "_left", "_limits", "_position", "_scanned", "_step", "offset", "trailers")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._data = b""
        self._position = 0
        self._scanned = 0  # up to here the head's end was looked for
        self._step = Step.HEAD
        self._left = 0  # of the body or the chunk
        self._buffer: BodyBuffer | None = None
        self.offset = 0
        self.trailers: Headers = ()

    def push(self, data: bytes) -> None:
        if self._position < len(self._data):
            self._data = self._data[self._position :] + data
            self._scanned -= self._position
        else:
            self._data = data
            self._scanned = 0
        self._position = 0

    @property
    def waiting(self) -> int:
        """Bytes that are here and were not used yet."""
        return len(self._data) - self._position

    @property
    def until_close(self) -> bool:
        return self._step is Step.UNTIL_CLOSE

    @property
    def missing(self) -> int:
        """What is still to come of a chunk."""
        return self._left if self._step is Step.CHUNK_DATA else 0

    def rest(self) -> bytes:
        """What is here and was not used yet; it is used now."""
        rest = self._data[self._position :]
        self._use(len(self._data))
        return rest

    def give_back(self, size: int) -> None:
        """The last bytes that were used were none of what they should have been."""
        self._use(self._position - size)

    def _use(self, end: int) -> None:
        self.offset += end - self._position
        self._position = end

    def skip_empty_lines(self) -> None:
        """Before a request line, empty lines are to be ignored (RFC 9112, 2.2)."""
        while self._data.startswith(b"\r\n", self._position):
            self._use(self._position + 2)

    def head(self) -> bytes | None:
        """The next head without its empty line, the CRLF of its last line included."""
        position = self._position
        end = self._data.find(b"\r\n\r\n", max(position, self._scanned - 3))
        if end < 0:
            if len(self._data) - position > self._limits.head:
                raise LimitError(f"a head of more than {self._limits.head} bytes")
            self._scanned = len(self._data)
            return None
        if end + 4 - position > self._limits.head:
            raise LimitError(f"a head of more than {self._limits.head} bytes")
        self._use(end + 4)
        return self._data[position : end + 2]

    def begin(self, framing: Framing, length: int, buffer: BodyBuffer | None) -> None:
        self._step = BODY_STEP[framing]
        self._left = length
        self._buffer = buffer
        self.trailers = ()

    def body(self) -> bool:
        """Reads on in the body; true when it is complete."""
        while True:
            step = self._step
            if step is Step.HEAD:
                return True
            if step is Step.FIXED or step is Step.CHUNK_DATA:
                if not self._pass_on(self._left):
                    return False
                self._step = Step.CHUNK_END if step is Step.CHUNK_DATA else Step.HEAD
            elif step is Step.CHUNK_SIZE:
                line = self._line()
                if line is None:
                    return False
                try:
                    self._left = wire.parse_chunk_size(line)
                except ProtocolError:
                    self.give_back(len(line) + 2)
                    raise
                self._step = Step.CHUNK_DATA if self._left else Step.TRAILERS
            elif step is Step.CHUNK_END:
                if self.waiting < 2:
                    return False
                if not self._data.startswith(b"\r\n", self._position):
                    raise ProtocolError("a chunk that is longer than it says")
                self._use(self._position + 2)
                self._step = Step.CHUNK_SIZE
            elif step is Step.TRAILERS:
                if self._data.startswith(b"\r\n", self._position):
                    self._use(self._position + 2)
                else:
                    fields = self.head()
                    if fields is None:
                        return False
                    try:
                        self.trailers = wire.parse_fields(fields.decode("latin-1"))
                    except ProtocolError:
                        self.give_back(len(fields) + 2)
                        raise
                self._step = Step.HEAD
            else:
                self._pass_on(self.waiting)
                return False

    def finish(self) -> Body:
        """The body as far as it came; the next thing is a head."""
        buffer, self._buffer = self._buffer, None
        self._step = Step.HEAD
        return b"" if buffer is None else buffer.finish()

    def discard(self) -> None:
        """Gives up a body that was begun: nobody will ask for it."""
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            buffer.discard()

    def _pass_on(self, wanted: int) -> bool:
        """Gives up to `wanted` body bytes to the buffer; true when all were there."""
        data, position = self._data, self._position
        size = min(len(data) - position, wanted)
        if size:
            if self._buffer is not None:
                self._buffer.write(data if size == len(data) else data[position : position + size])
            self._use(position + size)
        self._left = wanted - size
        return size == wanted

    def _line(self) -> bytes | None:
        position = self._position
        end = self._data.find(b"\r\n", position)
        if end < 0 or end - position > self._limits.head:
            if len(self._data) - position > self._limits.head + 1:  # its CR may be there already
                raise LimitError(f"a chunk header of more than {self._limits.head} bytes")
            return None
        self._use(end + 2)
        return self._data[position:end]
