"""`rr rerecord` where something is not as it has to be: it says what, and leaves all files as they were."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.apps.dependency import Dependency
from tests.apps.hard.traffic import HERE, ask
from tests.harness.network import free_port
from tests.harness.rr_command import RR, Finished
from tests.system.test_rerecord import changed, commit, git

pytestmark = pytest.mark.system

AS_IT_WAS = "test-set-0 was not recorded anew, and is as it was."


def record(rr: RR, *dependencies: Dependency) -> int:
    """An app that asks two dependencies; returns its port."""
    shutil.copytree(HERE, rr.folder / "hard", ignore=shutil.ignore_patterns("__pycache__"))
    port, places = free_port(), " ".join(one.url for one in dependencies)
    with rr.record(f"python -m hard.parallel {port} {places}", port=port) as recording:
        for item in ("i-1", "i-2"):
            ask(port, "GET", f"/look/{item}")
        recording.interrupt()
        assert recording.wait(40) == 0, recording.output
    commit(rr.folder)
    return port


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RR, int]]:
    folder = tmp_path_factory.mktemp("bad")
    for name in ("project", "home"):
        (folder / name).mkdir()
    with Dependency() as one, Dependency() as other:
        rr = RR(folder / "project", folder / "home")
        yield rr, record(rr, one, other)


@pytest.fixture
def project(recording: tuple[RR, int], tmp_path: Path) -> RR:
    """A copy, the dependencies are there."""
    shutil.copytree(recording[0].folder, tmp_path / "copy")
    return replace(recording[0], folder=tmp_path / "copy")


def edit(project: RR, old: str, new: str) -> None:
    source = project.folder / "hard" / "parallel.py"
    text = source.read_text("utf-8")
    assert old in text
    source.write_text(text.replace(old, new), "utf-8")


def is_refused(project: RR, done: Finished, *said: str) -> None:
    assert done.code == 2, done.output
    for one in said:
        assert one in done.stderr, done.output
    assert git(project.folder, "status", "--porcelain", "--", "keploy") == ""


def test_an_app_that_does_not_start(project: RR) -> None:
    edit(project, "serve(int(sys.argv[1])", 'sys.exit("no licence")\n    serve(int(sys.argv[1])')
    is_refused(project, project.run("rerecord"), "The app ended with exit code 1.", "no licence", AS_IT_WAS)


def test_an_app_that_listens_elsewhere(project: RR) -> None:
    edit(project, "serve(int(sys.argv[1])", f"serve({free_port()}")
    done = project.run("rerecord", "--delay", "2")
    is_refused(project, done, "The app did not listen on port", AS_IT_WAS)


def test_an_app_that_dies_of_a_request(project: RR) -> None:
    edit(
        project,
        "def look(asked: Asked) -> Answer:\n",
        "def look(asked: Asked) -> Answer:\n    __import__('os')._exit(3)\n",
    )
    is_refused(project, project.run("rerecord"), "The app ended with exit code 3.", AS_IT_WAS)


def test_a_port_that_somebody_else_has(project: RR, recording: tuple[RR, int]) -> None:
    with socket.create_server(("127.0.0.1", recording[1])):
        is_refused(project, project.run("rerecord", "--delay", "3"), f"127.0.0.1:{recording[1]}")


def test_a_dependency_that_is_down(rr: RR) -> None:
    with Dependency() as one:
        with Dependency() as other:
            record(rr, one, other)
        done = rr.run("rerecord")
    is_refused(rr, done, f"What the app depends on is not there: localhost:{other.port} (refused).", AS_IT_WAS)


def test_an_answer_of_another_status_is_told(project: RR) -> None:
    edit(project, '"request": str(uuid.uuid4())})\n\n\nif', '"request": str(uuid.uuid4())}, {}, 500)\n\n\nif')
    done = project.run("rerecord")
    assert done.code == 0, done.output
    for name in ("test-1", "test-2"):
        assert f"{name} is answered with 500; it was 200" in done.stderr
    assert "+    status_code: 500" in changed(project)


def test_a_hook_that_fails(project: RR) -> None:
    with (project.folder / "rr.yml").open("a") as settings:
        settings.write("hooks:\n  pre: echo no database here; exit 4\n")
    done = project.run("rerecord")
    assert done.code == 2, done.output
    assert "hooks.pre of test-set-0 ended with exit code 4" in done.stderr
    assert "no database here" in done.stderr
    assert changed(project) == ""
