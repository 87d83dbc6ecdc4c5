"""Header fields of HTTP/2, and what they are in the rest of the house (RFC 9113, 8.2 and 8.3).

There a request has a method, a target and a `host` field, and what HTTP/1 says of its connection stands among the
fields. Here all of that is pseudo-fields and frames. So what was recorded in one version can be served in the other.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple

from protocols.http import wire
from protocols.http.wire import Headers, HttpRequest
from testset.errors import ProtocolError

Field = tuple[bytes, bytes]
Fields = Iterable[Field]

# What speaks of an HTTP/1 connection has no place in HTTP/2.
_OF_THE_CONNECTION = frozenset(
    {"connection", "http2-settings", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
_NO_NAME = re.compile(r"[^\x21-\x7e]|:")
_NO_VALUE = re.compile(r"[\r\n\0]")


class RequestHead(NamedTuple):
    """A request, but for what follows its head. `protocol`: what a CONNECT wants to speak, if it says so."""

    method: str
    target: str
    headers: Headers
    protocol: str


# -- reading ----------------------------------------------------------------------------------------------------


def request_head(fields: Fields) -> RequestHead:
    pseudo, headers = _split(fields)
    method = pseudo.get(":method", "")
    authority = pseudo.get(":authority", "")
    protocol = pseudo.get(":protocol", "")
    target = pseudo.get(":path", "") if method != "CONNECT" or protocol else authority
    if not method or not target or " " in method + target:
        raise ProtocolError("an HTTP/2 request without method or path")
    if authority:
        headers = (("host", authority), *wire.without(headers, "host"))
    return RequestHead(method, target, _one_cookie(headers), protocol)


def response_head(fields: Fields) -> tuple[int, Headers]:
    pseudo, headers = _split(fields)
    status = pseudo.get(":status", "")
    if len(status) != 3 or not status.isascii() or not status.isdigit() or status < "100":
        raise ProtocolError(f"not a status of HTTP/2: {status[:20]!r}")
    return int(status), headers


def trailers(fields: Fields) -> Headers:
    pseudo, headers = _split(fields)
    if pseudo:
        raise ProtocolError("HTTP/2 trailers with a pseudo-field")
    return headers


def _split(fields: Fields) -> tuple[dict[str, str], Headers]:
    pseudo: dict[str, str] = {}
    headers: list[tuple[str, str]] = []
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name[:1] == ":":
            pseudo[name] = value
        elif name[-4:] == "-bin" and value[:1] == "\0":  # gRPC's metadata, which may come as it is or in base64
            headers.append((name, base64.b64encode(raw_value[1:]).decode().rstrip("=")))
        else:
            headers.append((name, value))
    for name, value in headers:
        if not name or _NO_NAME.search(name):
            raise ProtocolError(f"not a field's name: {name[:40]!r}")
        if _NO_VALUE.search(value):
            raise ProtocolError(f"a line break in the HTTP/2 field {name[:40]!r}")
    if any(_NO_VALUE.search(value) for value in pseudo.values()):
        raise ProtocolError("a line break in an HTTP/2 pseudo-field")
    return pseudo, tuple(headers)


def _one_cookie(headers: Headers) -> Headers:
    """HTTP/2 may send a cookie in crumbs, which are one field elsewhere (RFC 9113, 8.2.3)."""
    crumbs = wire.header_all(headers, "cookie")
    if len(crumbs) < 2:
        return headers
    first = next(index for index, (name, _) in enumerate(headers) if name == "cookie")
    rest = wire.without(headers[first:], "cookie")
    return (*headers[:first], ("cookie", "; ".join(crumbs)), *rest)


# -- writing ----------------------------------------------------------------------------------------------------


def request_fields(request: HttpRequest) -> list[Field]:
    authority = wire.header(request.headers, "host") or ""
    pseudo = [(":method", request.method)]
    if request.method != "CONNECT":
        pseudo += [(":scheme", request.scheme), (":path", request.target)]
    pseudo.append((":authority", authority or "localhost"))
    return _encoded((*pseudo, *plain(wire.without(request.headers, "host"))))


def response_fields(status: int, headers: Headers) -> list[Field]:
    return _encoded(((":status", str(status)), *plain(headers)))


def trailer_fields(headers: Headers) -> list[Field]:
    return _encoded(plain(headers))


def plain(headers: Headers) -> Headers:
    """These fields as HTTP/2 has them: names in lower case, none that speaks of an HTTP/1 connection."""
    named = {
        token.strip().lower() for value in wire.header_all(headers, "connection") for token in value.split(",")
    } | _OF_THE_CONNECTION
    lower = ((name.lower(), value) for name, value in headers)
    return tuple(
        (name, value)
        for name, value in lower
        if name not in named or (name == "te" and value.strip().lower() == "trailers")
    )


def _encoded(headers: Iterable[tuple[str, str]]) -> list[Field]:
    return [(name.encode("latin-1"), value.strip(" \t").encode("latin-1")) for name, value in headers]
