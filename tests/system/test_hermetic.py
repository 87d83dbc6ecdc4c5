"""Nothing leaves a replay, and nothing is answered that was meant for another: a missing mock is an error."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.apps.dependency import Dependency
from tests.apps.traffic import Step, send
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "probe_app.py"
JSON_BODY = {"order": 1, "quantity": 2}


@pytest.fixture
def probe(rr: RR, port: int) -> RR:
    shutil.copy(APP, rr.folder)
    return rr.with_settings(PORT=str(port), ASK="{}", TRY="[]", HEARD=str(rr.folder / "heard.json"))


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A Unix socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="rr-", dir="/tmp") as folder:
        yield Path(folder)


def record(rr: RR, *pages: str) -> None:
    port = int(rr.settings["PORT"])
    with rr.record("python probe_app.py", port=port):
        for page in pages:
            assert send(Step(method="GET", path=page), port).status == 200


def heard(rr: RR) -> Any:
    return json.loads(Path(rr.settings["HEARD"]).read_text())


# -- nothing leaves ----------------------------------------------------------------------------------------------


class Ears:
    """Listeners of the host that must never hear anything."""

    def __init__(self, folder: Path) -> None:
        self.tcp = self._bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
        self.tcp6 = self._bound(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0))
        self.udp = self._bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
        self.path = str(folder / "host.sock")
        self.unix = self._bound(socket.AF_UNIX, socket.SOCK_STREAM, self.path)
        self.log = str(folder / "log.sock")
        self.datagram = self._bound(socket.AF_UNIX, socket.SOCK_DGRAM, self.log)
        self.name = f"rr-test-{self.tcp.getsockname()[1]}"
        self.abstract = self._bound(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.name}")

    @staticmethod
    def _bound(family: int, kind: int, address: Any) -> socket.socket:
        sock = socket.socket(family, kind)
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen(8)
        sock.setblocking(False)
        return sock

    def places(self) -> list[list[Any]]:
        return [
            ["tcp", "127.0.0.1", self.tcp.getsockname()[1]],
            ["tcp6", "::1", self.tcp6.getsockname()[1]],
            ["udp", "127.0.0.1", self.udp.getsockname()[1]],
            ["unix", self.path],
            ["datagram", self.log],
            ["abstract", self.name],
        ]

    def what_came(self) -> list[str]:
        """Whatever arrived: connections that wait to be accepted, datagrams that wait to be read."""
        came = []
        for name in ("tcp", "tcp6", "unix", "abstract"):
            try:
                getattr(self, name).accept()[0].close()
            except BlockingIOError:
                continue
            came.append(name)
        for name in ("udp", "datagram"):
            try:
                getattr(self, name).recv(65536)
            except BlockingIOError:
                continue
            came.append(name)
        return came

    def close(self) -> None:
        for sock in (self.tcp, self.tcp6, self.udp, self.unix, self.datagram, self.abstract):
            sock.close()


def test_no_listener_of_the_host_hears_anything(probe: RR, short_folder: Path) -> None:
    record(probe, "/try")
    with closing(Ears(short_folder)) as ears:
        probe = probe.with_settings(TRY=json.dumps(ears.places()))
        replay = probe.test()
        assert ears.what_came() == []
        tcp, tcp6, udp, unix, datagram, abstract = heard(probe)
    assert replay.code == 1, f"the app asked for what was never recorded\n{replay.output}"
    assert tcp == tcp6 == "HTTP/1.1 502 Bad Gateway"
    assert udp == "TimeoutError", "UDP goes nowhere"
    for way in (unix, datagram, abstract):
        assert way in ("ConnectionRefusedError", "FileNotFoundError", "PermissionError", "OSError"), way


def test_the_ears_do_hear_what_nobody_keeps_from_them(probe: RR, short_folder: Path) -> None:
    """The test above can fail: the same app, run without rr, reaches every one of them."""
    with closing(Ears(short_folder)) as ears:
        script = f"import probe_app; print([probe_app.reach(place) for place in {ears.places()!r}])"
        subprocess.run([sys.executable, "-c", script], cwd=probe.folder, check=True, capture_output=True)
        assert ears.what_came() == ["tcp", "tcp6", "unix", "abstract", "udp", "datagram"]


def test_no_name_of_the_outside_is_looked_up(probe: RR) -> None:
    record(probe, "/try")
    probe = probe.with_settings(TRY='[["name", "www.example.com"], ["tcp", "192.0.2.1", 80], ["tcp", "8.8.8.8", 53]]')
    replay = probe.test()
    assert replay.code == 1, replay.output
    name, tcp, resolver = heard(probe)
    assert name.startswith("198.18."), f"an address of rr's own, at which everything is a miss: {name}"
    assert tcp == resolver == "HTTP/1.1 502 Bad Gateway"
    assert "www.example.com" in replay.output


def test_the_dependency_s_count_is_unchanged(probe: RR, dependency: Dependency) -> None:
    probe = probe.with_settings(ASK=json.dumps({"method": "GET", "url": f"{dependency.url}/users/o-1"}))
    record(probe, "/ask")
    before = heard(probe)
    received = dependency.requests
    assert len(received) == 1
    replay = probe.test()
    assert replay.code == 0, replay.output
    assert heard(probe) == before
    assert dependency.requests == received


# -- never an answer that was meant for another ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "now", "difference"),
    [
        ("GET {}/users/o-1?limit=1&page=2", "GET {}/users/o-1?limit=1&page=3", "query.page: recorded '2', now '3'"),
        ("GET {}/users/o-1?limit=1", "GET {}/users/o-1", "query.limit: recorded '1', now nothing"),
        ("GET {}/users/o-1", "GET {}/users/o-1?limit=1", "query.limit: recorded nothing, now '1'"),
        ("GET {}/users/o-1", "GET {}/users/o-2", "path: recorded /users/o-1, now /users/o-2"),
        ("GET {}/users/o-1", "GET {}/user/o-1", "path: recorded /users/o-1, now /user/o-1"),
        ("GET {}/users/o-1", "DELETE {}/users/o-1", "method: recorded GET, now DELETE"),
        ("GET {}/users/o-1", "GET http://other.test/users/o-1", "host: "),
        ("GET {}/users/o-1", "GET http://127.0.0.1:9/users/o-1", "host: "),
        ("POST {}/users/search", "GET {}/users/search", "method: recorded POST, now GET"),
    ],
)  # fmt: skip
def test_a_missing_mock_is_a_502_that_names_the_nearest(
    recorded: str, now: str, difference: str, probe: RR, dependency: Dependency
) -> None:
    def asking(line: str) -> RR:
        method, _, url = line.format(dependency.url).partition(" ")
        body = JSON_BODY if method == "POST" else None
        return probe.with_settings(ASK=json.dumps({"method": method, "url": url, "body": body}))

    record(asking(recorded), "/ask")
    assert heard(probe)[0] == 200
    received = dependency.requests

    replay = asking(now).test()

    assert replay.code == 1, replay.output
    status, text = heard(probe)
    assert status == 502, text
    answer = json.loads(text)
    assert answer["nearest"] == "test-1.1"
    assert difference in answer["error"]
    assert "test-1.1" in replay.output
    assert difference in replay.output
    assert dependency.requests == received


def test_a_write_with_another_body_is_answered_and_red(probe: RR, dependency: Dependency) -> None:
    """The app goes on, so that one bug is one finding; the test is red and names the value."""
    ask = {"method": "POST", "url": f"{dependency.url}/reservations", "body": JSON_BODY}
    record(probe.with_settings(ASK=json.dumps(ask)), "/ask")
    answered = heard(probe)

    replay = probe.with_settings(ASK=json.dumps({**ask, "body": {**JSON_BODY, "quantity": 3}})).test()

    assert replay.code == 1, replay.output
    assert heard(probe) == answered
    assert "body.quantity: recorded 2, now 3" in replay.output
