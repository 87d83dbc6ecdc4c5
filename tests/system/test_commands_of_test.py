"""What one can ask of `rr test` beyond a run of everything, and the commands that come after it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.apps.bank_traffic import RecordedBank
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system


@pytest.fixture
def project(bank: RecordedBank, tmp_path: Path) -> RR:
    return bank.copy(tmp_path / "project")


def change(rr: RR, old: str, new: str) -> None:
    app = rr.folder / "bank_app.py"
    source = app.read_text("utf-8")
    assert old in source
    app.write_text(source.replace(old, new, 1), "utf-8")


def lines(output: str) -> dict[str, str]:
    """Of each test: its mark, and `set-up` if it is one."""
    found = re.findall(r"^([✓✗!]) (test-\d+) .*?(set-up)?$", output, flags=re.MULTILINE)
    return {test: f"{mark} {setup}".strip() for mark, test, setup in found}


# -- some tests only -----------------------------------------------------------------------------------------------


def test_the_tests_whose_values_are_needed_run_as_well(project: RR) -> None:
    """test-9 asks for the transfer that test-6 made; test-11 sends the token of test-10's login."""
    replay = project.test("--tests", "test-9,test-11,test-3")
    assert replay.code == 0, replay.output
    assert lines(replay.output) == {
        "test-3": "✓",
        "test-6": "✓ set-up",
        "test-9": "✓",
        "test-10": "✓ set-up",
        "test-11": "✓",
    }
    assert "3 passed" in replay.output


def test_a_set_up_test_that_differs_is_shown_and_does_not_count(project: RR) -> None:
    change(project, '"status": "BOOKED"', '"status": "STORED"')
    replay = project.test("--tests", "test-9")
    assert replay.code == 0, replay.output
    assert lines(replay.output) == {"test-6": "✗ set-up", "test-9": "✓"}
    assert project.test("--tests", "test-6").code == 1


def test_a_token_needs_no_key(project: RR, tmp_path: Path) -> None:
    """What the app gives birth to again need not be unsealed: CI without the key replays a login."""
    keyless = RR(project.folder, tmp_path, settings=project.settings)
    replay = keyless.test()
    assert replay.code == 0, replay.output
    assert not (tmp_path / "data").exists(), "no key is made for a replay"


def test_fail_fast(project: RR) -> None:
    change(project, "and paid in arrears", "and paid in advance")
    replay = project.test("--fail-fast")
    assert replay.code == 1, replay.output
    assert lines(replay.output) == {"test-1": "✓", "test-2": "✓", "test-3": "✗"}
    assert "--fail-fast" in replay.output


# -- reports -----------------------------------------------------------------------------------------------------


def test_junit_and_json(project: RR, tmp_path: Path) -> None:
    change(project, "and paid in arrears", "and paid in advance")
    replay = project.test("--json", "--junit", tmp_path / "out.xml")
    assert replay.code == 1, replay.output
    result = json.loads(replay.stdout)
    assert (result["passed"], result["failed"], result["errored"], result["total"]) == (10, 1, 0, 11)
    suites = ET.parse(tmp_path / "out.xml").getroot()
    red = [case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None]
    assert red == ["test-3  GET /terms"]


def test_the_report_can_be_read_again(project: RR) -> None:
    change(project, "and paid in arrears", "and paid in advance")
    assert project.test().code == 1
    text = project.run("report")
    assert text.code == 0
    assert "paid in advance" in text.stdout
    assert "10 passed, 1 failed" in text.stdout
    one = project.run("report", "--test", "test-4", "--format", "text").stdout
    assert lines(one) == {"test-4": "✓"}
    assert json.loads(project.run("report", "--format", "json").stdout)["failed"] == 1
    assert ET.fromstring(project.run("report", "--format", "junit").stdout).get("failures") == "1"


def test_no_secret_is_in_a_report_or_on_the_screen(project: RR) -> None:
    """A token that is answered wrongly is still a token."""
    change(project, "secrets.token_hex(16)", '"5f2b8c1d" * 4')
    change(project, '{"token": token}', '{"token": token, "expires": 3600}')
    replay = project.test()
    assert replay.code == 1, replay.output
    assert "body.expires" in replay.output
    reports = "".join(path.read_text() for path in (project.keploy / "reports").rglob("*.*"))
    assert "5f2b8c1d5f2b8c1d" not in replay.output + reports


# -- accepting ---------------------------------------------------------------------------------------------------


def test_a_change_is_accepted_and_then_green(project: RR) -> None:
    change(project, "and paid in arrears", "and paid in advance")
    change(project, '"daily": 500', '"daily": 700')
    assert project.test().code == 1
    before = {path: path.read_text() for path in (project.keploy / "test-set-0").rglob("*.yml")}

    done = project.run("normalize")

    assert done.code == 0, done.output
    assert "2 of 2 tests changed" in done.output
    changed = {path.name for path, text in before.items() if path.read_text() != text}
    assert changed == {"test-1.yml", "test-3.yml"}
    replay = project.test()
    assert replay.code == 0, replay.output


def test_a_schema_is_not_changed_unasked(project: RR) -> None:
    change(project, '"active": True,', '"active": "yes",')
    assert project.test().code == 1
    done = project.run("normalize")
    assert "--yes" in done.output
    assert project.test().code == 1, "nothing was accepted"
    project.run("normalize", "--test-run", "test-run-0", "--yes")
    assert project.test().code == 0


# -- mocks that nobody asks for ------------------------------------------------------------------------------------


def test_unused_mocks_are_removed_when_all_is_green(project: RR) -> None:
    mocks = project.keploy / "test-set-0" / "mocks.yml"
    recorded = mocks.read_text()
    mocks.write_text("# what the bank asks for\n" + recorded)
    change(project, '        call("GET", LEDGER, f"/users/{wanted[\'from\']}")\n', "")  # a read less is no finding

    told = project.test()
    assert told.code == 0, told.output
    assert "2 mocks were not used: test-5.1, test-6.1" in told.output
    assert mocks.read_text() == "# what the bank asks for\n" + recorded, "only when asked"

    some = project.test("--remove-unused-mocks", "--tests", "test-9")
    assert some.code == 0, some.output
    assert "test-5.1" in mocks.read_text(), "never when only some tests ran"

    done = project.test("--remove-unused-mocks")
    assert done.code == 0, done.output
    assert "2 mocks were not used, and removed: test-5.1, test-6.1" in done.output
    kept = mocks.read_text()
    assert kept.startswith("# what the bank asks for\n")
    documents = recorded.split("---\n")
    assert kept.removeprefix("# what the bank asks for\n").split("---\n") == [
        document for document in documents if not re.search(r"^name: test-[56]\.1$", document, flags=re.MULTILINE)
    ]
    assert project.test().code == 0


def test_unused_mocks_stay_when_a_test_is_red(project: RR) -> None:
    mocks = project.keploy / "test-set-0" / "mocks.yml"
    recorded = mocks.read_text()
    change(project, '        call("GET", LEDGER, f"/users/{wanted[\'from\']}")\n', "")
    change(project, "and paid in arrears", "and paid in advance")
    replay = project.test("--remove-unused-mocks")
    assert replay.code == 1
    assert "not removed" in replay.output
    assert mocks.read_text() == recorded
