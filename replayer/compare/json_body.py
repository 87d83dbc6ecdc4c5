"""JSON by structure: what differs, place by place.

Numbers are compared by value and exactly (`1.0` is `1`, 0.1 has no rounding, integers have no limit); a bool is no
number and `"1"` is not `1`; the order of an array counts, that of an object's names does not. What Python's parser
would quietly repair (a name twice, NaN) is not taken for JSON: such a body is compared as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import SequenceMatcher
from typing import Any, NoReturn

from replayer.compare.finding import Finding, Forgive, Kind
from replayer.compare.noise import NO_NOISE, Noise
from replayer.compare.places import Path, render
from replayer.compare.renaming import Renaming, forgiven

_MOST_FINDINGS = 100  # more would help nobody


class NotJsonError(Exception):
    """The text is no JSON that could be compared by structure."""


def parse(text: str | bytes) -> Any:
    """Strictly: numbers with a fraction as `Decimal`. Raises `NotJsonError`."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except (ValueError, InvalidOperation, RecursionError) as error:
        raise NotJsonError(str(error)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice in one object")
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_object)


def dump(value: Any) -> str:
    """JSON text on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dump(str(key))}: {dump(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(dump, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "number"


@dataclass(frozen=True, slots=True)
class JsonComparison:
    """The rules under which two JSON values are compared."""

    noise: Noise = NO_NOISE
    renaming: Renaming | None = None
    forgive: Forgive | None = None
    contains: bool = False  # what the answer has beyond `expected` is no finding (json_contains)

    def findings(self, expected: Any, actual: Any, root: str = "body") -> list[Finding]:
        if not self.renaming and _same(expected, actual):
            return []
        found: list[Finding] = []
        for finding in self._differ(expected, actual, root, ()):
            found.append(finding)
            if len(found) == _MOST_FINDINGS:
                break
        return found

    def _differ(self, expected: Any, actual: Any, root: str, path: Path) -> Iterator[Finding]:
        kind = type(expected)
        if kind is dict and type(actual) is dict:
            yield from self._objects(expected, actual, root, path)
        elif kind is list and type(actual) is list:
            yield from self._arrays(expected, actual, root, path)
        else:
            yield from self._leaves(expected, actual, root, path)

    def _objects(self, expected: dict[str, Any], actual: dict[str, Any], root: str, path: Path) -> Iterator[Finding]:
        rename = self.renaming
        renamed = expected if not rename else {rename(name): member for name, member in expected.items()}
        for name, member in renamed.items():
            if name in actual:
                yield from self._differ(member, actual[name], root, (*path, name))
            elif not self.noise.covers_body((*path, name), None):
                yield Finding(render(root, (*path, name)), Kind.MISSING, dump(member), None)
        if self.contains:
            return
        for name, member in actual.items():
            if name not in renamed and not self.noise.covers_body((*path, name), None):
                yield Finding(render(root, (*path, name)), Kind.EXTRA, None, dump(member))

    def _arrays(self, expected: list[Any], actual: list[Any], root: str, path: Path) -> Iterator[Finding]:
        if self.noise and self.noise.covers_body(path, None):
            return
        if len(expected) == len(actual):
            if self._only_order_differs(expected, actual, root, path):
                yield Finding(render(root, path), Kind.ORDER, dump(expected), dump(actual))
                return
            for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
                yield from self._differ(one, other, root, (*path, index))
            return
        yield from self._lengths(expected, actual, root, path)

    def _only_order_differs(self, expected: list[Any], actual: list[Any], root: str, path: Path) -> bool:
        """The same elements in another order, where order is not noise. Asked without the story: it could take a
        swapped pair for two values that were made up."""
        if len(expected) < 2:
            return False
        wanted, got = self._spellings(expected), self._spellings(actual)
        if wanted == got or sorted(wanted) != sorted(got):
            return False
        plain = JsonComparison(self.noise, self.renaming)
        return any(
            True
            for index, (one, other) in enumerate(zip(expected, actual, strict=True))
            for _ in plain._differ(one, other, root, (*path, index))
        )

    def _lengths(self, expected: list[Any], actual: list[Any], root: str, path: Path) -> Iterator[Finding]:
        """Arrays of other lengths: which elements are gone or new; what stands between equal ones is paired."""
        wanted, got = self._spellings(expected), self._spellings(actual)
        note = f"{len(expected)} elements recorded, {len(actual)} now"
        for tag, start, end, now_start, now_end in SequenceMatcher(None, wanted, got, autojunk=False).get_opcodes():
            if tag == "equal":
                continue
            pairs = min(end - start, now_end - now_start)
            for offset in range(pairs):
                yield from self._differ(
                    expected[start + offset], actual[now_start + offset], root, (*path, now_start + offset)
                )
            for index in range(start + pairs, end):
                if not self.noise.covers_body((*path, index), None):
                    yield Finding(render(root, (*path, index)), Kind.MISSING, dump(expected[index]), None, note)
            for index in range(now_start + pairs, now_end):
                if not self.contains and not self.noise.covers_body((*path, index), None):
                    yield Finding(render(root, (*path, index)), Kind.EXTRA, None, dump(actual[index]), note)

    def _spellings(self, values: list[Any]) -> list[str]:
        return [_spelling(value) for value in values]

    def _leaves(self, expected: Any, actual: Any, root: str, path: Path) -> Iterator[Finding]:
        if self.renaming and not isinstance(expected, dict | list):
            expected = _renamed(self.renaming, expected)
        if _same_leaf(expected, actual):
            return
        if self.noise and self.noise.covers_body(path, plain(actual)):
            return
        place = render(root, path)
        expected_type, actual_type = type_name(expected), type_name(actual)
        if expected_type == actual_type:
            if not forgiven(self.forgive, place, plain(expected), plain(actual)):
                yield Finding(place, Kind.VALUE, dump(expected), dump(actual))
        else:
            note = f"{expected_type} recorded, {actual_type} now"
            yield Finding(place, Kind.TYPE, dump(expected), dump(actual), note)


def _same(expected: Any, actual: Any) -> bool:
    """Equal in every place: the common case, in a third of the time that looking for findings takes."""
    kind = type(expected)
    if kind is dict:
        if type(actual) is not dict or expected.keys() != actual.keys():
            return False
        return all(_same(member, actual[name]) for name, member in expected.items())
    if kind is list:
        return type(actual) is list and len(expected) == len(actual) and all(map(_same, expected, actual))
    return _same_leaf(expected, actual)


def _same_leaf(expected: Any, actual: Any) -> bool:
    if type(expected) is type(actual):
        return bool(expected == actual)
    if isinstance(expected, bool) or isinstance(actual, bool):
        return False
    if isinstance(expected, int | Decimal) and isinstance(actual, int | Decimal):
        return bool(expected == actual)
    return False


def plain(value: Any) -> str:
    """A value as noise and the story see it: strings without quotes."""
    return value if isinstance(value, str) else dump(value)


def _renamed(renaming: Renaming, expected: Any) -> Any:
    if isinstance(expected, str):
        return renaming(expected)
    if expected is None or isinstance(expected, bool):
        return expected
    text = plain(expected)
    new = renaming(text)
    if new == text:
        return expected
    try:
        return parse(new)
    except NotJsonError:
        return new


def _spelling(value: Any) -> str:
    """One text for all spellings of a value."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_spelling(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spelling, value)) + "]"
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return str(int(value)) if value.adjusted() < 400 else str(value.normalize())
    return str(value.normalize()) if isinstance(value, Decimal) else json.dumps(value)
