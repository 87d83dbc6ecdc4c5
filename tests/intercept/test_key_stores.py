"""Java's key stores: written, and read as Java's own tool has made them."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercept.authority import certificate_of, new_authority
from intercept.key_stores import certificates, key_store
from tests.harness.programs import program

ONE, OTHER = certificate_of(new_authority()), certificate_of(new_authority())


def keytool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [program("keytool"), *arguments], capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def der(pems: list[bytes]) -> list[bytes]:
    return [ssl.PEM_cert_to_DER_cert(pem.decode().strip()) for pem in pems]


def test_what_is_written_is_read_again() -> None:
    assert der(certificates(key_store([ONE, OTHER]))) == der([ONE, OTHER])
    assert certificates(key_store([])) == []


@given(st.integers(0, 1500), st.binary(max_size=40))
def test_a_store_that_is_broken_trusts_nobody_new(place: int, junk: bytes) -> None:
    store = key_store([ONE, OTHER])
    assert len(certificates(store[:place] + junk)) <= 2
    assert certificates(junk) == []


@pytest.mark.system
def test_java_s_own_tool_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "store.jks"
    path.write_bytes(key_store([ONE, OTHER]))
    shown = keytool("-list", "-keystore", path, "-storepass", "changeit")
    assert shown.count("trustedCertEntry") == 2


@pytest.mark.system
@pytest.mark.parametrize(
    ("options", "password"),
    [
        (["-storetype", "JKS"], "changeit"),
        (["-storetype", "PKCS12"], "of the company"),
        (["-storetype", "PKCS12", "-J-Dkeystore.pkcs12.macAlgorithm=NONE",
          "-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE"], "changeit"),
    ],
    ids=["JKS", "PKCS12", "PKCS12 without a password, as newer JDKs bring it"],
)  # fmt: skip
def test_what_java_s_own_tool_has_made_is_read(options: list[str], password: str, tmp_path: Path) -> None:
    (tmp_path / "one.pem").write_bytes(ONE)
    path = tmp_path / "store"
    keytool(
        "-importcert", "-noprompt", "-alias", "one", "-file", tmp_path / "one.pem", "-keystore", path,
        "-storepass", password, *options,
    )  # fmt: skip
    assert der(certificates(path.read_bytes(), password)) == der([ONE])
