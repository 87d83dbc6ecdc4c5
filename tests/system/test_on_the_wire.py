"""Through a recording rr, client, app and dependency see what they would see without it."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.apps.dependency import Dependency
from tests.harness.crash import Family, family, recording
from tests.harness.mounts import Mounts, own_mounts
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.programs import program
from tests.harness.recorded import mock_kinds, recorded_mocks, recorded_tests
from tests.harness.rr_command import BIN, RR
from tests.harness.waiting import eventually
from tests.harness.wire import (
    MIB,
    Watch,
    answer,
    ask,
    at_once,
    connect,
    head_of,
    in_sequence,
    is_quiet,
    pieces,
    request,
    stream,
)  # fmt: skip
from testset.model import Ending

pytestmark = pytest.mark.system

MEMORY = 200 * MIB


@dataclass(frozen=True, slots=True)
class Recorded:
    """The socket app under a recording rr."""

    port: int
    rr: RR
    dependency: Dependency
    running: Running
    mounts: Mounts

    @property
    def family(self) -> Family:
        return family(self.running.process.pid)

    @property
    def test_set(self) -> Path:
        return self.rr.keploy / "test-set-0"

    def finish(self) -> None:
        self.running.interrupt()
        assert self.running.wait(60) == 0, self.running.output


@contextmanager
def recorded_app(folder: Path) -> Iterator[Recorded]:
    project, home = folder / "project", folder / "home"
    project.mkdir()
    home.mkdir()
    port = free_port()
    with ExitStack() as stack:
        mounts = stack.enter_context(own_mounts(project, folder / "mounts.log"))
        rr = RR(project, home, mounts.prefix)
        dependency = stack.enter_context(Dependency())
        running = stack.enter_context(recording(rr, dependency, port))
        yield Recorded(port, rr, dependency, running, mounts)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """One recording for all tests that look at the wire alone."""
    with recorded_app(tmp_path_factory.mktemp("shared")) as recorded:
        yield recorded


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Recorded]:
    """A recording of the test's own, whose files it looks at."""
    with recorded_app(tmp_path) as recorded:
        yield recorded


# -- much of everything ------------------------------------------------------------------------------------------


def test_a_large_answer_streams_through_little_memory(fresh: Recorded) -> None:
    size = 100 * MIB
    with Watch(fresh.family, fresh.mounts.seen(Path("/dev/shm"))) as watch:
        assert stream(fresh.port, size) == pieces(size)
        fresh.finish()
    assert watch.most < MEMORY, f"rr's processes held {watch.most // MIB} MiB"
    [test] = [test for test in recorded_tests(fresh.test_set) if test.line == f"GET /big/{size}"]
    assert len(test.response_body) == size


def test_a_thousand_connections_in_sequence(fresh: Recorded) -> None:
    with Watch(fresh.family, fresh.mounts.seen(Path("/dev/shm"))) as watch:
        assert in_sequence(fresh.port, 1000) == []
        fresh.finish()
    assert watch.most < MEMORY
    assert [test.line for test in recorded_tests(fresh.test_set)] == [f"GET /echo/{id}" for id in range(1000)]


def test_five_hundred_connections_at_once(fresh: Recorded) -> None:
    with Watch(fresh.family, fresh.mounts.seen(Path("/dev/shm"))) as watch:
        assert at_once(fresh.port, 500) == []
        fresh.finish()
    assert watch.most < MEMORY
    assert len(recorded_tests(fresh.test_set)) == 500


def test_many_clients_that_stall_are_not_kept_in_memory(fresh: Recorded) -> None:
    """Each asks for 20 MB and reads nothing for a while."""
    size, sockets = 20 * MIB, []
    with Watch(fresh.family, fresh.mounts.seen(Path("/dev/shm"))) as watch:
        for _ in range(25):
            sockets.append(connect(fresh.port))
            sockets[-1].sendall(request(f"/big/{size}"))
        stand_still(fresh.port)
        for sock in sockets:
            sock.close()
    assert watch.most < MEMORY, f"rr's processes held {watch.most // MIB} MiB"


# -- ways of ending, and of going slowly ---------------------------------------------------------------------------


def stand_still(port: int) -> int:
    """Wait until the app could send no more for a while; how much it had sent."""
    seen: list[int] = []

    def still() -> bool:
        seen.append(ask(port, "/sent")["bytes"])
        time.sleep(0.05)  # between two measurements
        return len(seen) > 6 and seen[-1] == seen[-6]

    eventually(still, "the app stands still")
    return seen[-1]


def test_a_client_that_stalls_holds_the_app_up_and_gets_everything_in_the_end(shared: Recorded) -> None:
    size = 64 * MIB
    before = ask(shared.port, "/sent")["bytes"]
    with closing(connect(shared.port)) as sock:
        sock.sendall(request(f"/big/{size}"))
        assert stand_still(shared.port) - before < 40 * MIB, "the app was read on while the client did not read"
        assert len(answer(sock)) == size


def test_a_byte_at_a_time(shared: Recorded) -> None:
    with closing(connect(shared.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request("/echo/slow-writer"):
            sock.sendall(bytes([byte]))
        assert json.loads(answer(sock))["id"] == "slow-writer"


def test_a_client_that_has_said_everything_still_gets_the_answer(shared: Recorded) -> None:
    with closing(connect(shared.port)) as sock:
        sock.sendall(request("/slow/200"))
        sock.shutdown(socket.SHUT_WR)
        assert json.loads(answer(sock)) == {"slept": "200"}
        assert sock.recv(1) == b"", "the app has closed its side as well"


def test_a_client_that_resets_harms_nobody(shared: Recorded) -> None:
    for _ in range(20):
        sock = connect(shared.port)
        sock.sendall(request(f"/big/{8 * MIB}"))
        head_of(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    assert ask(shared.port, "/echo/after")["id"] == "after"


def test_an_app_that_resets_resets(shared: Recorded) -> None:
    with closing(connect(shared.port)) as sock:
        sock.sendall(request("/reset"))
        _head, body = head_of(sock)
        with pytest.raises(ConnectionResetError):
            rest_of(sock)
    assert len(body) <= 1000


def rest_of(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def test_an_app_that_closes_early_closes_early(shared: Recorded) -> None:
    with closing(connect(shared.port)) as sock:
        sock.sendall(request("/short"))
        _head, body = head_of(sock)
        body += rest_of(sock)
    assert body == b"x" * 100


def test_pipelined_requests_are_answered_in_order(shared: Recorded) -> None:
    with closing(connect(shared.port)) as sock:
        sock.sendall(b"".join(request(f"/echo/p{number}", close=number == 9) for number in range(10)))
        data = rest_of(sock)
    places = [data.index(f'"id": "p{number}"'.encode()) for number in range(10)]
    assert places == sorted(places)


def test_a_client_that_only_looks_whether_the_port_is_open(fresh: Recorded) -> None:
    for _ in range(3):
        assert listens(fresh.port)
    assert ask(fresh.port, "/echo/1")["id"] == "1"
    fresh.finish()
    assert "not HTTP" not in fresh.running.output


# -- what the app sees at connect() --------------------------------------------------------------------------------


def test_a_refused_connection_is_refused_at_once(shared: Recorded) -> None:
    for host in ("127.0.0.1", "::1"):
        seen = ask(shared.port, f"/connect?host={host}&port={free_port()}")
        assert seen["code"] == errno.ECONNREFUSED, host
        assert seen["took"] < 1


def test_a_silent_destination_is_silent(shared: Recorded) -> None:
    """A listener whose backlog is full drops what comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent, ExitStack() as stack:
        port = silent.getsockname()[1]
        for _ in range(4):
            filling = stack.enter_context(closing(socket.socket()))
            filling.setblocking(False)
            filling.connect_ex(("127.0.0.1", port))
        seen = ask(shared.port, f"/connect?host=127.0.0.1&port={port}&wait=1.5")
    assert seen["code"] == -1, "neither connected nor refused"
    assert seen["took"] >= 1.5


def test_an_unreachable_destination_is_unreachable(rr: RR, tmp_path: Path) -> None:
    """On a machine that has no route: an empty network namespace."""
    alone = [program("unshare"), "-Urn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import socket, time\n"
        "for host, family in (('192.0.2.1', socket.AF_INET), ('2001:db8::1', socket.AF_INET6)):\n"
        "    began = time.monotonic()\n"
        "    with socket.socket(family) as sock:\n"
        "        sock.settimeout(10)\n"
        "        code = sock.connect_ex((host, 80))\n"
        "    print(code, time.monotonic() - began < 1)\n"
    )
    with own_mounts(rr.folder, tmp_path / "mounts.log") as mounts:
        done = rr.with_prefix([*mounts.prefix, *alone]).run("record", "-c", f"{sys.executable} {probe}")
    assert done.code == 0, done.output
    assert done.stdout.split() == [str(errno.EHOSTUNREACH), "True"] * 2
    assert mock_kinds(rr.keploy / "test-set-0") == {"Generic"}


def test_localhost_falls_back_from_ipv6_to_ipv4(shared: Recorded) -> None:
    """The dependency listens on 127.0.0.1 alone; the app tries ::1 first, as most do for `localhost`."""
    port = shared.dependency.port
    assert ask(shared.port, f"/connect?host=::1&port={port}")["code"] == errno.ECONNREFUSED
    assert ask(shared.port, f"/get/users/fallback?host=localhost&port={port}")["got"]["exists"]


def test_a_dependency_on_ipv6(fresh: Recorded) -> None:
    with Dependency(host="::1") as dependency:
        got = ask(fresh.port, f"/get/users/six?host=::1&port={dependency.port}")
        assert got["got"]["id"] == "six"
    fresh.finish()
    [mock] = recorded_mocks(fresh.test_set)
    assert mock.line == "GET /users/six"


ONE_PORT = """
import socket, sys
targets, wrong = [("127.0.0.1", int(port)) for port in sys.argv[1:]], 0
for _ in range(300):
    socks = [socket.socket(), socket.socket()]
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    socks[0].bind(("127.0.0.1", 0))
    socks[1].bind(socks[0].getsockname())
    for sock, target in zip(socks, targets):
        sock.setblocking(False)
        sock.connect_ex(target)
    for sock, (_, port) in zip(socks, targets):
        sock.setblocking(True)
        wrong += sock.recv(100) != str(port).encode()
        sock.close()
print(wrong, "wrong")
"""


def test_two_connections_from_one_port_reach_whom_they_call(rr: RR) -> None:
    """The kernel chooses the port of who asks for none by where it calls: two may get the same at the same time."""
    with ExitStack() as stack:
        ports = [stack.enter_context(one_that_says_its_port()) for _ in range(2)]
        (rr.folder / "one_port.py").write_text(ONE_PORT)
        done = run(rr, f"{sys.executable} one_port.py {ports[0]} {ports[1]}")
    assert done.stdout.decode().splitlines() == ["0 wrong"], done.stderr.decode()


@contextmanager
def one_that_says_its_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(str(port).encode())

        thread = threading.Thread(target=serve)
        thread.start()
        yield port
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_a_dependency_that_resets_or_closes_early(fresh: Recorded) -> None:
    for page in ("reset", "close-early"):
        with closing(connect(fresh.port)) as sock:
            sock.sendall(request(f"/get/{page}?host=127.0.0.1&port={fresh.dependency.port}"))
            assert sock.recv(65536) == b"", "the app's own failure ends the connection"
    fresh.finish()
    endings = [mock.exchange.ending for mock in recorded_mocks(fresh.test_set)]
    assert endings == [Ending.RESET, Ending.CUT_SHORT]


def test_the_app_calls_itself(fresh: Recorded) -> None:
    assert ask(fresh.port, "/own")["own"] == {"id": "nested", "body": ""}
    fresh.finish()
    assert [test.line for test in recorded_tests(fresh.test_set)] == ["GET /own"]
    assert recorded_mocks(fresh.test_set) == []


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_udp(host: str, family: socket.AddressFamily, shared: Recorded) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind((host, 0))
        server.settimeout(10)

        def echo() -> None:
            data, client = server.recvfrom(65536)
            server.sendto(data[::-1], client)

        thread = threading.Thread(target=echo)
        thread.start()
        assert ask(shared.port, f"/udp/hello?host={host}&port={server.getsockname()[1]}") == {"answer": "olleh"}
        thread.join(10)


# -- ports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
def test_a_port_that_opens_late_and_closes_again(host: str, shared: Recorded) -> None:
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    port = free_port(near)
    ask(shared.port, f"/listen/{port}?host={host}")
    eventually(lambda: listens(port, near), "the late port is open on the host")
    assert ask(port, "/echo/late", near)["id"] == "late"
    ask(shared.port, f"/unlisten/{port}")
    eventually(lambda: not listens(port, near), "the port is closed on the host as well")


def test_the_app_sees_who_the_client_is(shared: Recorded) -> None:
    port = free_port()
    ask(shared.port, f"/listen/{port}?host=0.0.0.0")
    eventually(lambda: listens(port), "the port is open on the host")
    assert ask(port, "/peer")["peer"] == "127.0.0.1"
    assert ask(port, "/peer", source="127.0.0.77")["peer"] == "127.0.0.77"
    for address in own_addresses():
        assert ask(port, "/peer", host=address)["peer"] == client_of(address)


def client_of(address: str) -> str:
    """Who a server of this machine sees when its `address` is called: not always that address. A Docker engine
    masquerades what leaves its bridge's network, and counts its own bridge's address among that."""
    with socket.create_server((address, 0)) as server, socket.create_connection(server.getsockname()):
        connection, peer = server.accept()
        connection.close()
    return str(peer[0])


def own_addresses() -> list[str]:
    """This machine's IPv4 addresses beside loopback."""
    found = [one.address for addresses in psutil.net_if_addrs().values() for one in addresses if one.family == 2]
    return [address for address in found if not address.startswith("127.")][:2]


# -- the command ---------------------------------------------------------------------------------------------------


def run(rr: RR, command: str, given: bytes = b"", **more: object) -> subprocess.CompletedProcess[bytes]:
    arguments = [*rr.prefix, str(BIN / "rr"), "record", "-c", command]
    return subprocess.run(arguments, cwd=rr.folder, env=rr.env, input=given, capture_output=True, timeout=30)


def test_standard_input_and_output_are_the_command_s(rr: RR) -> None:
    done = run(rr, "cat; echo to-stderr >&2", b"line one\nline two\n\0\xff")
    assert done.stdout == b"line one\nline two\n\0\xff"
    assert b"to-stderr\n" in done.stderr
    assert done.returncode == 0


def test_rr_listens_on_no_port_that_an_app_would(rr: RR) -> None:
    """Nor on one that the kernel gives to who asks for none: the app would find its own port taken now and then."""
    done = run(rr, "tail -q -n +2 /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6")
    ports = [int(line.split()[1].rpartition(":")[2], 16) for line in done.stdout.decode().splitlines()]
    assert ports
    assert all(717 <= port <= 728 for port in ports), ports


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM)])
def test_the_exit_code_is_the_command_s(command: str, code: int, rr: RR) -> None:
    assert run(rr, command).returncode == code


def test_folder_environment_and_user_are_the_command_s(rr: RR) -> None:
    done = run(rr.with_settings(GREETING="hello there"), 'pwd; echo "$GREETING"; id -u')
    assert done.stdout.decode().splitlines() == [str(rr.folder), "hello there", str(os.getuid())]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_app_and_ends_the_recording(number: signal.Signals, rr: RR) -> None:
    name = number.name.removeprefix("SIG")
    command = f"trap 'echo got {name}; exit 0' {name}; echo ready; while :; do sleep 0.02; done"
    with rr.record(command) as running:
        running.until_says("ready")
        running.process.send_signal(number)
        assert running.wait() == 0, running.output
    assert f"got {name}" in running.output


def test_a_silent_client_keeps_nobody_waiting(shared: Recorded) -> None:
    with closing(connect(shared.port)) as sock:
        assert is_quiet(sock, 0.1)
        assert ask(shared.port, "/echo/others")["id"] == "others"
