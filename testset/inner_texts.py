"""Texts within texts: JSON in a string of JSON, a form or an address in a parameter. Read as they were before they were
written into the other, with the way back: where in the outer text a place of the inner one is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SMALLEST = 8  # characters: less holds no name and value
_STRING = re.compile(r'"\s{0,8}[\[{](?:[^"\\]|\\.)*"', re.S)  # what begins like JSON itself
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.S)
_SIGNS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_PARAMETER = re.compile(r"=(?=[^&;\s\"'<>]*%(?:3D|22|7B))([^&;\s\"'<>]+)", re.I)
_PERCENT = re.compile(r"%([0-9a-fA-F]{2})|(\+)")


@dataclass(frozen=True, slots=True)
class Inner:
    """An inner text, and the places where it goes out of step with the outer one."""

    text: str
    _inner: list[int]
    _outer: list[int]

    def outside(self, place: int) -> int:
        """Where `place` of the inner text is in the outer one."""
        at = bisect_right(self._inner, place) - 1
        return self._outer[at] + place - self._inner[at]


def inner_texts(text: str, start: int = 0) -> Iterator[Inner]:
    """Those of one level; each may have inner texts of its own."""
    if '\\"' in text:
        for match in _STRING.finditer(text, start):
            if match.end() - match.start() > _SMALLEST and "\\" in match[0]:
                yield _read(text, match.start() + 1, match.end() - 1, _ESCAPE, _unescaped)
    if "%" in text and "=" in text:
        for match in _PARAMETER.finditer(text, start):
            yield _read(text, *match.span(1), _PERCENT, _undone)


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _SIGNS.get(match[2], match[2])


def _undone(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else " "


def _read(text: str, start: int, end: int, escape: re.Pattern[str], undo: Callable[[re.Match[str]], str]) -> Inner:
    parts: list[str] = []
    inner, outer = [0], [start]
    length, position = 0, start
    for match in escape.finditer(text, start, end):
        parts += text[position : match.start()], undo(match)
        length += match.start() - position + 1
        position = match.end()
        inner += length - 1, length
        outer += match.start(), position
    parts.append(text[position:end])
    return Inner("".join(parts), inner, outer)
