"""TLS without sockets: two ends, and the wire between them in this test's hands."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from intercept.authority import Authority, Fault, certificate_of, new_authority
from intercept.certificates import Certificates
from intercept.secure import Secure, client_context, server_context
from testset.errors import ProtocolError


@pytest.fixture(scope="module")
def authority() -> bytes:
    return new_authority()


@pytest.fixture
def roots(authority: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "roots.pem"
    path.write_bytes(certificate_of(authority))
    return path


def server(authority: bytes, host: str = "api.test", *protocols: str) -> Secure:
    return Secure(server_context(Authority.of(authority).leaf(host, datetime.now(UTC)), protocols), is_server=True)


def client(roots: Path | None, *protocols: str, name: str = "api.test") -> Secure:
    return Secure(client_context(roots, protocols), is_server=False, name=name)


def talk(one: Secure, other: Secure) -> None:
    """Carry bytes to and fro until there are none."""
    while True:
        there, back = one.outgoing(), other.outgoing()
        if not there and not back:
            return
        if there:
            other.receive(there)
        if back:
            one.receive(back)


def test_both_agree_and_speak(authority: bytes, roots: Path) -> None:
    near, far = client(roots, "h2", "http/1.1"), server(authority, "api.test", "h2")
    talk(near, far)
    assert near.established
    assert far.established
    assert near.protocol == far.protocol == "h2"
    assert far.receive(near.send(b"a question")) == b"a question"
    assert near.receive(far.send(b"an answer" * 100_000)) == b"an answer" * 100_000


def test_what_is_said_before_the_handshake_waits_for_it(authority: bytes, roots: Path) -> None:
    near, far = client(roots), server(authority)
    first = near.send(b"early")
    heard = b""
    while first:
        heard += far.receive(first)
        near.receive(far.outgoing())
        first = near.outgoing()
    assert heard == b"early"


def test_byte_by_byte(authority: bytes, roots: Path) -> None:
    near, far = client(roots), server(authority)
    for _ in range(4):
        for byte in near.outgoing():
            far.receive(bytes([byte]))
        for byte in far.outgoing():
            near.receive(bytes([byte]))
    assert near.established
    assert b"".join(far.receive(bytes([byte])) for byte in near.send(b"hello")) == b"hello"


def test_an_orderly_end_is_told(authority: bytes, roots: Path) -> None:
    near, far = client(roots), server(authority)
    talk(near, far)
    assert far.receive(near.send(b"bye") + near.finish()) == b"bye"
    assert far.ended


@pytest.mark.parametrize(
    ("leaf", "fault"),
    [
        (lambda pem: Authority.of(pem).leaf("api.test", datetime.now(UTC) - timedelta(days=500)), Fault.EXPIRED),
        (lambda pem: Authority.of(pem).leaf("other.test", datetime.now(UTC)), Fault.NAME),
        (lambda _pem: Authority.of(new_authority()).leaf("api.test", datetime.now(UTC)), Fault.UNKNOWN),
    ],
    ids=list(Fault)[1:],
)
def test_a_client_that_verifies_says_what_is_wrong(leaf: object, fault: Fault, authority: bytes, roots: Path) -> None:
    assert callable(leaf)
    near, far = client(roots), Secure(server_context(leaf(authority)), is_server=True)
    talk(near, far)
    assert near.failed is not None
    assert Fault.of(near.failed) is fault
    assert not near.established


@pytest.mark.parametrize("years", [0, -20, 20], ids=["today", "long ago", "to come"])
@pytest.mark.parametrize("fault", list(Fault))
def test_rr_s_own_certificates_have_the_fault_that_they_are_to_have(
    fault: Fault, years: int, authority: bytes, roots: Path
) -> None:
    """Also for a process that knows what time it is when the app does not."""
    certificates = Certificates(authority, lambda: time.time_ns() + years * 365 * 86_400 * 10**9)
    near = client(roots)
    far = Secure(certificates.context("api.test", (), fault), is_server=True)
    talk(near, far)
    assert near.established is (fault is Fault.NONE), near.failed
    if near.failed is not None:
        assert Fault.of(near.failed) is fault

    careless = client(None)
    talk(careless, Secure(certificates.context("api.test", (), fault), is_server=True))
    assert careless.established, "a client that does not verify goes on"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "a-name-of-more-than-64-characters." * 3 + "test"])
def test_certificates_for_names_and_addresses(host: str, authority: bytes, roots: Path) -> None:
    near, far = client(roots, name=host), server(authority, host)
    talk(near, far)
    assert near.established, near.failed


def test_garbage_after_the_handshake_is_an_error_and_nothing_else(authority: bytes, roots: Path) -> None:
    near, far = client(roots), server(authority)
    talk(near, far)
    with pytest.raises(ProtocolError):
        far.receive(b"\x17\x03\x03\x00\x10" + bytes(16))


def test_garbage_instead_of_a_handshake_fails_quietly(authority: bytes) -> None:
    far = server(authority)
    far.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert far.failed is not None


def test_no_key_is_left_in_a_file(authority: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    server(authority)
    assert not list(tmp_path.iterdir())
    assert ssl.OP_NO_COMPRESSION in server_context(Authority.of(authority).leaf("x", datetime.now(UTC))).options


def test_a_machine_that_trusts_nobody(authority: bytes, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_bytes(b"\n")
    near, far = client(tmp_path / "none.pem"), server(authority)
    talk(near, far)
    assert near.failed is not None
    assert Fault.of(near.failed) is Fault.UNKNOWN
