"""What a run has covered, as data; also read again from the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HTML, XML, JSON = "html", "coverage.xml", "coverage.json"  # in the folder of the reports


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


def measured_of(report: Mapping[str, Any], warnings: tuple[str, ...] = ()) -> Measured:
    """From coverage.py's JSON report."""
    files = tuple(FileCoverage(name, *_numbers(each["summary"])) for name, each in sorted(report["files"].items()))
    return Measured(files, *_numbers(report["totals"]), warnings)


def _numbers(summary: Mapping[str, Any]) -> tuple[int, int, float, str]:
    return (
        summary["num_statements"],
        summary["missing_lines"],
        summary["percent_covered"],
        summary["percent_covered_display"],
    )
