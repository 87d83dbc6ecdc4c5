"""A set of hashes that costs nine bytes each instead of a hundred: a long recording gives millions of values.

The latest are in a set; when it is full they go, sorted, into an array, and arrays of about the same length are merged,
so that there are only a few to look into.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from heapq import merge

_FRESH = 1 << 15


class Hashes:
    """Values can be added and asked for, and never taken out."""

    __slots__ = ("_arrays", "_fresh")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._fresh: set[int] = set()
        self._arrays: list[array[int]] = []  # sorted, the longest first
        self.update(values)

    def add(self, value: str) -> None:
        self._fresh.add(hash(value))
        if len(self._fresh) >= _FRESH:
            self._settle()

    def update(self, values: Iterable[str]) -> None:
        for value in values:
            self.add(value)

    def __contains__(self, value: str) -> bool:
        wanted = hash(value)
        if wanted in self._fresh:
            return True
        for one in self._arrays:
            place = bisect_left(one, wanted)
            if place < len(one) and one[place] == wanted:
                return True
        return False

    def _settle(self) -> None:
        merged = array("q", sorted(self._fresh))
        self._fresh = set()
        while self._arrays and len(self._arrays[-1]) <= 2 * len(merged):
            merged = array("q", merge(self._arrays.pop(), merged))
        self._arrays.append(merged)
