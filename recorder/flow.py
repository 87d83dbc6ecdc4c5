"""What of an exchange can be recognised in another: ids that flow from a request into the calls that it causes.

A *mark* is a value that hardly two requests share by chance: a generated-looking one, a trace id. A *hint* is one that
they may share (a name, an order number), and so counts only where nothing else does and no other hint contradicts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from protocols.furniture import Room, Value
from protocols.generated import generated_spans
from testset.model import Exchange

_LONGEST = 64 << 10  # characters of a text that is looked into
_NUMBERED = re.compile(r"[0-9A-Za-z_.@-]*[0-9][0-9A-Za-z_.@-]*")  # a part of an address that has a digit in it
_TRACE_HEADERS = frozenset(
    {"traceparent", "x-request-id", "x-correlation-id", "x-trace-id", "x-b3-traceid", "x-amzn-trace-id", "b3"}
)


@dataclass(frozen=True, slots=True)
class Traits:
    """What an exchange can be recognised by."""

    traces: frozenset[str]
    carried: frozenset[str]  # marks in the request's headers: who asks
    marks: frozenset[str]  # marks in what is asked (and answered): what about
    hints: frozenset[str]  # of the request


def traits(room: Room, exchange: Exchange[Any, Any], *, answer: bool) -> Traits:
    """Of the request, and its response's marks too if `answer`."""
    values = room.values(exchange.request)
    told = room.response_values(exchange.response) if answer and exchange.response is not None else ()
    _, _, address = room.title(exchange.server, exchange.request).partition(" ")
    address = address.partition("://")[2].partition("/")[2]
    content = [_text(value) for value in values if not value.place.startswith("header.")]
    route = str(room.route(exchange.server, exchange.request))  # what is in it, everybody says who asks there
    marks = frozenset(mark for mark in _marks([*content, address, *map(_text, told)]) if mark not in route)
    hints = {text for text in (*content, *_NUMBERED.findall(address)) if _is_telling(text)}
    return Traits(
        traces=frozenset(_traces(exchange.request)),
        carried=frozenset(_marks(_text(value) for value in values if value.place.startswith("header."))),
        marks=marks,
        hints=frozenset(hints - marks),
    )


def _is_telling(text: str) -> bool:
    """Not a word that everybody says: `new`, `EUR`, `1`."""
    least = 3 if any(character.isdigit() or character == "@" for character in text) else 6
    return least <= len(text) <= 200


def _text(value: Value) -> str:
    content = value.value
    if content is None or isinstance(content, bool):
        return ""
    return content if isinstance(content, str) else str(content)


def _marks(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if 8 <= len(text) <= _LONGEST and not text.startswith("sha256:"):
            yield from (text[start:end] for start, end, _ in generated_spans(text))


def _traces(request: Any) -> Iterator[str]:
    """Trace ids, where requests have headers. Of `traceparent` the trace alone: the rest is each call's own."""
    for name, value in getattr(request, "headers", ()):
        if name.lower() in _TRACE_HEADERS:
            parts = value.split("-") if name.lower() in ("traceparent", "b3") else [value]
            yield parts[1] if name.lower() == "traceparent" and len(parts) > 1 else parts[0]
