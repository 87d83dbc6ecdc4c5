"""HTTP/1.1 messages: what they are, how their heads are read, and how they are written again.

Names follow RFC 9110 and 9112. A body here is what was left after the transfer coding was taken off: chunks are
undone, a `Content-Encoding` is not. Cutting a stream into messages is the work of `stream`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from testset.errors import ProtocolError
from testset.model import Body, FileBody

Headers = tuple[tuple[str, str], ...]


class Framing(StrEnum):
    """How a message says where its body ends."""

    NONE = "none"  # there is no body, whatever the headers say
    LENGTH = "length"  # Content-Length
    CHUNKED = "chunked"  # Transfer-Encoding, chunked
    CLOSE = "close"  # the end of the connection; responses only
    FRAMES = "frames"  # the end of the stream, in HTTP/2, and no length was said before
    BROKEN = "broken"  # there is not even a head: all that was said is `HttpResponse.broken`


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request. `target` is as it was on the request line; `complete` is false when its body never arrived whole."""

    method: str
    target: str
    version: str = "1.1"
    headers: Headers = ()
    body: Body = b""
    trailers: Headers = ()
    scheme: str = "http"
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Interim:
    """A 1xx response that came before the final one."""

    status: int
    reason: str = ""
    headers: Headers = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A response. With an ending other than answered, its body may be only the first part: `missing` bytes of its last
    chunk had been announced. `broken` is what came then, and is no HTTP. `error`: of HTTP/2, with which the server gave
    up the stream (it was reset) or the connection."""

    status: int
    reason: str = ""
    version: str = "1.1"
    headers: Headers = ()
    body: Body = b""
    trailers: Headers = ()
    interim: tuple[Interim, ...] = ()
    framing: Framing = Framing.LENGTH
    missing: int = 0
    broken: bytes = b""
    error: int = 0


# -- reading ----------------------------------------------------------------------------------------------------

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([\x21-\x7e\x80-\xff]+) HTTP/(1\.[01])")
_STATUS_LINE = re.compile(r"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: ([^\r\n\0]*))?")
_FIELDS = re.compile(rf"(?:{_TOKEN}:[^\r\n\0]*\r\n)*")
_FIELD = re.compile(rf"({_TOKEN}):[ \t]*((?:[^\r\n]*[^\r\n \t])?)[ \t]*\r\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n\0]*)?")
_LENGTH = re.compile(r"[0-9]{1,18}")


def parse_fields(text: str) -> Headers:
    """Header or trailer lines, each with its CRLF."""
    if not _FIELDS.fullmatch(text):
        raise ProtocolError(f"not a header section: {text[:80]!r}")
    return tuple(_FIELD.findall(text))


def parse_request_head(head: bytes) -> tuple[str, str, str, Headers]:
    """Method, target, version, headers of a head that is given without its empty line."""
    line, _, fields = head.decode("latin-1").partition("\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise ProtocolError(f"not a request line: {line[:80]!r}")
    method, target, version = match.groups()
    return method, target, version, parse_fields(fields)


def parse_response_head(head: bytes) -> tuple[int, str, str, Headers]:
    """Status, reason, version, headers of a head that is given without its empty line."""
    line, _, fields = head.decode("latin-1").partition("\r\n")
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise ProtocolError(f"not a status line: {line[:80]!r}")
    version, status, reason = match.groups()
    return int(status), reason or "", version, parse_fields(fields)


def parse_chunk_size(line: bytes) -> int:
    match = _CHUNK_SIZE.fullmatch(line)
    if match is None:
        raise ProtocolError(f"not a chunk size: {line[:40]!r}")
    return int(match[1], 16)


# -- what headers mean ------------------------------------------------------------------------------------------


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header; `name` in lower case."""
    size = len(name)
    for key, value in headers:
        if len(key) == size and key.lower() == name:  # lengths first: this runs several times for every message
            return value
    return None


def header_all(headers: Headers, name: str) -> list[str]:
    """Every value of a header; `name` in lower case."""
    return [value for key, value in headers if key.lower() == name]


def has_token(headers: Headers, name: str, token: str) -> bool:
    """Whether a comma-separated header such as `Connection` lists `token`."""
    size = len(name)
    for key, value in headers:
        if len(key) == size and key.lower() == name and any(part.strip().lower() == token for part in value.split(",")):
            return True
    return False


def without(headers: Headers, *names: str) -> Headers:
    return tuple((key, value) for key, value in headers if key.lower() not in names)


def bodyless(method: str, status: int) -> bool:
    """Whether a response has no body whatever its headers say."""
    return method == "HEAD" or status in (204, 304) or status < 200 or (method == "CONNECT" and status < 300)


def _lengths(headers: Headers) -> tuple[bool, int | None]:
    """Whether the last transfer coding is chunked, and the Content-Length. One pass: this runs for every message."""
    chunked, coded, length = False, False, None
    for key, value in headers:
        size = len(key)
        if size == 14 and key.lower() == "content-length":
            for part in value.split(","):
                digits = part.strip()
                if not _LENGTH.fullmatch(digits):
                    raise ProtocolError(f"not a Content-Length: {value[:40]!r}")
                if length is not None and int(digits) != length:
                    raise ProtocolError("two different Content-Lengths")
                length = int(digits)
        elif size == 17 and key.lower() == "transfer-encoding":
            if chunked:
                raise ProtocolError("a transfer coding after chunked")
            coded = True
            codings = [part.strip().lower() for part in value.split(",")]
            if "chunked" in codings[:-1]:
                raise ProtocolError("a transfer coding after chunked")
            chunked = codings[-1] == "chunked"
    if coded and not chunked:
        length = -1
    return chunked, length


def request_framing(version: str, headers: Headers) -> tuple[Framing, int]:
    """How a request's body is framed, and its length. Ambiguous framing, the stuff of smuggling, is an error."""
    chunked, length = _lengths(headers)
    if length == -1:
        raise ProtocolError("a request whose last transfer coding is not chunked")
    if chunked:
        if length is not None or version == "1.0":
            raise ProtocolError("a request with a transfer coding and a Content-Length, or of HTTP/1.0")
        return Framing.CHUNKED, 0
    return (Framing.LENGTH, length) if length else (Framing.NONE, 0)


def response_framing(method: str, status: int, version: str, headers: Headers) -> tuple[Framing, int]:
    """How the body of a response to `method` is framed, and its length."""
    if bodyless(method, status):
        return Framing.NONE, 0
    chunked, length = _lengths(headers)
    if chunked:
        if version == "1.0":
            raise ProtocolError("a chunked response of HTTP/1.0")
        return Framing.CHUNKED, 0
    if length is None or length == -1:
        return Framing.CLOSE, 0
    return Framing.LENGTH, length


def stream_framing(method: str, status: int, headers: Headers) -> Framing:
    """How the body of a response of HTTP/2 is framed: what its length says is a promise only."""
    if bodyless(method, status):
        return Framing.NONE
    return Framing.FRAMES if header(headers, "content-length") is None else Framing.LENGTH


def keeps_alive(version: str, headers: Headers) -> bool:
    """Whether the sender of this message lets the connection live on."""
    if version == "1.0":
        return has_token(headers, "connection", "keep-alive")
    return not has_token(headers, "connection", "close")


def wants_switch(method: str, headers: Headers) -> bool:
    """Whether what follows this request may be no HTTP."""
    return method == "CONNECT" or (
        any(len(key) == 7 and key.lower() == "upgrade" for key, _ in headers)
        and has_token(headers, "connection", "upgrade")
    )


def switches(method: str, status: int) -> bool:
    """Whether the connection stops being HTTP after this response."""
    return status == 101 or (method == "CONNECT" and 200 <= status < 300)


# -- writing ----------------------------------------------------------------------------------------------------


def standard_reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def body_size(body: Body) -> int:
    return body.size if isinstance(body, FileBody) else len(body)


def length_name(headers: Headers) -> str:
    """`Content-Length` in the case in which these headers are written."""
    return "content-length" if headers and all(key == key.lower() for key, _ in headers) else "Content-Length"


def is_2(version: str) -> bool:
    """HTTP/2 (or later), where names are in lower case, and a stream says itself where it ends."""
    return version[:1] not in ("0", "1")


def lower(headers: Headers) -> Headers:
    """These fields with their names in lower case."""
    return tuple((key.lower(), value) for key, value in headers)


def with_length(headers: Headers, size: int) -> Headers:
    """These headers with their Content-Length set to `size`: in its place, or else at the end."""
    result: list[tuple[str, str]] = []
    seen = False
    for key, value in headers:
        if len(key) == 14 and key.lower() == "content-length":
            if seen:
                continue
            seen, value = True, str(size)
        result.append((key, value))
    if not seen:
        result.append((length_name(headers), str(size)))
    return tuple(result)


def _spoken(version: str) -> str:
    """The version on a start line: what was HTTP/2 is HTTP/1.1 when it is written here."""
    return version if version == "1.0" else "1.1"


def field_bytes(headers: Headers) -> bytes:
    return "".join([f"{key}: {value}\r\n" for key, value in headers]).encode("latin-1")


def request_head(request: HttpRequest) -> bytes:
    """The head of a request, empty line included. A length is added when the body needs one and has none."""
    headers = request.headers
    if body_size(request.body) and request.complete and not has_token(headers, "transfer-encoding", "chunked"):
        headers = with_length(headers, body_size(request.body))
    return f"{request.method} {request.target} HTTP/{_spoken(request.version)}\r\n".encode("latin-1") + (
        field_bytes(headers) + b"\r\n"
    )


def request_bytes(request: HttpRequest) -> bytes:
    """A whole request, as a peer accepts it. Not for bodies in files: send those after `request_head`."""
    if isinstance(request.body, FileBody):
        raise ValueError("a body in a file is sent piece by piece")
    head = request_head(request)
    if has_token(request.headers, "transfer-encoding", "chunked"):
        return head + chunk(request.body) + (last_chunk(request.trailers) if request.complete else b"")
    return head + request.body


def interim_bytes(interim: Interim) -> bytes:
    return f"HTTP/1.1 {interim.status} {interim.reason}\r\n".encode("latin-1") + field_bytes(interim.headers) + b"\r\n"


def response_head(response: HttpResponse) -> bytes:
    """The head of a response as its headers say, empty line included."""
    return (
        f"HTTP/{_spoken(response.version)} {response.status} {response.reason}\r\n".encode("latin-1")
        + field_bytes(response.headers)
        + b"\r\n"
    )


def response_bytes(response: HttpResponse, *, complete: bool = True) -> bytes:
    """A whole response, interim ones first, framed as it was. Not for bodies in files."""
    if isinstance(response.body, FileBody):
        raise ValueError("a body in a file is sent piece by piece")
    parts = [interim_bytes(interim) for interim in response.interim]
    if response.framing is not Framing.BROKEN:
        parts.append(response_head(response))
    if response.framing is Framing.CHUNKED:
        parts.append(chunk(response.body, response.missing))
        if complete:
            parts.append(last_chunk(response.trailers))
    elif response.framing is not Framing.NONE:
        parts.append(response.body)
    parts.append(response.broken)
    return b"".join(parts)


def chunk(data: bytes, missing: int = 0) -> bytes:
    """One chunk, of which so many bytes are missing; nothing for no data, because an empty chunk would end the body."""
    if missing:
        return b"%x\r\n%b" % (len(data) + missing, data)
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Headers = ()) -> bytes:
    return b"0\r\n" + field_bytes(trailers) + b"\r\n"
