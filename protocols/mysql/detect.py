"""Is it MySQL? The server speaks first, and its greeting tells. Stdlib only: the relay asks too."""

from __future__ import annotations

from protocols.furniture import Guess

_VERSION = 10  # of the protocol, since MySQL 3.21
_LONGEST_VERSION = 64  # characters of the server's version
_LONGEST_GREETING = 512
_ERR = 0xFF
_ERRORS = range(1000, 4500)
_X_NOTICE = 0x0B
_X_LARGEST = 64


def detect(client: bytes, server: bytes) -> Guess:
    """By the server's first packet: its greeting, or the error by which it refuses at once."""
    if client and not server:
        return Guess.NO
    if not server[:1]:
        return Guess.MORE
    length = int.from_bytes(server[:3], "little")
    if len(server) >= 3 and not 3 <= length <= _LONGEST_GREETING:
        return Guess.NO
    if len(server) < 4:
        return Guess.NO if len(server) == 2 and server[1] > _LONGEST_GREETING >> 8 else Guess.MORE
    if server[3] != 0:  # the sequence id of the first packet
        return Guess.NO
    payload = server[4 : 4 + length]
    if payload[:1] == bytes([_ERR]):
        if len(payload) < 3:
            return Guess.MORE
        code = int.from_bytes(payload[1:3], "little")
        return Guess.YES if code in _ERRORS else Guess.NO
    if payload and payload[0] != _VERSION:
        return Guess.NO
    version, end, _ = payload[1 : 2 + _LONGEST_VERSION].partition(b"\0")
    if not all(0x20 <= byte < 0x7F for byte in version) or (not end and len(version) > _LONGEST_VERSION):
        return Guess.NO
    if not end:
        return Guess.MORE if len(payload) < length else Guess.NO
    return Guess.YES if version[:1].isdigit() else Guess.NO


def is_x_protocol(server: bytes) -> bool:
    """Whether a server's first bytes are the hello of MySQL's other protocol, X (port 33060)."""
    return len(server) >= 5 and server[4] == _X_NOTICE and 0 < int.from_bytes(server[:4], "little") <= _X_LARGEST
