"""Accepting a change: what changed in the response changes in the file, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocols.http.yaml import from_spec
from replayer.compare import Rules, compare
from replayer.normalize import Risk, apply, plan
from replayer.report import RunResult, SetResult, SetStatus, TestResult, Verdict
from testset.errors import UsageError
from testset.named import rendered
from testset.redaction import Redactor
from testset.store import TestSetStore
from testset.text import load

TEST = """\
# what a reviewer wrote
version: api.keploy.io/v1beta1
kind: Http
name: test-1
spec:
  req:
    method: GET
    url: http://localhost:8080/orders/7  # the order
    timestamp: 2025-09-04T11:30:48.753Z
  resp:
    status_code: 200
    header: {Content-Type: application/json, ETag: 'a'}
    body: |-
      {
        "id": "44b0885e-e6e7-4e27-8ffe-97d87791b0b1",
        "total": 12.50,
        "items": [
          {"sku": "a"}
        ]
      }
    body_format: json-compact
    timestamp: 2025-09-04T11:30:48.760Z
  assertions: {noise: {body.id: []}}  # fresh every time
"""


def actual(**changes: Any) -> dict[str, Any]:
    """The response of the file with some keys changed; its id is always another one."""
    response = load(TEST)["spec"]["resp"] | changes
    if "body" not in changes:
        response["body"] = response["body"].replace("44b0885e", "ffffffff")
    return dict(response)


def body(**_: Any) -> str:
    return str(load(TEST)["spec"]["resp"]["body"]).replace("44b0885e", "ffffffff")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "keploy" / "test-set-0" / "tests").mkdir(parents=True)
    file = tmp_path / "keploy" / "test-set-0" / "tests" / "test-1.yml"
    file.write_text(TEST)
    return file


def run_with(path: Path, response: dict[str, Any], assertions: dict[str, Any] | None = None) -> RunResult:
    """A run in which the app answered `response`."""
    document = load(path.read_bytes())
    recorded = from_spec("Http", document["spec"]).response
    now = from_spec("Http", {**document["spec"], "resp": response}).response
    assert recorded is not None
    assert now is not None
    rules = Rules.of(assertions or document["spec"]["assertions"])
    findings = compare(recorded, now, rules)
    verdict = Verdict.FAILED if findings else Verdict.PASSED
    test = TestResult(name="test-1", set="test-set-0", verdict=verdict, findings=findings, response=response)
    return RunResult(name="test-run-0", sets=(SetResult(name="test-set-0", status=SetStatus.FAILED, tests=(test,)),))


def accept(path: Path, response: dict[str, Any]) -> tuple[str, Risk]:
    """Accepts `response`; the same answer is green from then on."""
    folder = path.parents[2]
    [change] = plan(run_with(path, response), folder)
    assert apply(change, Redactor(TestSetStore(folder).vault()))
    assert run_with(path, response).count(Verdict.PASSED) == 1
    return path.read_text(), change.risk


CHANGES = [
    ("a value", actual(body=body().replace("12.50", "13.00")), [("12.50", "13.00")], Risk.LOW),
    ("a header", actual(header={"Content-Type": "application/json", "ETag": "b"}), [("'a'", "b")], Risk.LOW),
    ("a status", actual(status_code=404), [("status_code: 200", "status_code: 404")], Risk.HIGH),
    (
        "a field gone",
        actual(body=body().replace('  "total": 12.50,\n', "")),
        [('        "total": 12.50,\n', "")],
        Risk.HIGH,
    ),
    ("another type", actual(body=body().replace("12.50", '"12.50"')), [("12.50", '"12.50"')], Risk.HIGH),
    (
        "a field more",
        actual(body=body().replace("\n  ]\n", '\n  ],\n  "paid": true\n')),
        [("        ]\n", '        ],\n        "paid": true\n')],
        Risk.LOW,
    ),
    (
        "an element more",
        actual(body=body().replace('{"sku": "a"}', '{"sku": "a"},\n    {"sku": "b"}')),
        [('{"sku": "a"}', '{"sku": "a"},\n          {"sku": "b"}')],
        Risk.LOW,
    ),
]


@pytest.mark.parametrize(
    ("response", "edits", "risk"), [each[1:] for each in CHANGES], ids=[each[0] for each in CHANGES]
)
def test_only_what_changed_is_touched(
    path: Path, response: dict[str, Any], edits: list[tuple[str, str]], risk: Risk
) -> None:
    expected = TEST
    for old, new in edits:
        assert old in expected
        expected = expected.replace(old, new)
    assert accept(path, response) == (expected, risk)


def test_a_page_in_place_of_json_is_taken_as_a_whole(path: Path) -> None:
    text, risk = accept(path, {"status_code": 200, "header": {"Content-Type": "text/html"}, "body": "<p>Hi</p>\n"})
    assert risk is Risk.HIGH
    assert "<p>Hi</p>" in text
    assert "body_format" not in text
    assert text.startswith("# what a reviewer wrote\n")
    assert "# fresh every time" in text


def test_what_a_person_asserted_is_left_to_them(path: Path) -> None:
    run = run_with(path, actual(), {"noise": {"body.id": []}, "status_code": 201})
    assert plan(run, path.parents[2]) == []
    run = run_with(path, actual(body=body().replace("12.50", "1")), {"noise": {"body.id": []}, "status_code": 201})
    [change] = plan(run, path.parents[2])
    assert change.what == ("body.total: 12.50 recorded, 1 now",)
    assert change.left == (
        "status: 201 recorded, 200 now (asserted by the test): change the assertion in the test by hand",
    )


def test_a_body_too_large_for_the_report_is_left(path: Path) -> None:
    run = run_with(path, actual(status_code=201, body=body().replace("12.50", "1")))
    [test] = run.tests
    test = replace(test, response={**(test.response or {}), "body_ref": {"path": "assets/x"}})
    run = replace(run, sets=(replace(run.sets[0], tests=(test,)),))
    [change] = plan(run, path.parents[2])
    assert change.what == ("status: 200 recorded, 201 now",)
    assert "too large" in change.left[0]


def test_only_the_tests_that_were_named(path: Path) -> None:
    run = run_with(path, actual(status_code=404))
    folder = path.parents[2]
    assert len(plan(run, folder, ["test-1"])) == 1
    assert len(plan(run, folder, {"test-set-0": []})) == 1
    with pytest.raises(UsageError, match="No test of that name"):
        plan(run, folder, ["test-2"])
    with pytest.raises(UsageError):
        plan(run, folder, {"test-set-1": ["test-1"]})


def test_a_test_that_passed_is_not_touched(path: Path) -> None:
    assert plan(run_with(path, actual()), path.parents[2]) == []
    assert path.read_text() == TEST


# -- names that a person has given to values -----------------------------------------------------------------------

NAMED = """\
version: api.keploy.io/v1beta1
kind: Http
name: test-1
spec:
  req: {method: GET, url: 'http://localhost:8080/orders/{{order}}'}
  resp:
    status_code: 200
    header: {Content-Type: application/json, Link: '/orders/{{order}}?v=1'}
    body: |-
      {
        "id": {{number}},
        "order": "{{order}}",
        "state": "order {{order}} is new"
      }
"""


def accepted_with_names(path: Path, now: str, link: str = "/orders/A-418?v=1") -> tuple[str, tuple[str, ...]]:
    """What the file says, and what is told, when the app that calls the order A-418 has answered `now`."""
    path.write_text(NAMED)
    (path.parents[1] / "config.yml").write_text("template: {order: A-17, number: 18}\n")
    spec = load(NAMED)["spec"]
    expected = rendered(spec, {"order": "A-418", "number": 419})["resp"]
    response = {**expected, "body": now, "header": {**expected["header"], "Link": link}}
    then, today = (from_spec("Http", {**spec, "resp": one}).response for one in (expected, response))
    assert then is not None
    assert today is not None
    findings = compare(then, today)
    test = TestResult(
        name="test-1",
        set="test-set-0",
        verdict=Verdict.FAILED,
        findings=findings,
        response=response,
        expected=expected,
    )
    run = RunResult(name="r", sets=(SetResult(name="test-set-0", status=SetStatus.FAILED, tests=(test,)),))
    [change] = plan(run, path.parents[2])
    assert apply(change, Redactor(TestSetStore(path.parents[2]).vault()))
    return path.read_text(), change.what


def test_names_stay_where_their_values_are(path: Path) -> None:
    now = '{"id": 419, "order": "A-418", "state": "order A-418 is paid"}'
    text, said = accepted_with_names(path, now, "/orders/A-418?v=2")
    assert text == NAMED.replace("is new", "is paid").replace("?v=1", "?v=2")
    assert not any("gone" in one for one in said)
    text, _ = accepted_with_names(path, "[" + now + "]")
    assert '[{"id": {{number}}, "order": "{{order}}", "state": "order A-418 is paid"}]' in text, (
        "a new form, by its keys"
    )


def test_a_name_whose_value_is_not_there_is_replaced_and_that_is_said(path: Path) -> None:
    text, said = accepted_with_names(path, '{"id": "none", "order": "A-418", "state": "order A-418 is new"}')
    assert '"id": "none"' in text
    assert '"order": "{{order}}"' in text
    assert said[-1] == "body: {{number}} is gone, for another value stands there now"
