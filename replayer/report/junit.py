"""A run as JUnit XML, the dialect that GitHub, GitLab and Jenkins read: one suite a test set, one case a test."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from replayer.report.document import when
from replayer.report.text import failure_text
from replayer.report.verdict import RunResult, SetResult, TestResult, Verdict

# XML 1.0 has no way at all to write these.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def junit(run: RunResult) -> str:
    """The whole file."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    counts = _counts(run.tests, sum(_broken(each) for each in run.sets))
    lines.append(f"<testsuites name={_attribute(run.name)} {counts} time={_time(run.took)}>")
    for each in run.sets:
        lines += _suite(each)
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _suite(each: SetResult) -> list[str]:
    stamp = f" timestamp={_attribute(when(each.started).rstrip('Z'))}" if each.started else ""
    counts = _counts(each.tests, _broken(each))
    lines = [f"  <testsuite name={_attribute(each.name)} {counts} time={_time(each.took)}{stamp}>"]
    for test in each.tests:
        lines += _case(test)
    if _broken(each):  # no single test failed for it, but green it was not
        lines += [
            f'    <testcase name="(the test set)" classname={_attribute(each.name)} time="0">',
            f"      <error message={_attribute(each.reason or str(each.status))} type={_attribute(str(each.status))}/>",
            "    </testcase>",
        ]
    if each.log:
        lines.append(f"    <system-out>{_text(each.log)}</system-out>")
    lines.append("  </testsuite>")
    return lines


def _broken(each: SetResult) -> int:
    """1 if the set ended badly for a reason that none of its tests shows."""
    return int(each.status not in ("PASSED", "FAILED"))


def _counts(tests: tuple[TestResult, ...], broken: int) -> str:
    failed = sum(test.verdict is Verdict.FAILED for test in tests)
    errored = sum(test.verdict is Verdict.ERRORED for test in tests)
    return f'tests="{len(tests) + broken}" failures="{failed}" errors="{errored + broken}" skipped="0"'


def _case(test: TestResult) -> list[str]:
    name = f"{test.name}  {test.title}" if test.title else test.name
    file = f" file={_attribute(test.path)}" if test.path else ""
    head = f"    <testcase name={_attribute(name)} classname={_attribute(test.set)}{file} time={_time(test.took)}"
    warnings = "".join(f"{warning}\n" for warning in test.warnings)
    if test.verdict is Verdict.PASSED and not warnings:
        return [head + "/>"]
    lines = [head + ">"]
    if test.verdict is not Verdict.PASSED:
        tag = "failure" if test.verdict is Verdict.FAILED else "error"
        message = _attribute(test.headline)
        lines.append(f'      <{tag} message={message} type="{test.verdict}">{_text(failure_text(test))}</{tag}>')
    if warnings:
        lines.append(f"      <system-err>{_text(warnings)}</system-err>")
    lines.append("    </testcase>")
    return lines


def _visible(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _attribute(text: str) -> str:
    return quoteattr(_visible(text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _text(text: str) -> str:
    return escape(_visible(text), {"\r": "&#13;"})


def _time(took: float) -> str:
    return f'"{took:.3f}"'
