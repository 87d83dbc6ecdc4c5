"""TLS, as far as it is spoken in clear: the client's hello, which tells whom it wants to speak with and in what.

Record and handshake as in RFC 8446; the two extensions that matter are server_name (RFC 6066) and ALPN (RFC 7301).
Stdlib only: the relay runs it.
"""

from __future__ import annotations

from dataclasses import dataclass

from testset.errors import ProtocolError

_HANDSHAKE, _MAJOR, _CLIENT_HELLO = 0x16, 0x03, 0x01
_SERVER_NAME, _ALPN = 0, 16
_HOST_NAME = 0
LARGEST_HELLO = 64 << 10


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client says first. `name` is "" when it names no host, as to an address."""

    name: str = ""
    protocols: tuple[str, ...] = ()  # that it would speak inside, the one it likes best first


def is_client_hello(first: bytes) -> bool:
    """Whether a connection begins with a TLS handshake: record type, version, and the message in it."""
    return len(first) >= 6 and first[0] == _HANDSHAKE and first[1] == _MAJOR and first[5] == _CLIENT_HELLO


def may_be_client_hello(first: bytes) -> bool:
    """Whether it still may, as far as it has come."""
    return first[:2] == bytes([_HANDSHAKE, _MAJOR])[: len(first)] if len(first) < 6 else is_client_hello(first)


def client_hello(data: bytes) -> ClientHello | None:
    """The hello at the beginning of `data`; None if it is not all there yet. Raises `ProtocolError`."""
    message = bytearray()
    position = 0
    while True:  # a hello may be spread over several records
        if position + 5 > len(data):
            return None
        if data[position] != _HANDSHAKE or data[position + 1] != _MAJOR:
            raise ProtocolError("no TLS handshake")
        length = int.from_bytes(data[position + 3 : position + 5], "big")
        message += data[position + 5 : position + 5 + length]
        position += 5 + length
        if len(message) >= 4:
            size = 4 + int.from_bytes(message[1:4], "big")
            if message[0] != _CLIENT_HELLO or size > LARGEST_HELLO:
                raise ProtocolError("no client's hello")
            if len(message) >= size:
                return _read(_Reader(bytes(message[4:size])))
        if position > len(data):
            return None


def _read(body: _Reader) -> ClientHello:
    body.take(2 + 32)  # version, random
    body.vector(1)  # session
    body.vector(2)  # ciphers
    body.vector(1)  # compression
    name = ""
    protocols: tuple[str, ...] = ()
    extensions = _Reader(body.vector(2)) if body.more() else _Reader(b"")
    while extensions.more():
        kind = extensions.number(2)
        content = _Reader(extensions.vector(2))
        if kind == _SERVER_NAME:
            name = _server_name(_Reader(content.vector(2)))
        elif kind == _ALPN:
            protocols = tuple(_names(_Reader(content.vector(2))))
    return ClientHello(name, protocols)


def _server_name(entries: _Reader) -> str:
    while entries.more():
        kind, host = entries.number(1), entries.vector(2)
        if kind == _HOST_NAME:
            text = host.decode("ascii", "replace").lower()
            return text if all(character.isalnum() or character in "-._" for character in text) else ""
    return ""


def _names(entries: _Reader) -> list[str]:
    found = []
    while entries.more():
        found.append(entries.vector(1).decode("latin-1"))
    return found


class _Reader:
    """Reads numbers and vectors, and never beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def more(self) -> bool:
        return self._position < len(self._data)

    def take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._data):
            raise ProtocolError("a TLS hello that ends too early")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> bytes:
        """Bytes with their length before them."""
        return self.take(self.number(width))
