"""What a run found, as data: a verdict for each test, with its evidence.

Everything is plain text and numbers, so that a result can be redacted, written, read again and shown the same way by
the terminal, the reports and CI.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from replayer.compare.explain import in_words
from replayer.compare.finding import Finding, Kind
from replayer.story import findings as story


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"  # the app does something else than was recorded
    ERRORED = "errored"  # rr or its input was at fault, or the app could not be asked


class SetStatus(StrEnum):
    """How a test set ended, in Keploy's words."""

    RUNNING = "RUNNING"  # the run was broken off here
    PASSED = "PASSED"
    FAILED = "FAILED"
    APP_HALTED = "APP_HALTED"  # the app ended while there were tests for it
    APP_FAULT = "APP_FAULT"  # the app never became ready
    USER_ABORT = "USER_ABORT"
    INTERNAL_ERR = "INTERNAL_ERR"
    NO_TESTS_TO_RUN = "NO_TESTS_TO_RUN"


@dataclass(frozen=True, slots=True)
class Effect:
    """An outbound request by which the replay is another story than the recording."""

    kind: str  # as `replayer.story.findings.Kind`: "missing", "extra", "changed" ...
    title: str  # "POST stock:80/reserve"
    text: str  # the whole sentence
    mock: str | None = None  # the recording that it is about
    place: str = ""  # "body.items[0].quantity", when one value differs
    expected: str | None = None
    actual: str | None = None

    @classmethod
    def of(cls, finding: story.Finding) -> Effect:
        difference = finding.difference
        if difference is None:
            return cls(str(finding.kind), finding.title, finding.text, finding.mock)
        return cls(
            str(finding.kind),
            finding.title,
            finding.text,
            finding.mock,
            difference.place,
            difference.expected,
            difference.actual,
        )

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Miss:
    """An outbound request that no mock answered."""

    asked: str  # "GET http://stock/items/8"
    nearest: str | None = None  # the name of the nearest recording
    difference: str | None = None  # "path: recorded /items/7, now /items/8"
    remedy: str = ""

    def __str__(self) -> str:
        words = f"no mock for {self.asked}"
        if self.nearest:
            words += f"; nearest is {self.nearest}"
        if self.difference:
            words += f" ({self.difference})"
        return words


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test's verdict and what it rests on."""

    __test__ = False  # pytest: this is no test class

    name: str
    set: str
    verdict: Verdict
    title: str = ""  # "POST /orders"
    reasons: tuple[str, ...] = ()  # what no finding, effect or miss says: "the app closed the connection"
    findings: tuple[Finding, ...] = ()
    effects: tuple[Effect, ...] = ()
    misses: tuple[Miss, ...] = ()
    warnings: tuple[str, ...] = ()  # do not change the verdict
    started: float = 0.0  # seconds since 1970
    took: float = 0.0  # seconds
    curl: str = ""
    path: str = ""  # the test case's file
    setup: bool = False  # ran because another test needs its values
    request: Mapping[str, Any] | None = None  # `spec.req` as recorded
    expected: Mapping[str, Any] | None = None  # `spec.resp` as recorded
    response: Mapping[str, Any] | None = None  # `spec.resp` as the app gave it now

    @property
    def why(self) -> tuple[str, ...]:
        """All that speaks against the test, one sentence each, the weightiest first."""
        return (
            *self.reasons,
            *map(in_words, self.findings),
            *map(str, self.effects),
            *map(str, self.misses),
        )

    @property
    def headline(self) -> str:
        """The one reason that a line has room for."""
        why = self.why
        return "" if not why else why[0] if len(why) == 1 else f"{why[0]} (and {len(why) - 1} more)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetResult:
    """One test set's tests and how the set as a whole ended."""

    name: str
    status: SetStatus
    tests: tuple[TestResult, ...] = ()
    reason: str = ""  # why it is neither passed nor failed
    log: str = ""  # the app's last output, when it matters
    warnings: tuple[str, ...] = ()
    started: float = 0.0
    took: float = 0.0

    @property
    def chosen(self) -> tuple[TestResult, ...]:
        """The tests that count: a set-up test is shown, and is not what was asked for."""
        return tuple(test for test in self.tests if not test.setup)

    def count(self, verdict: Verdict) -> int:
        return sum(test.verdict is verdict for test in self.chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A whole run."""

    name: str  # "test-run-3"
    sets: tuple[SetResult, ...] = ()
    command: str = ""
    started: float = 0.0
    took: float = 0.0

    @property
    def tests(self) -> tuple[TestResult, ...]:
        return tuple(test for each in self.sets for test in each.tests)

    def count(self, verdict: Verdict) -> int:
        return sum(each.count(verdict) for each in self.sets)

    @property
    def verdict(self) -> Verdict:
        """Errored if anything was: then the rest is no answer. An empty run is no pass."""
        bad = {SetStatus.RUNNING, SetStatus.APP_FAULT, SetStatus.APP_HALTED, SetStatus.USER_ABORT}
        bad |= {SetStatus.INTERNAL_ERR, SetStatus.NO_TESTS_TO_RUN}
        if not self.sets or self.count(Verdict.ERRORED) or any(each.status in bad for each in self.sets):
            return Verdict.ERRORED
        is_red = self.count(Verdict.FAILED) or any(each.status is SetStatus.FAILED for each in self.sets)
        return Verdict.FAILED if is_red else Verdict.PASSED


def status_of(tests: tuple[TestResult, ...]) -> SetStatus:
    """The status of a set whose tests all had their turn."""
    chosen = [test for test in tests if not test.setup]
    if not chosen:
        return SetStatus.NO_TESTS_TO_RUN
    return SetStatus.PASSED if all(test.verdict is Verdict.PASSED for test in chosen) else SetStatus.FAILED


_T = TypeVar("_T")


def redacted(value: _T, redact: Callable[[str], str]) -> _T:
    """The same value with every text in it, however deep, put through `redact`, and fit to be written to a file."""
    return _redacted(value, redact)  # type: ignore[no-any-return]


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, StrEnum):
        return value
    if isinstance(value, str):
        text = redact(value) if value else value
        return text if text.isascii() else text.encode(errors="replace").decode()  # no halves of surrogate pairs
    if isinstance(value, Finding) and value.kind in (Kind.BYTES, Kind.ENCODING):
        return _redacted_bytes(value, redact)
    if isinstance(value, Mapping):
        return {key: _redacted(member, redact) for key, member in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_redacted(member, redact) for member in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {
            each.name: _redacted(getattr(value, each.name), redact)
            for each in dataclasses.fields(value)
            if getattr(value, each.name)
        }
        return dataclasses.replace(value, **changed)
    return value


def _redacted_bytes(finding: Finding, redact: Callable[[str], str]) -> Finding:
    """Bytes stand as hex in a finding; a secret among them is looked for as what it is."""

    def hidden(digits: str | None) -> str | None:
        text = bytes.fromhex(digits or "").decode("latin-1")
        kept = redact(text)
        return digits if kept == text else kept.encode("latin-1", errors="replace").hex()

    return dataclasses.replace(finding, expected=hidden(finding.expected), actual=hidden(finding.actual))
