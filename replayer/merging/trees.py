"""One document's content merged with another's: the old where nothing changed, the new where something did."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from replayer.compare import json_text
from replayer.merging.sameness import Near, Sameness

Noisy = Callable[[tuple[Any, ...], str | None], bool]

_WHEN = frozenset(("timestamp", "started", "ended"))  # of a document: when it was recorded
_SEALED = re.compile(r'\{\{(secret|redacted) "([^"]*)"\}\}')
_BARE = re.compile(r"\{\{(secret|redacted) ([^\"{}]*)\}\}")


class Merger:
    """Merges content under one sameness."""

    def __init__(self, sameness: Sameness, near: Near, noisy: Noisy = lambda _place, _value: False) -> None:
        """`noisy`: whether a place may have this value; None: a whole one, of any kind."""
        self._sameness = sameness
        self._near = near
        self._noisy = noisy

    def merge(self, old: Any, new: Any, place: tuple[Any, ...] = ()) -> Any:
        """What the old content is to say from now on."""
        if self._noisy(place, _plain(new)) or (len(place) <= 2 and place and place[-1] in _WHEN):
            return old
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            return self._mapping(old, new, place)
        if isinstance(old, list) and isinstance(new, list):
            if len(old) == len(new):
                pairs = zip(old, new, strict=True)
                return [self.merge(was, now, (*place, index)) for index, (was, now) in enumerate(pairs)]
            return self._list(old, new, place)
        return self._sameness.merged(old, new, self._at(place))

    def _mapping(self, old: Mapping[str, Any], new: Mapping[str, Any], place: tuple[Any, ...]) -> dict[str, Any]:
        merged = {key: self.merge(value, new[key], (*place, key)) for key, value in old.items() if key in new}
        merged.update({key: self._sameness.renamed(value) for key, value in new.items() if key not in old})
        if (
            isinstance(old.get("body"), str)
            and isinstance(new.get("body"), str)
            and not self._noisy((*place, "body"), None)
        ):
            body = self._json_body(old["body"], new["body"], (*place, "body"))
            if body is not None:
                merged["body"] = body
                if body == old["body"] and "body_format" in old:
                    merged["body_format"] = old["body_format"]
        return {key: merged[key] for key in (*old, *new) if key in merged}

    def _list(self, old: list[Any], new: list[Any], place: tuple[Any, ...]) -> list[Any]:
        """Elements have come or gone: each is the first old one that it is the same as, or else itself."""
        left = list(enumerate(old))
        found = []
        for value in new:
            for at, (index, was) in enumerate(left):
                if self.merge(was, value, (*place, index)) == was:
                    found.append(was)
                    del left[: at + 1]
                    break
            else:
                found.append(self._sameness.renamed(value))
        return found

    def _json_body(self, old: str, new: str, place: tuple[Any, ...]) -> str | None:
        """A body that is JSON, by its values; None if it is none."""
        was, now = _read(old), _read(new)
        if was is None or now is None:
            return None
        merged = self.merge(was, now, place)
        if _equal(merged, was):
            return old
        return json_text.edited(new, {at: _written(value) for at, value in _leaves(merged, now, ())}, {})

    def _at(self, place: tuple[Any, ...]) -> Near:
        name = next((step for step in reversed(place) if isinstance(step, str)), "")
        return replace(self._near, name=name)


def _plain(value: Any) -> str | None:
    """A single value as a rule of noise sees it."""
    if isinstance(value, str):
        return value
    return None if isinstance(value, (Mapping, list)) else json.dumps(value)


def _written(value: Any) -> str:
    """A value as it stands in a JSON text: a secret's placeholder with its quotes."""
    bare = _SEALED.sub(r"{{\1 \2}}", value) if isinstance(value, str) else value
    return _BARE.sub(r'{{\1 "\2"}}', json.dumps(bare, ensure_ascii=False))


def _read(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return _restored(json.loads(_SEALED.sub(r"{{\1 \2}}", text)))
    except ValueError:
        return None


def _restored(value: Any) -> Any:
    if isinstance(value, str):
        return _BARE.sub(r'{{\1 "\2"}}', value) if "{{" in value else value
    if isinstance(value, dict):
        return {key: _restored(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_restored(one) for one in value]
    return value


def _leaves(merged: Any, new: Any, place: json_text.Place) -> list[tuple[json_text.Place, Any]]:
    """Where the merged value is not the new one: both have the same form."""
    if isinstance(merged, dict) and isinstance(new, dict):
        return [one for key, value in merged.items() for one in _leaves(value, new[key], (*place, key))]
    if isinstance(merged, list) and isinstance(new, list):
        pairs = zip(merged, new, strict=True)
        return [one for index, (a, b) in enumerate(pairs) for one in _leaves(a, b, (*place, str(index)))]
    return [] if _equal(merged, new) else [(place, merged)]


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and json.dumps(one) == json.dumps(other)
