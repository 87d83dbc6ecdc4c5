"""One direction of an HTTP/2 connection, cut into frames (RFC 9113, 4 and 6).

Who sends frames in which order is not judged here. DATA comes out in the pieces in which it arrives, however large its
frame is. What is of no use to somebody who only listens (PING, WINDOW_UPDATE, PRIORITY, later types) comes out empty.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from testset.errors import LimitError, ProtocolError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # what a client says first

_HEAD = struct.Struct(">HBBBL")  # length (in two parts), type, flags, stream
_STREAM = 0x7FFF_FFFF  # the highest bit is reserved


class Type(IntEnum):
    """The frames that are looked into."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    GOAWAY = 7
    CONTINUATION = 9


END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x01, 0x04, 0x08, 0x20

_DATA, _SETTINGS = int(Type.DATA), int(Type.SETTINGS)
_WHOLE = frozenset(int(one) for one in Type) - {_DATA}


class Frame(NamedTuple):
    """A frame, or a piece of a DATA frame. Padding is off, and so is the priority in HEADERS."""

    type: int
    flags: int
    stream: int
    payload: bytes


def may_be_settings(data: bytes) -> bool:
    """Whether a server that begins so may speak HTTP/2: its first frame is SETTINGS, of 6 bytes each."""
    head = data[:9]
    if len(head) >= 3 and int.from_bytes(head[:3], "big") % 6:
        return False
    return head[:1] == b"\0" and b"\x04\0\0\0\0\0".startswith(head[3:])


class Frames:
    """The bytes of one side. `offset` counts those of finished frames, `began_ns` is when the last one began."""

    __slots__ = (
        "_data",
        "_earlier",
        "_head",
        "_left",
        "_limit",
        "_padding",
        "_position",
        "_preface",
        "_size",
        "_times",
        "began_ns",
        "begun",
        "offset",
    )

    def __init__(self, limit: int, preface: bytes = b"", *, begun: bool = False) -> None:
        """`limit`: the largest frame that is kept whole. `begun`: others have seen the first frame."""
        self._limit = limit
        self._preface = preface  # is still to come
        self._data = b""
        self._position = 0
        self._earlier = 0  # bytes of `_data` that were here before the last push
        self._times = (0, 0)  # of those, and of the others
        self._head: tuple[int, int, int] | None = None  # type, flags, stream of a frame that comes in pieces
        self._size = 0  # of that frame
        self._left = 0  # of it, without its padding
        self._padding = 0
        self.began_ns = 0
        self.begun = begun
        self.offset = 0

    def push(self, data: bytes, time_ns: int) -> None:
        rest = self._data[self._position :]
        self._times = (self._times[self._position >= self._earlier], time_ns)
        self._data = rest + data if rest else data
        self._position = 0
        self._earlier = len(rest)

    def next(self) -> Frame | None:
        """What comes next, if it is there. The last piece of DATA has the frame's flags, and may be empty."""
        if self._preface and not self._greeting():
            return None
        while True:
            if self._head is not None:
                return self._piece(*self._head)
            data, position = self._data, self._position
            if len(data) - position < 9:
                return None
            high, low, kind, flags, stream = _HEAD.unpack_from(data, position)
            size = high << 8 | low
            stream &= _STREAM
            if not self.begun:
                if kind != _SETTINGS or stream or size % 6:
                    raise ProtocolError("an HTTP/2 connection that does not begin with SETTINGS")
                self.begun = True
            if kind in _WHOLE:
                if size > self._limit:
                    raise LimitError(f"an HTTP/2 frame of more than {self._limit} bytes")
                end = position + 9 + size
                if len(data) < end:
                    return None
                self.began_ns = self._times[position >= self._earlier]
                self._position = end
                self.offset += 9 + size
                return Frame(kind, flags, stream, _unpadded(kind, flags, data[position + 9 : end]))
            position += 9
            self._size, self._left, self._padding = size, size, 0
            if kind == _DATA and flags & PADDED and size:
                if position == len(data):
                    return None  # the size of the padding is missing
                self._padding = data[position]
                self._left = size - 1 - self._padding
                position += 1
                if self._left < 0:
                    raise ProtocolError("an HTTP/2 frame that is all padding")
            self._head = kind, flags, stream
            self._position = position

    def _greeting(self) -> bool:
        expected, data = self._preface, self._data[: len(self._preface)]
        if not expected.startswith(data):
            raise ProtocolError("not the preface of HTTP/2")
        if len(data) < len(expected):
            return False
        self._preface = b""
        self._position = len(expected)
        self.offset = len(expected)
        return True

    def _piece(self, kind: int, flags: int, stream: int) -> Frame | None:
        """What there is of a frame that comes in pieces, if it is of use."""
        data, begin = self._data, self._position
        end = min(len(data), begin + self._left)
        self._left -= end - begin
        rest = 0 if self._left else min(len(data) - end, self._padding)
        self._padding -= rest
        self._position = end + rest
        over = not self._left and not self._padding
        if over:
            self._head = None
            self.offset += 9 + self._size
        if kind != _DATA:
            return Frame(kind, flags, stream, b"") if over else None
        if not over and end == begin:
            return None
        return Frame(kind, flags if over else flags & ~END_STREAM, stream, data[begin:end])


def _unpadded(kind: int, flags: int, payload: bytes) -> bytes:
    """What the frame says, without what surrounds a header block."""
    if kind not in (Type.HEADERS, Type.PUSH_PROMISE):
        return payload
    begin, padding = 0, 0
    if flags & PADDED:
        if not payload:
            raise ProtocolError("an HTTP/2 frame that is all padding")
        begin, padding = 1, payload[0]
    if kind == Type.PUSH_PROMISE:
        begin += 4  # the stream that is promised
    elif flags & PRIORITY:
        begin += 5
    if begin + padding > len(payload):
        raise ProtocolError("an HTTP/2 frame that is all padding")
    return payload[begin : len(payload) - padding]
