"""What a replay has to say about a test: the effects that are not as recorded, the requests that found no mock.

A finding makes a test red; a warning does not. Both carry the words that a person reads, and apart from them the
facts that a report may want to lay out by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from protocols.furniture import Difference
from replayer.story.bindings import Clash
from testset.model import Mock


class Kind(StrEnum):
    """In which way the story is another one."""

    MISSING = "missing"  # a recorded effect that did not happen
    EXTRA = "extra"  # an effect that was not recorded
    CHANGED = "changed"  # a recorded effect, with another value in it
    ORDER = "order"  # effects of one transaction or queue group that came in another order
    MISSED = "missed"  # a request that no mock answers
    UNFOLLOWED = "unfollowed"  # a value of a response that does not follow its binding


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One way in which the replay is not faithful."""

    kind: Kind
    title: str  # the request: "POST inventory:80/reserve"
    text: str  # the whole sentence
    mock: str | None = None  # the recording that it is about, or the nearest one
    difference: Difference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A mock that answers, and what is called otherwise in its answer now."""

    mock: Mock
    names: Mapping[str, str]  # for `Room.rebind`: recorded values in the answer, and the actual ones
    warnings: tuple[str, ...] = ()
    finding: Finding | None = None  # the app goes on, but the test is red
    nothing: bool = False  # nothing has come yet for a poll; the mock is of another one like it


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """No mock answers. `text` and `details` are for the app, in its protocol's own terms."""

    text: str
    details: Mapping[str, Any]
    nearest: str | None
    difference: Difference | None
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfollowed:
    """A value in a response that does not follow its binding."""

    place: str
    clash: Clash

    @property
    def text(self) -> str:
        return f"{self.place}: expected {self.clash.expected}, now {self.clash.found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A test's actual response, read as the recorded one."""

    names: Mapping[str, str]  # recorded made-up values of this response, and what they are called now
    unfollowed: tuple[Unfollowed, ...]
    forgive: Callable[[str, str, str], str | None]
    """Asked with (place, recorded, actual) about values that still differ: the reason why that is right, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    """A recorded effect that has not happened yet, and how long after the response it came when it was recorded."""

    mock: str
    title: str
    after_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What came of a test's requests to its dependencies."""

    missing: tuple[Finding, ...] = ()
    extra: tuple[Finding, ...] = ()
    changed: tuple[Finding, ...] = ()
    order: tuple[Finding, ...] = ()
    missed: tuple[Finding, ...] = ()
    unfollowed: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.changed, *self.missing, *self.extra, *self.order, *self.missed, *self.unfollowed)

    @property
    def faithful(self) -> bool:
        return not self.findings
