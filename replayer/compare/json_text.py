"""Changes values in a JSON text and leaves every other character: indentation, order, spelling of numbers.

Places are tuples of text (`("items", "0", "id")`), as `places.parse` gives them. Strings may hold a secret's
placeholder, and that may hold quotes; a name may stand for a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

Place = tuple[str, ...]

_STRING = re.compile(r'"(?:\{\{[a-z_]+ "[^"]*"\}\}|[^"\\\x00-\x1f]|\\.)*"')
_NAME = re.compile(r"\{\{[^{}\"]*\}\}")  # that a person has given to a number
_SCALAR = re.compile(r"[^\s\[\]{},:\"]+")
_SPACE = re.compile(r"\s*")


class NoSuchPlaceError(Exception):
    """The text is no JSON, or has no such place."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a value stands; `member` is where its name begins, for a value in an object."""

    start: int
    end: int
    member: int


def spans(text: str) -> dict[Place, Span]:
    """Every value's place, in the order of the text. Raises `NoSuchPlaceError` for what is no JSON."""
    found: dict[Place, Span] = {}
    try:
        _value(text, _skip(text, 0), (), 0, found)
    except (IndexError, RecursionError) as error:
        raise NoSuchPlaceError("the text is no JSON") from error
    return found


def replace(text: str, place: Place, value: str) -> str:
    span = _find(text, place)
    return text[: span.start] + value + text[span.end :]


def remove(text: str, place: Place) -> str:
    """Takes a member or an element away, with the comma that parted it from its neighbour."""
    everything = spans(text)
    span = everything.get(place)
    if span is None:
        raise NoSuchPlaceError(".".join(place))
    end = _skip(text, span.end)
    if text[end] == ",":
        return text[: span.member] + text[_skip(text, end + 1) :]
    start = len(text[: span.member].rstrip())
    if text[start - 1] == ",":
        start = len(text[: start - 1].rstrip())
    return text[:start] + text[span.end :]


def add(text: str, place: Place, value: str) -> str:
    """Adds a member to an object, as its last, laid out as the others are."""
    parent = _find(text, place[:-1])
    if text[parent.start] != "{":
        raise NoSuchPlaceError(".".join(place))
    name = json.dumps(place[-1], ensure_ascii=False)
    siblings = [span for path, span in spans(text).items() if path[:-1] == place[:-1] and path]
    if not siblings:
        return f"{text[: parent.start]}{{{name}: {value}}}{text[parent.end :]}"
    first, last = siblings[0], siblings[-1]
    lead = text[parent.start + 1 : first.member]
    if len(siblings) > 1 and not lead:  # on one line: the space is after the comma
        lead = " " if text[siblings[1].member - 1] == " " else ""
    colon = ": " if text[first.start - 1] == " " else ":"
    return f"{text[: last.end]},{lead}{name}{colon}{value}{text[last.end :]}"


def edited(text: str, changes: Mapping[Place, str | None], added: Mapping[Place, str]) -> str:
    """All of it: new values, removals (None), and new members."""
    for place, value in changes.items():
        text = remove(text, place) if value is None else replace(text, place, value)
    for place, value in added.items():
        text = add(text, place, value)
    return text


def _find(text: str, place: Place) -> Span:
    span = spans(text).get(place)
    if span is None:
        raise NoSuchPlaceError(".".join(place))
    return span


def _value(text: str, at: int, place: Place, member: int, found: dict[Place, Span]) -> int:
    """Reads the value that begins at `at`; returns where it ends."""
    found[place] = Span(at, at, member)  # holds the order; the end follows
    opening = text[at]
    if (name := _NAME.match(text, at)) is not None:
        end = name.end()
    elif opening == "{":
        end = _members(text, at + 1, place, found)
    elif opening == "[":
        end = _elements(text, at + 1, place, found)
    else:
        match = (_STRING if opening == '"' else _SCALAR).match(text, at)
        if match is None:
            raise NoSuchPlaceError(f"character {at} is no JSON")
        end = match.end()
    found[place] = Span(at, end, member)
    return end


def _members(text: str, at: int, place: Place, found: dict[Place, Span]) -> int:
    at = _skip(text, at)
    while text[at] != "}":
        name = _STRING.match(text, at)
        if name is None:
            raise NoSuchPlaceError(f"character {at} is no name")
        colon = _skip(text, name.end())
        if text[colon] != ":":
            raise NoSuchPlaceError(f"character {colon} is no colon")
        end = _value(text, _skip(text, colon + 1), (*place, _read_name(name[0])), at, found)
        at = _next(text, end, "}")
    return at + 1


def _elements(text: str, at: int, place: Place, found: dict[Place, Span]) -> int:
    at = _skip(text, at)
    index = 0
    while text[at] != "]":
        end = _value(text, at, (*place, str(index)), at, found)
        at = _next(text, end, "]")
        index += 1
    return at + 1


def _next(text: str, at: int, closing: str) -> int:
    at = _skip(text, at)
    if text[at] == ",":
        return _skip(text, at + 1)
    if text[at] != closing:
        raise NoSuchPlaceError(f"character {at} is neither a comma nor {closing}")
    return at


def _read_name(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:  # a placeholder's quotes
        return quoted[1:-1]


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()
