"""Why no mock answers: the nearest recording, the first difference, and what to do about it.

Nearest is the same route, or else what concerns the same tables, or else the same destination, or else the same
protocol; among those the test's own and what is close by in the recording; among those the one with the most equal
values. It explains, and never answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from protocols.furniture import Difference, Room, Value
from replayer.story.attempt import Attempt, differences
from replayer.story.findings import Miss
from replayer.story.recording import Bucket, Entry, Story
from testset.model import Server

_READ = 24  # how many recordings are read for an explanation


def explain(
    story: Story,
    room: Room,
    server: Server,
    request: Any,
    route: int | None,
    values: Sequence[Value],
    *,
    test: str,
    rank: int,
    owners: Sequence[str],
    claimed: AbstractSet[int],
    attempt: Callable[[Entry], Attempt],
) -> Miss:
    """The miss of `request`, in words."""
    title = room.title(server, request)
    asked = f"nothing recorded answers {title}" + (f" in {test}" if test else "")
    buckets = (
        story.by_route.get(route) if route is not None else None,
        story.same_subjects(room, server, request),
        story.by_server.get((room.name, server)),
        story.by_protocol.get(room.name),
    )
    bucket = next((bucket for bucket in buckets if bucket is not None), None)
    if bucket is None:
        remedy = _NEW.format(what=f"{room.name} destination")
        return _miss(f"{asked}: the recording has no {room.name} exchange at all.", title, test, None, "", None, remedy)
    verb = title.partition(" ")[0]
    best: tuple[tuple[bool, int], Entry, str, Difference | None] | None = None
    for entry in _close_by(bucket, rank, owners):
        exchange = entry.recall().exchange
        other = room.title(exchange.server, exchange.request)
        found = list(differences(attempt(entry), room.values(exchange.request), values, entry.name))
        score = (other.partition(" ")[0] != verb, len(found))
        if best is None or score < best[0]:
            first = found[0] if found else None
            if entry.route != route:
                first = room.difference(exchange.server, exchange.request, server, request) or first
            best = score, entry, other, first
    assert best is not None, "a bucket is never empty"
    _, entry, other, difference = best
    text = f"{asked}. Nearest: {entry.name} {other}"
    if difference is not None:
        text += f"; {difference}"
    remedy = _remedy(entry, difference, route is not None, rank, claimed)
    return _miss(f"{text}. {remedy}", title, test, entry.name, other, difference, remedy)


_NEW = "If the app is meant to use this {what} now, record the test again; if not, it is what your change broke."


def _remedy(entry: Entry, difference: Difference | None, same_route: bool, rank: int, claimed: AbstractSet[int]) -> str:
    if difference is None and entry.rank > rank:
        return f"It was recorded only later, in {entry.owner}: something comes earlier now than it did."
    if difference is None and entry.position in claimed:
        return f"{entry.name} has answered already: the app asks once more than it did."
    if not same_route:
        return _NEW.format(what="request")
    return _NEW.format(what="value")


def _miss(
    text: str, title: str, test: str, nearest: str | None, other: str, difference: Difference | None, remedy: str
) -> Miss:
    details: dict[str, Any] = {"request": title, "test": test, "nearest": nearest, "remedy": remedy}
    if nearest is not None:
        details["nearest_request"] = other
    if difference is not None:
        details["difference"] = {
            "place": difference.place,
            "recorded": difference.expected,
            "now": difference.actual,
        }
    return Miss(text=text, details=details, nearest=nearest, difference=difference, remedy=remedy)


def _close_by(bucket: Bucket, rank: int, owners: Sequence[str]) -> Iterator[Entry]:
    """The test's own, then what was recorded before it, the latest first, then what was recorded after."""
    seen: set[int] = set()
    own = (entry for entries in bucket.of(owners) for entry in entries)
    for source in (own, bucket.before(rank), bucket.since(rank)):
        for entry in source:
            if len(seen) == _READ:
                return
            if entry.position not in seen:
                seen.add(entry.position)
                yield entry
