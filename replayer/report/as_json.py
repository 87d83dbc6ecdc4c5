"""A run as one JSON object, for `--json` and `rr report --format json`. Keys are added, never renamed.

run       its name · verdict, command, started (ISO 8601), seconds · passed, failed, errored, total: counts · sets
set       name, status (Keploy's words), reason, warnings, started, seconds, tests
test      name, title, verdict, seconds, file, curl, setup · why: a sentence for each reason · warnings
          findings  place, kind, expected, actual, words: where the response is not as recorded
          effects   kind, title, text, mock, place, expected, actual, words: outbound requests that are not
          misses    asked, nearest, difference, remedy, words: outbound requests without a mock
coverage  with `rr test --coverage`: percent, statements, missing, files (name, percent, statements, missing)
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from replayer.compare.explain import in_words
from replayer.coverage.measured import Measured
from replayer.report.document import when
from replayer.report.verdict import Effect, Miss, RunResult, SetResult, TestResult, Verdict


def as_json(run: RunResult, *, indent: int | None = None, coverage: Measured | None = None) -> str:
    more = {} if coverage is None else {"coverage": coverage.object()}
    return json.dumps({**run_object(run), **more}, indent=indent, ensure_ascii=False)


def run_object(run: RunResult) -> dict[str, Any]:
    return {
        "run": run.name,
        "verdict": str(run.verdict),
        "command": run.command,
        "started": when(run.started),
        "seconds": round(run.took, 6),
        **{str(verdict): run.count(verdict) for verdict in Verdict},
        "total": sum(len(each.chosen) for each in run.sets),
        "sets": [_set(each) for each in run.sets],
    }


def _set(each: SetResult) -> dict[str, Any]:
    return {
        "name": each.name,
        "status": str(each.status),
        "reason": each.reason,
        "warnings": list(each.warnings),
        "started": when(each.started),
        "seconds": round(each.took, 6),
        "tests": [_test(test) for test in each.tests],
    }


def _test(test: TestResult) -> dict[str, Any]:
    return {
        "name": test.name,
        "title": test.title,
        "verdict": str(test.verdict),
        "seconds": round(test.took, 6),
        "file": test.path,
        "why": list(test.why),
        "findings": [
            {
                "place": finding.place,
                "kind": str(finding.kind),
                "expected": finding.expected,
                "actual": finding.actual,
                "words": in_words(finding),
            }
            for finding in test.findings
        ],
        "effects": [_object(effect) for effect in test.effects],
        "misses": [_object(miss) for miss in test.misses],
        "warnings": list(test.warnings),
        "curl": test.curl,
        "setup": test.setup,
    }


def _object(value: Effect | Miss) -> dict[str, Any]:
    return {**{each.name: getattr(value, each.name) for each in fields(value)}, "words": str(value)}
