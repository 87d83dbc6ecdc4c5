"""What a body says, by its type: JSON by its structure, forms and multipart bodies by their parts, text, and bytes.

A body becomes values in places. What a client makes anew each time without meaning it (a boundary, an order of form
fields, a content coding) is left out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from protocols.furniture import Value
from protocols.http import aws_chunked, codings, wire
from protocols.http.wire import Headers, HttpResponse
from testset.errors import ProtocolError
from testset.model import Body, FileBody

# Bodies from this size on are compared by their digest, as those kept in files are.
LARGE = 1 << 20

_DEPTH = 64
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(name|filename)(\*?)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)


def body_values(headers: Headers, body: Body) -> list[Value]:
    if isinstance(body, FileBody):
        return [Value("body", f"sha256:{body.sha256}")]
    if not body:
        return []
    body = _payload(headers, body)
    content_type = wire.header(headers, "content-type") or ""
    if content_type[:10].lower() == "multipart/":
        parts = multipart(content_type, body)
        if parts is not None:
            return parts
        boundary = _BOUNDARY.search(content_type)
        if boundary is not None:  # it is the client's own and new each time
            body = body.replace((boundary[1] or boundary[2]).encode("latin-1", "replace"), b"boundary")
    return _content("body", content_type, body)


def _payload(headers: Headers, body: bytes) -> bytes:
    """The body as it was before it was packed for the way."""
    plain = aws_chunked.payload(headers, body)
    return plain if len(plain) >= LARGE else plain_body(headers, plain)


def plain_body(headers: Headers, body: bytes) -> bytes:
    """The body without its content coding, or as it is when that cannot be taken off."""
    coding = wire.header(headers, "content-encoding")
    if coding is None or not codings.known(coding.strip().lower()):
        return body
    decoded = codings.decode(coding.strip().lower(), body)
    return body if decoded is None else decoded


def _content(place: str, content_type: str, data: bytes) -> list[Value]:
    if len(data) >= LARGE:
        return [_digest(place, data)]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return [_digest(place, data)]
    if text.lstrip()[:1] in ("{", "["):  # whatever it is said to be: curl and urllib call all they send a form
        parsed = json_of(text)
        if parsed is not None:
            return list(flatten(place, parsed))
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded" and "=" in text:
        return list(pairs(place, text))
    return [Value(place, text)]


def _digest(place: str, data: bytes) -> Value:
    return Value(place, f"sha256:{hashlib.sha256(data).hexdigest()}")


# -- forms ------------------------------------------------------------------------------------------------------


def pairs(place: str, text: str) -> Iterator[Value]:
    """Name and value pairs of a query or a form; the order of different names does not count."""
    seen: Counter[str] = Counter()
    for name, value in sorted(parse_qsl(text, keep_blank_values=True), key=lambda pair: pair[0]):
        yield Value(_numbered(f"{place}.{name}", seen), value)


def multipart(content_type: str, body: bytes) -> list[Value] | None:
    """The parts of a multipart body, each with its name, its file's name, its type and its content."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return None
    pieces = (b"\r\n" + body).split(b"\r\n--" + (boundary[1] or boundary[2]).encode("latin-1", "replace"))
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        return None
    parts: list[tuple[str, Headers, bytes]] = []
    for piece in pieces[1:-1]:
        head, separator, content = piece.lstrip(b" \t").partition(b"\r\n\r\n")
        if not separator or not head.startswith(b"\r\n"):
            return None
        try:
            headers = wire.parse_fields(head[2:].decode("utf-8", "replace") + "\r\n" if head[2:] else "")
        except ProtocolError:
            return None
        parts.append((_parameters(headers).get("name", ""), headers, content))
    values: list[Value] = []
    seen: Counter[str] = Counter()
    for name, headers, content in sorted(parts, key=lambda part: part[0]):
        place = _numbered(f"body.{name}" if name else "body.part", seen)
        filename = _parameters(headers).get("filename")
        if filename is not None:
            values.append(Value(f"{place}.filename", filename))
        media = wire.header(headers, "content-type")
        if media is not None:
            values.append(Value(f"{place}.type", media))
        values.extend(_content(place, media or "", content))
    return values


def _parameters(headers: Headers) -> dict[str, str]:
    """Of `Content-Disposition`: name and filename."""
    found = {}
    for name, star, quoted, bare in _PARAMETER.findall(wire.header(headers, "content-disposition") or ""):
        found[name.lower() + star] = re.sub(r"\\(.)", r"\1", quoted) or bare
    if "filename*" in found:  # UTF-8''%e2%82%ac.txt
        found["filename"] = unquote(found["filename*"].rpartition("'")[2])
    return found


def _numbered(place: str, seen: Counter[str]) -> str:
    """`place`, and its turn if it was there before."""
    turn = seen[place]
    seen[place] += 1
    return f"{place}[{turn}]" if turn else place


# -- JSON -------------------------------------------------------------------------------------------------------

# A secret's placeholder in a recorded body has bare quotes, which make it no JSON.
_SEALED = re.compile(r'\{\{(secret|redacted) "([^"\\]*)"\}\}')
_SEALED_NUMBER = re.compile(rf"(?<=[:\[,])(\s*){_SEALED.pattern}(?=\s*[,\]}}])")


def json_of(text: str) -> Any:
    """The JSON in a text; None if it is none (or is just `null`)."""
    texts = [text]
    if "{{" in text:  # a secret has quotes of its own, and none around it where a number was
        texts = [_SEALED.sub(r"{{\1 \"\2\"}}", text), _SEALED_NUMBER.sub(r'\1"{{\2 \\"\3\\"}}"', text)]
        texts[1] = _SEALED.sub(r"{{\1 \"\2\"}}", texts[1])
    for sound in texts:
        try:
            return json.loads(sound, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
    return None


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def flatten(place: str, data: Any, depth: int = 0) -> Iterator[Value]:
    """The values in JSON, by their places."""
    if isinstance(data, dict) and data and depth < _DEPTH:
        for key in sorted(data):
            yield from flatten(f"{place}.{key}", data[key], depth + 1)
    elif isinstance(data, list) and data and depth < _DEPTH:
        for index, item in enumerate(data):
            yield from flatten(f"{place}[{index}]", item, depth + 1)
    elif isinstance(data, dict | list):
        yield Value(place, json.dumps(data, sort_keys=True))
    else:
        yield Value(place, data)


# -- answers made anew ------------------------------------------------------------------------------------------


def rewritten(response: HttpResponse, change: Callable[[str], str]) -> HttpResponse:
    """`response` with `change` made to the text of its body, and its length with it."""
    body = response.body
    if isinstance(body, FileBody) or not body:
        return response
    plain = plain_body(response.headers, body)
    try:
        text = plain.decode("utf-8")
    except UnicodeDecodeError:
        return response
    new = change(text)
    if new == text:
        return response
    data = new.encode()
    if plain is not body:
        data = codings.encode((wire.header(response.headers, "content-encoding") or "").strip().lower(), data)
    headers = response.headers
    if response.framing is wire.Framing.LENGTH:
        headers = wire.with_length(headers, len(data))
    return replace(response, headers=headers, body=data)
