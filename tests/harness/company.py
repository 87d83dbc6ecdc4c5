"""A company's own certificate authority, and a machine that trusts it: what `update-ca-certificates` does, for a test.

As companies have it: a root, which the machine trusts, and under it the authority that signs what servers show.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.harness.mounts import Mounts, own_mounts
from tests.harness.programs import program

_PEM = serialization.Encoding.PEM
_MACHINE = Path("/etc/ssl/certs")


@dataclass(frozen=True, slots=True)
class _Signer:
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Company:
    """Its authority."""

    _root: _Signer
    _issuing: _Signer

    @classmethod
    def founded(cls) -> Company:
        root = _authority("Company root", None)
        return cls(root, _authority("Company servers", root))

    @property
    def root(self) -> bytes:
        """What is to be trusted, as PEM."""
        return self._root.certificate.public_bytes(_PEM)

    def server(self, folder: Path, name: str = "localhost", valid: timedelta = timedelta(days=90)) -> Path:
        """A file with a server's key and chain. `valid`: for how long from now; less than nothing: it is expired."""
        key = _key()
        made = (
            _builder(name, key, self._issuing.certificate.subject, datetime.now(UTC) + valid)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_signed_with(self._issuing.key), critical=False)
            .sign(self._issuing.key, hashes.SHA256())
        )
        path = folder / f"{name}-{valid.days}.pem"
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(private + made.public_bytes(_PEM) + self._issuing.certificate.public_bytes(_PEM))
        return path


@contextmanager
def machine_that_trusts(company: Company, project: Path, folder: Path) -> Iterator[Mounts]:
    """Commands that are started with its `prefix` find the company's root among those of the machine."""
    bundle = (_MACHINE / "ca-certificates.crt").read_bytes()
    with own_mounts(project, folder / "mounts.log", {_MACHINE: "8m"}) as mounts:
        there = mounts.seen(_MACHINE)
        (there / "ca-certificates.crt").write_bytes(bundle + company.root)
        (there / "java").mkdir()
        root = folder / "root.pem"
        root.write_bytes(company.root)
        asked: list[str | Path] = [program("openssl"), "x509", "-noout", "-hash", "-in", root]
        hashed = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
        (there / f"{hashed}.0").write_bytes(company.root)
        subprocess.run(
            [program("keytool"), "-importcert", "-noprompt", "-alias", "company", "-file", root,
             "-storepass", "changeit", "-keystore", there / "java" / "cacerts", "-storetype", "JKS"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        yield mounts


def _authority(name: str, above: _Signer | None) -> _Signer:
    key = _key()
    issuer = above.certificate.subject if above else _name(name)
    signing = above.key if above else key
    usage = x509.KeyUsage(
        key_cert_sign=True, crl_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        _builder(name, key, issuer, datetime.now(UTC) + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)  # this and what follows: Python 3.13 wants it
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_signed_with(signing), critical=False)
    )
    return _Signer(made.sign(signing, hashes.SHA256()), key)


def _signed_with(key: rsa.RSAPrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _builder(name: str, key: rsa.RSAPrivateKey, issuer: x509.Name, until: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(until, datetime.now(UTC)) - timedelta(days=30))
        .not_valid_after(until)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
