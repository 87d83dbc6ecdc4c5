"""HTTPS clients as people use them, and a machine that trusts a company's own authority: recorded with no change to the
app, replayed without the server. What each makes of a bad certificate is what it makes of it without rr.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.apps.https.traffic import APPS, JAVA, NODE, PYTHON, ask, recorded_as_without, replayed
from tests.harness.company import Company, machine_that_trusts
from tests.harness.git_service import git_page, tiny_repository
from tests.harness.mounts import Mounts
from tests.harness.programs import program
from tests.harness.recorded import recorded_mocks
from tests.harness.rr_command import RR
from tests.harness.tls_server import Page, Request, TlsServer

pytestmark = pytest.mark.system

ORDERS = json.dumps([{"id": number, "what": "zażółć 茶 🍵"} for number in range(500)], ensure_ascii=False).encode()
TEXT = "Größe, 茶, 🍵\n".encode() * 999
LARGE = Random(6).randbytes(2 << 20)
BINARY = bytes(range(256)) * 40
JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}
PAGES = {
    "binary": Page(BINARY, {"Content-Type": "application/octet-stream"}),
    "gzip": Page(gzip.compress(ORDERS), {**JSON_TYPE, "Content-Encoding": "gzip"}),
    "chunked": Page(TEXT, {"Content-Type": "text/plain; charset=utf-8"}, chunked=True),
    "unicode": Page(ORDERS, JSON_TYPE),
    "large": Page(LARGE, {"Content-Type": "application/octet-stream"}),
    "none": Page(status=204),
}
BAD = ("expired", "name")  # the services that are not as they should be
WHOLE = {"binary": BINARY, "gzip": ORDERS, "chunked": TEXT, "unicode": ORDERS, "large": LARGE, "none": b""}


@dataclass(frozen=True, slots=True)
class Client:
    """How an app with this client is started, and how it is made to trust what the machine does, if it does not yet."""

    app: str
    trusts_by: str = ""  # the variable that names the company's root
    version: str = "1.1"  # of HTTP
    decodes: bool = True  # gzip, without being told to
    pages: tuple[str, ...] = (*PAGES, "upload")


CLIENTS = {
    "requests": Client(f"{PYTHON} requests", "REQUESTS_CA_BUNDLE"),
    "httpx": Client(f"{PYTHON} httpx", "SSL_CERT_FILE", version="2"),
    "aiohttp": Client(f"{PYTHON} aiohttp"),
    "urllib": Client(f"{PYTHON} urllib", decodes=False),
    "boto3": Client(f"{PYTHON} boto3", "AWS_CA_BUNDLE", decodes=False),
    "fetch": Client(f"{NODE} fetch", "NODE_EXTRA_CA_CERTS"),
    "axios": Client(f"{NODE} axios", "NODE_EXTRA_CA_CERTS"),
    "curl": Client(f"{PYTHON} curl", version="2"),
    "git": Client(f"{PYTHON} git", version="2", pages=("ls-remote", "clone")),
    "Java's HttpClient": Client(JAVA, version="2", decodes=False),
}


@dataclass(frozen=True, slots=True)
class World:
    """A company, its service three times, and a machine that trusts it."""

    servers: ExitStack
    services: str  # as the apps are told
    mounts: Mounts
    root: Path


@pytest.fixture
def world(company: Company, rr: RR, tmp_path: Path) -> Iterator[World]:
    repositories = tiny_repository(tmp_path)

    def pages(request: Request) -> Page:
        path = request.target.partition("?")[0]
        if path.startswith("/tiny.git/"):
            return git_page(repositories, request)
        if request.method != "GET":
            return Page(hashlib.sha256(request.body).hexdigest().encode(), {"Content-Type": "text/plain"}, 201)
        return PAGES[path.rpartition("/")[2]]

    certificates = (
        company.server(tmp_path),
        company.server(tmp_path, valid=timedelta(days=-3)),
        company.server(tmp_path, "other.example.org"),
    )
    with machine_that_trusts(company, rr.folder, tmp_path) as mounts, ExitStack() as servers:
        urls = [servers.enter_context(TlsServer(one, pages)).url for one in certificates]
        services = " ".join(f"{name}={url}" for name, url in zip(("good", *BAD), urls, strict=True))
        yield World(servers, services, mounts, tmp_path / "root.pem")


def targets(client: Client) -> list[str]:
    return [*(f"/good/{page}" for page in client.pages), *(f"/{bad}/{client.pages[0]}" for bad in BAD)]


def as_it_was_sent(client: Client, answers: dict[str, dict[str, Any]]) -> None:
    """Not one byte is another one; and nobody takes a bad certificate."""
    for page in PAGES:
        if (got := answers.get(f"/good/{page}")) is not None:
            sent = WHOLE[page] if client.decodes else PAGES[page].body
            assert (got["length"], got["sha256"]) == (len(sent), hashlib.sha256(sent).hexdigest()), page
    for bad in BAD:
        assert "error" in answers[f"/{bad}/{client.pages[0]}"]


def compiled(folder: Path) -> None:
    """Java's app: to compile it whenever it starts takes seconds."""
    subprocess.run([program("javac"), "-d", folder, APPS / "HttpsApp.java"], check=True, timeout=100)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_of_https(name: str, world: World, rr: RR, port: int) -> None:
    client = CLIENTS[name]
    rr = rr.with_prefix(world.mounts.prefix)
    if client.trusts_by:
        rr = rr.with_settings(**{client.trusts_by: str(world.root)})
    command = f"{client.app} {port} {world.services}"
    if client.app == JAVA:
        compiled(rr.folder)

    answers, _ = recorded_as_without(rr, command, port, targets(client))
    as_it_was_sent(client, answers)
    world.servers.close()

    mocks = recorded_mocks(rr.keploy / "test-set-0")
    assert {(mock.exchange.request.scheme, mock.exchange.request.version) for mock in mocks} == {
        ("https", client.version)
    }
    assert [mock.response_body for mock in mocks if mock.line.endswith("/large")] == [LARGE] * ("large" in client.pages)
    replay = replayed(rr, len(answers))
    assert "⚠" not in replay.output, replay.output


def test_what_is_said_in_tls_and_is_no_http(company: Company, rr: RR, port: int, tmp_path: Path) -> None:
    """As mail and directories do it: the server speaks first."""

    def talk(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"220 at your service\n")
        asked = sock.recv(100)
        sock.sendall(b"250 " + asked.upper())

    (tmp_path / "root.pem").write_bytes(company.root)
    rr = rr.with_settings(SSL_CERT_FILE=str(tmp_path / "root.pem"))
    with TlsServer(company.server(tmp_path), lambda _request: Page(), (), talk) as server:
        command = f"{PYTHON} lines {port} good={server.url}"
        with rr.record(command, port=port) as recording:
            said = b"220 at your service\n250 HELLO ANN\n"
            assert ask(port, "/good/ann")["sha256"] == hashlib.sha256(said).hexdigest(), recording.output
            assert ask(port, "/good/bob")["length"] == len(said)
            recording.interrupt()
            assert recording.wait(30) == 0, recording.output
    replay = replayed(rr, 2)
    assert "⚠" not in replay.output, replay.output
