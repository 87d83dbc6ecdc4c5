"""Where the app's clock stands during a replay, and what is said about it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from intercept.clock import Clock
from intercept.clock_library import Kind, Library
from intercept.unmoved import Unmoved
from replayer.scene import Scene
from replayer.time_travel import TimeTravel, span
from tests.replayer.story.telling import SECOND, Recording
from testset.errors import DocumentError

HOUR = 3600 * SECOND
YEAR = 365 * 24 * HOUR
CEILING = 5.0


@pytest.fixture
def recording() -> Recording:
    """A start-up, and two tests an hour apart."""
    told = Recording()
    told.call("startup", "GET http://config/all")
    told.test("GET http://app/1")
    told.now_ns += HOUR
    told.test("GET http://app/2")
    return told


@pytest.fixture
def library(tmp_path: Path) -> Library:
    path = tmp_path / "lib.so"
    path.touch()
    return Library(path, Kind.OWN)


class AppOf(Clock):
    """A clock with a program that it does not move."""

    moves = True

    def __init__(self, ahead: int, *left: Unmoved) -> None:
        self.offset_ns = ahead
        self._left = left

    def move_to(self, moment_ns: int) -> int:
        late = self.now_ns() - moment_ns
        self.offset_ns -= min(late, 0)
        return max(late, 0)

    def left_behind(self, processes: Iterable[int]) -> list[Unmoved]:
        return list(self._left)


def scene(clock: Clock) -> Scene:
    return cast(Scene, SimpleNamespace(clock=clock, processes=lambda: [1]))


def near(found: int, wanted: int) -> bool:
    return 0 <= found - wanted < 5 * SECOND


def test_the_app_starts_when_the_recording_began(recording: Recording, library: Library, tmp_path: Path) -> None:
    travel = TimeTravel(recording.story(), "2025-09-04T11:30:00.5Z", library, CEILING)
    clock = travel.clock(tmp_path)
    assert near(clock.now_ns(), 1_756_985_400 * SECOND + SECOND // 2)
    clock.close()


@pytest.mark.parametrize("with_startup", [True, False])
def test_where_nobody_wrote_that_down_it_starts_with_the_story(
    with_startup: bool, recording: Recording, library: Library, tmp_path: Path
) -> None:
    """Keploy's sets: at the first mock, or as long before the first test as the app may take to start."""
    first = recording.tests[0].exchange.started_ns
    mock = recording.mocks[0]
    recording.mocks[0] = replace(mock, exchange=replace(mock.exchange, started_ns=first - HOUR))
    if not with_startup:
        recording.mocks.clear()
    clock = TimeTravel(recording.story(), None, library, CEILING).clock(tmp_path)
    assert near(clock.now_ns(), first - (HOUR if with_startup else 5 * SECOND))
    clock.close()


def test_tests_that_were_put_back_by_hand_know_better_than_the_set(
    recording: Recording, library: Library, tmp_path: Path
) -> None:
    clock = TimeTravel(recording.story(), "2028-01-01T00:00:00Z", library, CEILING).clock(tmp_path)
    assert near(clock.now_ns(), recording.tests[0].exchange.started_ns)
    clock.close()


def test_a_time_that_is_none_is_told_with_its_key(recording: Recording, library: Library) -> None:
    with pytest.raises(DocumentError, match="clock: not a time"):
        TimeTravel(recording.story(), "yesterday", library, CEILING)


def test_before_each_test_the_clock_moves_to_its_moment(recording: Recording) -> None:
    replay = recording.replay().replay
    travel = TimeTravel(recording.story(), None, None, CEILING)
    first, second = (test.exchange.started_ns for test in recording.tests)
    stage = scene(AppOf(first - 10 * SECOND - time.time_ns()))
    assert travel.arrive(stage, replay) == []
    for moment in (first, second):
        now, odd = travel.begin(stage, replay, moment)
        assert near(now, moment)
        assert odd == []
    assert replay.apart_ns == 0, "all know the same time"


def test_it_never_goes_back_and_says_so_once(recording: Recording) -> None:
    replay = recording.replay().replay
    travel = TimeTravel(recording.story(), None, None, CEILING)
    first, second = (test.exchange.started_ns for test in recording.tests)
    stage = scene(AppOf(first - time.time_ns()))
    travel.arrive(stage, replay)
    travel.begin(stage, replay, second)
    now, (odd,) = travel.begin(stage, replay, first)
    assert near(now, second)
    assert "1 hour later than when this was recorded" in odd
    assert travel.begin(stage, replay, first)[1] == []


def test_who_stays_in_the_present_is_named_and_has_a_clock_of_its_own(recording: Recording) -> None:
    replay = recording.replay().replay
    travel = TimeTravel(recording.story(), None, None, CEILING)
    stage = scene(AppOf(-YEAR, Unmoved("server", "statically linked, as Go's programs are")))
    travel.depart(stage, replay)
    assert replay.apart_ns == YEAR
    (said,) = travel.arrive(stage, replay)
    assert "server (statically linked, as Go's programs are)" in said
    travel.begin(stage, replay, time.time_ns() - YEAR + HOUR)
    assert near(replay.apart_ns, YEAR - HOUR)


def test_times_of_either_clock_are_faithful_while_there_are_two(recording: Recording) -> None:
    story = Recording()
    story.test("POST http://app/a", calls=[("POST http://log/line", {"at": story.now_ns // SECOND})])
    for ahead, faithful in ((0, True), (YEAR, True), (YEAR // 2, False)):
        run = story.replay()
        run.replay.apart_ns = YEAR
        run.begin()
        run.call("POST http://log/line", {"at": (run.now_ns + ahead) // SECOND})
        assert run.end().faithful is faithful, ahead


def test_without_a_library_nothing_moves_and_a_red_test_is_told_how_old_it_is(
    recording: Recording, tmp_path: Path
) -> None:
    recording.now_ns = time.time_ns() - 2 * YEAR - HOUR
    recording.tests.clear()
    recording.test("GET http://app/1")
    travel = TimeTravel(recording.story(), None, None, CEILING)
    stage = scene(travel.clock(tmp_path))
    now, odd = travel.begin(stage, recording.replay().replay, recording.tests[0].exchange.started_ns)
    assert near(time.time_ns(), now)
    assert odd == []
    (said,) = travel.afterwards(stage)
    assert "at today's time, 2 years after the recording" in said


def test_a_recording_of_a_minute_ago_has_not_expired(recording: Recording) -> None:
    recording.now_ns = time.time_ns() - 60 * SECOND
    recording.tests.clear()
    recording.test("GET http://app/1")
    assert TimeTravel(recording.story(), None, None, CEILING).afterwards(scene(Clock())) == []


@pytest.mark.parametrize(
    ("ns", "words"),
    [
        (59 * SECOND, "less than a minute"),
        (60 * SECOND, "1 minute"),
        (5 * HOUR, "5 hours"),
        (24 * HOUR, "1 day"),
        (2 * YEAR, "2 years"),
    ],
)
def test_a_time_in_words(ns: int, words: str) -> None:
    assert span(ns) == words
