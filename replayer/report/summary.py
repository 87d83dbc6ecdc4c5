"""A run as Markdown for `$GITHUB_STEP_SUMMARY`: the counts, a table of the sets, each failure to be unfolded."""

from __future__ import annotations

from replayer.report.document import seconds
from replayer.report.text import counted, failure_text
from replayer.report.verdict import RunResult, TestResult, Verdict

_SIGN = {Verdict.PASSED: "✅", Verdict.FAILED: "❌", Verdict.ERRORED: "⚠️"}
_LARGEST = 900_000  # GitHub takes 1 MiB for one step and drops what is longer


def markdown(run: RunResult) -> str:
    lines = [f"### {_SIGN[run.verdict]} rr test: {counted(run)}", ""]
    lines += ["| test set | passed | failed | errored | time |", "|---|--:|--:|--:|--:|"]
    for each in run.sets:
        name = f"{_plain(each.name)} ({each.status})" if each.status not in ("PASSED", "FAILED") else _plain(each.name)
        counts = " | ".join(str(each.count(verdict)) for verdict in Verdict)
        lines.append(f"| {name} | {counts} | {seconds(each.took)} |")
    lines += [f"\n**{_plain(each.name)}**: {_plain(each.reason)}" for each in run.sets if each.reason]
    text = "\n".join(lines) + "\n"
    bad = [test for test in run.tests if test.verdict is not Verdict.PASSED]
    for index, test in enumerate(bad):
        detail = _detail(test)
        if len(text.encode()) + len(detail.encode()) > _LARGEST:
            return text + f"\n{len(bad) - index} more in report.yml.\n"
        text += detail
    return text


def _detail(test: TestResult) -> str:
    body = failure_text(test)
    longest = max((len(run) for run in _backticks(body)), default=0)
    fence = "`" * max(3, longest + 1)
    title = _html(f"{test.set} {test.name} {test.title}: {test.headline}")
    return (
        f"\n<details><summary>{_SIGN[test.verdict]} {title}</summary>\n\n{fence}diff\n{body}\n{fence}\n\n</details>\n"
    )


def _backticks(text: str) -> list[str]:
    return ["`" * len(part) for part in "".join(each if each == "`" else " " for each in text).split()]


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


def _plain(text: str) -> str:
    return _html(text).replace("|", "\\|")
