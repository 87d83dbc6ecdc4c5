"""A run as one JSON object, for `--json`: the keys are documented in `docs/report.md`."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from replayer.compare.explain import in_words
from replayer.report.document import when
from replayer.report.verdict import Effect, Miss, RunResult, SetResult, TestResult, Verdict


def as_json(run: RunResult, *, indent: int | None = None) -> str:
    return json.dumps(run_object(run), indent=indent, ensure_ascii=False)


def run_object(run: RunResult) -> dict[str, Any]:
    return {
        "run": run.name,
        "verdict": str(run.verdict),
        "command": run.command,
        "started": when(run.started),
        "seconds": round(run.took, 6),
        **{str(verdict): run.count(verdict) for verdict in Verdict},
        "total": len(run.tests),
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
