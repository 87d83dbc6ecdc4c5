"""A finding in words, and as the lines of a diff.

Nothing here knows colours or a terminal's width: a line says what it is (gone, new, the same), and whoever prints it
decides how that looks.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from replayer.compare.finding import Finding, Kind

_WORDS = 80  # characters of a value in a sentence
_CONTEXT = 2  # equal lines around a difference
_LINES = 40  # of one diff
_ROW = 16  # bytes on a line


class Mark(StrEnum):
    SAME = " "
    GONE = "-"
    NEW = "+"
    ASIDE = "@"  # where in the text the next lines are


@dataclass(frozen=True, slots=True)
class DiffLine:
    mark: Mark
    text: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.mark} {self.text}" + (f"   ({self.note})" if self.note else "")


def cut(text: str, width: int = _WORDS, around: int | None = None) -> str:
    """At most `width` characters, on one line: cut in the middle, or so that the character `around` stays."""
    text = visible(text)
    if len(text) <= width:
        return text
    if around is None:
        left = (width - 1) // 2
        return f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}"
    start = max(0, min(around - width // 3, len(text) - width))
    before, after = "…" if start else "", "…" if start + width < len(text) else ""
    return f"{before}{text[start + len(before) : start + width - len(after)]}{after}"


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """What an app sends may hold control codes; none of them reaches a terminal or turns a line's direction."""
    return _CONTROL.sub(lambda found: _SHORT.get(found[0]) or f"\\x{ord(found[0]):02x}", text)


def speaks_for_itself(finding: Finding) -> bool:
    """Whether its diff says all that `in_words` does: a value under its place, rather than a text's lines."""
    return finding.kind not in (Kind.TEXT, Kind.BYTES, Kind.ENCODING) and finding.place != "body"


def in_words(finding: Finding) -> str:
    """One line: the place, what was recorded, what came."""
    place, expected, actual = finding.place, finding.expected or "", finding.actual or ""
    match finding.kind:
        case Kind.MISSING:
            note = f"; {finding.note}" if finding.note else ""
            return f"{place} is missing (recorded: {cut(expected)}{note})"
        case Kind.EXTRA:
            note = f" ({finding.note})" if finding.note else ""
            return f"{place} is new: {cut(actual)}{note}"
        case Kind.ORDER:
            return f"{place}: the same elements in another order: {cut(expected)} recorded, {cut(actual)} now"
        case Kind.TEXT:
            one, other = _line_around(expected, actual)
            at = _first_difference(one, other)
            return f"{place} differs at {finding.note}: {cut(one, 40, at)} recorded, {cut(other, 40, at)} now"
        case Kind.BYTES | Kind.ENCODING:
            return f"{place}: {finding.note}"
        case Kind.ASSERTION:
            return f"{place} is {cut(actual)}, the test asserts {cut(expected)}"
        case Kind.TYPE if place == "body":
            return f"{place}: {finding.note}"
        case Kind.TYPE:
            return f"{place}: {cut(expected)} recorded, {cut(actual)} now ({finding.note})"
        case _:
            at = _first_difference(expected, actual)
            note = f" ({finding.note})" if finding.note else ""
            return f"{place}: {cut(expected, _WORDS, at)} recorded, {cut(actual, _WORDS, at)} now{note}"


def diff(finding: Finding) -> list[DiffLine]:
    """What was recorded and what came, one under the other."""
    match finding.kind:
        case Kind.TEXT:
            lines = list(_text(finding.expected or "", finding.actual or ""))
        case Kind.TYPE if finding.place == "body":
            lines = list(_text(finding.expected or "", finding.actual or ""))
        case Kind.BYTES | Kind.ENCODING:
            lines = list(_hex(finding))
        case _:
            lines = list(_values(finding))
    if len(lines) > _LINES:
        left_out = len(lines) - _LINES
        lines = [*lines[:_LINES], DiffLine(Mark.ASIDE, f"{left_out} more lines")]
    return lines


_NOTES = {
    Kind.MISSING: "missing now",
    Kind.EXTRA: "not in the recording",
    Kind.ORDER: "the same elements in another order",
}


def _values(finding: Finding) -> Iterator[DiffLine]:
    at = _first_difference(finding.expected or "", finding.actual or "")
    note = "; ".join(each for each in (_NOTES.get(finding.kind, ""), finding.note) if each)
    if finding.expected is not None:
        text = f"{finding.place}: {cut(finding.expected, _WORDS, at)}"
        yield DiffLine(Mark.GONE, text, note if finding.actual is None else "")
    if finding.actual is not None:
        yield DiffLine(Mark.NEW, f"{finding.place}: {cut(finding.actual, _WORDS, at)}", note)


def _line_around(expected: str, actual: str) -> tuple[str, str]:
    """Of two texts, the line in which they begin to differ."""
    at = _first_difference(expected, actual)
    if at is None:
        return expected, actual
    start = expected.rfind("\n", 0, at) + 1
    return expected[start:].partition("\n")[0], actual[start:].partition("\n")[0]


def _text(expected: str, actual: str) -> Iterator[DiffLine]:
    # Lines are compared with their ends, so that a lost newline or a \r shows.
    before, after = expected.splitlines(keepends=True), actual.splitlines(keepends=True)
    for tag, start, end, now_start, now_end in _opcodes(before, after):
        if tag == "equal":
            for line in before[start:end]:
                yield DiffLine(Mark.SAME, cut(line.rstrip("\n"), 2 * _WORDS))
        elif tag == "aside":
            yield DiffLine(Mark.ASIDE, f"line {start + 1}")
        else:
            gone, new = before[start:end], after[now_start:now_end]
            visible_ends = [line.rstrip("\n") for line in gone] == [line.rstrip("\n") for line in new]
            for mark, lines, others in ((Mark.GONE, gone, new), (Mark.NEW, new, gone)):
                for index, line in enumerate(lines):
                    at = _first_difference(line, others[index]) if index < len(others) else None
                    shown = line if visible_ends else line.rstrip("\n")
                    yield DiffLine(mark, cut(shown, 2 * _WORDS, at))


def _opcodes(before: list[str], after: list[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Differences with a little of what surrounds them; an "aside" before each group but the first of the text."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=len(before) > 2000)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if group[0][1] > 0:
            yield ("aside", group[0][1], group[0][1], group[0][3], group[0][3])
        yield from group


def _hex(finding: Finding) -> Iterator[DiffLine]:
    expected, actual = bytes.fromhex(finding.expected or ""), bytes.fromhex(finding.actual or "")
    for start in range(0, max(len(expected), len(actual)), _ROW):
        wanted, got = expected[start : start + _ROW], actual[start : start + _ROW]
        at = finding.start + start
        if wanted == got:
            yield DiffLine(Mark.SAME, _hex_row(at, wanted))
            continue
        if wanted:
            yield DiffLine(Mark.GONE, _hex_row(at, wanted))
        if got:
            yield DiffLine(Mark.NEW, _hex_row(at, got))


def _hex_row(at: int, row: bytes) -> str:
    printable = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
    return f"{at:08x}  {row.hex(' '):<{3 * _ROW}} {printable}"


def _first_difference(one: str, other: str) -> int | None:
    if not one or not other:
        return None
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
