"""A run with everything in it that a report has to show."""

from __future__ import annotations

import pytest

from replayer.compare import Finding, Kind
from replayer.report import Effect, Miss, RunResult, SetResult, SetStatus, TestResult, Verdict

PASSED = TestResult(
    name="test-1", set="test-set-0", verdict=Verdict.PASSED, title="GET /health", started=1e9, took=0.004
)
FAILED = TestResult(
    name="test-2",
    set="test-set-0",
    verdict=Verdict.FAILED,
    title="POST /orders",
    started=1e9 + 1,
    took=0.041,
    findings=(
        Finding("status", Kind.STATUS, "201", "500"),
        Finding("header.ETag", Kind.VALUE, "a", "b"),
        Finding("body.total", Kind.MISSING, "12", None),
        Finding("body", Kind.TEXT, "<b>\x00 & s3cret</b>\nx", "<b>]]></b>\nx", "line 1, column 4"),
        Finding("body", Kind.BYTES, b"\xffs3cret".hex(), "fe", "first difference at byte 100 of 200", 96),
    ),
    effects=(
        Effect("missing", "POST stock:80/reserve", "POST stock:80/reserve did not happen", "test-2.1"),
        Effect("changed", "POST mail:80/send", "POST mail:80/send has another value", "test-2.2", "body.to", "a", "b"),
    ),
    misses=(Miss("GET http://stock/items/8", "test-2.3", "path: recorded /items/7, now /items/8", "Record again."),),
    warnings=("GET stock:80/items was asked twice",),
    curl="curl 'http://localhost/orders' \\\n  -H 'Authorization: s3cret'",
    path="keploy/test-set-0/tests/test-2.yml",
    request={"method": "POST", "url": "http://localhost/orders", "header": {"Authorization": "s3cret"}},
    expected={"status_code": 201, "body": '{"total": 12}'},
    response={"status_code": 500, "body": "Oops \x1b[31m ```"},
)
ERRORED = TestResult(
    name="test-3", set="test-set-0", verdict=Verdict.ERRORED, title="GET /slow", started=1e9 + 2, took=5.0,
    reasons=("no answer within 5 s (--api-timeout)",),
)  # fmt: skip


@pytest.fixture
def run() -> RunResult:
    return RunResult(
        name="test-run-0",
        command="python app.py",
        started=1e9,
        took=6.0,
        sets=(
            SetResult(
                name="test-set-0", status=SetStatus.FAILED, tests=(PASSED, FAILED, ERRORED), started=1e9, took=5.0
            ),
            SetResult(
                name="test-set-1", status=SetStatus.APP_FAULT, reason="the app did not open its port", log="Oops"
            ),
        ),
    )
