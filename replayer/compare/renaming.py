"""Made-up values: what the recording expects, once the app's own inventions carry their new names.

The story decides what is made up and which value stands for which; here the names are only put in. A value is
replaced where it is the whole of a string or number, or a word of its own inside a longer text; shorter ones than six
characters only as a whole, since `7` is a word in too many texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from replayer.compare.finding import Forgive

_SHORTEST_WORD = 6
_LONGEST_VALUE = 16 * 1024  # nobody makes up more than that, and a page need not be asked about as one value

# How a text that differs is taken apart, coarse to fine, until each part is equal or forgiven: a cookie's attributes,
# then name=value and markup, then words, then the pieces of a path or a token.
_CUTS = tuple(
    re.compile(cut) for cut in (r"([\n;&?]+)", r"([=<>\"'(){}\[\]]+)", r"([\s,]+)", r"([/|#@]+)", r"([.:!]+)")
)


class Renaming:
    """Recorded names and the actual ones, ready to be applied to many texts."""

    __slots__ = ("_names", "_pattern")

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {old: new for old, new in names.items() if old != new}
        words = sorted((old for old in self._names if len(old) >= _SHORTEST_WORD), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_as_word, words))) if words else None

    def __bool__(self) -> bool:
        return bool(self._names)

    def concerns(self, text: bytes) -> bool:
        """Whether `text` may hold a name; false only if it surely holds none."""
        return b"\\" in text or any(old.encode(errors="surrogatepass") in text for old in self._names)

    def __call__(self, text: str) -> str:
        whole = self._names.get(text)
        if whole is not None:
            return whole
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._names[found[0]], text)


def _as_word(value: str) -> str:
    """A pattern for `value` where it is not a part of a longer word."""
    before = "(?<![0-9A-Za-z])" if value[0].isalnum() else ""
    after = "(?![0-9A-Za-z])" if value[-1].isalnum() else ""
    return f"{before}{re.escape(value)}{after}"


def forgiven(forgive: Forgive | None, place: str, expected: str, actual: str) -> bool:
    """Whether two texts differ in nothing but forgiven values: the whole, or part by part with equal text between."""
    return forgive is not None and _forgiven(forgive, place, expected, actual, 0)


def _forgiven(forgive: Forgive, place: str, expected: str, actual: str, level: int) -> bool:
    if expected == actual:
        return True
    if max(len(expected), len(actual)) <= _LONGEST_VALUE and forgive(place, expected, actual) is not None:
        return True
    for finer in range(level, len(_CUTS)):
        expected_parts, actual_parts = _CUTS[finer].split(expected), _CUTS[finer].split(actual)
        if len(expected_parts) == 1 and len(actual_parts) == 1:
            continue
        if len(expected_parts) != len(actual_parts) or expected_parts[1::2] != actual_parts[1::2]:
            return False
        return all(
            _forgiven(forgive, place, expected_part, actual_part, finer + 1)
            for expected_part, actual_part in zip(expected_parts[::2], actual_parts[::2], strict=True)
        )
    return False
