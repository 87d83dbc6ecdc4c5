"""An HTTP exchange to and from its document, for a reader and without loss.

Left out is what follows from the rest: HTTP/1.1, a standard status message, an empty body, a `Host` that says what the
URL says, a `Content-Length` that is right. Reading puts these back in their usual places (Host first, the length last),
groups repeated headers, and compresses again what was shown plain; in all else `from_spec(to_spec(x))` is `x`, but for
its id, the nanoseconds of its times, and a server known by address only, which gets the name that `Host` gives it.
Keploy's documents are read as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from protocols import documents
from protocols.documents import integer, mapping, sequence, string
from protocols.http import codings, jsontext, match, wire
from protocols.http.wire import Framing, Headers, HttpRequest, HttpResponse, Interim
from testset.errors import DocumentError
from testset.model import Body, Ending, Exchange, ExchangeId, FileBody, Server

HttpExchange = Exchange[HttpRequest, HttpResponse]
KINDS = ("Http",)

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token (RFC 9110)
_TYPE = "HTTP_CLIENT"  # of a mock, as Keploy says it
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})  # a length is expected even if it is 0
_EXTENSIONS = {
    "application/json": "json", "text/plain": "txt", "text/html": "html", "text/csv": "csv", "image/png": "png",
    "image/jpeg": "jpg", "application/pdf": "pdf", "application/zip": "zip", "application/gzip": "gz",
    "application/xml": "xml", "text/xml": "xml",
}  # fmt: skip


# -- writing ----------------------------------------------------------------------------------------------------


def to_spec(exchange: HttpExchange) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if not exchange.inbound:
        spec["metadata"] = {"type": _TYPE, "operation": exchange.request.method}
    server = match.named_server(exchange.server, exchange.request)
    spec["req"] = _request_spec(exchange.request, server, exchange.started_ns)
    spec["resp"] = _response_spec(exchange)
    if exchange.ending is not Ending.ANSWERED:
        spec["ending"] = str(exchange.ending)
    return spec


def _request_spec(request: HttpRequest, server: Server, started_ns: int) -> dict[str, Any]:
    address = match.url(server, request)
    headers = request.headers
    spec: dict[str, Any] = {"method": request.method, **_version_spec(request.version), "url": address}
    rooted = address.endswith(request.target) and "://" not in request.target[:10]
    if not rooted or not request.target.startswith("/"):
        spec["target"] = request.target  # `*`, an authority, or a whole address
    if (
        request.version != "1.0"
        and server.port
        and wire.header_all(headers, "host") == [match.authority(server, request.scheme)]
    ):
        headers = wire.without(headers, "host")
    framing = _request_framing(request)
    not_said = "frames" if wire.is_2(request.version) else "none"
    if not request.complete:
        spec["framing"] = "partial"
    elif framing is Framing.LENGTH and _is_right_length(headers, request.body):
        if request.method in _WITH_BODY or wire.body_size(request.body):
            headers = wire.without(headers, "content-length")
    elif framing is Framing.NONE and (request.method in _WITH_BODY or wire.body_size(request.body)):
        spec["framing"] = not_said
    _put_headers(spec, "header", headers)
    _put_body(spec, request.headers, request.body)
    _put_headers(spec, "trailer", request.trailers)
    spec["timestamp"] = documents.time_text(started_ns)
    return spec


def _request_framing(request: HttpRequest) -> Framing:
    if wire.has_token(request.headers, "transfer-encoding", "chunked"):
        return Framing.CHUNKED
    return Framing.NONE if wire.header(request.headers, "content-length") is None else Framing.LENGTH


def _response_spec(exchange: HttpExchange) -> dict[str, Any]:
    response = exchange.response
    spec: dict[str, Any] = {}
    if response is not None:
        if response.interim:
            spec["interim"] = [_interim_spec(interim) for interim in response.interim]
        spec["status_code"] = response.status
        if response.reason != wire.standard_reason(response.status):
            spec["status_message"] = response.reason
        spec.update(_version_spec(response.version))
        headers = response.headers
        if response.framing is not _expected_framing(exchange.request.method, response.status, headers):
            spec["framing"] = str(response.framing)
        if response.framing is Framing.LENGTH and _is_right_length(headers, response.body):
            headers = wire.without(headers, "content-length")
        _put_headers(spec, "header", headers)
        _put_body(spec, response.headers, response.body)
        _put_headers(spec, "trailer", response.trailers)
        if response.missing:
            spec["missing"] = response.missing
        if response.error:
            spec["error"] = response.error
        if response.broken:
            text = documents.readable(response.broken)
            if text is None:
                spec["broken_base64"] = documents.base64_text(response.broken)
            else:
                spec["broken"] = text
    spec["timestamp"] = documents.time_text(exchange.ended_ns)
    return spec


def _interim_spec(interim: Interim) -> dict[str, Any]:
    spec: dict[str, Any] = {"status_code": interim.status}
    if interim.reason != wire.standard_reason(interim.status):
        spec["status_message"] = interim.reason
    _put_headers(spec, "header", interim.headers)
    return spec


def _expected_framing(method: str, status: int, headers: Headers) -> Framing:
    if wire.bodyless(method, status) or status == 101:
        return Framing.NONE
    return Framing.CHUNKED if wire.has_token(headers, "transfer-encoding", "chunked") else Framing.LENGTH


def _is_right_length(headers: Headers, body: Body) -> bool:
    return wire.header_all(headers, "content-length") == [str(wire.body_size(body))]


def _version_spec(version: str) -> dict[str, int]:
    if version == "1.1":
        return {}
    major, dot, minor = version.partition(".")
    return {"proto_major": int(major), "proto_minor": int(minor)} if dot else {"proto_major": int(major)}


def _put_headers(spec: dict[str, Any], key: str, headers: Headers) -> None:
    grouped: dict[str, str | list[str]] = {}
    for name, value in headers:
        before = grouped.get(name)
        if before is None:
            grouped[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            grouped[name] = [before, value]
    if grouped:
        spec[key] = grouped


def _put_body(spec: dict[str, Any], headers: Headers, body: Body) -> None:
    if isinstance(body, FileBody):
        spec["body_ref"] = {"path": asset_path(body, headers), "size": body.size, "sha256": body.sha256}
        return
    if not body:
        return
    coding = _coding(headers)
    plain = None if coding is None else codings.decode(coding, body)
    text = None if plain is None else documents.readable(plain)
    if text:
        spec["body_encoding"] = coding
    else:
        text = documents.readable(body)
        if text is None:
            spec["body_base64"] = documents.base64_text(body)
            return
        if coding is not None:
            spec["body_encoding"] = "none"
    unfolded = jsontext.unfold(text)
    if unfolded is not None:
        text, spec["body_format"] = unfolded
    spec["body"] = text


def asset_path(body: FileBody, headers: Headers) -> str:
    """Where in its test set a body goes that has a file of its own."""
    media = (wire.header(headers, "content-type") or "").partition(";")[0].strip().lower()
    return f"assets/{body.sha256[:16]}.{_EXTENSIONS.get(media, 'bin')}"


def _coding(headers: Headers) -> str | None:
    coding = (wire.header(headers, "content-encoding") or "").strip().lower()
    return coding if codings.known(coding) else None


# -- reading ----------------------------------------------------------------------------------------------------


def from_spec(kind: str, spec: Mapping[str, Any]) -> HttpExchange:
    if kind not in KINDS:
        raise DocumentError(f"kind {kind!r} is none of HTTP")
    if not isinstance(spec.get("req"), Mapping):
        raise DocumentError("req: an Http document needs one")
    metadata = mapping(spec.get("metadata"), "metadata")
    outbound = metadata.get("type") is not None or "reqTimestampMock" in spec
    ending = documents.ending(spec.get("ending"))
    server, request = _request(mapping(spec.get("req"), "req"))
    resp = mapping(spec.get("resp"), "resp")
    response = None if resp.get("status_code") is None else _response(resp, request.method, ending)
    if response is None and ending is Ending.ANSWERED:
        raise DocumentError("resp.status_code: missing, and no ending says why")
    started = documents.time_ns(spec.get("reqTimestampMock"), "reqTimestampMock") or documents.time_ns(
        spec["req"].get("timestamp"), "req.timestamp"
    )
    ended = documents.time_ns(spec.get("resTimestampMock"), "resTimestampMock") or documents.time_ns(
        resp.get("timestamp"), "resp.timestamp"
    )
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="http",
        inbound=not outbound,
        server=server,
        request=request,
        response=response,
        ending=ending,
        started_ns=started,
        ended_ns=max(started, ended),
    )


def _request(spec: Mapping[str, Any]) -> tuple[Server, HttpRequest]:
    method = string(spec.get("method"), "req.method")
    if not _METHOD.fullmatch(method):
        raise DocumentError(f"req.method: not a method of HTTP: {method!r}")
    version = _version(spec)
    headers = _headers(spec.get("header"), "req.header")
    scheme, server, target = _address(string(spec.get("url"), "req.url"), headers)
    if spec.get("target") is not None:
        target = _sendable(string(spec["target"], "req.target"), "req.target")
    if version != "1.0" and wire.header(headers, "host") is None and server.port:
        headers = (("Host", match.authority(server, scheme)), *headers)
    if wire.is_2(version):
        headers = wire.lower(headers)
    body, headers = _form(spec, headers) or (_body(spec, headers, "req"), headers)
    framing = string(spec.get("framing"), "req.framing", "")
    if framing not in ("", "none", "frames", "partial"):
        raise DocumentError(f"req.framing: {framing!r} is none of none, frames and partial")
    if not framing and not wire.has_token(headers, "transfer-encoding", "chunked"):
        size = wire.body_size(body)
        explicit = wire.header(headers, "content-length") is not None
        headers = wire.without(headers, "content-length")
        if size or explicit or method in _WITH_BODY:
            headers = wire.with_length(headers, size)
    return server, HttpRequest(
        method=method,
        target=target,
        version=version,
        headers=headers,
        body=body,
        trailers=_headers(spec.get("trailer"), "req.trailer"),
        scheme=scheme,
        complete=framing != "partial",
    )


def _address(url: str, headers: Headers) -> tuple[str, Server, str]:
    """Scheme, server and target of a document's URL. Keploy's mocks have only the path there; `Host` says the rest."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        host = wire.header(headers, "host") or "localhost"
        return "http", Server(*match.split_authority(host, 80)), _sendable(url or "/", "req.url")
    cut = next((i for i, c in enumerate(rest) if c in "/?#"), len(rest))
    authority, target = rest[:cut], _sendable(rest[cut:] or "/", "req.url")
    if scheme.endswith("+unix"):
        return scheme.removesuffix("+unix"), Server(unquote(authority), 0), target
    if not target.startswith("/"):
        target = "/" + target
    _, colon, port = authority.rpartition(":")
    if not authority or (colon and "]" not in port and not (port.isdigit() and int(port) < 65_536)):
        raise DocumentError(f"req.url: not host and port: {authority!r}")
    return scheme, Server(*match.split_authority(authority, 443 if scheme == "https" else 80)), target


def _response(spec: Mapping[str, Any], method: str, ending: Ending) -> HttpResponse:
    status = integer(spec.get("status_code"), "resp.status_code")
    if not 100 <= status <= 999:
        raise DocumentError(f"resp.status_code: {status} is none")
    headers = _headers(spec.get("header"), "resp.header")
    version = _version(spec)
    body = _body(spec, headers, "resp")
    framing = _expected_framing(method, status, headers)
    if spec.get("framing") is not None:
        try:
            framing = Framing(string(spec["framing"], "resp.framing"))
        except ValueError:
            raise DocumentError(f"resp.framing: unknown framing {spec['framing']!r}") from None
    if framing is Framing.LENGTH and (ending is Ending.ANSWERED or wire.header(headers, "content-length") is None):
        headers = wire.with_length(wire.without(headers, "content-length"), wire.body_size(body))
    if wire.is_2(version):
        headers = wire.lower(headers)
    return HttpResponse(
        status=status,
        reason=_sendable(
            string(spec.get("status_message"), "resp.status_message", wire.standard_reason(status)),
            "resp.status_message",
        ),
        version=version,
        headers=headers,
        body=body,
        trailers=_headers(spec.get("trailer"), "resp.trailer"),
        interim=tuple(
            _interim(mapping(item, "resp.interim")) for item in sequence(spec.get("interim"), "resp.interim")
        ),
        framing=framing,
        missing=integer(spec.get("missing"), "resp.missing", 0),
        error=integer(spec.get("error"), "resp.error", 0),
        broken=_broken(spec),
    )


def _broken(spec: Mapping[str, Any]) -> bytes:
    if spec.get("broken_base64") is not None:
        return documents.base64_bytes(spec["broken_base64"], "resp.broken_base64")
    return string(spec.get("broken"), "resp.broken", "").encode()


def _interim(spec: Mapping[str, Any]) -> Interim:
    status = integer(spec.get("status_code"), "resp.interim.status_code")
    return Interim(
        status=status,
        reason=string(spec.get("status_message"), "resp.interim.status_message", wire.standard_reason(status)),
        headers=_headers(spec.get("header"), "resp.interim.header"),
    )


def _version(spec: Mapping[str, Any]) -> str:
    major, minor = (
        integer(spec.get("proto_major"), "proto_major", 1),
        integer(spec.get("proto_minor"), "proto_minor", 1),
    )
    if major >= 2:
        return str(major)
    return f"{major}.{minor}" if major else "1.1"


def _headers(value: Any, key: str) -> Headers:
    result: list[tuple[str, str]] = []
    for name, content in mapping(value, key).items():
        for item in content if isinstance(content, list | tuple) else (content,):
            result.append((_sendable(str(name), key), _sendable(string(item, f"{key}.{name}", ""), f"{key}.{name}")))
    return tuple(result)


def _sendable(text: str, key: str) -> str:
    """What cannot be sent is an error now, with the document at hand, not in the middle of a replay."""
    if not text.isascii() and max(text) > "\xff":
        raise DocumentError(f"{key}: only characters up to U+00FF can be sent here: {text!r}")
    if any(character in text for character in "\r\n\0"):
        raise DocumentError(f"{key}: a line break cannot be sent here: {text!r}")
    return text


def _body(spec: Mapping[str, Any], headers: Headers, key: str) -> Body:
    if spec.get("body_ref") is not None:
        ref = mapping(spec["body_ref"], f"{key}.body_ref")
        if ref.get("path"):
            return FileBody(
                path=Path(string(ref["path"], f"{key}.body_ref.path")),
                size=integer(ref.get("size"), f"{key}.body_ref.size", 0),
                sha256=string(ref.get("sha256"), f"{key}.body_ref.sha256", ""),
            )
    if spec.get("body_base64") is not None:
        return documents.base64_bytes(spec["body_base64"], f"{key}.body_base64")
    text = string(spec.get("body"), f"{key}.body", "")
    if not text:
        return b""
    if spec.get("body_format") is not None:
        name = string(spec["body_format"], f"{key}.body_format")
        folded = jsontext.fold(text, name)
        if folded is None:
            raise DocumentError(f"{key}.body_format: the body is not JSON that can be written as {name!r}")
        text = folded
    data = text.encode("utf-8", "surrogatepass")
    coding = string(spec.get("body_encoding"), f"{key}.body_encoding", _coding(headers) or "none")
    if coding == "none":
        return data
    if not codings.known(coding):
        raise DocumentError(f"{key}.body_encoding: unknown coding {coding!r}")
    return codings.encode(coding, data)


def _form(spec: Mapping[str, Any], headers: Headers) -> tuple[Body, Headers] | None:
    """Keploy keeps the fields of a form beside the body, and of a multipart one only there."""
    fields = sequence(spec.get("form"), "req.form")
    if not fields or spec.get("body") or spec.get("body_base64") or spec.get("body_ref"):
        return None
    pairs = [
        (string(field.get("key"), "req.form.key"), string(value, "req.form.values"))
        for field in (mapping(item, "req.form") for item in fields)
        for value in sequence(field.get("values"), "req.form.values")
    ]
    content_type = wire.header(headers, "content-type") or ""
    if not content_type.lower().startswith("multipart/"):
        return urlencode(pairs).encode(), headers
    _, found, boundary = content_type.partition("boundary=")
    boundary = boundary.partition(";")[0].strip('" ') if found else "rr-boundary"
    if not found:
        headers = tuple(
            (key, f"{value}; boundary={boundary}" if key.lower() == "content-type" else value) for key, value in headers
        )
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in pairs]
    return ("".join(parts) + f"--{boundary}--\r\n").encode(), headers


def normalised(exchange: HttpExchange) -> HttpExchange:
    """What an exchange is after it was written and read: the ground on which two recordings are equal."""
    return replace(from_spec(KINDS[0], to_spec(exchange)), id=exchange.id)
