"""Noise: places whose value may differ, as people and Keploy write them.

A rule names one place and silences that place only, with what lies below it. `[]` ignores the place altogether, its
absence too; a list of regular expressions ignores it only while the value that the app now gives matches one of
them. Names are exact (headers without case); there is no match by a part of a name.

Where rules stand:

- in a test's `assertions.noise`: `header.Date`, `body.items[0].id`, also as sections (`header: {Date: []}`). A path
  without an index means every element: `body.items.id`. `body` alone is the whole body.
- in the settings, for all sets or one: sections `header` and `body`. There a bare name (`created_at`) is meant at any
  depth, because it speaks of many tests; a path (`user.created_at`) starts at the root. `"*"` is everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from replayer.compare.places import Path, parse
from testset.errors import SettingsError

Patterns = tuple[re.Pattern[str], ...]

_EVERYTHING = "*"
_SECTIONS = ("header", "body", "trailer")
_OF_REQUESTS = ("url", "requestBody", "request_body", "req")  # Keploy's noise for outgoing requests: not ours


@dataclass(frozen=True, slots=True)
class _BodyRule:
    steps: tuple[str, ...]
    anywhere: bool
    patterns: Patterns

    def covers(self, path: Path) -> bool:
        if not self.anywhere:
            return _leads_to(self.steps, path)
        return any(_leads_to(self.steps, path[start:]) for start in range(len(path)) if isinstance(path[start], str))


@dataclass(frozen=True, slots=True)
class Noise:
    """The rules that hold for one test."""

    headers: Mapping[str, Patterns] = field(default_factory=dict)  # names in lower case
    trailers: Mapping[str, Patterns] = field(default_factory=dict)
    body: tuple[_BodyRule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.headers or self.trailers or self.body)

    def __or__(self, other: Noise) -> Noise:
        """Both. Where both name a header, the later one holds."""
        return Noise(
            headers={**self.headers, **other.headers},
            trailers={**self.trailers, **other.trailers},
            body=self.body + other.body,
        )

    def covers_header(self, name: str, actual: str | None, *, trailer: bool = False) -> bool:
        rules = self.trailers if trailer else self.headers
        patterns = rules.get(name.lower())
        if patterns is None:
            patterns = rules.get(_EVERYTHING)
        return patterns is not None and _fits(patterns, actual)

    def covers_body(self, path: Path, actual: str | None) -> bool:
        """Whether the value at `path` may be `actual` (None: not there)."""
        return any(rule.covers(path) and _fits(rule.patterns, actual) for rule in self.body)


NO_NOISE = Noise()


def noise_of_test(rules: Mapping[str, Any] | Iterable[str]) -> Noise:
    """A test's `assertions.noise`."""
    return _noise(_flat(rules), bare_is_anywhere=False, where="assertions.noise")


def noise_of_settings(sections: Mapping[str, Any], where: str = "noise") -> Noise:
    """One `{header: {...}, body: {...}}` of the settings; `where` is its name for messages."""
    return _noise(_flat(sections), bare_is_anywhere=True, where=where)


def _flat(rules: Mapping[str, Any] | Iterable[str]) -> list[tuple[str, str, Any]]:
    """(section, path, patterns) from every way of writing: a list, dotted keys, sections."""
    pairs = rules.items() if isinstance(rules, Mapping) else ((rule, ()) for rule in rules)
    flat = []
    for key, value in pairs:
        section, dot, path = str(key).partition(".")
        if section.startswith("body["):
            section, path = "body", str(key)[len("body") :]
        if not dot and isinstance(value, Mapping):
            flat += [(section, str(name), patterns) for name, patterns in value.items()]
        else:
            flat.append((section, path or _EVERYTHING, value))
    return flat


def _noise(rules: list[tuple[str, str, Any]], *, bare_is_anywhere: bool, where: str) -> Noise:
    headers: dict[str, Patterns] = {}
    trailers: dict[str, Patterns] = {}
    body: list[_BodyRule] = []
    for section, path, value in rules:
        if section in _OF_REQUESTS:
            continue
        if section not in _SECTIONS:
            raise SettingsError(
                f"{where} names {section!r}, which is no part of a response.",
                remedy="Write header.<name>, body.<path> or trailer.<name>.",
            )
        patterns = _patterns(value, f"{where}: {section}.{path}")
        if section == "header":
            headers[path.lower()] = patterns
        elif section == "trailer":
            trailers[path.lower()] = patterns
        else:
            steps = () if path == _EVERYTHING else parse(path)
            body.append(_BodyRule(steps, bare_is_anywhere and len(steps) == 1, patterns))
    return Noise(headers, trailers, tuple(body))


def _patterns(value: Any, where: str) -> Patterns:
    if value is None or value == _EVERYTHING:
        return ()
    patterns = []
    for text in [value] if isinstance(value, str) else value:
        if text == _EVERYTHING:
            return ()
        try:
            patterns.append(re.compile(str(text)))
        except re.error as error:
            raise SettingsError(f"{where}: {text!r} is no regular expression: {error}.") from None
    return tuple(patterns)


def _fits(patterns: Patterns, actual: str | None) -> bool:
    if not patterns:
        return True
    return actual is not None and any(pattern.search(actual) for pattern in patterns)


def _leads_to(steps: tuple[str, ...], path: Path) -> bool:
    """Whether `steps` name `path` or something that it is in. An index that `steps` leave out is any index."""
    if not steps:
        return True
    if not path:
        return False
    first = path[0]
    if isinstance(first, int):
        return (steps[0] == str(first) and _leads_to(steps[1:], path[1:])) or _leads_to(steps, path[1:])
    return any(  # a name with dots in it is several steps when written without quotes
        ".".join(steps[:end]) == first and _leads_to(steps[end:], path[1:]) for end in range(1, len(steps) + 1)
    )
