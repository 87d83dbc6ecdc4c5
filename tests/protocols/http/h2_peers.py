"""HTTP/2 for tests, frame by frame: what is written here is what goes over the wire."""

from __future__ import annotations

from collections.abc import Iterable

from hpack import Encoder

from protocols.http.h2_frames import END_HEADERS, END_STREAM, PADDED, PREFACE, PRIORITY, Type
from tests.protocols.playbook import CLIENT, Sends
from testset.model import Side

Fields = Iterable[tuple[str, str]]

SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
WINDOW_UPDATE = b"\0\0\x04\x08\0\0\0\0\0\0\0\x10\0"
PING = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Talker:
    """One side of a connection. Its header compression remembers what it has said."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._encoder = Encoder()

    def hello(self) -> Sends:
        return Sends(self.side, (PREFACE if self.side is CLIENT else b"") + SETTINGS)

    def block(self, fields: Fields) -> bytes:
        return self._encoder.encode(list(fields))

    def resize(self, size: int) -> None:
        self._encoder.header_table_size = size

    def headers(self, stream: int, fields: Fields, *, end: bool = False, pieces: int = 1, padding: int = 0) -> Sends:
        """HEADERS, with a priority and padding if there is any, and the rest of the block in CONTINUATION frames."""
        block = self.block(fields)
        size = -(-len(block) // pieces)
        parts = [block[begin : begin + size] for begin in range(0, len(block), size)]
        flags = END_STREAM if end else 0
        first = parts[0]
        if padding:
            flags |= PADDED | PRIORITY
            first = bytes([padding]) + b"\0\0\0\0\x10" + first + bytes(padding)
        rest = [(Type.CONTINUATION, 0, part) for part in parts[1:]]
        frames = [(Type.HEADERS, flags, first), *rest]
        data = b"".join(
            frame(kind, flags | (END_HEADERS if last == len(frames) else 0), stream, payload)
            for last, (kind, flags, payload) in enumerate(frames, 1)
        )
        return Sends(self.side, data)

    def data(self, stream: int, data: bytes, *, end: bool = False, padding: int = 0) -> Sends:
        flags = END_STREAM if end else 0
        if padding:
            flags |= PADDED
            data = bytes([padding]) + data + bytes(padding)
        return Sends(self.side, frame(Type.DATA, flags, stream, data))

    def promise(self, stream: int, promised: int, fields: Fields) -> Sends:
        payload = promised.to_bytes(4, "big") + self.block(fields)
        return Sends(self.side, frame(Type.PUSH_PROMISE, END_HEADERS, stream, payload))

    def reset(self, stream: int, code: int) -> Sends:
        return Sends(self.side, frame(Type.RST_STREAM, 0, stream, code.to_bytes(4, "big")))

    def go_away(self, last: int, code: int = 0) -> Sends:
        return Sends(self.side, frame(Type.GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big")))

    def raw(self, data: bytes) -> Sends:
        return Sends(self.side, data)


def asks(method: str, path: str, *more: tuple[str, str]) -> Fields:
    return [(":method", method), (":scheme", "http"), (":path", path), (":authority", "user-service:5001"), *more]


def answers(status: int, *more: tuple[str, str]) -> Fields:
    return [(":status", str(status)), *more]
