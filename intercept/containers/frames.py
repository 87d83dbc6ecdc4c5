"""What rr and its agent in a container say to each other, on one stream of bytes each way.

A frame is its kind, a number (of a channel, a question or a journal's segment), its length and its payload.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

_HEAD = struct.Struct("!BII")
LARGEST = 256 << 10  # bytes of payload that one frame has at most, but for what is said


class Kind(IntEnum):
    """What a frame is."""

    SAY = 1  # JSON: an order, or news
    JOURNAL = 2  # bytes of the journal's segment of this number
    OPEN = 3  # JSON: a connection, by its channel's number
    DATA = 4
    END = 5  # no more data follows this way
    RESET = 6  # the connection is gone
    TAKEN = 7  # so many bytes of data were taken from the channel: as many more may come
    KNOCK = 8  # JSON: the app opens a connection; the answer has the same number
    NAME = 9  # a question for a name, and its answer


class Frame(NamedTuple):
    """One frame."""

    kind: Kind
    number: int
    payload: bytes

    def said(self) -> Any:
        """Its payload, where it is JSON."""
        return json.loads(self.payload)


def frame(kind: Kind, number: int, payload: bytes = b"") -> bytes:
    """A frame as bytes."""
    return _HEAD.pack(kind, number, len(payload)) + payload


def say(message: dict[str, Any], kind: Kind = Kind.SAY, number: int = 0) -> bytes:
    """A frame with JSON."""
    return frame(kind, number, json.dumps(message).encode())


class Frames:
    """Bytes in, frames out."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now."""
        rest = self._rest
        rest += data
        at = 0
        while len(rest) - at >= _HEAD.size:
            kind, number, length = _HEAD.unpack_from(rest, at)
            end = at + _HEAD.size + length
            if len(rest) < end:
                break
            payload = bytes(rest[at + _HEAD.size : end])
            at = end
            yield Frame(Kind(kind), number, payload)
        del rest[:at]
