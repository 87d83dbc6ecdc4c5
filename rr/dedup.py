"""`rr record --dedup`: a request that the set already has, with an answer of the same sort, makes no second test."""

from __future__ import annotations

import json
from typing import Any

from protocols.http import ROOM as HTTP
from replayer.loading import LoadedSet, room_of
from replayer.story import Options, Story
from replayer.story.template import template
from testset.model import TestCase
from testset.secrets import Vault
from testset.store import TestSet


def drop_doubles(test_set: TestSet, vault: Vault) -> list[str]:
    """Removes tests that are there before, up to what is made up anew each time, and their mocks. One stays if a later
    test speaks of what it has made. Returns the names of those that are gone."""
    loaded = LoadedSet(test_set, vault)
    mocks = list(loaded.mocks())
    story = Story(loaded.tests, mocks, room_of, Options(recall=loaded.recall))
    seen: set[Any] = set()
    doubles = []
    for test in loaded.tests:
        key = _key(test)
        if key in seen:
            doubles.append(test.name)
        seen.add(key)
    gone: list[str] = []
    for name in reversed(doubles):  # the last first: what only another double needs is a double as well
        others = {test.name for test in loaded.tests} - {name, *gone}
        if name not in story.needed(others) and "+" not in name:
            gone.append(name)
    wanted = set(gone)
    for path in test_set.test_paths():
        if path.stem in wanted:
            path.unlink()
    loaded.drop_mocks([mock.name for mock in mocks if mock.owner in wanted])
    return sorted(gone, key=doubles.index)


def _key(test: TestCase) -> Any:
    """What a test asks, and of which sort the answer is."""
    exchange = test.exchange
    asked = tuple((value.place, template(value).shape) for value in HTTP.values(exchange.request))
    response = exchange.response
    answered = None if response is None else (response.status, _schema(response.body))
    return HTTP.route(exchange.server, exchange.request), asked, answered


def _schema(body: Any) -> str:
    """The form of a JSON body; another body is its own form."""
    try:
        return json.dumps(_form(json.loads(body)), sort_keys=True)
    except (TypeError, ValueError):
        return repr(body)


def _form(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _form(one) for key, one in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(_form(one), sort_keys=True) for one in value})
    return type(value).__name__
