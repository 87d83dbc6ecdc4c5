"""What a run has covered, as data; also read again from the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "coverage"  # in the folder of the run's report
HTML, XML, JSON = "html", "coverage.xml", "coverage.json"  # in there


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """One file. `shown` is the percentage as coverage.py writes it: 100 only if all of it ran."""

    name: str
    statements: int
    missing: int
    percent: float
    shown: str


@dataclass(frozen=True, slots=True)
class Measured:
    """All files, by name."""

    files: tuple[FileCoverage, ...]
    statements: int
    missing: int
    percent: float
    shown: str
    warnings: tuple[str, ...] = ()

    def is_below(self, wanted: float) -> bool:
        return self.percent < wanted

    def object(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "percent": self.percent,
            "statements": self.statements,
            "missing": self.missing,
            "files": [
                {"name": each.name, "percent": each.percent, "statements": each.statements, "missing": each.missing}
                for each in self.files
            ],
        }


def measured_of(report: Mapping[str, Any]) -> Measured:
    """From coverage.py's JSON report."""
    files = tuple(FileCoverage(name, *_numbers(each["summary"])) for name, each in sorted(report["files"].items()))
    return Measured(files, *_numbers(report["totals"]))


def read_measured(folder: Path) -> Measured | None:
    """From a folder of reports; None if there are none."""
    try:
        return measured_of(json.loads((folder / JSON).read_text("utf-8")))
    except FileNotFoundError:
        return None


def _numbers(summary: Mapping[str, Any]) -> tuple[int, int, float, str]:
    return (
        summary["num_statements"],
        summary["missing_lines"],
        summary["percent_covered"],
        summary["percent_covered_display"],
    )
