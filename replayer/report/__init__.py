"""What a run found, and every way of writing it down: report.yml, junit.xml, JSON, text, a CI summary."""

from replayer.report.as_json import as_json
from replayer.report.curl import curl
from replayer.report.junit import junit
from replayer.report.reader import find_run, read_report
from replayer.report.verdict import (
    Effect,
    Miss,
    RunResult,
    SetResult,
    SetStatus,
    TestResult,
    Verdict,
    redacted,
    status_of,
)
from replayer.report.writer import ReportWriter, new_run, runs

__all__ = [
    "Effect",
    "Miss",
    "ReportWriter",
    "RunResult",
    "SetResult",
    "SetStatus",
    "TestResult",
    "Verdict",
    "as_json",
    "curl",
    "find_run",
    "junit",
    "new_run",
    "read_report",
    "redacted",
    "runs",
    "status_of",
]
