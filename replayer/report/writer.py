"""Writes a run's report as the run goes on, so that it is there whatever ends the run.

`report.yml` is replaced as a whole (written beside, then renamed), at most once a second while tests come in, when a
set ends, and at the close; it is complete at any time. A set that was broken off says RUNNING. Everything is redacted
before it is kept.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from replayer.report.document import set_head, test_entry
from replayer.report.junit import junit
from replayer.report.summary import markdown
from replayer.report.verdict import RunResult, SetResult, SetStatus, TestResult, Verdict, redacted, status_of
from testset.emit import dump
from testset.files import storage, write_whole

REPORT = "report.yml"
JUNIT = "junit.xml"
_RUN = re.compile(r"test-run-(\d+)")
_BETWEEN_WRITES = 1.0  # seconds


def runs(reports: Path) -> list[Path]:
    """The folders of all runs, the oldest first."""
    if not reports.is_dir():
        return []
    found = [(int(match[1]), each) for each in reports.iterdir() if (match := _RUN.fullmatch(each.name))]
    return [path for _, path in sorted(found)]


def new_run(reports: Path) -> Path:
    """Makes the folder of the next run. Two runs at once get two folders."""
    with storage(reports):
        reports.mkdir(parents=True, exist_ok=True)
        while True:
            known = runs(reports)
            folder = reports / f"test-run-{int(known[-1].name.rpartition('-')[2]) + 1 if known else 0}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder


@dataclass(slots=True)
class _OpenSet:
    result: SetResult
    tests: list[TestResult] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)

    def now(self) -> SetResult:
        return replace(self.result, tests=tuple(self.tests))


class ReportWriter:
    """One run's report. Its methods may be called by several threads: test sets run side by side."""

    def __init__(
        self,
        folder: Path,
        *,
        command: str = "",
        redact: Callable[[str], str] = str,
        junit_file: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`junit_file`: a second place for the JUnit report (`--junit`)."""
        self._folder = folder
        self._redact = redact
        self._junit_file = junit_file
        self._clock = clock
        self._run = RunResult(name=folder.name, command=redact(command), started=clock())
        self._sets: dict[str, _OpenSet] = {}
        self._written = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> ReportWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin_set(self, name: str) -> None:
        with self._lock:
            self._open(name)

    def add(self, test: TestResult) -> TestResult:
        """A test's result, as soon as it is known. Returns it as it is kept: redacted."""
        if test.verdict is Verdict.PASSED and not test.warnings:  # all that it says is in the test's file, sealed
            kept = replace(test, request=None, expected=None, response=None, curl="")
        else:
            kept = redacted(test, self._redact)
        entry = dump([test_entry(kept)])
        with self._lock:
            each = self._open(test.set)
            each.tests.append(kept)
            each.entries.append(entry)
            if self._clock() - self._written >= _BETWEEN_WRITES:
                self._write()
        return kept

    def end_set(
        self,
        name: str,
        status: SetStatus | None = None,
        *,
        reason: str = "",
        log: str = "",
        warnings: tuple[str, ...] = (),
    ) -> None:
        """The set is done; without a `status` its tests say which."""
        with self._lock:
            each = self._open(name)
            each.result = replace(
                each.result,
                status=status or status_of(tuple(each.tests)),
                reason=self._redact(reason),
                log=self._redact(log),
                warnings=tuple(map(self._redact, warnings)),
                took=self._clock() - each.result.started,
            )
            self._write()

    def close(self) -> RunResult:
        """Writes all that there is, once and for all, and returns it: redacted, as a reader would find it."""
        with self._lock:
            self._run = self._result()
            self._write()
            xml = junit(self._run)
            for path in (self._folder / JUNIT, self._junit_file):
                if path is not None:
                    write_whole(path, xml.encode())
            _step_summary(self._run)
            return self._run

    def _open(self, name: str) -> _OpenSet:
        if name not in self._sets:
            self._sets[name] = _OpenSet(SetResult(name=name, status=SetStatus.RUNNING, started=self._clock()))
        return self._sets[name]

    def _result(self) -> RunResult:
        sets = tuple(each.now() for each in self._sets.values())
        return replace(self._run, sets=sets, took=self._clock() - self._run.started)

    def _write(self) -> None:
        documents = []
        for each in self._sets.values():
            tests = f"tests:\n{''.join(each.entries)}" if each.entries else "tests: []\n"
            documents.append(dump(set_head(self._run, each.now())) + tests)
        write_whole(self._folder / REPORT, "---\n".join(documents).encode())
        self._written = self._clock()


def _step_summary(run: RunResult) -> None:
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with storage(Path(summary)), open(summary, "a", encoding="utf-8") as file:
            file.write(markdown(run))
