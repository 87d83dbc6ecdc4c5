"""The report on disk: there at any time, without secrets, and read again as it was written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from replayer.report import (
    ReportWriter,
    RunResult,
    SetStatus,
    TestResult,
    Verdict,
    as_json,
    find_run,
    new_run,
    read_report,
    redacted,
    runs,
)
from testset.errors import DocumentError, NoTestSetError, StorageError


def written(folder: Path, run: RunResult, redact: object = str) -> RunResult:
    with ReportWriter(folder, command=run.command, redact=redact) as report:  # type: ignore[arg-type]
        for each in run.sets:
            report.begin_set(each.name)
            for test in each.tests:
                report.add(test)
            report.end_set(each.name, each.status, reason=each.reason, log=each.log)
    return report.close()


def test_what_is_written_is_read_again_as_it_was(run: RunResult, tmp_path: Path) -> None:
    result = written(new_run(tmp_path), run)
    again = read_report(find_run(tmp_path))
    assert again.tests == result.tests == run.tests
    assert [(each.name, each.status, each.reason, each.log) for each in again.sets] == [
        ("test-set-0", SetStatus.FAILED, "", ""),
        ("test-set-1", SetStatus.APP_FAULT, "the app did not open its port", "Oops"),
    ]
    assert (again.command, again.verdict) == ("python app.py", Verdict.ERRORED)


def test_a_reader_of_keploys_reports_finds_its_keys(run: RunResult, tmp_path: Path) -> None:
    written(tmp_path / "test-run-0", run)
    first, _ = yaml.safe_load_all((tmp_path / "test-run-0" / "report.yml").read_text())
    assert {key: first[key] for key in ("version", "status", "success", "failure", "total", "test_set")} == {
        "version": "api.keploy.io/v1beta1",
        "status": "FAILED",
        "success": 1,
        "failure": 2,
        "total": 3,
        "test_set": "test-set-0",
    }
    failed = first["tests"][1]
    assert failed["status"] == "FAILED"
    assert failed["result"]["status_code"] == {"normal": False, "expected": 201, "actual": 500}
    assert failed["failure_info"]["risk"] == "HIGH"
    assert failed["failure_info"]["unmatched_calls"][0]["closest_mock"] == "test-2.3"


def test_a_report_that_keploy_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "test-set-0-report.yaml").write_text(
        "version: api.keploy.io/v1beta1\nname: test-set-0-report\nstatus: FAILED\ntest_set: test-set-0\ntests:\n"
        "  - {kind: Http, name: test-set-0, test_case_id: test-1, status: PASSED, started: 5}\n"
        "  - {kind: Http, name: test-set-0, test_case_id: test-2, status: FAILED, result: {status_code:"
        " {normal: false, expected: 200, actual: 404}, body_result: [{normal: false}]}}\n"
    )
    one, other = read_report(tmp_path).tests
    assert (one.name, one.verdict) == ("test-1", Verdict.PASSED)
    assert (other.name, other.reasons) == ("test-2", ("status: 200 recorded, 404 now", "body differs"))


def test_no_secret_is_written_in_any_form(run: RunResult, tmp_path: Path) -> None:
    written(tmp_path / "test-run-0", run, lambda text: text.replace("s3cret", '{{secret "s"}}'))
    for file in (tmp_path / "test-run-0").iterdir():
        assert "s3cret" not in file.read_text()
        assert b"s3cret".hex() not in file.read_text()
    assert "s3cret" not in as_json(redacted(run, lambda text: text.replace("s3cret", "***")))


def test_the_report_is_whole_at_any_time(tmp_path: Path) -> None:
    now = 1000.0
    report = ReportWriter(tmp_path, clock=lambda: now)
    report.begin_set("s")
    for number in range(5):
        report.add(TestResult(name=f"test-{number}", set="s", verdict=Verdict.PASSED))
        now += 0.6
    broken_off = read_report(tmp_path)
    assert broken_off.sets[0].status is SetStatus.RUNNING
    assert len(broken_off.tests) >= 4  # at most a second's worth is not there yet
    assert broken_off.verdict is Verdict.ERRORED


def test_a_run_that_is_broken_off_has_its_report(tmp_path: Path) -> None:
    def broken_off() -> None:
        with ReportWriter(tmp_path) as report:
            report.add(TestResult(name="test-1", set="s", verdict=Verdict.PASSED))
            report.add(TestResult(name="test-2", set="s", verdict=Verdict.PASSED))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert [test.name for test in read_report(tmp_path).tests] == ["test-1", "test-2"]
    assert (tmp_path / "junit.xml").exists()


def test_sets_that_run_side_by_side_get_their_own_tests(tmp_path: Path) -> None:
    def one_set(name: str) -> None:
        for number in range(50):
            report.add(TestResult(name=f"test-{number}", set=name, verdict=Verdict.PASSED))
        report.end_set(name)

    with ReportWriter(tmp_path) as report:
        threads = [threading.Thread(target=one_set, args=(name,)) for name in ("a", "b", "c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    again = read_report(tmp_path)
    assert {each.name: [test.name for test in each.tests] for each in again.sets} == {
        name: [f"test-{number}" for number in range(50)] for name in ("a", "b", "c")
    }
    assert again.verdict is Verdict.PASSED


def test_runs_are_numbered_in_natural_order(tmp_path: Path) -> None:
    for name in ("test-run-2", "test-run-10", "test-run-x", "other"):
        (tmp_path / name).mkdir()
    assert new_run(tmp_path).name == "test-run-11"
    assert [path.name for path in runs(tmp_path)] == ["test-run-2", "test-run-10", "test-run-11"]
    assert find_run(tmp_path).name == "test-run-11"
    assert find_run(tmp_path, "2").name == "test-run-2"
    assert new_run(tmp_path / "fresh").name == "test-run-0"


def test_two_runs_at_once_get_two_folders(tmp_path: Path) -> None:
    code = (
        f"from pathlib import Path; from replayer.report import new_run; print(new_run(Path({str(tmp_path)!r})).name)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    assert len({each.communicate()[0] for each in started}) == 3


def test_what_is_not_there_is_said_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(NoTestSetError) as nothing:
        find_run(tmp_path)
    assert nothing.value.remedy == "Run `rr test` first."
    new_run(tmp_path)
    with pytest.raises(NoTestSetError, match="no test-run-7"):
        find_run(tmp_path, "7")
    with pytest.raises(DocumentError, match="no report here"):
        read_report(find_run(tmp_path))
    (tmp_path / "test-run-0" / "report.yml").write_text("a: 1\n---\n]\n")
    with pytest.raises(DocumentError, match=r"report\.yml:3: "):
        read_report(find_run(tmp_path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        new_run(tmp_path / "file")
    with pytest.raises(StorageError, match="file"):
        ReportWriter(tmp_path / "file").close()


def test_github_gets_its_summary(run: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", os.fspath(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("before\n")
    written(tmp_path / "test-run-0", run)
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("before\n### ⚠️ rr test: 1 passed, 1 failed, 1 errored\n")
    assert "| test-set-0 | 1 | 1 | 1 |" in text
    assert "<summary>❌ test-set-0 test-2 POST /orders: status: 201 recorded, 500 now (and 7 more)</summary>" in text


def test_json_holds_the_verdict_and_the_reasons(run: RunResult) -> None:
    told = json.loads(as_json(run))
    assert (told["verdict"], told["passed"], told["failed"], told["errored"], told["total"]) == ("errored", 1, 1, 1, 3)
    failed = told["sets"][0]["tests"][1]
    assert failed["findings"][2] == {
        "place": "body.total",
        "kind": "missing",
        "expected": "12",
        "actual": None,
        "words": "body.total is missing (recorded: 12)",
    }
    assert failed["why"][0] == "status: 201 recorded, 500 now"
