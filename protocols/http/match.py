"""What must be equal in two requests: the route as it stands, and values in places; and the difference in words.

Headers count when they choose a representation or say who asks; those that clients, proxies and tracers add do not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from protocols.furniture import Difference, Value
from protocols.generated import generated_spans
from protocols.http import aws, contents, signed, sqs, wire
from protocols.http.contents import body_values, plain_body
from protocols.http.wire import Headers, HttpRequest, HttpResponse
from testset.model import Server

__all__ = [
    "OPERATION", "authority", "body_values", "difference", "header_values", "is_effect", "named_server",
    "plain_body", "rebind", "response_values", "route", "split_authority", "split_target", "title", "url", "values",
]  # fmt: skip

_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_CHOOSING = frozenset(
    {
        "accept", "accept-charset", "accept-language", "content-language", "range", "if-match", "if-none-match",
        "if-modified-since", "if-unmodified-since", "if-range", "prefer", "x-http-method-override", "accept-version",
        "api-version", "x-api-version", "x-github-api-version", "stripe-version", "anthropic-version",
    }
)  # fmt: skip
_IDENTITY = frozenset(
    {
        "authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "x-functions-key",
        "ocp-apim-subscription-key", "x-auth-key", "x-auth-token", "x-access-token", "private-token", "x-user-id",
        "x-account-id", "x-tenant-id",
    }
)  # fmt: skip
OPERATION = frozenset({"x-amz-target", "soapaction"})  # the operation is in a header, one path serves all
_MARK = "{}"
_SEALED = '{{secret "'


# -- the route --------------------------------------------------------------------------------------------------


def named_server(server: Server, request: HttpRequest) -> Server:
    """The server by the name that the app used: `Host` names it when the connection knows only an address."""
    host = wire.header(request.headers, "host")
    if not host or not (_is_address(server.host) or server.host == "localhost"):
        return server
    name, port = split_authority(host, 443 if request.scheme == "https" else 80)
    if port != server.port or not name or _is_address(name):
        return server
    return Server(name, port)


def split_authority(authority: str, default_port: int) -> tuple[str, int]:
    """Host (lower case, no brackets) and port of `host:port`."""
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port or not port.isdigit() or len(port) > 5:
        host, port = authority, ""
    host = host.strip("[]").lower()
    if host == "::1" or host.startswith("127."):
        host = "localhost"
    return host, int(port) if port else default_port


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def split_target(target: str) -> tuple[str, str]:
    """Path and query of a request target, in whatever form it came."""
    if "://" in target[:10]:
        rest = target.partition("://")[2]
        slash = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
        target = rest[slash:] or "/"
    path, _, query = target.partition("?")
    return path, query


def route(server: Server, request: HttpRequest) -> Hashable:
    """Destination and operation. Path segments that look made up are marks here, and values in `values`."""
    named = named_server(server, request)
    path, _ = split_target(request.target)
    if len(path) > 8 and (generated_spans(path) or _SEALED in path):
        path = "/".join(_MARK if _is_made_up(segment) else segment for segment in path.split("/"))
    return ("http", request.scheme, named.host, named.port, request.method, path, _operation(request))


def _operation(request: HttpRequest) -> str:
    """What one path serves many of, and of what: `DynamoDB_20120810.PutItem orders`."""
    asked = aws.call(request)
    if asked is not None:
        return f"{asked.name} {asked.subject}".strip()
    return (wire.header(request.headers, "soapaction") or "").strip('"')


def _is_made_up(segment: str) -> bool:
    return len(segment) >= 8 and (bool(generated_spans(unquote(segment))) or _SEALED in segment)


def is_effect(request: HttpRequest) -> bool:
    asked = aws.call(request)
    return request.method not in _READS if asked is None else not asked.is_read


def title(server: Server, request: HttpRequest) -> str:
    asked = aws.call(request)
    return asked.title if asked is not None else f"{request.method} {url(named_server(server, request), request)}"


def url(server: Server, request: HttpRequest) -> str:
    """The whole address of a request, as a person writes it."""
    if "://" in request.target[:10]:
        return request.target
    if server.port == 0:  # a Unix socket, in the notation of its clients
        return f"{request.scheme}+unix://{server.host.replace('/', '%2F')}{_rooted(request.target)}"
    return f"{request.scheme}://{authority(server, request.scheme)}{_rooted(request.target)}"


def authority(server: Server, scheme: str) -> str:
    """Host and port as a client writes them: without the port that the scheme implies."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    return host if server.port == (443 if scheme == "https" else 80) else f"{host}:{server.port}"


def _rooted(target: str) -> str:
    return target if target.startswith("/") else f"/{target}"


# -- values -----------------------------------------------------------------------------------------------------


def values(request: HttpRequest) -> list[Value]:
    path, query = split_target(request.target)
    result = [
        Value(f"path[{index}]", unquote(segment))
        for index, segment in enumerate(path.split("/")[1:])
        if _is_made_up(segment)
    ]
    asked = sqs.call(request)
    if asked is not None and asked.parameters:
        return [*result, *header_values(request.headers), *sqs.values(asked)]
    if query:
        found = list(contents.pairs("query", query))
        if "ignature=" in query:
            signing = signed.parameters({value.place[len("query.") :] for value in found})
            found = [value for value in found if value.place[len("query.") :] not in signing]
        result.extend(found)
    return [*result, *header_values(request.headers), *body_values(request.headers, request.body)]


def response_values(response: HttpResponse) -> list[Value]:
    result: list[Value] = []
    for key, value in response.headers:
        name = key.lower()
        if name == "set-cookie":
            cookie, _, rest = value.partition("=")
            result.append(Value(f"header.Set-Cookie.{cookie.strip()}", rest.partition(";")[0].strip()))
        elif name in ("location", "content-location"):
            result.append(Value(f"header.{key}", value))
            target, parameters = split_target(value)
            result.extend(
                Value(f"header.{key}.path[{index}]", unquote(segment))
                for index, segment in enumerate(target.split("/")[1:])
                if segment
            )
            if parameters:
                result.extend(contents.pairs(f"header.{key}.query", parameters))
        elif name not in _PLAIN_RESPONSE:
            result.append(Value(f"header.{key}", value))
    result.extend(body_values(response.headers, response.body))
    return result


_PLAIN_RESPONSE = frozenset(
    {
        "date", "server", "connection", "keep-alive", "content-length", "transfer-encoding", "content-type", "vary",
        "cache-control", "content-encoding", "via", "age", "x-powered-by",
    }
)  # fmt: skip


def header_values(headers: Headers) -> list[Value]:
    """The header fields that count, in a stable order."""
    result: list[Value] = []
    for key, value in headers:
        name = key.lower()
        if name in _CHOOSING or (name[:6] == "x-amz-" and aws.is_payload_header(name)):
            result.append(Value(f"header.{_title(name)}", value))
        elif name == "content-type":
            result.append(Value("header.Content-Type", value.partition(";")[0].strip().lower()))
        elif name == "authorization" and value.startswith("AWS4-"):
            continue  # a signature over the time never matches
        elif name in _IDENTITY:
            result.append(Value(f"header.{_title(name)}", value))
        elif name == "cookie":
            for part in sorted(value.split(";")):
                cookie, _, content = part.strip().partition("=")
                result.append(Value(f"header.Cookie.{cookie}", content))
    result.sort(key=lambda value: value.place)
    return result


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


# -- differences ------------------------------------------------------------------------------------------------


def difference(server: Server, recorded: HttpRequest, actual_server: Server, actual: HttpRequest) -> Difference | None:
    """The first place where two requests differ, the most telling first."""
    if recorded.method != actual.method:
        return Difference("method", recorded.method, actual.method)
    here, there = named_server(server, recorded), named_server(actual_server, actual)
    if (recorded.scheme, here) != (actual.scheme, there):
        return Difference("host", f"{recorded.scheme}://{here}", f"{actual.scheme}://{there}")
    path, actual_path = split_target(recorded.target)[0], split_target(actual.target)[0]
    if path != actual_path:
        return Difference("path", path, actual_path)
    target, actual_target = route(server, recorded), route(actual_server, actual)
    if target != actual_target:
        assert isinstance(target, tuple)
        assert isinstance(actual_target, tuple)
        return Difference("operation", str(target[-1]), str(actual_target[-1]))
    before = {value.place: value.value for value in values(recorded)}
    after = {value.place: value.value for value in values(actual)}
    for place in [*before, *(place for place in after if place not in before)]:
        if place not in after:
            return Difference(place, _shown(before[place]), "not there")
        if place not in before:
            return Difference(place, "not there", _shown(after[place]))
        old, new = before[place], after[place]
        if type(old) is bool or type(new) is bool:
            if old is not new:
                return Difference(place, _shown(old), _shown(new))
        elif old != new:
            return _differing(place, old, new)
    return None


def _differing(place: str, old: Any, new: Any) -> Difference:
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > 60:
        offset = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        begin = max(0, offset - 15)
        return Difference(f"{place} offset {offset}", _shown(old[begin : begin + 50]), _shown(new[begin : begin + 50]))
    return Difference(place, _shown(old), _shown(new))


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# -- bindings ---------------------------------------------------------------------------------------------------


def rebind(response: HttpResponse, mapping: Mapping[str, str]) -> HttpResponse:
    """This response with recorded values replaced by actual ones, wherever they stand as values of their own."""
    pairs = {recorded: actual for recorded, actual in mapping.items() if recorded and recorded != actual}
    if not pairs:
        return response
    for recorded, actual in list(pairs.items()):  # as JSON writes them, if that differs
        pairs.setdefault(json.dumps(recorded)[1:-1], json.dumps(actual)[1:-1])
    longest_first = sorted(pairs, key=len, reverse=True)
    pattern = re.compile(
        "|".join(
            (r"(?<![0-9A-Za-z])" if key[0].isalnum() else "")
            + re.escape(key)
            + (r"(?![0-9A-Za-z])" if key[-1].isalnum() else "")
            for key in longest_first
        )
    )

    def renamed(text: str) -> str:
        return pattern.sub(lambda match: pairs[match[0]], text)

    headers = tuple((key, renamed(value)) for key, value in response.headers)
    return contents.rewritten(replace(response, headers=headers), renamed)
