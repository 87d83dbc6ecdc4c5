"""What a read sees depends on what was written before it: a recording of it stands for one state of what it reads.

A state goes by the effect that happened last on each of its subjects (a table, for MySQL). A replay that leaves the
recording's course, because a test failed half-way or the app reads less than it did, is found again by its next write.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replayer.story.recording import Entry

State = tuple[int, ...]
_UNTOUCHED = -1


class States:
    """The effects that happened last, by subject: in the recording as it is read, in a replay as it goes on."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[int, int] = {}  # positions of entries

    def happened(self, subjects: Iterable[int], position: int) -> None:
        for subject in subjects:
            self._last[subject] = position

    def of(self, subjects: Iterable[int]) -> State:
        return tuple([self._last.get(subject, _UNTOUCHED) for subject in subjects])

    def now(self, entries: Sequence[Entry]) -> tuple[int, int]:
        """Which of these recordings of a read were made in the present state: from, to. None where nothing is known."""
        if not entries or entries[0].effect or not entries[0].subjects:
            return 0, 0
        state = self.of(entries[0].subjects)  # of all of them: their route is the same
        start = bisect_left(entries, state, key=_state)
        return start, bisect_right(entries, state, start, key=_state)


class Subjects:
    """Subjects as numbers."""

    __slots__ = ("_known", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._known: dict[tuple[Hashable, ...], tuple[int, ...]] = {}  # one object for each is enough

    def numbers(self, subjects: Sequence[Hashable]) -> tuple[int, ...]:
        every = tuple(subjects)
        found = self._known.get(every)
        if found is None:
            found = tuple(sorted({self._numbers.setdefault(one, len(self._numbers)) for one in every}))
            self._known[every] = found
        return found

    def known(self, subjects: Sequence[Hashable]) -> tuple[int, ...] | None:
        """The numbers of these; None if one of them was never spoken of."""
        found = {self._numbers.get(one) for one in subjects}
        return tuple(sorted(number for number in found if number is not None)) if None not in found else None


def _state(entry: Entry) -> State:
    return entry.state
