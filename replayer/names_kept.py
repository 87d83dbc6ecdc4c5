"""Names stay in a test that gets another response: `{{order}}` where the new one has the value that it stands for.

What is written is a response with names, what is new is one without. At the places of the names, and in JSON wherever a
value stands under the same key as a name (elements may have moved), the value becomes the name again. Names that are
gone then are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from replayer.compare import json_text, places
from testset.named import named, names_in

_DIGITS = re.compile(r"-?\d{1,4}")  # so short a number may be anything in a text


def with_names(
    written: Mapping[str, Any], new: Mapping[str, Any], values: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """The new response with names in it, and what has become of those that are gone. `values`: what they stand for; in
    a set that has none, what looks like a name is text."""
    if not values:
        return dict(new), []
    kept, gone = dict(new), []
    headers = {str(name).lower(): value for name, value in (written.get("header") or {}).items()}
    if headers and isinstance(new.get("header"), Mapping):
        kept["header"] = {
            name: _header(headers.get(str(name).lower()), value, values) for name, value in new["header"].items()
        }
        now = {str(name).lower(): value for name, value in kept["header"].items()}
        gone = [lost for name, value in headers.items() for lost in _lost(f"header.{name}", value, now.get(name))]
    body = written.get("body")
    if isinstance(body, str) and any(names_in(body)):
        if isinstance(new.get("body"), str):
            kept["body"] = _body(body, new["body"], values)
        gone += _lost("body", body, kept.get("body"))
    return kept, gone


def is_named(written: Mapping[str, Any], place: str) -> bool:
    """Whether a name stands at a place of a response, which is written as findings have it: `body.items[0].id`."""
    header = place.removeprefix("header.")
    if header != place:
        return any(
            _names(value) for name, value in (written.get("header") or {}).items() if name.lower() == header.lower()
        )
    body = written.get("body")
    section, *steps = places.parse(place)
    there = _leaves(body).get(tuple(steps)) if section == "body" and isinstance(body, str) else None
    return there is not None and bool(_names(there[1]))


def _header(written: Any, new: Any, values: Mapping[str, str]) -> Any:
    if isinstance(new, list):
        each = written if isinstance(written, list) else [written] * len(new)
        return [_header(one, now, values) for one, now in zip(each, new, strict=False)] + new[len(each) :]
    return _text(_names(written), new, values) if isinstance(new, str) else new


def _text(names: Iterable[str], new: str, values: Mapping[str, str]) -> str:
    for name in values.keys() & set(names):
        new = re.sub(rf"(?<![0-9A-Za-z]){re.escape(values[name])}(?![0-9A-Za-z])", named(name), new)
    return new


def _body(written: str, new: str, values: Mapping[str, str]) -> str:
    old, now = _leaves(written), _leaves(new)
    if not old or not now:
        return _text([one for one in _names(written) if not _DIGITS.fullmatch(values.get(one, ""))], new, values)
    under: dict[str, set[str]] = {}  # by key: names, as they are written there
    for place, (_, raw) in old.items():
        under.setdefault(_key(place), set()).add(raw)
    for place, (span, raw) in reversed(now.items()):
        there = old[place][1] if place in old else ""
        for name in values.keys() & {*_names(there), *_names(list(under.get(_key(place), ())))}:
            as_text, as_number = f'"{named(name)}"', named(name)
            if raw == f'"{values[name]}"' and as_text in under[_key(place)]:
                raw = as_text
            elif raw == values[name] and as_number in under[_key(place)]:
                raw = as_number
            elif raw[0] == '"' and there[:1] == '"' and name in _names(there):
                raw = _text([name], raw, values)
        new = new[: span.start] + raw + new[span.end :]
    return new


def _leaves(body: str) -> dict[json_text.Place, tuple[json_text.Span, str]]:
    """The values of a JSON text as they are written, by their places; none of what is no JSON."""
    try:
        spans = json_text.spans(body) if body.lstrip()[:1] in ("{", "[") else {}
    except json_text.NoSuchPlaceError:
        return {}
    found = ((place, span, body[span.start : span.end]) for place, span in spans.items())
    return {place: (span, raw) for place, span, raw in found if raw[:1] not in ("{", "[") or raw[:2] == "{{"}


def _key(place: json_text.Place) -> str:
    return next((step for step in reversed(place) if not step.isdigit()), "")


def _names(written: Any) -> list[str]:
    texts = written if isinstance(written, list) else [written]
    return list(dict.fromkeys(name for text in texts if isinstance(text, str) for name, _, _ in names_in(text)))


def _lost(place: str, written: Any, now: Any) -> Iterator[str]:
    stay = _names(now)
    for name in _names(written):
        if name not in stay:
            yield f"{place}: {named(name)} is gone, for another value stands there now"
