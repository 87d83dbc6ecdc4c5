"""What recurs by a clock of its own: pollers, schedulers, keep-alives.

A route recurs when it came at least three times, at least once while no request was in hand, about evenly, and at
moments that have nothing to do with the requests around it. The last is what tells a poller from a job that every
request leaves behind: the job comes a fixed while after its request, however evenly the requests come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

_TIMES = 3
_EVEN = 0.35  # an interval may be this much shorter or longer than the middle one
_MOST = 0.75  # of the intervals
_APART = 0.4  # of an interval: how far the distances to the latest request must lie apart
_KEPT = 64  # occurrences of a route that are looked at
_SHORTEST_NS = 20_000_000  # what comes faster is a loop or a retry


@dataclass(slots=True)
class _Course:
    """One route's occurrences, the latest."""

    times: list[int] = field(default_factory=list)
    distances: list[int] = field(default_factory=list)  # from when the latest request began
    outside: int = 0
    recurs: bool = False


class Recurrence:
    """Sees all that happens, in order, and says which routes recur."""

    def __init__(self) -> None:
        self._courses: dict[Hashable, _Course] = defaultdict(_Course)

    def see(self, route: Hashable, time_ns: int, since_request_ns: int, *, outside: bool) -> bool:
        """`route` came at `time_ns`. Whether it is known to recur by now; what was known once stays so."""
        course = self._courses[route]
        if course.recurs:
            return True
        course.times.append(time_ns)
        course.distances.append(since_request_ns)
        course.outside += outside
        del course.times[:-_KEPT], course.distances[:-_KEPT]
        course.recurs = course.outside > 0 and _is_clockwork(course.times, course.distances)
        return course.recurs

    def recurs(self, route: Hashable) -> bool:
        course = self._courses.get(route)
        return course is not None and course.recurs


def _is_clockwork(times: list[int], distances: list[int]) -> bool:
    if len(times) < _TIMES:
        return False
    intervals = [later - earlier for earlier, later in pairwise(times)]
    middle = median(intervals)
    if middle < _SHORTEST_NS:
        return False
    even = sum(abs(interval - middle) <= _EVEN * middle for interval in intervals)
    return even >= _MOST * len(intervals) and max(distances) - min(distances) >= _APART * middle
