"""When a run is measured, and how its coverage is shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from replayer.coverage.measured import FileCoverage, Measured
from rr.console import Console
from rr.measuring import is_wanted
from rr.settings import load_settings


@pytest.mark.parametrize(
    ("flags", "file", "wanted"),
    [
        ({}, "", False),
        ({"test.coverage": True}, "", True),
        ({"test.coverage_fail_under": "80"}, "", True),
        ({"test.coverage": False, "test.coverage_fail_under": "80"}, "", False),
        ({"test.coverage": False}, "test: {coverage: true}", False),
        ({}, "test: {coverageFailUnder: 80%}", True),
        ({}, "test: {coverage: false, coverage_fail_under: 80}", False),
    ],
)
def test_coverage_is_measured_if_asked_for_or_if_there_is_a_least(
    tmp_path: Path, flags: dict[str, object], file: str, wanted: bool
) -> None:
    if file:
        (tmp_path / "rr.yml").write_text(file)
    assert is_wanted(load_settings(tmp_path, flags, environ={})) is wanted


def shown(measured: Measured) -> list[str]:
    out = io.StringIO()
    Console(out=out, environ={}).coverage(measured, "reports/coverage/html/index.html")
    return out.getvalue().splitlines()


def file(name: str, statements: int, missing: int) -> FileCoverage:
    percent = 100 * (statements - missing) / statements
    return FileCoverage(name, statements, missing, percent, f"{percent:.0f}")


def test_each_file_has_its_percentage_and_the_total_comes_last() -> None:
    measured = Measured((file("app.py", 40, 0), file("shop/orders.py", 10, 5)), 50, 5, 90.0, "90")
    assert shown(measured) == [
        "",
        "  app.py           100 %",
        "  shop/orders.py    50 %   5 of 10 lines missing",
        "coverage            90 %   5 of 50 lines missing  ·  reports/coverage/html/index.html",
    ]


def test_of_many_files_those_that_lack_most_are_shown() -> None:
    files = tuple(file(f"m{number:02}.py", 100, number) for number in range(40))
    lines = shown(Measured(files, 4000, 780, 80.5, "80"))
    assert lines[1].startswith("  m39.py")
    assert lines[-2] == "  and 10 more, better covered"
    assert len(lines) == 1 + 30 + 1 + 1


def test_no_file_at_all_is_a_total_all_the_same() -> None:
    assert shown(Measured((), 0, 0, 100.0, "100"))[-1].startswith("coverage")
