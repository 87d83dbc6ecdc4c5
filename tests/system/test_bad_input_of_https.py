"""Servers that break their word over HTTPS, and files of trust that are none: the app sees what it sees without rr, at
replay as well; the user reads a sentence of it; and rr's memory stays what it is."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.https.traffic import NODE, PYTHON, recorded_as_without, replayed
from tests.harness.company import Company
from tests.harness.rr_command import RR
from tests.harness.tls_server import Breach, Page, Request, TlsServer

pytestmark = pytest.mark.system

BODY = b"a body of which not all comes " * 500
ROOTS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def raw(head: str, *pieces: bytes, rude: bool = False) -> Page:
    def everything() -> Iterator[bytes]:
        yield f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode()
        yield from pieces

    return Page(raw=everything, rude=rude)


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
