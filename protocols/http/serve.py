"""The server side of HTTP for replay: requests of the app in, recorded responses out, one after the other.

Requests are read by the same `stream` as at recording. Which mock answers is not known here: `Ask` asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from protocols.bodies import KeptBody
from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send, SendFile
from protocols.http import wire
from protocols.http.stream import Stream
from protocols.http.wire import Framing, HttpRequest, HttpResponse
from testset.errors import LimitError, ProtocolError
from testset.model import Ending, FileBody

# Apps ask the same again and again: what was read or written of a small message is kept for the next time.
_SMALL = 2048
_REMEMBERED = 1024

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Head(NamedTuple):
    """A request's head, and what follows from it."""

    method: str
    target: str
    version: str
    headers: wire.Headers
    framing: Framing
    length: int
    expects_continue: bool
    keeps_alive: bool


@lru_cache(maxsize=_REMEMBERED)
def _head(head: bytes) -> _Head:
    method, target, version, headers = wire.parse_request_head(head)
    framing, length = wire.request_framing(version, headers)
    expects = framing is not Framing.NONE and wire.has_token(headers, "expect", "100-continue")
    return _Head(method, target, version, headers, framing, length, expects, wire.keeps_alive(version, headers))


_small_response_bytes = lru_cache(maxsize=_REMEMBERED)(wire.response_bytes)


class HttpResponder:
    """See `furniture.Responder`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._stream = Stream(limits)
        self._later: list[bytes] = []  # came while a request was asked about
        self._later_size = 0
        self._head: _Head | None = None  # of the request whose body is being read
        self._keeps_alive = True  # so says the request that is asked about
        self._asked: HttpRequest | None = None
        self._continued = False  # 100 Continue was sent for the current request
        self._finished = False  # nothing more is answered
        self._hung_up = self._client_ended = False
        self._switched = False

    def start(self) -> list[Act]:
        return []

    def feed(self, data: bytes) -> list[Act]:
        if self._switched:
            raise ProtocolError("the connection is no longer HTTP")
        if self._finished:
            return []
        if self._asked is not None:
            self._later.append(data)
            self._later_size += len(data)
            if self._later_size > self._limits.message:
                raise LimitError(f"more than {self._limits.message} bytes behind a request that is not answered yet")
            return []
        self._stream.push(data)
        return self._read()

    def end(self) -> list[Act]:
        self._client_ended = True
        if self._asked is not None or self._hung_up:
            return []
        return self._hang([], reset=False)

    def answer(self, reply: Reply) -> list[Act]:
        request = self._take()
        response: HttpResponse | None = reply.response
        if response is not None and reply.body is not None:
            response = with_body(response, reply.body)
        complete = reply.ending is Ending.ANSWERED
        acts: list[Act] = []
        if response is not None and (wire.is_2(response.version) or response.framing is Framing.FRAMES):
            response = in_1_1(response, complete=complete)
        if response is not None:
            acts.extend(_play(response, complete=complete, continued=self._continued))
        if reply.ending is Ending.GIVEN_UP and not self._client_ended:
            self._finished = True  # but not hung up: the client leaves, as it did, in its own time
            return acts
        if not complete or response is None:
            return self._hang(acts, reset=reply.ending is Ending.RESET)
        if wire.switches(request.method, response.status):
            self._switched = True
            return acts
        if (
            response.framing is Framing.CLOSE
            or not self._keeps_alive
            or (response.version == request.version and not wire.keeps_alive(response.version, response.headers))
        ):
            return self._hang(acts, reset=False)
        return self._go_on(acts)

    def miss(self, text: str, details: Mapping[str, Any]) -> list[Act]:
        request = self._take()
        body = miss_body(text, details)
        head = wire.response_head(
            HttpResponse(
                status=502,
                reason="Bad Gateway",
                headers=(("Content-Type", "application/json"), ("Content-Length", str(len(body)))),
            )
        )
        acts: list[Act] = [Send(head if request.method == "HEAD" else head + body)]
        if not self._keeps_alive:
            return self._hang(acts, reset=False)
        return self._go_on(acts)

    def resting(self) -> bool:
        """Between two requests: nothing was begun, and nothing is owed."""
        busy = self._head is not None or self._asked is not None or self._stream.waiting
        return not (busy or self._finished or self._switched)

    # -- within -------------------------------------------------------------------------------------------------

    def _read(self) -> list[Act]:
        stream = self._stream
        acts: list[Act] = []
        if self._head is None:
            stream.skip_empty_lines()
            if not stream.waiting:
                return acts
            head = stream.head()
            if head is None:
                return acts
            parsed = self._head = _head(head) if len(head) <= _SMALL else _head.__wrapped__(head)
            none = parsed.framing is Framing.NONE
            stream.begin(parsed.framing, parsed.length, None if none else KeptBody(self._limits.message))
            self._continued = False
            if parsed.expects_continue and not stream.waiting:
                self._continued = True
                acts.append(Send(_CONTINUE))
        if stream.body():
            parsed, self._head = self._head, None
            self._keeps_alive = parsed.keeps_alive
            self._asked = HttpRequest(
                method=parsed.method,
                target=parsed.target,
                version=parsed.version,
                headers=parsed.headers,
                body=stream.finish(),
                trailers=stream.trailers,
            )
            acts.append(Ask(self._asked))
        return acts

    def _take(self) -> HttpRequest:
        request, self._asked = self._asked, None
        if request is None:
            raise ProtocolError("an answer to a request that was not asked about")
        return request

    def _hang(self, acts: list[Act], *, reset: bool) -> list[Act]:
        self._finished = self._hung_up = True
        self._later.clear()
        acts.append(Hang(reset=reset))
        return acts

    def _go_on(self, acts: list[Act]) -> list[Act]:
        if self._later:
            self._stream.push(b"".join(self._later))
            self._later.clear()
            self._later_size = 0
        if self._stream.waiting:
            acts.extend(self._read())
        return acts


def miss_body(text: str, details: Mapping[str, Any]) -> bytes:
    """What an app reads for which there is no mock."""
    told = {"error": f"rr: {text}", **details}
    return json.dumps(told, indent=2, ensure_ascii=False, default=str).encode() + b"\n"


def in_1_1(response: HttpResponse, *, complete: bool = True) -> HttpResponse:
    """What was recorded in HTTP/2, as HTTP/1.1 says it: trailers need chunks, and all else has a length, which only a
    body has that is complete."""
    response = replace(response, version="1.1")
    if response.framing is not Framing.FRAMES:
        return response
    if not complete:
        return replace(response, framing=Framing.CLOSE)
    if response.trailers:
        headers = (*response.headers, ("transfer-encoding", "chunked"))
        return replace(response, headers=headers, framing=Framing.CHUNKED)
    headers = wire.with_length(response.headers, wire.body_size(response.body))
    return replace(response, headers=headers, framing=Framing.LENGTH)


def with_body(response: HttpResponse, body: bytes) -> HttpResponse:
    """This response with another body, and its Content-Length with it."""
    headers = response.headers
    if response.framing is Framing.LENGTH:
        headers = wire.with_length(headers, len(body))
    return replace(response, body=body, headers=headers)


def _play(response: HttpResponse, *, complete: bool, continued: bool) -> list[Act]:
    if continued and response.interim:
        response = replace(response, interim=tuple(i for i in response.interim if i.status != 100))
    if complete and response.framing is Framing.LENGTH:
        size = wire.body_size(response.body)
        if wire.header(response.headers, "content-length") != str(size):
            response = replace(response, headers=wire.with_length(response.headers, size))
    body = response.body
    if not isinstance(body, FileBody):
        small = len(body) <= _SMALL
        return [Send((_small_response_bytes if small else wire.response_bytes)(response, complete=complete))]
    head = b"".join(wire.interim_bytes(interim) for interim in response.interim) + wire.response_head(response)
    if response.framing is not Framing.CHUNKED:
        return [Send(head), SendFile(body), *([Send(response.broken)] if response.broken else ())]
    end = b"" if response.missing else b"\r\n" + (wire.last_chunk(response.trailers) if complete else b"")
    return [Send(head + b"%x\r\n" % (body.size + response.missing)), SendFile(body), Send(end + response.broken)]
