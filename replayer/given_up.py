"""Tests whose client went before the answer was complete: a stream of events that was watched for a while, a download
that somebody broke off, a time-out.

The client goes again once it has as much as it had then, and as much of the two answers is compared.
"""

from __future__ import annotations

from dataclasses import replace

from protocols.http import ROOM as HTTP
from protocols.http import wire
from protocols.http.wire import HttpRequest, HttpResponse
from testset.model import Document, Ending, Exchange, FileBody
from testset.store import TestSet

_MOST = 1 << 20  # bytes that are compared: what somebody had seen of it when they went
_BODY = "body"  # how the keys of a document begin that say it
_EVENTS = "text/event-stream"
_EVENT_END = b"\n\n"


def enough(recorded: HttpResponse) -> int:
    """How many bytes of a body the client waits for."""
    return len(_seen(recorded))


def seen(recorded: HttpResponse, actual: HttpResponse) -> tuple[HttpResponse, HttpResponse]:
    """Both answers with as much of their bodies as the client had seen of the first."""
    wanted, got = _seen(recorded), _start(actual)
    if _is_events(recorded):
        count = wanted.count(_EVENT_END)
        got = _EVENT_END.join([*got.split(_EVENT_END)[:count], b""]) if got.count(_EVENT_END) >= count else got
    else:
        got = got[: len(wanted)]
    return replace(recorded, body=wanted), replace(actual, body=got)


def as_far(old: Document, new: Document, old_set: TestSet, new_set: TestSet) -> Document:
    """A test that was recorded anew, with as much of its answer as the old recording has: how much more is on its way
    when somebody goes is chance."""
    if {str(Ending.GIVEN_UP)} != {old.spec.get("ending"), new.spec.get("ending")}:
        return new
    was, now = _exchange(old, old_set), _exchange(new, new_set)
    if was.response is None or now.response is None:
        return new
    then, today = seen(was.response, now.response)
    resp = old.spec["resp"] if then.body == today.body else HTTP.to_spec(replace(now, response=today))["resp"]
    rest = {key: value for key, value in new.spec["resp"].items() if not key.startswith(_BODY)}
    body = {key: value for key, value in resp.items() if key.startswith(_BODY)}
    return replace(new, spec={**new.spec, "resp": {**rest, **body}})


def _exchange(document: Document, test_set: TestSet) -> Exchange[HttpRequest, HttpResponse]:
    exchange: Exchange[HttpRequest, HttpResponse] = HTTP.from_spec(document.kind, document.spec)
    response = exchange.response
    if response is None or not isinstance(response.body, FileBody):
        return exchange
    body = replace(response.body, path=test_set.asset(str(response.body.path)))
    return replace(exchange, response=replace(response, body=body))


def _seen(recorded: HttpResponse) -> bytes:
    """Whole events, whole characters: the last that came may have been half of one."""
    body = _start(recorded)
    if _is_events(recorded):
        return body[: body.rfind(_EVENT_END) + len(_EVENT_END)] if _EVENT_END in body else b""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        if error.end == len(body) and error.reason == "unexpected end of data":
            return body[: error.start]
    return body


def _is_events(response: HttpResponse) -> bool:
    return (wire.header(response.headers, "content-type") or "").lower().startswith(_EVENTS)


def _start(response: HttpResponse) -> bytes:
    body = response.body
    if isinstance(body, bytes):
        return body[:_MOST]
    assert isinstance(body, FileBody)
    with body.path.open("rb") as file:
        return file.read(_MOST)
