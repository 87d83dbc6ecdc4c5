"""What the app trusts under rr: what it trusted before, and rr."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from intercept.authority import certificate_of, new_authority
from intercept.trust import key_store, trust


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


def test_a_bundle_that_is_not_there_is_none(folder: Path) -> None:
    made = trust(new_authority(), folder, {"REQUESTS_CA_BUNDLE": "/nowhere/at/all.pem"})
    assert subjects(Path(made.environment["SSL_CERT_FILE"]))


def test_nothing_of_the_key_is_where_others_can_read(folder: Path) -> None:
    trust(new_authority(), folder, {"JAVA_TOOL_OPTIONS": "-Xmx64m"})
    assert not [path for path in folder.iterdir() if b"PRIVATE" in path.read_bytes()]
    assert all(os.stat(path).st_mode & 0o444 == 0o444 for path in folder.iterdir())


def test_java_s_options_stay(folder: Path) -> None:
    made = trust(new_authority(), folder, {"JAVA_TOOL_OPTIONS": "-Xmx64m"})
    options = made.environment["JAVA_TOOL_OPTIONS"]
    assert options.startswith("-Xmx64m -Djavax.net.ssl.trustStore=")


@pytest.mark.system
def test_java_s_own_tool_reads_the_key_store(tmp_path: Path) -> None:
    path = tmp_path / "store.jks"
    path.write_bytes(key_store([certificate_of(new_authority()), certificate_of(new_authority())]))
    tool = shutil.which("keytool")
    assert tool is not None, "keytool comes with a JDK or a JRE: apt install openjdk-17-jre-headless"
    shown = subprocess.run(
        [tool, "-list", "-keystore", str(path), "-storepass", "changeit"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert shown.stdout.count("trustedCertEntry") == 2
