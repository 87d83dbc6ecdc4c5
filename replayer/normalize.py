"""Accepts what the app answered in a run as what it should answer: actual responses go into the tests.

`plan` says what would change and how risky that is; asking a person is the caller's. `apply` changes the test's file
and only what changed in it: a finding is put in at its place, so that made-up values, names, noise, comments and layout
stay. What cannot be accepted this way (an assertion that a person wrote, an effect, a body too large for the report) is
left, and named.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from protocols.http import ROOM as HTTP
from replayer.compare import json_text, places
from replayer.compare.explain import in_words
from replayer.compare.finding import Finding, Kind
from replayer.hearing import heard
from replayer.names_kept import with_names
from replayer.report.verdict import RunResult, TestResult, Verdict
from testset.errors import UsageError
from testset.model import Document
from testset.named import names_of
from testset.redaction import Redactor
from testset.rewrite import rewrite
from testset.store import TestSet
from testset.text import read_only_document

_BODY_KEYS = ("body", "body_format", "body_encoding", "body_base64", "body_ref", "body_skipped", "body_size", "binary")


class Risk(StrEnum):
    LOW = "low"
    HIGH = "high"  # status or schema: callers of the app may stumble over it


@dataclass(frozen=True, slots=True)
class Change:
    """What accepting one test's actual response would do."""

    test: str
    set: str
    path: Path
    document: Document  # as it would be
    what: tuple[str, ...]  # one sentence each
    left: tuple[str, ...]  # what stays red, and why
    risk: Risk


def plan(
    run: RunResult, folder: Path, tests: Mapping[str, Iterable[str]] | Iterable[str] | None = None
) -> list[Change]:
    """`folder`: the one with the test sets (`keploy`). `tests`: names, or names by set; None for all."""
    chosen = [test for test in run.tests if test.verdict is not Verdict.PASSED and _is_wanted(test, tests)]
    if tests is not None and not chosen:
        raise UsageError(f"No test of that name failed in {run.name}.", remedy="See `rr report`.")
    return [change for test in chosen if (change := _change(test, folder)) is not None]


def apply(change: Change, redactor: Redactor) -> bool:
    """Writes it. False: the file said so already."""
    return rewrite(change.path, redactor.redact(change.document, stored=True))


def _is_wanted(test: TestResult, tests: Mapping[str, Iterable[str]] | Iterable[str] | None) -> bool:
    if tests is None:
        return True
    if isinstance(tests, Mapping):
        if test.set not in tests:
            return False
        names = set(tests[test.set])
        return not names or test.name in names
    return test.name in set(tests)


def _change(test: TestResult, folder: Path) -> Change | None:
    if test.response is None or not test.findings:
        return None
    path = _path(test, folder)
    document = read_only_document(path)
    spec = copy.deepcopy(dict(document.spec))
    recorded = spec.setdefault("resp", {})
    accepted, left = _accept(recorded, test.response, test.findings)
    left += [str(effect) for effect in test.effects] + [str(miss) for miss in test.misses]
    if not accepted:
        return None
    spec["resp"], gone = with_names(document.spec.get("resp") or {}, recorded, _values(test, document, folder))
    risky = any(finding.breaks_callers for finding in accepted)
    return Change(
        test.name,
        test.set,
        path,
        dataclasses.replace(document, spec=spec),
        (*map(in_words, accepted), *gone),
        tuple(left),
        Risk.HIGH if risky else Risk.LOW,
    )


def _values(test: TestResult, document: Document, folder: Path) -> dict[str, str]:
    """What the names in a test stood for in the run: its response was expected with these values in it."""
    if not names_of(document.spec):
        return {}
    template = TestSet(folder / test.set).config().template
    values = {**template}
    if test.expected is not None:
        expected = HTTP.from_spec(document.kind, {**document.spec, "resp": test.expected}).response
        if expected is not None:
            values |= heard(document.spec.get("resp") or {}, expected, template)
    return {name: str(value) for name, value in values.items()}


def _path(test: TestResult, folder: Path) -> Path:
    if test.path and Path(test.path).exists():
        return Path(test.path)
    tests = folder / test.set / "tests"
    return next(
        (path for path in (tests / f"{test.name}.yml", tests / f"{test.name}.yaml") if path.exists()),
        tests / f"{test.name}.yml",
    )


def _accept(
    recorded: dict[str, Any], actual: Mapping[str, Any], findings: Iterable[Finding]
) -> tuple[list[Finding], list[str]]:
    """Changes `recorded` in place; returns what was accepted, and what was not and why."""
    accepted: list[Finding] = []
    left: list[str] = []
    body: list[Finding] = []
    for finding in findings:
        if finding.kind is Kind.ASSERTION or "asserted" in finding.note:
            left.append(f"{in_words(finding)}: change the assertion in the test by hand")
        elif finding.place == "status":
            _take(recorded, actual, ("status_code", "status_message"))
            accepted.append(finding)
        elif finding.place.startswith(("header.", "trailer.")):
            section, _, name = finding.place.partition(".")
            _take_header(recorded, actual, section, name)
            accepted.append(finding)
        else:
            body.append(finding)
    if body and actual.get("body_ref") is not None:
        left.append("the body is too large to be kept in a report: record the test again")
    elif body:
        _take_body(recorded, actual, body)
        accepted += body
    return accepted, left


def _take(recorded: dict[str, Any], actual: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in keys:
        if key in actual:
            recorded[key] = actual[key]
        else:
            recorded.pop(key, None)


def _take_header(recorded: dict[str, Any], actual: Mapping[str, Any], section: str, name: str) -> None:
    now = next((value for key, value in (actual.get(section) or {}).items() if key.lower() == name.lower()), None)
    headers = dict(recorded.get(section) or {})
    known = next((key for key in headers if key.lower() == name.lower()), name)
    if now is None:
        headers.pop(known, None)
    else:
        headers[known] = now
    recorded[section] = headers


def _take_body(recorded: dict[str, Any], actual: Mapping[str, Any], findings: list[Finding]) -> None:
    before, now = recorded.get("body"), actual.get("body")
    whole = any(finding.place == "body" or finding.kind in (Kind.TEXT, Kind.BYTES) for finding in findings)
    if not whole and isinstance(before, str) and isinstance(now, str):
        try:
            recorded["body"] = _edited(before, now, findings)
        except json_text.NoSuchPlaceError:
            pass  # as YAML shows it, it is no JSON: then the body is taken as a whole
        else:
            return
    _take(recorded, actual, _BODY_KEYS)


def _edited(before: str, now: str, findings: list[Finding]) -> str:
    """The recorded JSON text with the actual values at the places of the findings."""
    spans = json_text.spans(now)

    def value(place: json_text.Place) -> str:
        if place not in spans:
            raise json_text.NoSuchPlaceError(".".join(place))
        return now[spans[place].start : spans[place].end]

    changes: dict[json_text.Place, str | None] = {}
    added: dict[json_text.Place, str] = {}
    for finding in findings:
        place = places.parse(finding.place.removeprefix("body"))
        is_element = finding.place.endswith("]") and not finding.place.endswith('"]')
        if is_element and finding.kind in (Kind.MISSING, Kind.EXTRA):
            changes[place[:-1]] = value(place[:-1])  # elements moved: the array as a whole
        elif finding.kind is Kind.MISSING:
            changes[place] = None
        elif finding.kind is Kind.EXTRA:
            added[place] = value(place)
        else:
            changes[place] = value(place)

    def inside(place: json_text.Place) -> bool:
        return any(place[:depth] in changes for depth in range(len(place)))

    return json_text.edited(
        before,
        {place: text for place, text in changes.items() if not inside(place)},
        {place: text for place, text in added.items() if not inside(place)},
    )
