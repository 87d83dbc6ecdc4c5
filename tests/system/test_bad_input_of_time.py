"""Same in, same out, where that cannot be: each is told once, with what to do, and nothing goes round and round."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apps.dependency import Dependency
from tests.apps.hard.traffic import HERE, ask
from tests.harness.network import free_port
from tests.harness.rr_command import RR, Finished

pytestmark = pytest.mark.system

HINT = "The app does not send the same each time."


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[RR, str]:
    """An app that asks for another lot each time, and what was said when it was recorded and learned from."""
    folder = tmp_path_factory.mktemp("chance")
    for name in ("project", "home"):
        (folder / name).mkdir()
    shutil.copytree(HERE, folder / "project" / "hard", ignore=shutil.ignore_patterns("__pycache__"))
    rr = RR(folder / "project", folder / "home").with_settings(RR_RECORD_LEARN="true")
    port = free_port()
    with (
        Dependency() as dependency,
        rr.record(f"python -m hard.chance {port} {dependency.url}", port=port) as running,
    ):
        for path in ("/lot", "/users/7"):
            ask(port, "GET", path)
        running.interrupt()
        assert running.wait(40) == 0, running.output
    return rr, running.output


@pytest.fixture
def project(recording: tuple[RR, str], tmp_path: Path) -> RR:
    """A copy of it, with the page only that is the same each time."""
    rr, _ = recording
    shutil.copytree(rr.folder, tmp_path / "copy")
    made = replace(rr, folder=tmp_path / "copy")
    file_of(made, "tests/test-1.yml").unlink()
    return made


def file_of(rr: RR, name: str) -> Path:
    return rr.keploy / "test-set-0" / name


def set_to(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text, text
    path.write_text(text.replace(old, new), "utf-8")


def says(done: Finished, *words: str, code: int = 2) -> None:
    assert done.code == code, done.output
    assert "Traceback" not in done.output
    for word in words:
        assert word in done.output, f"not said: {word}\n{done.output}"


# -- an app that is not deterministic in what it sends ---------------------------------------------------------------


def test_chance_in_what_is_sent_is_told_once_when_it_is_recorded(recording: tuple[RR, str]) -> None:
    _, said = recording
    assert said.count(HINT) == 1
    assert "warning test-1 is not green, although nothing has changed: no mock for GET http://localhost:" in said
    assert "query.lot: recorded '" in said
    assert "needs a fixed seed, or a name in the tests (`rr templatize`)" in said
    assert "test-2 is not green" not in said
    assert "2 test cases and 2 mocks recorded" in said


def test_it_is_red_in_the_replay_and_nothing_was_silenced(recording: tuple[RR, str]) -> None:
    rr, _ = recording
    says(rr.test(), "no mock for GET http://localhost:", "query.lot", "1 passed, 1 failed", code=1)
    assert "noise" not in file_of(rr, "tests/test-1.yml").read_text("utf-8")


# -- what a newer rr has recorded ------------------------------------------------------------------------------------

NEWER = ("this test set was recorded by rr 99.1.0; this is rr ", "Install rr 99.1.0 or newer, or record again.")


@pytest.mark.parametrize("command", ["test", "noise", "rerecord"])
def test_a_set_of_a_newer_rr_is_left_alone(command: str, project: RR) -> None:
    config = file_of(project, "config.yml")
    set_to(config, "recorded_by: '0.1.0'", "recorded_by: '99.1.0'\nclock: {of: 'another kind'}")
    config.write_text("".join(line for line in config.read_text().splitlines(True) if "clock: '" not in line))
    before = {path: path.read_bytes() for path in (project.keploy / "test-set-0").rglob("*.yml")}
    says(project.run(command), *NEWER)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", ["tests/test-2.yml", "mocks.yml"])
def test_a_document_of_a_newer_version_is_named_with_its_line(name: str, project: RR) -> None:
    set_to(file_of(project, name), "keploy.io/v1beta1", "keploy.io/v2")
    says(
        project.test(),
        f"keploy/test-set-0/{name}:1: the version 'api.keploy.io/v2' is unknown",
        "Use the release of rr that wrote it, or record again.",
    )


# -- no library for the clock ----------------------------------------------------------------------------------------


def test_without_a_library_for_the_clock_all_is_replayed_and_that_is_said_once(project: RR, tmp_path: Path) -> None:
    nowhere = tmp_path / "a file"
    nowhere.touch()
    rr = project.with_settings(XDG_CACHE_HOME=str(nowhere))
    for command in ("test", "noise"):
        done = rr.run(command)
        says(done, f"{nowhere}/rr cannot be written", code=0)
        assert done.output.count("The app's clock cannot be moved: ") == 1
    doctor = rr.run("doctor").output
    assert "without time travel" in doctor
    assert "tests run at today's time" in doctor


# -- hooks -----------------------------------------------------------------------------------------------------------


def with_hooks(rr: RR, **hooks: str) -> RR:
    settings = rr.folder / "rr.yml"
    lines = "".join(f"  {name}: {command}\n" for name, command in hooks.items())
    settings.write_text(settings.read_text("utf-8") + f"hooks:\n{lines}", "utf-8")
    return rr


def test_a_hook_that_fails_before_a_set_stops_it(project: RR) -> None:
    rr = with_hooks(project, pre="echo no migration; exit 3", post="touch cleaned")
    done = rr.test()
    says(done, "error RR305: hooks.pre of test-set-0 ended with exit code 3", "    no migration", "Correct the command")
    assert "test-2" not in done.output
    assert not (rr.folder / "cleaned").exists()


def test_a_hook_that_is_no_command(project: RR) -> None:
    says(with_hooks(project, pre="no-such-program --migrate").test(), "exit code 127", "no-such-program: not found")


def test_a_hook_that_fails_after_a_set_leaves_what_its_tests_have_shown(project: RR) -> None:
    done = with_hooks(project, post="echo cannot clean; exit 4").test()
    says(
        done, "✓ test-2", "error RR305: hooks.post of test-set-0 ended with exit code 4", "    cannot clean", "1 passed"
    )


def test_hooks_know_their_set_and_run_around_it(project: RR) -> None:
    shutil.copytree(project.keploy / "test-set-0", project.keploy / "test-set-1")
    rr = with_hooks(project, pre="echo before $RR_TEST_SET >> ran", post="echo after $RR_TEST_SET >> ran")
    says(rr.test(), code=0)
    assert (rr.folder / "ran").read_text().splitlines() == [
        "before test-set-0", "after test-set-0", "before test-set-1", "after test-set-1",
    ]  # fmt: skip


def test_a_recording_brings_no_hooks_of_its_own(project: RR) -> None:
    config = file_of(project, "config.yml")
    config.write_text(config.read_text("utf-8") + "hooks: {pre: touch pwned}\npreScript: touch pwned\n", "utf-8")
    says(project.test(), code=0)
    assert not (project.folder / "pwned").exists()
