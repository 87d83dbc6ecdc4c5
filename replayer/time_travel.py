"""Where the app's clock stands when: at the start of a replay, before each test, and what is to be said about it.

The clock itself is `intercept/clock.py`'s, and the scene's; how times are compared is `story/times.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from intercept.clock import Clock, ClockElsewhere, MovedClock
from intercept.clock_library import Kind, Library
from protocols.documents import time_ns
from replayer.scene import Scene
from replayer.story import Replay, Story

_SECOND = 1_000_000_000
_OLD = 300 * _SECOND  # a recording that is younger than this has not expired
_LATE = 60 * _SECOND  # a test that runs as much later than it was recorded is told of
_UNITS = (("year", 365 * 86_400), ("day", 86_400), ("hour", 3_600), ("minute", 60))


class TimeTravel:
    """One replay of a story, through the time of its recording."""

    def __init__(self, story: Story, started: str | None, library: Library | None, ceiling: float) -> None:
        """`started`: when the recording began, if that is known; else the app begins where the story does, and
        `ceiling` seconds before its first test. Without a `library` nothing is moved."""
        self._library = library
        self._first_ns, self._start_ns = _beginning(story, started, ceiling)
        self._everybody = False  # comes along
        self._told_late = False

    def clock(self, folder: Path) -> Clock:
        """The app's."""
        if self._library is None or not self._start_ns:
            return Clock()
        return MovedClock(self._library, folder, self._start_ns)

    def elsewhere(self, tell: Callable[[int], None]) -> tuple[Clock, Path | None]:
        """The clock of an app in a container, and the library that has to go there. `tell`: moves it there."""
        if self._library is None or not self._start_ns or self._library.kind is not Kind.OWN:
            return Clock(), None
        return ClockElsewhere(self._start_ns, tell), self._library.path

    def depart(self, scene: Scene, replay: Replay) -> None:
        """The app is about to start: until one can look, some of it may have today's clock."""
        replay.apart_ns = -scene.clock.offset_ns

    def arrive(self, scene: Scene, replay: Replay) -> list[str]:
        """The app is ready: who has not come along?"""
        left = scene.clock.left_behind(scene.processes())
        self._everybody = not left
        if self._everybody:
            replay.apart_ns = 0
            return []
        names = ", ".join(map(str, left))
        return [
            f"the clock cannot be moved for {names}: there it is today, and what was recorded and expires (a token, a "
            "signed address) has expired; times are compared as distances from today's clock as well"
        ]

    def begin(self, scene: Scene, replay: Replay, recorded_ns: int) -> tuple[int, list[str]]:
        """A test begins that was recorded at this time: what time it is for the app, and what is odd about that."""
        clock = scene.clock
        late = clock.move_to(recorded_ns) if clock.moves and recorded_ns else 0
        if not self._everybody:
            replay.apart_ns = -clock.offset_ns
        if late < _LATE or self._told_late:
            return clock.now_ns(), []
        self._told_late = True
        return clock.now_ns(), [
            f"by the app's clock it is {span(late)} later than when this was recorded: the clock never goes back, and "
            "a test before this one was recorded later, or the app is slow"
        ]

    def afterwards(self, scene: Scene) -> list[str]:
        """Something is red: does the time have to do with it?"""
        age = scene.clock.now_ns() - self._first_ns
        if scene.clock.moves or not self._first_ns or age < _OLD:
            return []
        return [
            f"the app ran at today's time, {span(age)} after the recording: what was recorded and expires (a token, a "
            "signed address) may have expired"
        ]


def span(ns: int) -> str:
    """A time in words, roughly."""
    for name, seconds in _UNITS:
        count = ns // (seconds * _SECOND)
        if count:
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return "less than a minute"


def _beginning(story: Story, started: str | None, ceiling: float) -> tuple[int, int]:
    """When the first test was recorded, and when its app is to start; 0 for what the files do not say."""
    first = min((told.started_ns for told in story.tests.values() if told.started_ns), default=0)
    if started:  # and if somebody has put the tests back by hand, they know better
        began = time_ns(started, "clock")
        return first, min(began, first) if first else began
    mocks = min((one.started_ns for owned in story.entries.values() for one in owned if one.started_ns), default=first)
    return first, max(0, min(mocks, first - int(ceiling * _SECOND)))
