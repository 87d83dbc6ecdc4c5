"""The connection phase, seen from the middle: between a client and its server, while somebody logs in.

Whoever stands there feeds this machine with what both sides send, and does what it says. Three things happen here and
nowhere else: compression is taken out of what is negotiated (nobody could read the rest), both sides change to TLS when
the client asks for it, and of all that is said only this is kept: the greeting without its scramble, the response
without its answer to it, and the OK or ERR at the end. So no password leaves this module, in whatever form it was sent.

Packets are changed in place, by their offsets in the manual (Protocol::HandshakeV10, Protocol::HandshakeResponse41).
Stdlib only: the relay runs it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, auto

from protocols.furniture import Guess
from protocols.mysql.detect import detect
from testset.model import Side

_LONG_PASSWORD = 1 << 0  # unset by MariaDB, which then has capabilities of its own
_CONNECT_WITH_DB = 1 << 3
_COMPRESS = 1 << 5
_PROTOCOL_41 = 1 << 9
_SSL = 1 << 11
_SECURE_CONNECTION = 1 << 15
_PLUGIN_AUTH = 1 << 19
_CONNECT_ATTRS = 1 << 20
_PLUGIN_AUTH_LENENC = 1 << 21
_ZSTD = 1 << 26
_UNREADABLE = _COMPRESS | _ZSTD
_PROGRESS = 1 << 0  # of MariaDB's own: errors that are none, in the middle of an answer

_STATE_CHANGED = 0x4000
_RESPONSE_HEAD = 32  # capabilities, largest packet, character set, filler: all there is of a request for TLS
_LARGEST = 1 << 20  # of a packet in this phase
_OK, _ERR = 0x00, 0xFF


@dataclass(frozen=True, slots=True)
class Pass:
    """These bytes go on to the other side."""

    side: Side
    data: bytes


@dataclass(frozen=True, slots=True)
class Keep:
    """This is to be remembered of what `side` sent."""

    side: Side
    data: bytes


@dataclass(frozen=True, slots=True)
class Secure:
    """Once all is passed on, both sides speak TLS. `rest` is what the client has sent of it already."""

    rest: bytes


@dataclass(frozen=True, slots=True)
class Over:
    """The connection phase has ended, and from here on all is passed and kept. `lost`: it could not be followed, and
    nothing more of this connection may be kept, because it may hold a password."""

    lost: str | None = None


Act = Pass | Keep | Secure | Over


class _Phase(Enum):
    GREETING = auto()
    RESPONSE = auto()
    AUTHENTICATION = auto()
    OVER = auto()


class Login:
    """See the module. After `Secure`, feed it what TLS has decrypted; after `Over`, nothing more."""

    def __init__(self) -> None:
        self._phase = _Phase.GREETING
        self._waiting = {Side.CLIENT: bytearray(), Side.SERVER: bytearray()}
        self._extended = False  # both speak of MariaDB's own capabilities

    def feed(self, side: Side, data: bytes) -> list[Act]:
        """What `side` sent next."""
        waiting = self._waiting[side]
        waiting += data
        acts: list[Act] = []
        if self._phase is _Phase.GREETING and (side is Side.CLIENT or detect(b"", bytes(waiting)) is Guess.NO):
            return self._not_mysql()
        while self._phase is not _Phase.OVER and len(waiting) >= 4:
            size = 4 + int.from_bytes(waiting[:3], "little")
            if size > _LARGEST:
                return acts + self._lost(side, "a packet of the login is too large")
            if len(waiting) < size:
                break
            packet = bytes(waiting[:size])
            del waiting[:size]
            found = self._packet(side, packet)
            acts += found
            if found and isinstance(found[-1], Secure):
                break
        return acts

    def _packet(self, side: Side, packet: bytes) -> list[Act]:
        if self._phase is _Phase.GREETING:
            return self._greeting(packet)
        if self._phase is _Phase.RESPONSE:
            if side is Side.SERVER and packet[4:5] == bytes([_ERR]):  # out of turn: a time-out, a shutdown
                return self._end(packet)
            if side is Side.SERVER:
                return self._lost(side, "the server spoke out of turn", packet)
            return self._response(packet)
        if side is Side.SERVER and packet[4:5] in (bytes([_OK]), bytes([_ERR])):
            return self._end(packet)
        return [Pass(side, packet)]

    def _greeting(self, packet: bytes) -> list[Act]:
        if packet[4] == _ERR:
            return self._end(packet, sequence=0)
        masked = _masked_greeting(packet)
        if masked is None:
            return self._not_mysql(packet)
        self._phase = _Phase.RESPONSE
        return [Keep(Side.SERVER, _without_scramble(masked)), Pass(Side.SERVER, masked)]

    def _response(self, packet: bytes) -> list[Act]:
        if len(packet) < 4 + _RESPONSE_HEAD or not int.from_bytes(packet[4:8], "little") & _PROTOCOL_41:
            return self._lost(Side.CLIENT, "the client speaks the protocol of before MySQL 4.1", packet)
        masked = _masked_response(packet)
        if len(packet) == 4 + _RESPONSE_HEAD and int.from_bytes(packet[4:8], "little") & _SSL:
            rest = bytes(self._waiting[Side.CLIENT])
            self._waiting[Side.CLIENT].clear()
            return [Pass(Side.CLIENT, masked), Secure(rest)]
        scrubbed = _without_answer(masked)
        if scrubbed is None:
            return self._lost(Side.CLIENT, "the client's login cannot be read", packet)
        self._phase = _Phase.AUTHENTICATION
        return [Keep(Side.CLIENT, scrubbed), Pass(Side.CLIENT, masked)]

    def _end(self, packet: bytes, sequence: int = 2) -> list[Act]:
        payload = packet[4:]
        if payload[0] == _OK:
            payload = _without_information(payload)
        return [Keep(Side.SERVER, _framed(payload, sequence)), Pass(Side.SERVER, packet), *self._over(keep=True)]

    def _over(self, *, keep: bool) -> list[Act]:
        """What both sides have sent beyond, and the end."""
        self._phase = _Phase.OVER
        acts: list[Act] = []
        for side, waiting in self._waiting.items():
            if waiting:
                rest = bytes(waiting)
                waiting.clear()
                acts += [Keep(side, rest), Pass(side, rest)] if keep else [Pass(side, rest)]
        return [*acts, Over()]

    def _not_mysql(self, packet: bytes = b"") -> list[Act]:
        first: list[Act] = [Keep(Side.SERVER, packet), Pass(Side.SERVER, packet)] if packet else []
        return first + self._over(keep=True)

    def _lost(self, side: Side, why: str, packet: bytes = b"") -> list[Act]:
        first: list[Act] = [Pass(side, packet)] if packet else []
        return [*first, *self._over(keep=False)[:-1], Over(lost=why)]


def _framed(payload: bytes, sequence: int) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


# -- the greeting -----------------------------------------------------------------------------------------------


def _masked_greeting(packet: bytes) -> bytes | None:
    """Without compression."""
    end = packet.find(b"\0", 5)
    low = end + 1 + 4 + 8 + 1  # after the version: connection id, first part of the scramble, filler
    if end < 0 or len(packet) < low + 2:
        return None
    changed = bytearray(packet)
    capabilities = int.from_bytes(packet[low : low + 2], "little")
    changed[low : low + 2] = (capabilities & ~_COMPRESS & 0xFFFF).to_bytes(2, "little")
    high = low + 2 + 1 + 2  # character set, status
    if len(packet) >= high + 2:
        upper = int.from_bytes(packet[high : high + 2], "little")
        changed[high : high + 2] = (upper & ~(_ZSTD >> 16) & 0xFFFF).to_bytes(2, "little")
    own = high + 2 + 1 + 6  # length of the scramble, reserved
    if not capabilities & _LONG_PASSWORD and len(packet) >= own + 4:
        extended = int.from_bytes(packet[own : own + 4], "little")
        changed[own : own + 4] = (extended & ~_PROGRESS).to_bytes(4, "little")
    return bytes(changed)


def _without_scramble(packet: bytes) -> bytes:
    """As it is kept: no scramble, no connection id."""
    changed = bytearray(packet)
    end = packet.find(b"\0", 5)
    start = end + 1
    changed[start : start + 4 + 8] = bytes(12)
    scramble = start + 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10
    if len(packet) > scramble:
        length = max(13, packet[scramble - 11] - 8)
        stop = min(len(packet), scramble + length)
        changed[scramble:stop] = bytes(stop - scramble)
    changed[3] = 0
    return bytes(changed)


# -- the response -----------------------------------------------------------------------------------------------


def _masked_response(packet: bytes) -> bytes:
    """Clients ask for what was not offered, too."""
    changed = bytearray(packet)
    capabilities = int.from_bytes(packet[4:8], "little")
    changed[4:8] = (capabilities & ~_UNREADABLE).to_bytes(4, "little")
    if not capabilities & _LONG_PASSWORD:
        extended = int.from_bytes(packet[32:36], "little")
        changed[32:36] = (extended & ~_PROGRESS).to_bytes(4, "little")
    return bytes(changed)


def _without_answer(packet: bytes) -> bytes | None:
    """As it is kept: who logs in, to which database, by which plugin; not what with, nor what the driver is called."""
    payload = packet[4:]
    capabilities = int.from_bytes(payload[:4], "little")
    user, found, rest = payload[_RESPONSE_HEAD:].partition(b"\0")
    if not found:
        return None
    after = _after_answer(rest, capabilities)
    if after is None:
        return None
    parts = [payload[:_RESPONSE_HEAD], user, b"\0", b"\0"]
    if capabilities & _CONNECT_WITH_DB:
        database, _, after = after.partition(b"\0")
        parts += [database, b"\0"]
    if capabilities & _PLUGIN_AUTH:
        parts += [after.partition(b"\0")[0], b"\0"]
    if capabilities & _CONNECT_ATTRS:
        parts.append(b"\0")
    return _framed(b"".join(parts), 1)


def _after_answer(rest: bytes, capabilities: int) -> bytes | None:
    """What follows the answer to the scramble."""
    if not capabilities & (_PLUGIN_AUTH_LENENC | _SECURE_CONNECTION):
        return rest.partition(b"\0")[2]
    if not rest:
        return None
    length, start = rest[0], 1
    if capabilities & _PLUGIN_AUTH_LENENC and length >= 0xFB:
        if length != 0xFC or len(rest) < 3:
            return None
        length, start = int.from_bytes(rest[1:3], "little"), 3
    return rest[start + length :] if len(rest) >= start + length else None


def _without_information(payload: bytes) -> bytes:
    """An OK without its text, in which MariaDB signs the certificate with the password."""
    position = 1
    for _ in range(2):  # affected rows, last insert id
        if position >= len(payload):
            return payload
        position += {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(payload[position], 1)
    if len(payload) < position + 4:
        return payload[:position]
    status, warnings = struct.unpack_from("<HH", payload, position)
    return payload[:position] + struct.pack("<HH", status & ~_STATE_CHANGED, warnings)
