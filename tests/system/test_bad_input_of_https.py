"""Servers that break their word over HTTPS, and files of trust that are none: the app sees what it sees without rr, at
replay as well; the user reads a sentence of it; and rr's memory stays what it is."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.apps.https.traffic import NODE, PYTHON, ask, recorded_as_without, replayed
from tests.harness.company import Company, machine_that_trusts
from tests.harness.crash import family
from tests.harness.mounts import SHARED_MEMORY, own_mounts
from tests.harness.rr_command import RR
from tests.harness.tls_server import Breach, Page, Request, TlsServer
from tests.harness.wire import MIB, Watch

pytestmark = pytest.mark.system

BODY = b"a body of which not all comes " * 500
ROOTS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def raw(head: str, *pieces: bytes, rude: bool = False) -> Page:
    """All at once: what comes in two pieces is seen by some clients in one or in two, and they differ in what they do
    then (aiohttp waits for ever for a chunk of which it cannot read the size)."""
    return Page(raw=lambda: iter([f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + b"".join(pieces)]), rude=rude)


def a_long_header() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Long: "
    for _ in range(100):
        yield b"x" * (1 << 20)
    yield b"\r\nContent-Length: 2\r\n\r\nok"


CHUNKED = "Content-Type: text/plain\r\nTransfer-Encoding: chunked"
PAGES = {
    "cut-chunk": raw(CHUNKED, b"1000\r\n" + BODY[:500]),
    "rude-chunk": raw(CHUNKED, b"1000\r\n" + BODY[:500], rude=True),
    "no-last-chunk": raw(CHUNKED, b"1f4\r\n" + BODY[:500] + b"\r\n"),
    "no-size": raw(CHUNKED, b"1f4\r\n" + BODY[:500] + b"\r\nzz\r\n"),
    "short": raw("Content-Length: 1000", BODY[:500]),
    "no-gzip": raw("Content-Encoding: gzip\r\nContent-Length: 500", BODY[:500]),
    "cut-gzip": raw("Content-Encoding: gzip\r\nContent-Length: 60", gzip.compress(BODY)[:60]),
    "no-http": Page(raw=lambda: iter([b"\x00\x01 what is this?\r\n\r\n"])),
    "half-a-head": Page(raw=lambda: iter([b"HTTP/1.1 200 OK\r\nContent-Le"])),
    "long": Page(raw=a_long_header),
    "reset": Page(BODY, breach=Breach.RESET),
    "goaway": Page(BODY, breach=Breach.GOAWAY),
}


def page(request: Request) -> Page:
    return PAGES[request.target[1:]]


@pytest.fixture
def trusting(company: Company, rr: RR, tmp_path: Path) -> RR:
    """rr, in an environment in which each client trusts the company."""
    (tmp_path / "root.pem").write_bytes(company.root)
    return rr.with_settings(**dict.fromkeys(ROOTS, str(tmp_path / "root.pem")))


@pytest.mark.parametrize(
    ("app", "clients"),
    [(PYTHON, ("requests", "httpx", "aiohttp", "urllib", "curl")), (NODE, ("fetch", "axios"))],
    ids=["Python", "Node"],
)
def test_an_answer_that_is_not_what_it_should_be(
    app: str, clients: tuple[str, ...], company: Company, trusting: RR, port: int, tmp_path: Path
) -> None:
    pages = [name for name in PAGES if PAGES[name].raw is not None and name != "long"]
    targets = [f"/http1/{name}?with={client}" for name in pages for client in clients]
    targets = [one for one in targets if one != "/http1/no-gzip?with=fetch"]  # Node 20 never comes back from it
    with TlsServer(company.server(tmp_path), page, ["http/1.1"]) as server:
        command = f"{app} {clients[0]} {port} http1={server.url}"
        answers, said = recorded_as_without(trusting, command, port, targets)
    assert [target for target in targets if "short" in target and "error" not in answers[target]] == []
    assert said.count("gave an answer that is no HTTP: it is kept as it came") == 1
    replayed(trusting, len(targets))


def test_http_2_that_is_given_up(company: Company, trusting: RR, port: int, tmp_path: Path) -> None:
    targets = [f"/http2/{breach}?with={client}" for breach in ("reset", "goaway") for client in ("httpx", "curl")]
    with TlsServer(company.server(tmp_path), page) as server:
        command = f"{PYTHON} httpx {port} http2={server.url}"
        answers, _ = recorded_as_without(trusting, command, port, targets)
    assert [target for target in targets if "error" not in answers[target]] == []
    replayed(trusting, len(targets))


def test_a_header_of_100_megabytes(company: Company, trusting: RR, port: int, tmp_path: Path) -> None:
    """Clients hang up when they have had enough of it."""
    targets = [f"/http1/long?with={client}" for client in ("requests", "httpx", "aiohttp", "urllib", "curl")]
    with TlsServer(company.server(tmp_path), page, ["http/1.1"]) as server:
        command = f"{PYTHON} requests {port} http1={server.url}"
        answers, _ = recorded_as_without(trusting, command, port, targets)
    assert [target for target in targets if "error" not in answers[target]] == []
    replayed(trusting, len(targets))


def test_a_header_of_100_megabytes_passes_through_little_memory(
    company: Company, trusting: RR, port: int, tmp_path: Path
) -> None:
    """Here somebody reads all of it."""
    with (
        own_mounts(trusting.folder, tmp_path / "mounts.log") as mounts,
        TlsServer(company.server(tmp_path), page, ["http/1.1"]) as server,
        trusting.with_prefix(mounts.prefix).record(
            f"{PYTHON} sockets {port} http1={server.url}", port=port
        ) as recording,
        Watch(family(recording.process.pid), mounts.seen(SHARED_MEMORY)) as watch,
    ):
        assert ask(port, "/http1/long")["length"] > 100 * MIB
        recording.interrupt()
        assert recording.wait(60) == 0, recording.output
        assert "gave an answer that is no HTTP: it is kept as it came, up to 1 MiB" in recording.output
    assert watch.most < 200 * MIB, f"rr's processes held {watch.most // MIB} MiB"
    assert watch.most_journal < 200 * MIB, f"the journal held {watch.most_journal // MIB} MiB"


@contextmanager
def without_tls(answer: bytes) -> Iterator[str]:
    """A server that says this to whatever it is asked, in clear, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock:
                    sock.recv(65536)
                    sock.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def test_a_server_that_does_not_speak_tls(trusting: RR, port: int) -> None:
    clients = ("requests", "httpx", "urllib", "curl")
    targets = [f"/{service}/page?with={client}" for service in ("clear", "silent", "alert") for client in clients]
    with (
        without_tls(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as clear,
        without_tls(b"") as silent,
        without_tls(b"\x15\x03\x03\x00\x02\x02\x28") as alert,
    ):
        command = f"{PYTHON} requests {port} clear={clear} silent={silent} alert={alert}"
        _, said = recorded_as_without(trusting, command, port, targets)
    for url in (clear, silent, alert):
        server = url.removeprefix("https://")
        assert f"{server}: not recorded: the server refuses rr (" in said
        assert f"3 TLS connections to {server} passed on unread, not recorded." in said
    assert "Traceback" not in said


def test_an_app_that_trusts_by_itself(company: Company, rr: RR, port: int, tmp_path: Path) -> None:
    """rr cannot know whom: it stands in the way once, says so, and then lets the app through."""
    (tmp_path / "root.pem").write_bytes(company.root)
    rr = rr.with_settings(TRUSTED=str(tmp_path / "root.pem"))
    with TlsServer(company.server(tmp_path), lambda _request: Page(raw=lambda: iter([b"hello"]))) as server:
        command = f"{PYTHON} sockets {port} own={server.url}"
        with rr.record(command, port=port) as recording:
            assert "error" in ask(port, "/own/page")
            assert ask(port, "/own/page")["status"] == 0
            recording.interrupt()
            assert recording.wait(30) == 0, recording.output
    assert "the app does not take rr's: it passes unread from now on" in recording.output
    assert "1 TLS connection to localhost" in recording.output


def test_files_of_trust_that_are_none(company: Company, rr: RR, port: int, tmp_path: Path) -> None:
    """The machine trusts the company, so whoever takes no notice of such a file goes on."""
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\xff\x00 no certificate")
    unreadable = "/proc/self/mem"  # for root as well
    bad = {
        "SSL_CERT_FILE": "/nowhere/root.pem", "REQUESTS_CA_BUNDLE": str(garbage), "CURL_CA_BUNDLE": unreadable,
        "AWS_CA_BUNDLE": "/nowhere/root.pem", "GIT_SSL_CAINFO": str(garbage),
    }  # fmt: skip
    clients = ("requests", "httpx", "aiohttp", "urllib", "boto3", "curl", "git")
    targets = [f"/good/{'ls-remote' if client == 'git' else 'page'}?with={client}" for client in clients]
    with machine_that_trusts(company, rr.folder, tmp_path) as mounts:
        rr = rr.with_prefix(mounts.prefix).with_settings(**bad)
        with TlsServer(company.server(tmp_path), lambda _request: Page(b"hello")) as server:
            answers, said = recorded_as_without(rr, f"{PYTHON} requests {port} good={server.url}", port, targets)
        fine = [client for client, target in zip(clients, targets, strict=True) if "error" not in answers[target]]
        assert fine == ["aiohttp", "urllib", "git"], "they look in the folders of the machine"
        replay = replayed(rr, len(targets))
        for name, path in bad.items():
            sentence = f"{name} names {path}, from which no certificate can be read; the app sees that as without rr. "
            assert said.count(sentence) == 1, said
            assert replay.output.count(sentence) == 1, replay.output
