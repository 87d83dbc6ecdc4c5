"""Another value of the same kind: a UUID for a UUID, a time a day later, another word, a number that is one more."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from protocols.generated import looks_generated
from replayer.story.template import spans
from replayer.story.times import moment

DAY = timedelta(days=1)
_SHIFTED = (("0123456789", 3), ("abcdef", 1), ("ghijklmnopqrstuvwxyz", 5), ("ABCDEF", 1), ("GHIJKLMNOPQRSTUVWXYZ", 5))
_OTHER = {old: run[(i + by) % len(run)] for run, by in _SHIFTED for i, old in enumerate(run)}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

GONE: Any = object()
Step = str | int


def changed(body: Any, path: tuple[Step, ...], value: Any) -> Any:
    """A copy of a JSON body with this value there, or with none (`GONE`)."""
    body = copy.deepcopy(body)
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    if value is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return body


def leaves(value: Any, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Values that hold no others, and empty ones."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner or not value:
        yield path, value
    for step, one in inner:
        yield from leaves(one, (*path, step))


def others(text: str, noisy: bool, near_ns: int) -> Iterator[tuple[str, str]]:
    """(mark, another text): one for what is around generated pieces, one for the pieces. A text that is one piece as
    a whole (a token may have a word in it), or has none, is one place."""
    whole = noisy or looks_generated(text) == "token" or moment(text, near_ns) is not None
    found = [(0, len(text))] if whole else [*spans(text)]
    pieces = [text[start:end] for start, end in found]
    texts = [text[end:start] for (_, end), (start, _) in zip([(0, 0), *found], [*found, (len(text), 0)], strict=True)]
    if any(re.search(r"\w", one) for one in texts):
        yield "", _joined([_other_word(one) for one in texts], pieces)
    if pieces:
        mark = "{}" if any(re.search(r"\w", one) for one in texts) else ""
        yield mark, _joined(texts, [_other_piece(one, near_ns) for one in pieces])


def _joined(texts: list[str], pieces: list[str]) -> str:
    return "".join(one for pair in zip(texts, [*pieces, ""], strict=True) for one in pair)


def _other_word(text: str) -> str:
    """One letter of it is another."""
    return re.sub(r"(\w)(\W*)\Z", lambda found: ("e" if found[1] != "e" else "a") + found[2], text, count=1)


def other_value(value: Any, near_ns: int) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return int(_other_piece(str(value), near_ns)) if moment(str(value), near_ns) is not None else value + 1
    if isinstance(value, float):
        return value + (DAY.total_seconds() if moment(str(value), near_ns) is not None else 0.25)
    if isinstance(value, list):
        return ["one"]
    return {"one": 1} if isinstance(value, dict) else "something"


def _other_piece(text: str, near_ns: int) -> str:
    """Another of the same kind: a time is a day later, all else has other letters and digits."""
    if moment(text, near_ns) is not None:
        return _next_day(text)
    first = 4 if text.startswith("eyJ") else 0  # so does every JWT
    kept = {14, 19} if _UUID.fullmatch(text) else set[int]()
    return "".join(one if i < first or i in kept else _OTHER.get(one, one) for i, one in enumerate(text))


def _next_day(text: str) -> str:
    if text[0].isalpha():
        return format_datetime((parsedate_to_datetime(text) + DAY).astimezone(UTC), usegmt=True)
    if text.isdigit() and len(text) != len("20250904"):
        return str(int(text) + 86_400 * 10 ** (len(text) - 10))
    if re.fullmatch(r"\d+\.\d+", text):
        return str(float(text) + 86_400)
    day, rest = text[:10], text[10:]
    return f"{datetime.fromisoformat(day) + DAY:%Y-%m-%d}{rest}"
