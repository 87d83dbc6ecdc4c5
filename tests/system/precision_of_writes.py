"""What of an app's writes is compared: each value that it sent, changed by itself, and asked as the app would ask.

A write that no mock answers as it is makes its test red. What is not found here is what the app makes up there and
then; it binds, and must be followed from there on.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from protocols.http.wire import HttpRequest
from protocols.mysql.messages import MysqlRequest
from replayer.loading import room_of
from replayer.story import Found, Replay
from tests.system.changing import changed, leaves, other_value, others
from tests.system.precision import Seen, as_it_is, ask, retold, without_ids
from testset.model import Mock

_LITERAL = re.compile(r"(?<=')[^']+(?=')|(?<![\w.'-])\d+(?:\.\d+)?(?![\w.'-])")  # in SQL
_STATEMENT = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE(?: IF NOT EXISTS)?|ALTER TABLE) \w+")
_SHORT = 10  # digits: more are no amount


def look_at_writes(folder: Path) -> dict[str, Seen]:
    """By what is written and where: "INSERT INTO orders, total"."""
    seen: dict[str, Seen] = defaultdict(Seen)

    def asked(replay: Replay, mock: Mock) -> None:
        exchange = mock.exchange
        room = room_of(exchange)
        if room.is_effect(exchange.request):
            title = _title(room.title(exchange.server, exchange.request))
            values = room.values(exchange.request)
            for request in _changes(exchange.request, exchange.started_ns):
                pairs = zip(values, room.values(request), strict=False)
                place = next((was.place for was, now in pairs if was != now), "where it goes")
                found = as_it_is(replay).find(room, exchange.server, request, exchange.started_ns)
                passes = isinstance(found, Found) and found.finding is None
                place = re.sub(r"\[\d+\]", "[]", place)
                one = seen[f"{title}, {place}"]
                (one.passed if passes else one.found).append(mock.name)
        ask(replay, mock)

    for _ in retold(folder, asked):
        pass
    return dict(seen)


def free_writes(path: Path) -> dict[str, Mapping[str, str]]:
    """Of each app: what may be another value in a write, with the reason."""
    known: dict[str, Mapping[str, str]] = yaml.safe_load(path.read_text("utf-8"))
    return known


def complaints_of_writes(free: Mapping[str, str], seen: Mapping[str, Seen]) -> list[str]:
    said = [f"{what}: in no write" for what in sorted(free.keys() - seen.keys())]
    for what, one in seen.items():
        if one.passed and what not in free:
            said.append(f"{what}: another value passes in {', '.join(one.passed)}")
    return said


def _title(title: str) -> str:
    """Without ports and ids; of a statement, what it does to which table."""
    words = re.match(
        r"(?:INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE IF NOT EXISTS|CREATE TABLE|ALTER TABLE) \w+", title
    )
    return words[0] if words else without_ids(title)


def _changes(request: Any, near_ns: int) -> Iterator[Any]:
    if isinstance(request, MysqlRequest):
        for index, value in enumerate(request.parameters or ()):
            for other in _others(value, near_ns):
                before, after = request.parameters or (), (request.parameters or ())[index + 1 :]
                yield replace(request, parameters=(*before[:index], other, *after))
        for found in _LITERAL.finditer(request.query):
            for other in _others_of_literal(found[0], near_ns):
                query = f"{request.query[: found.start()]}{other}{request.query[found.end() :]}"
                yield replace(request, query=query)
    elif isinstance(request, HttpRequest):
        for _, target in others(request.target, False, near_ns):
            yield replace(request, target=target)
        try:
            body = json.loads(request.body) if isinstance(request.body, bytes) else None
        except ValueError:
            return
        for path, value in leaves(body, ()):
            for other in _others(value, near_ns) if path else ():
                yield replace(request, body=json.dumps(changed(body, path, other)).encode())


def _others(value: Any, near_ns: int) -> list[Any]:
    if isinstance(value, bytes):
        return [value + b"\0"]
    if isinstance(value, str) and value:
        return [other for _, other in others(value, False, near_ns)]
    return [other_value(value, near_ns)]


def _others_of_literal(text: str, near_ns: int) -> list[str]:
    if re.fullmatch(r"\d+(\.\d+)?", text) and len(text) < _SHORT:
        return [str(json.loads(text.lstrip("0") or "0") + 1)]
    return [other for _, other in others(text, False, near_ns)]
