"""The assertion keys that Keploy knows, beside `noise`: what a person says of a response in place of the recording.

An assertion takes the place of what was recorded *at its place* and nowhere else: `status_code_in` replaces the
status, `header_matches` the one header, `json_contains` the body. All else is compared as ever. (Keploy drops the
whole comparison as soon as a test has one.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from protocols.http.wire import Headers
from replayer.compare.finding import Finding, Kind
from replayer.compare.json_body import JsonComparison, NotJsonError, dump, parse
from testset.errors import SettingsError

KEYS = (
    "noise",
    "status_code",
    "status_code_class",
    "status_code_in",
    "header_equal",
    "header_contains",
    "header_exists",
    "header_matches",
    "json_equal",
    "json_contains",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What must hold of a value, and how it is said in a finding."""

    words: str
    holds: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Assertions:
    """A test's assertions, understood."""

    status: tuple[Claim, ...] = ()
    headers: Mapping[str, tuple[str, tuple[Claim, ...]]] = field(default_factory=dict)  # lower case -> name, claims
    json_equal: tuple[Any, ...] = ()  # at most one value
    json_contains: tuple[Any, ...] = ()

    @property
    def about_body(self) -> bool:
        return bool(self.json_equal or self.json_contains)

    def status_findings(self, actual: int) -> Iterator[Finding]:
        for claim in self.status:
            if not claim.holds(str(actual)):
                yield Finding("status", Kind.STATUS, claim.words, str(actual), "asserted by the test")

    def header_findings(self, actual: Headers) -> Iterator[Finding]:
        for key, (name, claims) in self.headers.items():
            values = [value for other, value in actual if other.lower() == key]
            for claim in claims:
                if not values:
                    yield Finding(f"header.{name}", Kind.MISSING, claim.words, None, "asserted by the test")
                elif not claim.holds(", ".join(values)):
                    yield Finding(
                        f"header.{name}", Kind.ASSERTION, claim.words, ", ".join(values), "asserted by the test"
                    )

    def body_findings(self, text: str | None, rules: JsonComparison) -> Iterator[Finding]:
        try:
            actual = parse(text or "")
        except NotJsonError as error:
            wanted = dump((self.json_equal + self.json_contains)[0])
            yield Finding("body", Kind.TYPE, wanted, text, f"asserted by the test to be JSON: {error}")
            return
        for expected in self.json_equal:
            yield from rules.findings(expected, actual)
        partly = JsonComparison(rules.noise, rules.renaming, rules.forgive, contains=True)
        for expected in self.json_contains:
            yield from partly.findings(expected, actual)


NO_ASSERTIONS = Assertions()


def assertions_of_test(assertions: Mapping[str, Any]) -> Assertions:
    """A test's `assertions` but for `noise`. Raises `SettingsError` for what cannot be understood."""
    status: list[Claim] = []
    headers: dict[str, tuple[str, tuple[Claim, ...]]] = {}
    json_equal: tuple[Any, ...] = ()
    json_contains: tuple[Any, ...] = ()
    for key, value in assertions.items():
        if key == "noise":
            continue
        if key == "status_code":
            wanted = str(value)
            status.append(Claim(wanted, wanted.__eq__))
        elif key == "status_code_class":
            status.append(_class(str(value)))
        elif key == "status_code_in":
            codes = [str(code).strip() for code in (value.split(",") if isinstance(value, str) else _list(key, value))]
            status.append(Claim("one of " + ", ".join(codes), codes.__contains__))
        elif key in ("header_equal", "header_contains", "header_exists", "header_matches"):
            for name, claim in _header_claims(key, value):
                known = headers.get(name.lower(), (name, ()))
                headers[name.lower()] = (known[0], (*known[1], claim))
        elif key == "json_equal":
            json_equal = () if value in (None, True, "", {}) else (_json(key, value),)  # Keploy: as recorded
        elif key == "json_contains":
            json_contains = (_json(key, value),)
        else:
            raise SettingsError(
                f"assertions has {key!r}, which rr does not know.", remedy=f"Known are: {', '.join(KEYS)}."
            )
    return Assertions(tuple(status), headers, json_equal, json_contains)


def _class(value: str) -> Claim:
    if not re.fullmatch(r"[1-5](xx|XX|\d\d)?", value):
        raise SettingsError(f"assertions.status_code_class is {value!r}.", remedy="Write it as 2xx.")
    digit = value[0]
    return Claim(f"{digit}xx", lambda status: status[:1] == digit)


def _header_claims(key: str, value: Any) -> Iterator[tuple[str, Claim]]:
    if key == "header_exists":
        names = value if isinstance(value, Mapping) else [value] if isinstance(value, str) else _list(key, value)
        for name in names:
            yield str(name), Claim("any value", lambda _: True)
        return
    if not isinstance(value, Mapping):
        raise SettingsError(f"assertions.{key} is no mapping.", remedy=f"Write {key}: {{<header>: <text>}}.")
    for name, wanted in value.items():
        text = str(wanted)
        if key == "header_equal":
            yield str(name), Claim(text, text.__eq__)
        elif key == "header_contains":
            yield str(name), Claim(f"a text with {text!r}", _contains(text))
        else:
            try:
                pattern = re.compile(text)
            except re.error as error:
                raise SettingsError(f"assertions.{key}.{name}: {text!r} is no regular expression: {error}.") from None
            yield str(name), Claim(f"a match of {text}", _matches(pattern))


def _contains(text: str) -> Callable[[str], bool]:
    return lambda value: text in value


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.search(value) is not None


def _list(key: str, value: Any) -> Iterable[Any]:
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return value
    if isinstance(value, int):
        return [value]
    raise SettingsError(f"assertions.{key} is no list.", remedy=f"Write {key}: [first, second].")


def _json(key: str, value: Any) -> Any:
    """A value that stands in the YAML as JSON text, or as YAML."""
    text = value if isinstance(value, str) else dump(value)
    try:
        return parse(text)
    except NotJsonError as error:
        raise SettingsError(f"assertions.{key} is no JSON: {error}.") from None
