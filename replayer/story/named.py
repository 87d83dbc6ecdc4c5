"""Values that a person has named (`{{order}}`) and that do not look made up: `A-17`, `17`.

The rule of given and made-up values does not see them, so they are followed here, where the recording is known to have
them: a request of the app is the recorded one if it differs in nothing but what they are called in this run. A number
may be many things, so where one stands as it was recorded it is taken to be another thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from protocols.furniture import Value
from replayer.story.lookup import Asked
from replayer.story.recording import Story
from replayer.story.template import text_of
from testset.model import Exchange

_FREE = r"[^\s/?&\"'<>]+?"  # what an app may call it
_FEWEST_DIGITS = 5  # of a number that is surely no other one


@dataclass(frozen=True, slots=True)
class Read:
    """A request, read as a recorded one: the values of that, its own in the words of the recording, and what it calls
    what had no name in this run yet."""

    recorded: Sequence[Value]
    values: Sequence[Value]
    fresh: Mapping[str, str]


class Named:
    """What they are called in one replay, as far as it is known."""

    def __init__(self, recorded: Iterable[str]) -> None:
        self._actual: dict[str, str | None] = dict.fromkeys(recorded)
        words = sorted(self._actual, key=len, reverse=True)
        self._words = re.compile("|".join(f"({_word(word)})" for word in words)) if words else None

    def __bool__(self) -> bool:
        return bool(self._actual)

    def bind(self, recorded: str, actual: str) -> str:
        """What it is called from now on: what is bound stays as it is."""
        self._actual[recorded] = known = self._actual.get(recorded) or actual
        return known

    def told(self) -> Mapping[str, str]:
        """What is to be put into a mock's answer. Not a short number, which may be anything there."""
        return {
            then: now for then, now in self._actual.items() if now is not None and now != then and not _is_vague(then)
        }

    def is_stale(self, asked: Asked) -> bool:
        """Whether a request speaks of a value by its recorded name, which is another one by now."""
        stale = self.told()
        if not stale or self._words is None:
            return False
        texts = (*_leaves(asked.room.route(asked.server, asked.request)), *(value.value for value in asked.values))
        return any(found[0] in stale for text in texts if isinstance(text, str) for found in self._words.finditer(text))

    def as_recorded(self, asked: Asked, story: Story) -> Asked:
        """A request in the words of the recording; as it is, if it has some other words of the recording in it."""
        back = {now: then for then, now in self._actual.items() if now is not None and now != then}
        if not back or self.is_stale(asked):
            return asked
        pattern = re.compile("|".join(map(_word, sorted(back, key=len, reverse=True))))

        def change(tree: Any) -> Any:
            if isinstance(tree, tuple):
                return tuple(map(change, tree))
            if isinstance(tree, int) and not isinstance(tree, bool):
                return int(back.get(str(tree), tree))
            return pattern.sub(lambda found: back[found[0]], tree) if isinstance(tree, str) else tree

        route = change(asked.room.route(asked.server, asked.request))
        values = [Value(value.place, change(value.value)) for value in asked.values]
        return replace(asked, route=story.routes.get((asked.room.name, route)), values=values, _templates=None)

    def read(self, recorded: Exchange[Any, Any], asked: Asked) -> Read | None:
        """A request read as a recorded one. None: it cannot be that one."""
        room, fresh = asked.room, dict[str, str]()
        if recorded.protocol != room.name or self.is_stale(asked):
            return None
        route = room.route(recorded.server, recorded.request)
        if not self._same_route(route, room.route(asked.server, asked.request), fresh):
            return None
        every = room.values(recorded.request)
        then: dict[str, list[Value]] = {}
        for value in reversed(every):
            then.setdefault(value.place, []).append(value)
        values = []
        for value in asked.values:
            there = then[value.place].pop() if then.get(value.place) else None
            same = there is not None and value != there and self._same_value(there, value, fresh)
            values.append(there if same and there is not None else value)
        return Read(every, values, fresh)

    def take(self, read: Read) -> None:
        """It is so: what it calls by a name of its own is bound."""
        for recorded, actual in read.fresh.items():
            self.bind(recorded, actual)

    def _same_route(self, then: Any, now: Any, fresh: dict[str, str]) -> bool:
        if isinstance(then, tuple) and isinstance(now, tuple):
            pairs = zip(then, now, strict=False)
            return len(then) == len(now) and all(self._same_route(one, other, fresh) for one, other in pairs)
        if isinstance(then, str) and isinstance(now, str):
            return then == now or self._same_text(then, now, fresh)
        return bool(then == now)

    def _same_value(self, then: Value, now: Value, fresh: dict[str, str]) -> bool:
        if isinstance(then.value, str) is not isinstance(now.value, str) or isinstance(now.value, (bool, float)):
            return False
        return self._same_text(text_of(then), text_of(now), fresh)

    def _same_text(self, then: str, now: str, fresh: dict[str, str]) -> bool:
        names = list(self._words.finditer(then)) if self._words is not None else []
        if not names:
            return False
        pattern, position = "", 0
        for found in names:
            known = self._actual[found[0]] or fresh.get(found[0])
            as_it_was = f"|{re.escape(found[0])}" if _is_vague(found[0]) else ""
            pattern += re.escape(then[position : found.start()])
            pattern += f"({_FREE}{as_it_was})" if known is None else f"({re.escape(known)}{as_it_was})"
            position = found.end()
        match = re.fullmatch(pattern + re.escape(then[position:]), now)
        if match is None:
            return False
        for found, text in zip(names, match.groups(), strict=True):
            if self._actual[found[0]] is None and not (_is_vague(found[0]) and text == found[0]):
                if _is_vague(found[0]) and not text.isdigit():
                    return False
                if fresh.setdefault(found[0], text) != text:
                    return False
        return True


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, tuple):
        for one in tree:
            yield from _leaves(one)
    else:
        yield tree


def _is_vague(text: str) -> bool:
    return text.lstrip("-").isdigit() and len(text) < _FEWEST_DIGITS


def _word(text: str) -> str:
    return rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])"
