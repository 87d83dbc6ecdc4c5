"""What a client sends, cut into packets: at replay, where its commands wait until the one before is answered."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from protocols.furniture import Limits
from testset.errors import LimitError, ProtocolError

_LARGEST = 0xFFFFFF  # a packet of this size goes on in the next
_HEAD = 4


class Packet(NamedTuple):
    """A packet, of however many parts."""

    first: int  # sequence id of its first part
    last: int
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes on the wire: each part has a head."""
        return len(self.payload) + _HEAD * (len(self.payload) // _LARGEST + 1)


class Incoming:
    """Bytes in, packets out, one at a time: what follows a packet may turn out to be TLS.

    Bounded by `limits`: the size of a packet, how many wait, and how much waits behind a packet.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._parts: list[bytes] = []  # of a packet that is not complete
        self._first = 0
        self._size = 0  # of the parts
        self._waiting: deque[Packet] = deque()
        self._waiting_size = 0

    def push(self, data: bytes) -> None:
        self._buffer += data

    def push_whole(self, data: bytes) -> Packet | None:
        """The packet, if `data` is one and nothing else is here, as nearly all commands come. Else it is pushed."""
        if not self._buffer and not self._parts and not self._waiting and len(data) >= _HEAD:
            size = data[0] | data[1] << 8 | data[2] << 16
            if len(data) == size + _HEAD and size < _LARGEST and size <= self._limits.message:
                return Packet(data[3], data[3], data[_HEAD:])
        self._buffer += data
        return None

    def wait(self) -> None:
        """Nobody takes a packet now: those that are here are counted."""
        while (packet := self._cut()) is not None:
            self._waiting.append(packet)
            self._waiting_size += len(packet.payload)
            if len(self._waiting) > self._limits.messages:
                raise LimitError(f"more than {self._limits.messages} commands wait for their answer")
            if self._waiting_size > self._limits.message:
                raise LimitError(f"commands of more than {self._limits.message} bytes wait for their answer")

    def next(self) -> Packet | None:
        """The packet that came first of those that were not taken."""
        if self._waiting:
            packet = self._waiting.popleft()
            self._waiting_size -= len(packet.payload)
            return packet
        return self._cut()

    @property
    def resting(self) -> bool:
        """Nothing is here that was not taken."""
        return not (self._buffer or self._parts or self._waiting)

    def rest(self) -> bytes:
        """All that follows the packet that was taken last, as it came."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _cut(self) -> Packet | None:
        buffer = self._buffer
        while len(buffer) >= _HEAD:
            size = buffer[0] | buffer[1] << 8 | buffer[2] << 16
            if self._size + size > self._limits.message:
                raise LimitError(f"a packet of more than {self._limits.message} bytes")
            end = _HEAD + size
            if len(buffer) < end:
                return None
            sequence, part = buffer[3], bytes(buffer[_HEAD:end])
            del buffer[:end]
            if not self._parts:
                self._first = sequence
            elif sequence != (self._first + len(self._parts)) & 0xFF:
                raise ProtocolError(f"part {len(self._parts) + 1} of a packet has the sequence id {sequence}")
            if size == _LARGEST:
                self._parts.append(part)
                self._size += size
                continue
            if self._parts:
                part = b"".join((*self._parts, part))
                self._parts.clear()
                self._size = 0
            return Packet(self._first, sequence, part)
        return None
