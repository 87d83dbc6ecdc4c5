"""What the app trusts under rr: what it trusted before, and rr."""

from __future__ import annotations

import os
import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intercept.authority import Authority, certificate_of, new_authority
from intercept.key_stores import key_store
from intercept.secure import Secure, server_context
from intercept.trust import trust


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "public"
    path.mkdir()
    return path


def subjects(path: Path) -> set[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    return {str(one["subject"]) for one in context.get_ca_certs()}


def test_the_bundle_is_what_the_machine_trusts_and_rr(folder: Path, tmp_path: Path) -> None:
    company = tmp_path / "company.pem"
    company.write_bytes(certificate_of(new_authority()))
    made = trust(new_authority(), folder, {"SSL_CERT_FILE": str(company)})
    before, now = subjects(made.roots), subjects(folder / "bundle.pem")
    assert subjects(company) <= before, "the app's own roots stay"
    assert len(now - before) == 1
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO"):
        assert made.environment[name] == str(folder / "bundle.pem")


def test_node_gets_rr_beside_what_it_has(folder: Path, tmp_path: Path) -> None:
    company = tmp_path / "company.pem"
    company.write_bytes(certificate_of(new_authority()))
    made = trust(new_authority(), folder, {"NODE_EXTRA_CA_CERTS": str(company)})
    assert subjects(company) < subjects(Path(made.environment["NODE_EXTRA_CA_CERTS"]))


# Of a private authority whose certificate has the serial number 0: not as RFC 5280 has it, and such are in use.
SERIAL_0 = """
-----BEGIN CERTIFICATE-----
MIIBYTCCAQigAwIBAgIBADAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDAR6ZXJvMCAX
DTI2MTEyMTIxMDQyN1oYDzIxMjYxMDI4MjEwNDI3WjAPMQ0wCwYDVQQDDAR6ZXJv
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqGgwYVP2OL8FCeGy08OMYYrS/Lp7
NUGyjTOmD4N57cnVy7t5APeV6Ca4sst6zdmkqZetyZnNXIK2bDY2Fw5wuqNTMFEw
HQYDVR0OBBYEFGQV3gYr0Ze6mdU/SkpdyTD2fUUDMB8GA1UdIwQYMBaAFGQV3gYr
0Ze6mdU/SkpdyTD2fUUDMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAw
RAIgIkA2xzEyVnpIcTzuG7X0fFYq9fpzeA8kgUX6Ffy/y1sCIBbUyeDFm6t/5PyD
8BM8y9jytoDUXOvdjihe4ZjCHqtV
-----END CERTIFICATE-----
"""


def test_what_openssl_takes_stays_whatever_stricter_libraries_say(folder: Path, tmp_path: Path) -> None:
    company = tmp_path / "company.pem"
    company.write_text(SERIAL_0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = trust(new_authority(), folder, {"SSL_CERT_FILE": str(company)})
    assert subjects(company) <= subjects(made.roots)


def a_broken_one(path: Path) -> None:
    whole = certificate_of(new_authority()).decode()
    path.write_text(whole[:100] + "AAAA" + whole[100:])


UNUSABLE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "garbage": lambda path: path.write_bytes(b"\xff\x00 no certificate"),
    "empty": lambda path: path.touch(),
    "broken": a_broken_one,
    "a folder without any": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_bundle_that_cannot_be_used_stays_what_it_is(kind: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "company.pem"
    UNUSABLE[kind](path)
    made = trust(new_authority(), folder, {"REQUESTS_CA_BUNDLE": str(path), "NODE_EXTRA_CA_CERTS": str(path)})
    assert "REQUESTS_CA_BUNDLE" not in made.environment
    assert "AWS_CA_BUNDLE" not in made.environment, "boto3 looks at the other one then"
    assert len(subjects(Path(made.environment["NODE_EXTRA_CA_CERTS"]))) == 1, "Node goes on without it"
    assert subjects(Path(made.environment["SSL_CERT_FILE"]))
    assert [note.partition(",")[0] for note in made.notes] == [
        f"REQUESTS_CA_BUNDLE names {path}",
        f"NODE_EXTRA_CA_CERTS names {path}",
    ]


def test_openssl_finds_rr_in_a_folder_when_its_file_is_none(folder: Path) -> None:
    """It goes on with its folders, and so must whoever takes no notice of the file."""
    authority = new_authority()
    made = trust(authority, folder, {"SSL_CERT_FILE": "/nowhere/at/all.pem"})
    assert "SSL_CERT_FILE" not in made.environment
    assert {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} <= set(made.environment), "they do not look there"
    folders = made.environment["SSL_CERT_DIR"].split(os.pathsep)
    assert len(folders) > 1, "those of the machine stay"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=folders[0])
    server = Secure(server_context(Authority.of(authority).leaf("api.test", datetime.now(UTC))), is_server=True)
    client = Secure(context, is_server=False, name="api.test")
    for _ in range(4):
        server.receive(client.outgoing())
        client.receive(server.outgoing())
    assert client.established, client.failed


def test_a_folder_of_certificates(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "0badcafe.0").write_bytes(certificate_of(new_authority()))
    made = trust(new_authority(), folder, {"SSL_CERT_DIR": f"/nowhere:{tmp_path / 'certs'}"})
    assert subjects(tmp_path / "certs" / "0badcafe.0") <= subjects(made.roots)


def test_java_s_own_key_store_is_among_the_roots(folder: Path, tmp_path: Path) -> None:
    company = certificate_of(new_authority())
    (tmp_path / "company.pem").write_bytes(company)
    (tmp_path / "company.jks").write_bytes(key_store([company]))
    options = f"-Xmx64m -Djavax.net.ssl.trustStore={tmp_path / 'company.jks'} -Djavax.net.ssl.trustStoreType=PKCS12"
    made = trust(new_authority(), folder, {"JDK_JAVA_OPTIONS": options})
    assert subjects(tmp_path / "company.pem") <= subjects(made.roots)
    told = made.environment["JDK_JAVA_OPTIONS"]
    assert told.startswith(options + " -Djavax.net.ssl.trustStore="), "the last one counts"
    assert told.endswith("trustStoreType=JKS")


def test_a_key_store_that_cannot_be_read_stays_what_it_is(folder: Path) -> None:
    options = "-Djavax.net.ssl.trustStore=/nowhere/company.jks"
    made = trust(new_authority(), folder, {"JAVA_TOOL_OPTIONS": options})
    assert "JAVA_TOOL_OPTIONS" not in made.environment
    assert made.notes[0].startswith("JAVA_TOOL_OPTIONS names /nowhere/company.jks")


def test_nothing_of_the_key_is_where_others_can_read(folder: Path) -> None:
    trust(new_authority(), folder, {"JAVA_TOOL_OPTIONS": "-Xmx64m"})
    assert not [path for path in folder.iterdir() if b"PRIVATE" in path.read_bytes()]
    assert all(os.stat(path).st_mode & 0o444 == 0o444 for path in folder.iterdir())


def test_java_s_options_stay(folder: Path) -> None:
    made = trust(new_authority(), folder, {"JAVA_TOOL_OPTIONS": "-Xmx64m"})
    options = made.environment["JAVA_TOOL_OPTIONS"]
    assert options.startswith("-Xmx64m -Djavax.net.ssl.trustStore=")
