"""JUnit XML that every CI reads, whatever the app has said."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from replayer.report import RunResult, SetResult, SetStatus, TestResult, Verdict, junit


def test_counts_and_cases(run: RunResult) -> None:
    root = ET.fromstring(junit(run))
    assert root.attrib == {
        "name": "test-run-0", "tests": "4", "failures": "1", "errors": "2", "skipped": "0", "time": "6.000",
    }  # fmt: skip
    first, second = root.findall("testsuite")
    assert [case.attrib["name"] for case in first] == [
        "test-1  GET /health",
        "test-2  POST /orders",
        "test-3  GET /slow",
    ]
    failure = first[1].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "status: 201 recorded, 500 now (and 7 more)"
    assert "- status: 201\n+ status: 500" in (failure.text or "")
    assert first[1].attrib["file"] == "keploy/test-set-0/tests/test-2.yml"
    error = second[0].find("error")
    assert error is not None
    assert error.attrib["message"] == "the app did not open its port"


@given(st.text(st.characters()), st.text(st.characters()))
def test_it_is_xml_whatever_the_app_says(reason: str, title: str) -> None:
    test = TestResult(name="t", set="s", verdict=Verdict.FAILED, title=title, reasons=(reason,), warnings=(reason,))
    run = RunResult(name="r", sets=(SetResult(name="s", status=SetStatus.FAILED, tests=(test,), log=reason),))
    case = ET.fromstring(junit(run).encode())[0][0]
    assert case.attrib["classname"] == "s"
