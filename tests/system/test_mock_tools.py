"""`rr mock`: a recording served on ports, and any command recorded and replayed."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.apps.dependency import Dependency
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.recorded import recorded_mocks, recorded_tests
from tests.harness.rr_command import BIN, RR

pytestmark = pytest.mark.system

CLIENT = """
import sys, urllib.request, urllib.error
for path in sys.argv[2:]:
    try:
        print(urllib.request.urlopen(sys.argv[1] + path).read())
    except urllib.error.HTTPError as error:
        print(error.code)
"""

LISTENER = """
import http.server, threading, urllib.request, sys
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/").read()
print(urllib.request.urlopen(sys.argv[2]).read().decode())
"""

GREETED = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as sock:
    print(sock.recv(100).decode())
    sock.sendall(b"hello")
    print(sock.recv(100).decode())
"""


def run(rr: RR, *words: str | Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """rr with something on its standard input."""
    return subprocess.run(
        [BIN / "rr", *map(str, words)], cwd=rr.folder, env=rr.env, input=typed, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def client(rr: RR) -> str:
    (rr.folder / "client.py").write_text(CLIENT, "utf-8")
    return "client.py"


# -- any command ------------------------------------------------------------------------------------------------


def test_a_command_is_recorded_and_replayed_without_its_dependency(rr: RR, client: str, dependency: Dependency) -> None:
    words = [sys.executable, client, dependency.url, "/users/o-1", "/stock/o-2"]
    recording = rr.run("mock", "record", "--", *words)
    assert recording.code == 0, recording.output
    assert "2 mocks recorded in keploy/default" in recording.stderr
    mocks = recorded_mocks(rr.keploy / "default")
    assert [(mock.name, mock.line) for mock in mocks] == [
        ("session.1", "GET /users/o-1"),
        ("session.2", "GET /stock/o-2"),
    ]
    assert recorded_tests(rr.keploy / "default") == []

    dependency.stop()
    before = dependency.requests
    replay = rr.run("mock", "replay", "--", *words)
    assert (replay.code, replay.stdout) == (0, recording.stdout), replay.output
    assert replay.stderr == "", "a replay that found everything has nothing to say"
    assert dependency.requests == before


def test_streams_and_the_exit_code_are_the_command_s_own(rr: RR, client: str, dependency: Dependency) -> None:
    script = f"cat; echo oops >&2; {sys.executable} {client} {dependency.url} /users/o-1 > /dev/null; exit 7"
    for tool in ("record", "replay"):
        done = run(rr, "mock", tool, "--name", "mine", "--", "sh", "-c", script, typed="typed\n")
        assert done.returncode == 7, done.stderr
        assert done.stdout == "typed\n"
        assert done.stderr.startswith("oops\n")
    assert [mock.name for mock in recorded_mocks(rr.keploy / "mine")] == ["session.1"]


def test_a_miss_fails_a_command_that_is_content_itself(rr: RR, client: str, dependency: Dependency) -> None:
    rr.run("mock", "record", "--", sys.executable, client, dependency.url, "/users/o-1")
    before = dependency.requests
    replay = rr.run("mock", "replay", "--", sys.executable, client, dependency.url, "/users/o-1", "/users/o-9")
    assert replay.code == 1, replay.output
    assert replay.stdout.splitlines()[1:] == ["502"]
    assert "1 request of the command found no mock" in replay.stderr
    assert "/users/o-9" in replay.stderr
    assert "session.1" in replay.stderr, "the nearest recording"
    assert dependency.requests == before


def test_a_miss_does_not_hide_the_command_s_own_failure(rr: RR, client: str, dependency: Dependency) -> None:
    rr.run("mock", "record", "--", sys.executable, client, dependency.url, "/users/o-1")
    script = f"{sys.executable} {client} {dependency.url} /users/o-9; exit 5"
    assert rr.run("mock", "replay", "--", "sh", "-c", script).code == 5


def test_what_is_missing_can_be_added(rr: RR, client: str, dependency: Dependency) -> None:
    words = [sys.executable, client, dependency.url, "/users/o-1", "/users/o-9"]
    rr.run("mock", "record", "--", *words[:-1])
    added = rr.run("mock", "replay", "--on-miss", "record", "--", *words)
    assert added.code == 0, added.output
    assert "PASSED THROUGH" in added.stderr
    assert [mock.name for mock in recorded_mocks(rr.keploy / "default")] == ["session.1", "session.2"]
    assert [request.path for request in dependency.requests] == ["/users/o-1", "/users/o-9"]

    dependency.stop()
    replay = rr.run("mock", "replay", "--", *words)
    assert (replay.code, replay.stdout) == (0, added.stdout), replay.output


def test_a_second_recording_replaces_the_first_but_only_with_something(
    rr: RR, client: str, dependency: Dependency
) -> None:
    def names() -> list[str]:
        return [mock.line for mock in recorded_mocks(rr.keploy / "default")]

    rr.run("mock", "record", "--", sys.executable, client, dependency.url, "/users/o-1", "/users/o-2")
    rr.run("mock", "record", "--", sys.executable, client, dependency.url, "/users/o-3")
    assert names() == ["GET /users/o-3"]
    nothing = rr.run("mock", "record", "--", "true")
    assert nothing.code == 0, nothing.output
    assert "nothing was recorded" in nothing.stderr
    missing = rr.run("mock", "record", "--", "no-such-command")
    assert missing.code == 127, missing.output
    assert names() == ["GET /users/o-3"]
    assert [path.name for path in rr.keploy.iterdir()] == ["default"]


def test_what_a_command_listens_on_stays_its_own(rr: RR, dependency: Dependency, port: int) -> None:
    """The port is taken on the host: it would be in the way if rr opened it there."""
    (rr.folder / "listener.py").write_text(LISTENER, "utf-8")
    words = [sys.executable, "listener.py", str(port), f"{dependency.url}/users/o-1"]
    with socket.create_server(("127.0.0.1", port)):
        recording = rr.run("mock", "record", "--", *words)
        assert recording.code == 0, recording.output
    mocks = recorded_mocks(rr.keploy / "default")
    assert [mock.line for mock in mocks] == ["GET /users/o-1"]
    assert recorded_tests(rr.keploy / "default") == []
    dependency.stop()
    replay = rr.run("mock", "replay", "--", *words)
    assert (replay.code, replay.stdout) == (0, recording.stdout), replay.output


def test_a_server_that_speaks_first_is_passed_through(rr: RR, client: str, dependency: Dependency) -> None:
    (rr.folder / "greeted.py").write_text(GREETED, "utf-8")
    rr.run("mock", "record", "--", sys.executable, client, dependency.url, "/users/o-1")
    with greeter() as port:
        words = [sys.executable, "greeted.py", str(port)]
        added = rr.run("mock", "replay", "--on-miss", "record", "--", *words)
        assert (added.code, added.stdout) == (0, "welcome\nhello to you\n"), added.output
        assert f"connection to localhost:{port}: no mock; PASSED THROUGH" in added.stderr
    replay = rr.run("mock", "replay", "--", *words)
    assert (replay.code, replay.stdout) == (0, added.stdout), replay.output


def test_no_mocks_and_a_set_with_tests_are_said_plainly(rr: RR) -> None:
    nothing = rr.run("mock", "replay", "--", "true")
    assert nothing.code == 2
    assert "rr mock record -- true" in nothing.stderr
    (rr.keploy / "test-set-0" / "tests").mkdir(parents=True)
    taken = rr.run("mock", "record", "--name", "test-set-0", "--", "true")
    assert taken.code == 2
    assert "test-set-0 is a test set with tests" in taken.stderr


def test_a_killed_recording_is_recovered(rr: RR, client: str, dependency: Dependency) -> None:
    script = f"{sys.executable} {client} {dependency.url} /users/o-1; echo asked; sleep 100"
    command = [str(BIN / "rr"), "mock", "record", "--", "sh", "-c", script]
    with Running(command, log=rr.home / "killed.log", cwd=rr.folder, env=rr.env) as running:
        running.until_says("asked")
        running.process.kill()
        running.process.wait(10)
    recovered = rr.run("recover")
    assert recovered.code == 0, recovered.output
    assert [mock.name for mock in recorded_mocks(rr.keploy / "default.new")] == ["session.1"]


# -- on ports ---------------------------------------------------------------------------------------------------


def test_a_recording_stands_in_for_the_dependency_on_its_own_port(rr: RR, client: str, dependency: Dependency) -> None:
    paths = ["/users/o-1", "/gzip", "/chunked", "/status/404"]
    recording = rr.run("mock", "record", "--", sys.executable, client, dependency.url, *paths)
    dependency.stop()
    with serving(rr) as running:
        assert f"localhost:{dependency.port} → http://127.0.0.1:{dependency.port}, 4 mocks" in running.output
        for _ in range(2):  # as often as one likes
            done = subprocess.run(
                [sys.executable, client, dependency.url, *paths], cwd=rr.folder, capture_output=True, text=True,
                timeout=30, check=False,
            )  # fmt: skip
            assert done.stdout == recording.stdout
        running.interrupt()
        assert running.wait() == 0, running.output
    assert not listens(dependency.port)


def test_a_taken_port_a_chosen_port_and_a_miss(rr: RR, client: str, dependency: Dependency) -> None:
    rr.run("mock", "record", "--", sys.executable, client, dependency.url, "/users/o-1")
    with serving(rr) as running:
        url = re.search(r"→ (http://127\.0\.0\.1:\d+), 1 mock$", running.output, re.MULTILINE)
        assert url is not None, running.output
        assert url[1] != dependency.url, "the dependency still has its port"
        with urllib.request.urlopen(f"{url[1]}/users/o-1", timeout=10) as answer:
            assert json.loads(answer.read())["id"] == "o-1"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url[1]}/users/o-2", timeout=10)
        assert caught.value.code == 502
        assert b"session.1" in caught.value.read()
        line = f"no mock for GET http://localhost:{dependency.port}/users/o-2"
        running.until(lambda: line in running.output, "the miss is printed")
    chosen = free_port()
    with serving(rr, "--port", f"localhost:{dependency.port}={chosen}") as running:
        assert f"localhost:{dependency.port} → http://127.0.0.1:{chosen}, 1 mock" in running.output
    taken = rr.run("mock", "serve", "--port", f"localhost={dependency.port}")
    assert taken.code == 2
    assert f"cannot listen on 127.0.0.1:{dependency.port}" in taken.stderr


def test_a_conversation_that_is_no_http_is_served_too(rr: RR) -> None:
    (rr.folder / "greeted.py").write_text(GREETED, "utf-8")
    with greeter() as port:
        recording = rr.run("mock", "record", "--", sys.executable, "greeted.py", str(port))
        assert recording.stdout == "welcome\nhello to you\n", recording.output
    with serving(rr) as running:
        assert f"localhost:{port} → 127.0.0.1:{port}, 1 mock" in running.output
        done = subprocess.run(
            [sys.executable, rr.folder / "greeted.py", str(port)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.stdout == recording.stdout, done.stderr


def test_which_set_has_to_be_said_when_there_are_several(rr: RR, client: str, dependency: Dependency) -> None:
    for name in ("one", "two"):
        rr.run("mock", "record", "--name", name, "--", sys.executable, client, dependency.url, "/users/o-1")
    done = rr.run("mock", "serve")
    assert done.code == 2
    assert "one, two" in done.stderr
    assert "rr mock serve one" in done.stderr


@contextmanager
def serving(rr: RR, *options: str) -> Iterator[Running]:
    command = [str(BIN / "rr"), "mock", "serve", *options]
    log = rr.home / f"serve-{len(list(rr.home.glob('serve-*')))}.log"
    with Running(command, log=log, cwd=rr.folder, env=rr.env) as running:
        running.until(lambda: "→" in running.output, "rr serves")
        yield running


@contextmanager
def greeter() -> Iterator[int]:
    """A server that speaks first."""

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.sendall(b"welcome")
                client.sendall(client.recv(100) + b" to you")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port: int = server.getsockname()[1]
        yield port
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)
