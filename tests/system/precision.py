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
from pathlib import Path
from typing import Any

import yaml

from protocols.http import ROOM as HTTP
from protocols.http.wire import HttpResponse
from replayer.compare import Noise, Rules, compare
from replayer.compare.headers import ASIDE
from replayer.compare.places import render
from replayer.loading import LoadedSet, room_of
from replayer.story import Options, Replay, Story
from replayer.story.recording import STARTUP
from tests.system.changing import GONE, Step, changed, leaves, other_value, others
from testset.model import Mock, TestCase
from testset.store import TestSetStore

_ID = re.compile(r"(?<=/)([0-9a-f]{8}-[0-9a-f-]{27}|(?!v\d)[\w.+-]*\d[\w.+-]*)(?=/|$|\?)")


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
    seen: dict[str, dict[str, Seen]] = defaultdict(lambda: defaultdict(Seen))
    for test, loaded, replay in retold(folder, ask):
        _look_at(test, loaded, replay, seen[_line(test)])
    return {line: dict(places) for line, places in seen.items()}


def retold(folder: Path, asked: Callable[[Replay, Mock], None]) -> Iterator[tuple[TestCase, LoadedSet, Replay]]:
    """A recording, told to a replay of itself: `asked` asks what the app asked. Each test, when its answer is due."""
    store = TestSetStore(folder.parent)
    loaded = LoadedSet(store.get(folder.name), store.vault())
    mocks = list(loaded.mocks())
    story = Story(loaded.tests, mocks, room_of, Options(recall=loaded.recall))
    replay = Replay(story)
    for mock in mocks:
        if mock.owner == STARTUP:
            asked(replay, mock)
    waiting = list(mocks)
    for test in loaded.tests:
        exchange = test.exchange
        replay.begin_test(test.name, exchange.started_ns)
        replay.given(HTTP.values(exchange.request))
        rest = []
        for mock in waiting:
            if test.name in mock.owner.split("+"):
                asked(replay, mock)
            else:
                rest.append(mock)
        waiting = rest
        yield test, loaded, replay
        replay.response(HTTP.response_values(exchange.response), HTTP.response_values(exchange.response))
        replay.end_test(exchange.ended_ns)


def ask(replay: Replay, mock: Mock) -> None:
    exchange = mock.exchange
    replay.find(room_of(exchange), exchange.server, exchange.request, exchange.started_ns)


def as_it_is(replay: Replay) -> Replay:
    """A copy, so that another attempt finds it as it was."""
    return copy.deepcopy(replay, {id(replay.story): replay.story})


def without_ids(path: str) -> str:
    return _ID.sub("ID", re.sub(r"\w+://[^/]+", "", path).partition("?")[0])


def _line(test: TestCase) -> str:
    asked = test.exchange.request
    return f"{asked.method} {without_ids(asked.target)} {_answer(test).status}"


def _answer(test: TestCase) -> HttpResponse:
    response = test.exchange.response
    assert isinstance(response, HttpResponse)
    return response


def _look_at(test: TestCase, loaded: LoadedSet, replay: Replay, seen: Mapping[str, Seen]) -> None:
    rules = Rules.of(test.assertions)

    def places(actual: HttpResponse) -> set[str]:
        """Where this answer would be red."""
        run = as_it_is(replay)
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
        if not _is_about(wanted, places(change(GONE))):
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

Change = Callable[[Any], HttpResponse]  # None: another value of the kind; GONE: none; else this one


def _changes(answer: HttpResponse, noise: Noise, near_ns: int) -> Iterator[tuple[str, str, Change]]:
    """(place in the table, place in a finding, what makes the change)."""
    yield "status", "status", lambda _: replace(answer, status=202 if answer.status != 202 else 203)
    for number, (name, text) in enumerate(answer.headers):
        for mark, other in others(text, noise.covers_header(name, text), near_ns):
            yield f"header.{name}{mark}", f"header.{name}", _of_header(answer, number, other)
    assert isinstance(answer.body, bytes), "a body in a file of its own"
    try:
        body = json.loads(answer.body)
    except ValueError:
        text = answer.body.decode("utf-8", "replace")
        for mark, other in others(text, False, near_ns) if text else ():
            yield f"body{mark}", "body", _of_text(answer, other)
        return
    for path, value in leaves(body, ()):
        place = render("body", path)
        found: Iterable[tuple[str, Any]] = [("", other_value(value, near_ns))]
        if isinstance(value, str) and value:
            found = others(value, noise.covers_body(path, value), near_ns)
        for mark, other in found:
            yield f"{place}{mark}", place, _of_body(answer, body, path, other)


def _of_header(answer: HttpResponse, number: int, other: str) -> Change:
    def change(to: Any) -> HttpResponse:
        headers = list(answer.headers)
        name, _ = headers.pop(number)
        if to is not GONE:
            headers.insert(number, (name, other if to is None else to))
        return replace(answer, headers=tuple(headers))

    return change


def _of_text(answer: HttpResponse, other: str) -> Change:
    return lambda to: replace(answer, body=other.encode() if to is None else b"" if to is GONE else to.encode())


def _of_body(answer: HttpResponse, recorded: Any, path: tuple[Step, ...], other: Any) -> Change:
    def change(to: Any) -> HttpResponse:
        value = other if to is None else to
        body = changed(recorded, path, value) if path else None if value is GONE else value
        return replace(answer, body=json.dumps(body).encode())

    return change


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
