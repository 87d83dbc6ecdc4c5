"""What a run found, and every way of writing it down: report.yml, junit.xml, JSON, text, a CI summary."""

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

__all__ = [
    "Effect",
    "Miss",
    "RunResult",
    "SetResult",
    "SetStatus",
    "TestResult",
    "Verdict",
    "redacted",
    "status_of",
]
