"""Requests that overlapped at the recording: the replay, one after another, is green; a bug is blamed on its group."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from tests.apps.bank_traffic import APP
from tests.apps.dependency import Dependency
from tests.apps.traffic import JSON, Step, send
from tests.harness.recorded import recorded_mocks, recorded_tests
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

USERS = [f"o-{number}" for number in range(8)]
ALIKE = ["o-1"] * 8
MIXED = ["o-1", "o-2", "o-1", "o-2", "o-3", "o-1", "o-2", "o-3"]


@pytest.fixture
def project(rr: RR, dependency: Dependency, port: int) -> RR:
    shutil.copy(APP, rr.folder)
    return rr.with_settings(PORT=str(port), LEDGER_URL=dependency.url, AUDIT_URL=dependency.url)


def record(rr: RR, users: Sequence[str], rounds: int = 2) -> Path:
    """Eight jobs at a time, each with three calls. Returns the test set."""
    port = int(rr.settings["PORT"])

    def job(user: str) -> int:
        body = json.dumps({"user": user}).encode()
        return send(Step(method="POST", path="/jobs", send=body, headers=JSON), port).status

    before = len(list(rr.keploy.glob("test-set-*")))
    with rr.record("python bank_app.py", port=port), ThreadPoolExecutor(len(users)) as clients:
        for _ in range(rounds):
            assert set(clients.map(job, users)) == {201}
    return rr.keploy / f"test-set-{before}"


def test_they_do_overlap_and_all_is_recorded(project: RR) -> None:
    test_set = record(project, USERS)
    tests, mocks = recorded_tests(test_set), recorded_mocks(test_set)
    spans = sorted((test.exchange.started_ns, test.exchange.ended_ns) for test in tests)
    assert sum(later[0] < earlier[1] for earlier, later in pairwise(spans)) >= 14
    assert (len(tests), len(mocks)) == (16, 48)


@pytest.mark.parametrize("users", [USERS, ALIKE, MIXED], ids=["each another", "all alike", "mixed"])
def test_green(users: Sequence[str], project: RR) -> None:
    test_set = record(project, users)
    for _ in range(3):
        replay = project.test("--test-sets", test_set.name)
        assert replay.code == 0, replay.output


@pytest.mark.gate
@pytest.mark.parametrize("users", [USERS, ALIKE, MIXED], ids=["each another", "all alike", "mixed"])
def test_green_20_times(users: Sequence[str], project: RR) -> None:
    for number in range(20):
        test_set = record(project, users)
        replay = project.test("--test-sets", test_set.name)
        assert replay.code == 0, f"{number + 1} of 20\n{replay.output}"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"user": wanted["user"]}', '"user": wanted["user"].replace("3", "9")}', ("recorded 'o-3'", "now 'o-9'")),
        ('call("POST", LEDGER, "/echo/jobs"', 'wanted["user"] == "o-3" or call("POST", LEDGER, "/echo/jobs"',
         ("/echo/jobs", "not made now")),
        ('{"id": job, "user"', '{"id": job if wanted["user"] != "o-3" else str(uuid.uuid4()), "user"',
         ("body.id", "made up")),
    ],
    ids=["another value", "left out", "another id"],
)  # fmt: skip
def test_a_bug_in_one_is_blamed_on_its_group(old: str, new: str, words: Sequence[str], project: RR) -> None:
    test_set = record(project, USERS, rounds=1)
    app = project.folder / "bank_app.py"
    source = app.read_text("utf-8")
    assert old in source
    app.write_text(source.replace(old, new, 1), "utf-8")

    replay = project.test("--test-sets", test_set.name)

    assert replay.code == 1, replay.output
    guilty = next(test.name for test in recorded_tests(test_set) if b"o-3" in test.request_body)
    owner = next(mock.owner for mock in recorded_mocks(test_set) if b"o-3" in mock.request_body)
    assert guilty in owner.split("+")
    red = re.findall(r"^✗ (test-\d+)", replay.output, flags=re.MULTILINE)
    assert red
    assert set(red) <= {guilty, *owner.split("+")}, f"{guilty} is guilty\n{replay.output}"
    for word in words:
        assert word in replay.output, replay.output
