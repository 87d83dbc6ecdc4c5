"""Requests that are known by their bytes: what a mock server answers without reading them as HTTP.

A request line together with the header fields that count and the body is a request's identity. A client sends the same
fields again and again, so they are read once; after that a request is two look-ups in dictionaries, however many
are known. Whatever is out of the ordinary is not found here, and is read by `serve` as always.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from protocols.furniture import Ask, Limits, Reply, Send
from protocols.http import match, sqs, wire
from protocols.http.serve import HttpResponder
from protocols.http.wire import Framing, Headers, HttpRequest
from testset.errors import ProtocolError
from testset.model import FileBody

Answer = TypeVar("Answer")

LARGEST = 16 << 10  # bytes of a request that is worth knowing
_FIELDS = 1024  # different sets of header fields that are remembered
_VERSION = b" HTTP/1.1"


class _Fields(NamedTuple, Generic[Answer]):
    """Header fields as they stand in a request, and the requests that are known with such fields."""

    length: int  # of the body
    closes: bool  # the connection, after the answer
    known: dict[bytes, Answer] | None  # None: to be read by `serve`


class Key(NamedTuple):
    """What tells one request from another."""

    counting: tuple[object, ...]  # the header fields that count
    rest: bytes  # the request line, and the body


def key_of(request: HttpRequest) -> Key | None:
    """The key of a recorded request; None for one that is always to be read by `serve`."""
    body = request.body
    if isinstance(body, FileBody) or len(body) > LARGEST or not request.complete or request.trailers:
        return None
    if sqs.poll(request) is not None:  # it may have to wait
        return None
    line = f"{request.method} {request.target}".encode("latin-1", "replace") + _VERSION
    return Key(_counting(request.headers), _key(line, body))


class Ready(Generic[Answer]):
    """What is known of one destination: from the bytes of a whole request to its answer."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], dict[bytes, Answer]] = {}
        self._fields: dict[bytes, _Fields[Answer]] = {}

    def add(self, key: Key, answer: Answer) -> None:
        """`answer` is for requests with this key. Call it before the first `find`."""
        self._known.setdefault(key.counting, {})[key.rest] = answer

    def find(self, data: bytes) -> tuple[Answer, bool] | None:
        """The answer, if `data` is one whole request that is known, and whether the connection ends with it."""
        end = data.find(b"\r\n")
        head = data.find(b"\r\n\r\n", end)
        if head < 0 or end > LARGEST:
            return None
        rest = data[end : head + 2]
        fields = self._fields.get(rest)
        if fields is None:
            fields = self._read(rest)
        if fields.known is None or len(data) - head - 4 != fields.length:
            return None
        line = data[:end]
        answer = fields.known.get(_key(line, data[head + 4 :]) if fields.length else line)
        return (answer, fields.closes) if answer is not None else None

    def _read(self, rest: bytes) -> _Fields[Answer]:
        if len(self._fields) >= _FIELDS:
            self._fields.clear()
        try:
            headers = wire.parse_fields(rest[2:].decode("latin-1"))
            framing, length = wire.request_framing("1.1", headers)
        except ProtocolError:
            return _Fields(0, False, None)
        ordinary = (
            framing in (Framing.NONE, Framing.LENGTH)
            and length <= LARGEST
            and wire.header(headers, "expect") is None
            and wire.header(headers, "upgrade") is None
        )
        known = self._known.get(_counting(headers)) if ordinary else None
        closes = not wire.keeps_alive("1.1", headers)
        fields = self._fields[rest] = _Fields(length if framing is Framing.LENGTH else 0, closes, known)
        return fields


def answer_bytes(method: str, reply: Reply, limits: Limits) -> bytes | None:
    """What goes over the wire when `reply` answers a plain request, if that is all and the connection lives on."""
    responder = HttpResponder(limits)
    asked = responder.feed(f"{method} / HTTP/1.1\r\n\r\n".encode("latin-1", "replace"))
    if len(asked) != 1 or not isinstance(asked[0], Ask):
        return None
    acts = responder.answer(reply)
    return acts[0].data if len(acts) == 1 and isinstance(acts[0], Send) else None


def _counting(headers: Headers) -> tuple[object, ...]:
    operation = [(name.lower(), value) for name, value in headers if name.lower() in match.OPERATION]
    return (*operation, *match.header_values(headers))


def _key(line: bytes, body: bytes) -> bytes:
    return line + b"\n" + body if body else line
