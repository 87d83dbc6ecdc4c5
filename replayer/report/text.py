"""A result as plain lines of text, the same for the terminal, for JUnit and for CI summaries.

`blocks` gives lines with their meaning, so that the terminal may colour them; `failure_text` is the same without.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from replayer.compare.explain import DiffLine, Mark, cut, diff, in_words, speaks_for_itself
from replayer.report.verdict import RunResult, TestResult, Verdict

_FINDINGS = 10  # shown of one test unless all are asked for


class Role(StrEnum):
    """What a line is for."""

    REASON = "reason"
    GONE = "gone"
    NEW = "new"
    SAME = "same"
    ASIDE = "aside"
    WARNING = "warning"
    REMEDY = "remedy"
    CURL = "curl"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Line:
    role: Role
    text: str = ""
    note: str = ""  # an aside to the text, on the same line


_ROLES = {Mark.SAME: Role.SAME, Mark.GONE: Role.GONE, Mark.NEW: Role.NEW, Mark.ASIDE: Role.ASIDE}


def blocks(test: TestResult, *, full: bool = False) -> Iterator[Line]:
    """All about one test that did not pass (or passed with warnings): reasons, differences, how to ask again."""
    for reason in test.reasons:
        yield Line(Role.REASON, reason)
    shown = test.findings if full else test.findings[:_FINDINGS]
    for finding in shown:
        if not speaks_for_itself(finding):
            yield Line(Role.REASON, in_words(finding))
        yield from map(_line, diff(finding))
    if len(test.findings) > len(shown):
        yield Line(
            Role.ASIDE, f"{len(test.findings) - len(shown)} more differences: rr report --full --test {test.name}"
        )
    for effect in test.effects:
        yield Line(Role.REASON, effect.text)
        if effect.place and effect.expected is not None:
            yield Line(Role.GONE, f"- {effect.place}: {cut(effect.expected)}")
        if effect.place and effect.actual is not None:
            yield Line(Role.NEW, f"+ {effect.place}: {cut(effect.actual)}")
    for miss in test.misses:
        yield Line(Role.REASON, str(miss))
        if miss.remedy:
            yield Line(Role.REMEDY, miss.remedy)
    for warning in test.warnings:
        yield Line(Role.WARNING, warning)
    if test.curl and test.verdict is not Verdict.PASSED:
        yield Line(Role.BLANK)
        for line in test.curl.split("\n"):
            yield Line(Role.CURL, line)


def _line(line: DiffLine) -> Line:
    return Line(_ROLES[line.mark], f"{line.mark} {line.text}", line.note)


def failure_text(test: TestResult, *, full: bool = False) -> str:
    return "\n".join(f"{line.text}   ({line.note})" if line.note else line.text for line in blocks(test, full=full))


def counted(run: RunResult) -> str:
    """`12 passed, 1 failed`, without what is none."""
    counts = [(run.count(verdict), str(verdict)) for verdict in Verdict]
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "no tests"
