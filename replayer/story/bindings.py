"""Which actual value stands for which recorded made-up value in this replay: a renaming, one to one.

A value binds where it appears first. From then on the recorded value has one name, and that name belongs to no other
recorded value. Whatever breaks this is a `Clash`, and says which of the two it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

_PLAIN = re.compile(r"[0-9A-Za-z_-]+")


class Breach(StrEnum):
    """In which way a value does not follow the renaming."""

    OTHER = "another name"  # the recorded value has a name already, and this is not it
    TAKEN = "a taken name"  # this value stands for another recorded value already
    GIVEN = "a given value"  # the recording made a value up here; now it is one that the app was given
    SORT = "another sort"  # a UUID was made up here; now it is something else
    TIME = "another time"  # the times are not equally far from their clocks


@dataclass(frozen=True, slots=True)
class Binding:
    """`recorded` is called `actual` in this replay, since `place` (of a mock's request or a test's response)."""

    recorded: str
    actual: str
    place: str


@dataclass(frozen=True, slots=True)
class Clash:
    """A value that does not follow the renaming."""

    breach: Breach
    recorded: str
    actual: str
    since: Binding | None = None  # what it clashes with

    @property
    def expected(self) -> str:
        """What should have been there, in words."""
        match self.breach, self.since:
            case Breach.OTHER, Binding(recorded=recorded, actual=actual, place=place) if actual != recorded:
                return f"{recorded!r} (made up; in this run it is {actual!r}, since {place})"
            case Breach.OTHER, Binding(recorded=recorded, place=place):
                return f"{recorded!r} (as at {place})"
            case Breach.TAKEN, Binding(recorded=other, place=place):
                return f"{self.recorded!r}, another value than {other!r} at {place}"
            case Breach.GIVEN, _:
                return f"{self.recorded!r}, a value of the app's own making"
            case Breach.TIME, _:
                return f"{self.recorded!r}, a time that moves with the clock"
            case _:
                return repr(self.recorded)

    @property
    def found(self) -> str:
        """What is there instead, in words."""
        match self.breach, self.since:
            case Breach.TAKEN, Binding(place=place):
                return f"{self.actual!r}, the same as at {place}"
            case Breach.GIVEN, _:
                return f"{self.actual!r}, which it was given"
            case _:
                return repr(self.actual)


class Bindings:
    """The renaming of one replay, as far as it is known."""

    __slots__ = ("_actual", "_awkward", "_recorded")

    def __init__(self) -> None:
        self._awkward: list[tuple[str, str]] = []
        self._actual: dict[str, Binding] = {}  # by recorded value
        self._recorded: dict[str, Binding] = {}  # by actual value

    def __len__(self) -> int:
        return len(self._actual)

    def bind(self, recorded: str, actual: str, place: str, *, whole: bool = False) -> None:
        """`recorded` is `actual` from now on. Ask `clash` first; what is bound stays as it is. `whole`: it is more
        than what stands out in it."""
        if recorded not in self._actual and actual not in self._recorded:
            self._actual[recorded] = self._recorded[actual] = Binding(recorded, actual, place)
            if recorded != actual and (whole or not _PLAIN.fullmatch(recorded)):
                self._awkward.append((recorded, actual))

    def share(self, recorded: str, actual: str, place: str) -> None:
        """`recorded` is `actual` as well, which stands for another recorded value already."""
        if recorded not in self._actual:
            self._actual[recorded] = Binding(recorded, actual, place)
            if not _PLAIN.fullmatch(recorded):
                self._awkward.append((recorded, actual))

    def clash(self, recorded: str, actual: str) -> Clash | None:
        """Whether `actual` cannot stand for `recorded`."""
        known = self._actual.get(recorded)
        if known is not None:
            return None if known.actual == actual else Clash(Breach.OTHER, recorded, actual, known)
        taken = self._recorded.get(actual)
        return Clash(Breach.TAKEN, recorded, actual, taken) if taken is not None else None

    def actual(self, recorded: str) -> str | None:
        """What `recorded` is called now, if it has been seen."""
        known = self._actual.get(recorded)
        return known.actual if known is not None else None

    def recorded(self, actual: str) -> str | None:
        """What `actual` was called in the recording. None for a value that is no name at all, and also for a recorded
        value that goes by another name now: the app cannot mean it by its old one."""
        known = self._recorded.get(actual)
        if known is not None:
            return known.recorded
        return None if actual in self._actual else actual

    def awkward(self) -> Sequence[tuple[str, str]]:
        """What is renamed and may be written in more than one way, or not stand out from the text around it."""
        return self._awkward

    def names(self) -> Mapping[str, str]:
        """Recorded values and what they are called now."""
        return {recorded: binding.actual for recorded, binding in self._actual.items()}
