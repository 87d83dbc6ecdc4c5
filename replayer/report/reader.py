"""Reads a run's report again, for `rr report` and `rr normalize`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from replayer.report.document import read_run
from replayer.report.verdict import RunResult
from replayer.report.writer import REPORT, runs
from testset.errors import DocumentError, NoTestSetError
from testset.files import reading
from testset.text import load


def find_run(reports: Path, name: str | None = None) -> Path:
    """The folder of a run by its name (`test-run-3`, or `3`), else of the last one."""
    known = runs(reports)
    if not known:
        raise NoTestSetError(f"There is no report in {reports}.", remedy="Run `rr test` first.")
    if name is None:
        return known[-1]
    wanted = name if name.startswith("test-run-") else f"test-run-{name}"
    for each in known:
        if each.name == wanted:
            return each
    raise NoTestSetError(
        f"There is no {wanted} in {reports}.", remedy=f"The last is {known[-1].name}, the first {known[0].name}."
    )


def read_report(folder: Path) -> RunResult:
    """A run as it was written. Raises `DocumentError` with file and line."""
    path = folder / REPORT
    if path.exists():
        return read_run(folder.name, _documents(path))
    keploys = sorted(folder.glob("*-report.y*ml"))
    if not keploys:
        raise DocumentError("there is no report here", path=path, remedy="Run `rr test` again.")
    return read_run(folder.name, (document for each in keploys for document in _documents(each)))


def _documents(path: Path) -> Iterator[Mapping[str, Any]]:
    with reading(path):
        text = path.read_text(encoding="utf-8")
    line = 1
    for part in f"\n{text}".split("\n---\n"):
        document = load(part, path=path, line=line)
        line += part.count("\n") + 1
        if document is None:
            continue
        if not isinstance(document, Mapping):
            raise DocumentError("a report must be a mapping", path=path, line=line)
        yield document
