"""`rr test` otherwise than usual: with a way out, without mocks, for an app that runs already, several sets at once."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.dependency import Dependency
from tests.harness.network import NamedHost, free_port, listens
from tests.harness.processes import Running
from tests.harness.recorded import recorded_mocks
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "socket_app.py"


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        body: bytes = answer.read()
        return body


def record(rr: RR, port: int, *paths: str) -> None:
    with rr.record(f"{sys.executable} {APP} {port}", port=port) as recording:
        for path in paths:
            get(port, path)
        recording.interrupt()
        assert recording.wait() == 0, recording.output


@pytest.fixture
def elsewhere() -> Iterator[Dependency]:
    """Where the app asks after the recording: another port, so that no mock is for it."""
    with Dependency() as running:
        yield running


@pytest.fixture
def moved(rr: RR, dependency: Dependency, elsewhere: Dependency, port: int) -> RR:
    """Recorded with one dependency, and now told to ask another."""
    record(rr.with_settings(USERS_URL=dependency.url), port, "/call/o-1", "/echo/1")
    return rr.with_settings(USERS_URL=elsewhere.url)


# -- a request without a mock -----------------------------------------------------------------------------------


def test_by_default_a_request_without_a_mock_is_an_error_and_never_leaves(moved: RR, elsewhere: Dependency) -> None:
    replay = moved.test()
    assert replay.code == 1, replay.output
    assert "nothing recorded" in replay.output
    assert elsewhere.requests == []


def test_passthrough_lets_it_out_and_says_so_for_each(moved: RR, elsewhere: Dependency) -> None:
    mocks = (moved.keploy / "test-set-0" / "mocks.yml").read_text("utf-8")
    replay = moved.test("--on-miss", "passthrough")
    assert replay.code == 0, replay.output
    assert [request.path for request in elsewhere.requests] == ["/users/o-1"]
    warning = f"GET http://localhost:{elsewhere.port}/users/o-1: no mock; PASSED THROUGH"
    assert warning in replay.stderr, "loudly, at once"
    assert warning in (moved.keploy / "reports" / "test-run-0" / "report.yml").read_text("utf-8"), "and in the report"
    assert (moved.keploy / "test-set-0" / "mocks.yml").read_text("utf-8") == mocks


def test_record_keeps_what_came_back_for_the_next_time(moved: RR, elsewhere: Dependency) -> None:
    replay = moved.test("--on-miss", "record")
    assert replay.code == 0, replay.output
    kept = recorded_mocks(moved.keploy / "test-set-0")[-1]
    assert (kept.name, kept.line, kept.exchange.server.port) == ("test-1.2", "GET /users/o-1", elsewhere.port)

    elsewhere.stop()
    again = moved.test()
    assert again.code == 0, again.output


def test_what_has_a_mock_is_not_let_out(rr: RR, dependency: Dependency, port: int) -> None:
    rr = rr.with_settings(USERS_URL=dependency.url)
    record(rr, port, "/call/o-1")
    before = dependency.requests
    replay = rr.test("--on-miss", "passthrough")
    assert replay.code == 0, replay.output
    assert dependency.requests == before
    assert "PASSED" not in replay.output


def test_passthrough_finds_a_name_that_was_never_looked_up(
    rr: RR, dependency: Dependency, stock: NamedHost, port: int
) -> None:
    rr = rr.with_prefix(stock.prefix)
    record(rr.with_settings(USERS_URL=dependency.url), port, "/call/o-1")
    before = len(dependency.requests)
    replay = rr.with_settings(USERS_URL=dependency.url_as(stock.name)).test("--on-miss", "passthrough")
    assert replay.code == 0, replay.output
    assert len(dependency.requests) == before + 1
    assert f"{stock.name}:{dependency.port}/users/o-1: no mock; PASSED THROUGH" in replay.output


def test_a_real_server_that_refuses_is_told_to_the_app(moved: RR, elsewhere: Dependency) -> None:
    elsewhere.stop()
    replay = moved.test("--on-miss", "passthrough")
    assert replay.code == 1, replay.output
    assert "failed" in replay.output, "the app's own words for it"


# -- without mocks ----------------------------------------------------------------------------------------------


def test_no_mocking_starts_the_app_with_its_real_dependencies(rr: RR, dependency: Dependency, port: int) -> None:
    rr = rr.with_settings(USERS_URL=dependency.url)
    record(rr, port, "/call/o-1", "/echo/1")
    before = len(dependency.requests)
    replay = rr.test("--no-mocking")
    assert replay.code == 0, replay.output
    assert len(dependency.requests) == before + 1
    assert "only the responses were compared" in replay.output
    assert not listens(port), "the app was ended"


def test_no_mocking_still_compares_the_responses(rr: RR, dependency: Dependency, port: int) -> None:
    rr = rr.with_settings(USERS_URL=dependency.url)
    record(rr, port, "/call/o-1", "/echo/1")
    dependency.stop()
    replay = rr.test("--no-mocking")
    assert replay.code == 1, replay.output
    assert "1 passed" in replay.output
    assert "1 failed" in replay.output


def test_no_mocking_does_not_test_another_program_on_the_port(rr: RR, port: int) -> None:
    record(rr, port, "/echo/1")
    with Running([sys.executable, APP, port], log=rr.home / "other.log") as other:  # type: ignore[list-item]
        other.until(lambda: listens(port), "the other program listens")
        replay = rr.test("--no-mocking")
    assert replay.code == 2, replay.output
    assert f"Port {port} was taken" in replay.output


def test_base_path_sends_to_an_app_that_runs_already(rr: RR, dependency: Dependency, port: int) -> None:
    rr = rr.with_settings(USERS_URL=dependency.url)
    record(rr, port, "/call/o-1", "/echo/1")
    other = free_port()
    with Running([sys.executable, str(APP), str(other)], log=rr.home / "app.log", env=rr.env) as app:
        app.until(lambda: listens(other), "the app listens")
        before = len(dependency.requests)
        replay = rr.test("--base-path", f"http://127.0.0.1:{other}")
        assert replay.code == 0, replay.output
        assert len(dependency.requests) == before + 1, "its dependencies are the real ones"
        assert "only the responses were compared" in replay.output
        assert listens(other), "it is not rr's to end"


def test_base_path_without_an_app_there_says_so(rr: RR, port: int) -> None:
    record(rr, port, "/echo/1")
    replay = rr.test("--base-path", f"http://127.0.0.1:{port}", "--delay", "100ms")
    assert replay.code == 2, replay.output
    assert f"Nothing answers at http://127.0.0.1:{port}. Start the app first." in replay.output


# -- several at once --------------------------------------------------------------------------------------------


def test_sets_side_by_side_with_an_app_on_one_fixed_port(rr: RR, dependency: Dependency, port: int) -> None:
    rr = rr.with_settings(USERS_URL=dependency.url)
    for number in range(3):
        record(rr, port, *(f"/call/o-{number}{index}" for index in range(4)))
    dependency.stop()
    replay = rr.test("--jobs", "3")
    assert replay.code == 0, replay.output
    assert "12 passed" in replay.output
    names = [f"test-set-{number}" for number in range(3)]
    tests = [line for line in replay.stdout.splitlines() if "✓" in line]
    assert sorted(line.split()[0] for line in tests) == sorted(names * 4), replay.stdout


def test_a_failure_s_block_stays_together(rr: RR, dependency: Dependency, port: int) -> None:
    rr = rr.with_settings(USERS_URL=dependency.url)
    for _ in range(3):
        record(rr, port, *(f"/call/o-{index}" for index in range(4)))
    dependency.stop()
    for mocks in rr.keploy.glob("test-set-*/mocks.yml"):
        mocks.write_text(mocks.read_text("utf-8").replace('"exists": true', '"exists": false'), "utf-8")
    replay = rr.test("--jobs", "3")
    assert replay.code == 1, replay.output
    lines = [line for line in replay.stdout.partition("\n\n\n")[0].splitlines() if line.startswith("test-set-")]
    shape: dict[str, list[str]] = {}
    owner = ""
    for line in lines:  # the blocks of one set, one after the other, are the same as those of every other set
        name, _, rest = line.partition("  ")
        if "✗" in rest or "Replaying" in rest:
            owner = name
        assert name == owner, f"a line of {name} within a block of {owner}:\n{replay.stdout}"
        shape.setdefault(name, []).append(rest)
    assert {len(one) for one in shape.values()} == {len(shape["test-set-0"])}, replay.stdout
