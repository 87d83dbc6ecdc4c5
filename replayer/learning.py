"""What may differ in a response, learned from replays of an app that has not changed.

Where a value differs in every replay, from the recording and from the other replays, and looks generated each time, it
is noise: it is written into the test, as narrow as can be (the place, and what such a value looks like), with the
evidence beside it. What differs and does not look generated is unstable: it is told of, and stays a failure. A whole
body is never noise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from protocols.generated import looks_generated
from replayer.compare.finding import Finding, Kind

_SHOWN = 6  # characters of a value: it may be a secret
_FRACTION = re.compile(r"-?\d+\.\d+(e-?\d+)?")
_LONG_FRACTION = 12  # characters that nobody types
_SHORT = re.compile(r"[0-9A-Za-z_-]{8,}")
_RUNS = re.compile(r"[0-9]+|[a-z]+|[A-Z]+")
_FEWEST_RUNS = 2  # Order17 has as many: such values have more on average
_ONE_CASE = 3  # characters of `a-z`
_HEX_LOWER, _HEX_UPPER = re.compile(r"[0-9a-f]+"), re.compile(r"[0-9A-F]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UUID_PATTERN = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


@dataclass(frozen=True, slots=True)
class Noise:
    """A place of one test that may differ."""

    place: str  # body.nonce, header.X-Request-Id
    pattern: str  # what its values look like
    evidence: str


@dataclass(frozen=True, slots=True)
class Unstable:
    """A place that differs although nothing has changed, and does not look as if it were meant to."""

    place: str
    values: tuple[str, ...]  # recorded, and then


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learned of one test."""

    noise: tuple[Noise, ...]
    unstable: tuple[Unstable, ...]


def learn(
    replays: Sequence[Mapping[str, Sequence[Finding]]], named: Callable[[str, str], bool] = lambda _test, _place: False
) -> dict[str, Lesson]:
    """`replays`: the findings of each, by test. Tests in which nothing differed are not spoken of. `named`: whether a
    person has named what stands at a place of a test: then it is that value, and no noise."""
    lessons = {}
    names = dict.fromkeys(name for one in replays for name in one)
    for name in names:
        found = [{one.place: one for one in replay.get(name, ())} for replay in replays]
        noise: list[Noise] = []
        unstable: list[Unstable] = []
        for place in dict.fromkeys(place for one in found for place in one):
            findings = [one[place] for one in found if place in one]
            learns = len(findings) == len(replays) and not named(name, place)
            learned = _noise(place, findings) if learns else None
            if learned is not None:
                noise.append(learned)
            else:
                first = findings[0].expected
                unstable.append(
                    Unstable(place, tuple(one or "nothing" for one in (first, *(f.actual for f in findings))))
                )
        lessons[name] = Lesson(tuple(noise), tuple(unstable))
    return lessons


def _noise(place: str, findings: Sequence[Finding]) -> Noise | None:
    """Whether the values that were found at a place are each a new one of the same sort."""
    section, _, path = place.partition(".")
    if not path or section not in ("body", "header", "trailer"):
        return None
    if any(one.kind not in (Kind.VALUE, Kind.TEXT) or one.start for one in findings):
        return None
    values = [_value(one, section) for one in (findings[0].expected, *(one.actual for one in findings))]
    texts = [value for value in values if value is not None]
    if (
        len(texts) < len(values)
        or len(set(texts)) < len(texts)
        or not (all(map(_is_generated, texts)) or _are_alike(texts))
    ):
        return None
    shown = [f"{text[: min(_SHOWN, len(text) // 3)]}… ({len(text)} characters)" for text in texts]
    return Noise(place, _pattern(texts), f"recorded {shown[0]}, replayed {' and '.join(shown[1:])}")


def _value(text: str | None, section: str) -> str | None:
    """A value as it is compared with a pattern; None if it is no single value."""
    if text is None or section != "body":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if isinstance(value, str):
        return value
    return text if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _is_generated(text: str) -> bool:
    if looks_generated(text) or _is_long_fraction(text):
        return True
    try:
        return looks_generated(json.loads(text)) is not None
    except (ValueError, TypeError):
        return False


def _are_alike(texts: Sequence[str]) -> bool:
    """Short ids with no order in them, of one length: one alone might be a word, several that all differ are none."""
    runs = sum(len(_RUNS.findall(text)) for text in texts)  # 93978923 may be one of them
    return (
        len({len(text) for text in texts}) == 1
        and all(map(_SHORT.fullmatch, texts))
        and runs > _FEWEST_RUNS * len(texts)
    )


def _is_long_fraction(text: str) -> bool:
    return _FRACTION.fullmatch(text) is not None and len(text) >= _LONG_FRACTION


def _pattern(texts: Sequence[str]) -> str:
    """What these texts look like, as far as so few can tell: the next may have characters that none of them has."""
    if all(_UUID.fullmatch(text) for text in texts):
        return _UUID_PATTERN
    if all(_FRACTION.fullmatch(text) for text in texts):
        return r"^-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?$"
    if all(text.lstrip("-").isdigit() for text in texts):
        return "^-?[0-9]+$"
    sizes = sorted({len(text) for text in texts})
    size = f"{{{sizes[0]}}}" if len(sizes) == 1 else f"{{{max(1, sizes[0] // 2)},{2 * sizes[-1]}}}"
    whole = "".join(texts)
    for expression, characters in ((_HEX_LOWER, "0-9a-f"), (_HEX_UPPER, "0-9A-F")):
        if expression.fullmatch(whole):
            return f"^[{characters}]{size}$"
    letters = ("a-z" if any(map(str.islower, whole)) else "") + ("A-Z" if any(map(str.isupper, whole)) else "")
    if len(letters) > _ONE_CASE:
        letters += "+/=_~."  # of the alphabets that such values are written in
    known = set("+/=_~.") if len(letters) > _ONE_CASE else set[str]()
    others = sorted({one for one in whole if not (one.isascii() and one.isalnum()) and one not in known | {"-"}})
    dash = "-" if "-" in whole or len(letters) > _ONE_CASE else ""
    return f"^[0-9{letters}{''.join(re.escape(one) for one in others)}{dash}]{size}$"
