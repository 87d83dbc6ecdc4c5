"""The test apps do what README.md says of them, without rr: what a system test then finds wrong is rr's."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps import traffic
from tests.apps.dependency import Dependency, Received
from tests.harness.network import NamedHost, listens
from tests.harness.processes import Running
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

COMMANDS = {
    "flask": "python flask_app.py",
    "gunicorn": "gunicorn -w 4 -b 127.0.0.1:{port} flask_app:app",
    "fastapi": "uvicorn --reload --port {port} fastapi_app:app",
    "express": "node express/server.js",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_app_answers_alike(
    command: str, rr: RR, app_files: Path, dependency: Dependency, port: int, tmp_path: Path
) -> None:
    env = {
        **rr.env, "PORT": str(port), "USERS_URL": dependency.url, "STOCK_URL": dependency.url_as("localhost"),
    }  # fmt: skip
    words = shlex.split(command.format(port=port))
    with Running(words, log=tmp_path / "app.log", cwd=app_files, env=env) as app:
        app.until(lambda: listens(port), "the app listens")
        wrong = traffic.play(traffic.PAGES, port)
        assert dependency.requests == [], "pages that call nothing have called the dependency"
        wrong += traffic.play(traffic.CALLS, port)
    assert not wrong, "\n".join(wrong)
    assert [received.path for received in dependency.requests][:5] == [
        "/users/o-1", "/users/nobody-1", "/users/o-2", "/stock/o-2", "/prices/o-2",
    ]  # fmt: skip


def test_the_static_server_answers(static_server: Path, dependency: Dependency, port: int, tmp_path: Path) -> None:
    env = {"PORT": str(port), "USERS_PORT": str(dependency.port)}
    with Running([static_server], log=tmp_path / "app.log", env=env) as app:
        app.until(lambda: listens(port), "the server listens")
        assert traffic.play(traffic.SMALL, port) == []
    assert Received("GET", "/users/o-3", b"") in dependency.requests


def test_a_name_resolves_for_a_command_with_the_prefix(stock: NamedHost) -> None:
    done = subprocess.run(
        [*stock.prefix, "getent", "ahostsv4", stock.name], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("127."), done.stderr


def test_a_stopped_dependency_refuses(dependency: Dependency) -> None:
    assert listens(dependency.port)
    dependency.stop()
    assert not listens(dependency.port)


def test_a_process_that_ends_early_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no port today'); raise SystemExit(3)"]
    with (
        pytest.raises(AssertionError, match=r"(?s)exit code 3.*no port today"),
        Running(command, log=tmp_path / "log") as process,
    ):
        process.until(lambda: False, "the impossible")


def test_ctrl_c_in_a_terminal_reaches_the_process(tmp_path: Path) -> None:
    command = ["sh", "-c", "trap 'echo got it; exit 7' INT; test -t 0 && echo terminal; while :; do sleep 0.05; done"]
    with Running(command, log=tmp_path / "log", terminal=True) as process:
        process.until_says("terminal")
        process.interrupt()
        assert process.wait() == 7
        assert "got it" in process.output
