"""A test set's result as a document in Keploy's shape, and back.

The keys that Keploy has are filled as Keploy fills them, for tools that read its reports; what it has no place for
(findings, effects, warnings) is under `rr`, and that is what rr reads again. A test that passed is one short entry:
a report is read for what went wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from replayer.compare.finding import Finding, Kind
from replayer.report.verdict import Effect, Miss, RunResult, SetResult, SetStatus, TestResult, Verdict

VERSION = "api.keploy.io/v1beta1"

_STATUS = {Verdict.PASSED: "PASSED", Verdict.FAILED: "FAILED", Verdict.ERRORED: "FAILED"}


# -- writing ----------------------------------------------------------------------------------------------------


def set_head(run: RunResult, each: SetResult) -> dict[str, Any]:
    """All of a set's document but its tests."""
    head: dict[str, Any] = {
        "version": VERSION,
        "kind": "TestReport",
        "name": run.name,
        "test_set": each.name,
        "status": str(each.status),
    }
    if each.reason:
        head["failure_reason"] = each.reason
    failed = each.count(Verdict.FAILED) + each.count(Verdict.ERRORED)
    head |= {"success": each.count(Verdict.PASSED), "failure": failed, "ignored": 0, "total": len(each.chosen)}
    risky = sum(any(finding.breaks_callers for finding in test.findings) for test in each.tests)
    if risky:
        head["high-risk"] = risky
    head["created_at"] = int(each.started)
    head["time_taken"] = seconds(each.took)
    if run.command:
        head["cmdUsed"] = run.command
    if each.log:
        head["app_logs"] = each.log
    more: dict[str, Any] = {"started": each.started, "took": round(each.took, 6)}
    if each.warnings:
        more["warnings"] = list(each.warnings)
    head["rr"] = more
    return head


def test_entry(test: TestResult) -> dict[str, Any]:
    """One test in the document's list."""
    entry: dict[str, Any] = {
        "kind": "Http",
        "name": test.set,
        "test_case_id": test.name,
        "status": _STATUS[test.verdict],
        "started": int(test.started),
        "completed": int(test.started + test.took),
        "time_taken": seconds(test.took),
    }
    if test.path:
        entry["test_case_path"] = test.path
    if test.verdict is not Verdict.PASSED:
        entry |= {
            key: dict(value) for key, value in (("req", test.request), ("resp", test.response)) if value is not None
        }
        entry["result"] = _result(test)
        entry["failure_info"] = _failure_info(test)
    more = _more(test)
    if more:
        entry["rr"] = more
    return entry


def seconds(took: float) -> str:
    """As Go prints a duration, roughly: `41.2ms`, `1.3s`."""
    return f"{took * 1000:.1f}ms" if took < 1 else f"{took:.1f}s"


def _more(test: TestResult) -> dict[str, Any]:
    more: dict[str, Any] = {"started": test.started, "took": round(test.took, 6)}
    if test.title:
        more["title"] = test.title
    if test.verdict is Verdict.ERRORED:
        more["verdict"] = str(test.verdict)
    for key in ("reasons", "warnings"):
        if getattr(test, key):
            more[key] = list(getattr(test, key))
    for key in ("findings", "effects", "misses"):
        if getattr(test, key):
            more[key] = [_filled(each) for each in getattr(test, key)]
    if test.curl and test.verdict is not Verdict.PASSED:
        more["curl"] = test.curl
    if test.setup:
        more["setup"] = True
    if test.expected is not None and test.verdict is not Verdict.PASSED:
        more["expected"] = dict(test.expected)
    return more


def _filled(value: Finding | Effect | Miss) -> dict[str, Any]:
    every = {name: getattr(value, name) for name in value.__dataclass_fields__}
    return {
        name: str(each) if isinstance(each, Kind) else each for name, each in every.items() if each not in (None, "", 0)
    }


def _result(test: TestResult) -> dict[str, Any]:
    expected, actual = test.expected or {}, test.response or {}
    places = {finding.place.split(".")[0].split("[")[0] for finding in test.findings}
    return {
        "status_code": {
            "normal": "status" not in places,
            "expected": expected.get("status_code", 0),
            "actual": actual.get("status_code", 0),
        },
        "headers_result": [
            {
                "normal": False,
                "expected": _header(finding.place, finding.expected),
                "actual": _header(finding.place, finding.actual),
            }
            for finding in test.findings
            if finding.place.startswith("header.")
        ],
        "body_result": [
            {
                "normal": "body" not in places,
                "type": _body_type(expected),
                "expected": str(expected.get("body", "")),
                "actual": str(actual.get("body", "")),
            }
        ],
        "dep_result": [],
    }


def _header(place: str, value: str | None) -> dict[str, Any]:
    return {"key": place.partition(".")[2], "value": [] if value is None else value.split("\n")}


def _body_type(response: Mapping[str, Any]) -> str:
    headers = response.get("header") or {}
    kind = next((str(value) for key, value in headers.items() if str(key).lower() == "content-type"), "")
    return "JSON" if "json" in kind else "HTML" if "html" in kind else "XML" if "xml" in kind else "PLAIN"


def _failure_info(test: TestResult) -> dict[str, Any]:
    categories = []
    if any(finding.kind is Kind.STATUS for finding in test.findings):
        categories.append("STATUS_CODE_CHANGED")
    if any(finding.place.startswith("header.") for finding in test.findings):
        categories.append("HEADER_CHANGED")
    if any(finding.breaks_callers and finding.place.startswith("body") for finding in test.findings):
        categories.append("SCHEMA_BROKEN")
    elif any(finding.kind is Kind.EXTRA and finding.place.startswith("body") for finding in test.findings):
        categories.append("SCHEMA_ADDED")
    elif any(finding.place.startswith("body") for finding in test.findings):
        categories.append("SCHEMA_UNCHANGED")
    if test.verdict is Verdict.ERRORED:
        categories.append("INTERNAL_FAILURE")
    info: dict[str, Any] = {"risk": "HIGH" if any(each.breaks_callers for each in test.findings) else "LOW"}
    if categories:
        info["category"] = categories
    if test.misses:
        info["unmatched_calls"] = [
            {
                key: value
                for key, value in (
                    ("actual_summary", miss.asked),
                    ("closest_mock", miss.nearest),
                    ("diff", miss.difference),
                    ("next_steps", miss.remedy),
                )
                if value
            }
            for miss in test.misses
        ]
    return info


# -- reading ----------------------------------------------------------------------------------------------------


def read_run(name: str, documents: Iterable[Mapping[str, Any]]) -> RunResult:
    """The documents of one run, one a set. Keys that are not there have their defaults: Keploy's own are read too."""
    sets = []
    command = ""
    for document in documents:
        command = str(document.get("cmdUsed") or command)
        sets.append(_read_set(document))
    started = min((each.started for each in sets), default=0.0)
    ended = max((each.started + each.took for each in sets), default=0.0)
    return RunResult(name=name, sets=tuple(sets), command=command, started=started, took=ended - started)


def _read_set(document: Mapping[str, Any]) -> SetResult:
    name = str(document.get("test_set") or "")
    more = document.get("rr") or {}
    status = str(document.get("status") or "")
    return SetResult(
        name=name,
        status=SetStatus(status) if status in SetStatus.__members__ else SetStatus.INTERNAL_ERR,
        tests=tuple(_read_test(name, entry) for entry in document.get("tests") or ()),
        reason=str(document.get("failure_reason") or ""),
        log=str(document.get("app_logs") or ""),
        warnings=tuple(map(str, more.get("warnings") or ())),
        started=float(more.get("started") or document.get("created_at") or 0),
        took=float(more.get("took") or 0),
    )


def _read_test(set_name: str, entry: Mapping[str, Any]) -> TestResult:
    more = entry.get("rr") or {}
    default = Verdict.PASSED if entry.get("status") == "PASSED" else Verdict.FAILED
    return TestResult(
        name=str(entry.get("test_case_id") or ""),
        set=set_name,
        verdict=Verdict(more.get("verdict") or default),
        title=str(more.get("title") or ""),
        reasons=tuple(more.get("reasons") or _keploys_reasons(entry, default, more)),
        findings=tuple(
            Finding(**{**each, "kind": Kind(each["kind"])}) for each in map(_complete, more.get("findings") or ())
        ),
        effects=tuple(Effect(**each) for each in more.get("effects") or ()),
        misses=tuple(Miss(**each) for each in more.get("misses") or ()),
        warnings=tuple(more.get("warnings") or ()),
        started=float(more.get("started") or entry.get("started") or 0),
        took=float(more.get("took") or 0),
        curl=str(more.get("curl") or ""),
        path=str(entry.get("test_case_path") or ""),
        setup=bool(more.get("setup")),
        request=entry.get("req"),
        expected=more.get("expected"),
        response=entry.get("resp"),
    )


def _complete(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {"expected": None, "actual": None, **finding}


def _keploys_reasons(entry: Mapping[str, Any], verdict: Verdict, more: Mapping[str, Any]) -> list[str]:
    """What a report of Keploy's own says of a failed test."""
    if verdict is Verdict.PASSED or more:
        return []
    result = entry.get("result") or {}
    reasons = []
    status = result.get("status_code") or {}
    if status and not status.get("normal"):
        reasons.append(f"status: {status.get('expected')} recorded, {status.get('actual')} now")
    for each in result.get("headers_result") or ():
        if not each.get("normal"):
            reasons.append(f"header.{(each.get('expected') or {}).get('key')} differs")
    if any(not each.get("normal") for each in result.get("body_result") or ()):
        reasons.append("body differs")
    return reasons or [str(entry.get("status") or "FAILED")]


def when(started: float) -> str:
    """A moment as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
