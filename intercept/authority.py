"""rr's certificate authority: made for one recording or one replay, kept in memory, gone with it.

The app is made to trust it (`trust`), and rr shows the app a certificate of it for each server that it has verified
itself. For a server that it could not verify, the certificate has the same fault, so that a client which verifies fails
and one which does not goes on, both as without rr.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_FROM, _TO = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC)
_BEFORE, _AFTER = timedelta(days=30), timedelta(days=360)  # some clients refuse leaves that live longer than needed
_NAME = "rr recording authority"
_HOST = re.compile(r"[A-Za-z0-9_.*-]{1,253}")
_LONGEST_COMMON_NAME = 64


class Fault(StrEnum):
    """What is wrong with a server's certificate: rr's own then has the same fault."""

    NONE = ""
    EXPIRED = "expired"
    NAME = "made for another name"
    UNKNOWN = "of an unknown authority"

    @classmethod
    def named(cls, text: str) -> Fault:
        """As a file has it; one that rr does not know is a fault as well."""
        return cls(text) if text in list(cls) else cls.UNKNOWN

    @classmethod
    def of(cls, why: str) -> Fault:
        """From what OpenSSL says of it."""
        if "expired" in why or "not yet valid" in why:
            return cls.EXPIRED
        return cls.NAME if "ismatch" in why else cls.UNKNOWN


@dataclass(slots=True)
class Authority:
    """Certificates for servers, each made once."""

    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey
    _leaf_key: ec.EllipticCurvePrivateKey
    _leaf_key_pem: bytes

    @classmethod
    def of(cls, pem: bytes) -> Authority:
        """From its certificate and key."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        return cls(x509.load_pem_x509_certificate(pem), key, leaf_key, _private(leaf_key))

    def leaf(self, host: str, around: datetime, until: datetime | None = None) -> bytes:
        """Key, certificate and authority for a server of this name or address, as PEM, valid `around` that time, and on
        `until` another."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.x509.oid import ExtendedKeyUsageOID

        common = host if _HOST.fullmatch(host) and len(host) <= _LONGEST_COMMON_NAME else "rr"
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)]))
            .issuer_name(self._certificate.subject)
            .public_key(self._leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(_FROM, around - _BEFORE))
            .not_valid_after(min(_TO, (until or around) + _AFTER))
            .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        encoding = serialization.Encoding.PEM
        return self._leaf_key_pem + certificate.public_bytes(encoding) + self._certificate.public_bytes(encoding)


def new_authority() -> bytes:
    """A fresh authority: certificate and key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{_NAME} {secrets.token_hex(4)}")])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_TO)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _private(key) + certificate.public_bytes(serialization.Encoding.PEM)


def certificate_of(pem: bytes) -> bytes:
    """An authority's certificate without its key."""
    start = pem.index(b"-----BEGIN CERTIFICATE-----")
    return pem[start:]


def _names(host: str) -> list[x509.GeneralName]:
    from cryptography import x509

    try:
        return [x509.IPAddress(ipaddress.ip_address(host))]
    except ValueError:
        pass
    names: list[x509.GeneralName] = [x509.DNSName(host)] if _HOST.fullmatch(host) else []
    if host == "localhost":
        names += [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1")]
    return names or [x509.DNSName("rr.invalid")]


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
