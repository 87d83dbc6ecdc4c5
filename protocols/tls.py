"""TLS, as far as its first bytes show it. rr does not look inside yet."""

from __future__ import annotations

_HANDSHAKE, _MAJOR, _CLIENT_HELLO = 0x16, 0x03, 0x01


def is_client_hello(first: bytes) -> bool:
    """Whether a connection begins with a TLS handshake: record type, version, and the message in it."""
    return len(first) >= 6 and first[0] == _HANDSHAKE and first[1] == _MAJOR and first[5] == _CLIENT_HELLO
