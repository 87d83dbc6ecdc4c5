"""What of an app's answers is compared: each value of a recording changed, one at a time, and compared as by `rr test`.

A recording is told to a `Replay` of itself: each test's request, the calls that the app made, and then its answer with
one value in it changed to another of its kind (a UUID to a UUID, a time to a day later, a word to another word). What
nobody finds then, nobody would find in an app that has such a mistake.

The tables beside this module (`precision_of_*.yml`) have each place of each answer in one of two lists. A place is as
in a finding, with `[]` for any index. A text with generated pieces in it is two places: `header.Location` is the text
around them, `header.Location{}` the pieces.
"""

from __future__ import annotations

import copy
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import yaml

from protocols.generated import looks_generated
from protocols.http import ROOM as HTTP
from protocols.http.wire import HttpResponse
from replayer.compare import Noise, Rules, compare
from replayer.compare.headers import ASIDE
from replayer.compare.places import render
from replayer.loading import LoadedSet, room_of
from replayer.story import Options, Replay, Story
from replayer.story.recording import STARTUP
from replayer.story.template import spans
from replayer.story.times import moment
from testset.model import Mock, TestCase
from testset.store import TestSetStore

DAY = timedelta(days=1)
_ID = re.compile(r"(?<=/)([0-9a-f]{8}-[0-9a-f-]{27}|(?!v\d)[\w.+-]*\d[\w.+-]*)(?=/|$|\?)")
_SHIFTED = (("0123456789", 3), ("abcdef", 1), ("ghijklmnopqrstuvwxyz", 5), ("ABCDEF", 1), ("GHIJKLMNOPQRSTUVWXYZ", 5))
_OTHER = {old: run[(i + by) % len(run)] for run, by in _SHIFTED for i, old in enumerate(run)}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_GONE = object()

Step = str | int


@dataclass
class Seen:
    """What came of changing a place, over all tests in which it is."""

    found: list[str] = field(default_factory=list)  # tests in which another value is red there
    passed: list[str] = field(default_factory=list)  # tests in which it is not
    absent_passed: list[str] = field(default_factory=list)  # tests in which nobody minds that it is not there
    empty_passed: list[str] = field(default_factory=list)  # tests in which it may be empty
    words_passed: list[str] = field(default_factory=list)  # tests in which it may be any words


def look(folder: Path) -> dict[str, dict[str, Seen]]:
    """What is compared in the answers of a recorded set: by line ("POST /orders 201") and place."""
    store = TestSetStore(folder.parent)
    loaded = LoadedSet(store.get(folder.name), store.vault())
    mocks = list(loaded.mocks())
    story = Story(loaded.tests, mocks, room_of, Options(recall=loaded.recall))
    replay = Replay(story)
    for mock in mocks:
        if mock.owner == STARTUP:
            _ask(replay, mock)
    waiting = list(mocks)
    seen: dict[str, dict[str, Seen]] = defaultdict(lambda: defaultdict(Seen))
    for test in loaded.tests:
        asked = test.exchange
        replay.begin_test(test.name, asked.started_ns)
        replay.given(HTTP.values(asked.request))
        rest = []
        for mock in waiting:
            if test.name in mock.owner.split("+"):
                _ask(replay, mock)
            else:
                rest.append(mock)
        waiting = rest
        _look_at(test, loaded, replay, seen[_line(test)])
        replay.response(HTTP.response_values(asked.response), HTTP.response_values(asked.response))
        replay.end_test(asked.ended_ns)
    return {line: dict(places) for line, places in seen.items()}


def _ask(replay: Replay, mock: Mock) -> None:
    exchange = mock.exchange
    replay.find(room_of(exchange), exchange.server, exchange.request, exchange.started_ns)


def _line(test: TestCase) -> str:
    asked = test.exchange.request
    path = _ID.sub("ID", re.sub(r"^\w+://[^/]+", "", asked.target).partition("?")[0])
    return f"{asked.method} {path} {_answer(test).status}"


def _answer(test: TestCase) -> HttpResponse:
    response = test.exchange.response
    assert isinstance(response, HttpResponse)
    return response


def _look_at(test: TestCase, loaded: LoadedSet, replay: Replay, seen: Mapping[str, Seen]) -> None:
    rules = Rules.of(test.assertions)

    def places(actual: HttpResponse) -> set[str]:
        """Where this answer would be red."""
        run = copy.deepcopy(replay, {id(replay.story): replay.story})  # another attempt must find it as it was
        answer = run.response(HTTP.response_values(test.exchange.response), HTTP.response_values(actual))
        expected: HttpResponse = loaded.response(test, run.bindings.actual)
        findings = compare(expected, actual, rules, renaming=answer.names, forgive=answer.forgive)
        return {finding.place for finding in findings} | {one.place for one in answer.unfollowed}

    recorded: HttpResponse = loaded.response(test, replay.bindings.actual)
    assert not places(recorded), f"{test.name} is red as it is: {places(recorded)}"
    for place, wanted, change in _changes(recorded, rules.noise, test.exchange.started_ns):
        name = re.sub(r"\[\d+\]", "[]", place)
        red = _is_about(wanted, places(change(None)))
        (seen[name].found if red else seen[name].passed).append(test.name)
        if name.endswith("{}") or name == "status":
            continue  # what is around the pieces is a place of its own
        if not _is_about(wanted, places(change(_GONE))):
            seen[name].absent_passed.append(test.name)
        if not _is_about(wanted, places(change(""))):
            seen[name].empty_passed.append(test.name)
        if not _is_about(wanted, places(change("some words"))):
            seen[name].words_passed.append(test.name)


def _is_about(place: str, found: set[str]) -> bool:
    """Whether one of the places that were found is this one, what it is in (an array that is shorter now), or in it."""
    return any(one == place or _is_in(place, one) or _is_in(one, place) for one in found)


def _is_in(inner: str, outer: str) -> bool:
    return inner.startswith((f"{outer}.", f"{outer}["))


# -- changing one value -----------------------------------------------------------------------------------------

Change = Callable[[Any], HttpResponse]  # None: another value of the kind; _GONE: none; else this one


def _changes(answer: HttpResponse, noise: Noise, near_ns: int) -> Iterator[tuple[str, str, Change]]:
    """(place in the table, place in a finding, what makes the change)."""
    yield "status", "status", lambda _: replace(answer, status=202 if answer.status != 202 else 203)
    for number, (name, text) in enumerate(answer.headers):
        for mark, other in _others(text, noise.covers_header(name, text), near_ns):
            yield f"header.{name}{mark}", f"header.{name}", _of_header(answer, number, other)
    assert isinstance(answer.body, bytes), "a body in a file of its own"
    try:
        body = json.loads(answer.body)
    except ValueError:
        text = answer.body.decode("utf-8", "replace")
        for mark, other in _others(text, False, near_ns) if text else ():
            yield f"body{mark}", "body", _of_text(answer, other)
        return
    for path, value in _leaves(body, ()):
        place = render("body", path)
        others: Iterable[tuple[str, Any]] = [("", _other_value(value, near_ns))]
        if isinstance(value, str) and value:
            others = _others(value, noise.covers_body(path, value), near_ns)
        for mark, changed in others:
            yield f"{place}{mark}", place, _of_body(answer, body, path, changed)


def _of_header(answer: HttpResponse, number: int, other: str) -> Change:
    def change(to: Any) -> HttpResponse:
        headers = list(answer.headers)
        name, _ = headers.pop(number)
        if to is not _GONE:
            headers.insert(number, (name, other if to is None else to))
        return replace(answer, headers=tuple(headers))

    return change


def _of_text(answer: HttpResponse, other: str) -> Change:
    return lambda to: replace(answer, body=other.encode() if to is None else b"" if to is _GONE else to.encode())


def _of_body(answer: HttpResponse, recorded: Any, path: tuple[Step, ...], other: Any) -> Change:
    def change(to: Any) -> HttpResponse:
        body = copy.deepcopy(recorded)
        if not path:
            body = other if to is None else None if to is _GONE else to
        else:
            holder = body
            for step in path[:-1]:
                holder = holder[step]
            if to is _GONE:
                del holder[path[-1]]
            else:
                holder[path[-1]] = other if to is None else to
        return replace(answer, body=json.dumps(body).encode())

    return change


def _leaves(value: Any, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Values that hold no others, and empty ones."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner or not value:
        yield path, value
    for step, one in inner:
        yield from _leaves(one, (*path, step))


def _others(text: str, noisy: bool, near_ns: int) -> Iterator[tuple[str, str]]:
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


def _other_value(value: Any, near_ns: int) -> Any:
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


# -- the tables -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """The answers of one sort: what must stay compared, and what may be another value, with the reason."""

    compared: frozenset[str]
    varies: Mapping[str, str]
    secret: Mapping[str, str]  # what varies, and nobody knows what it looks like


def tables(path: Path) -> dict[str, dict[str, Line]]:
    """The lines of each app in a table's file. Under `everywhere` is what holds for all lines of an app."""
    read = {}
    for app, lines in yaml.safe_load(path.read_text("utf-8")).items():
        always = lines.pop("everywhere", {})
        read[app] = {line: _line_of(always, one or {}) for line, one in lines.items()}
    return read


def _line_of(always: Mapping[str, Any], line: Mapping[str, Any]) -> Line:
    both = (always, line)
    return Line(
        frozenset(place for one in both for place in one.get("compared", "").split()),
        {place: why for one in both for place, why in one.get("varies", {}).items()},
        {place: why for one in both for place, why in one.get("secret", {}).items()},
    )


def complaints(table: Mapping[str, Line], seen: Mapping[str, Mapping[str, Seen]]) -> list[str]:
    """What is not as the table says."""
    said = [f"{line}: no such answer" for line in table.keys() - seen.keys()]
    for name, places in seen.items():
        line = table.get(name, Line(frozenset(), {}, {}))
        said += [f"{name}, {place}: in no answer" for place in sorted(line.compared - places.keys())]
        for place, one in places.items():
            said += [f"{name}, {place}: {fault}" for fault in _faults(line, place, one)]
    return said


def _faults(line: Line, place: str, seen: Seen) -> Iterator[str]:
    free = place in line.varies or place in line.secret
    if (place in line.compared) is free:
        yield "is it to be compared, or may it vary?"
    elif free and not seen.passed:
        yield "it may vary, says the table, and yet it is compared"
    elif not free and seen.passed:
        yield f"another value passes in {', '.join(seen.passed)}"
    if place.removeprefix("header.").lower() in ASIDE:
        return
    if seen.absent_passed:
        yield f"nobody minds that it is not there in {', '.join(seen.absent_passed)}"
    if seen.empty_passed:
        yield f"it may be empty in {', '.join(seen.empty_passed)}"
    if seen.words_passed and place not in line.secret:
        yield f"it may be some words in {', '.join(seen.words_passed)}"
