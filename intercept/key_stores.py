"""Java's key stores of trusted certificates: what is in one, and one made anew.

Java reads no variable and no PEM file, so the app gets a key store of rr's, with all in it that its own one trusts.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
import struct
import textwrap
import time
import warnings
from collections.abc import Iterator

PASSWORD = "changeit"  # what everybody's has: it guards nothing

_MAGIC = 0xFEEDFEED
_TRUSTED = 2  # the sort of entry that holds a certificate and no key


def key_store(certificates: list[bytes]) -> bytes:
    """Java's own format (JKS, version 2) with these certificates (PEM): every JDK reads it, whatever its default is."""
    now = int(time.time() * 1000)
    parts = [struct.pack(">III", _MAGIC, 2, len(certificates))]
    for number, pem in enumerate(certificates):
        der = ssl.PEM_cert_to_DER_cert(pem.decode("ascii").strip())
        alias, kind = f"root-{number}".encode(), b"X.509"
        parts += [
            struct.pack(">IH", _TRUSTED, len(alias)), alias, struct.pack(">QH", now, len(kind)), kind,
            struct.pack(">I", len(der)), der,
        ]  # fmt: skip
    content = b"".join(parts)
    sealed = hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + content)  # as the format has it
    return content + sealed.digest()


def certificates(store: bytes, password: str = PASSWORD) -> list[bytes]:
    """What a key store (JKS or PKCS12) trusts, as PEM; nothing if it cannot be read."""
    try:
        found = _of_jks(store) if store[:4] == struct.pack(">I", _MAGIC) else _of_pkcs12(store, password)
        return [_pem(der) for der in found]
    except (ValueError, struct.error):
        return []


def _of_jks(store: bytes) -> Iterator[bytes]:
    version, count = struct.unpack_from(">II", store, 4)
    place = 12

    def text() -> bytes:
        nonlocal place
        (size,) = struct.unpack_from(">H", store, place)
        place += 2 + size
        return store[place - size : place]

    def block() -> bytes:
        nonlocal place
        (size,) = struct.unpack_from(">I", store, place)
        place += 4 + size
        if place > len(store):
            raise ValueError("the store is cut off")
        return store[place - size : place]

    def certificate() -> bytes:
        if version == 2:  # the first version did not say of what kind they are
            text()
        return block()

    for _ in range(count):
        (sort,) = struct.unpack_from(">I", store, place)
        place += 4
        text()  # alias
        place += 8  # when it was made
        if sort == _TRUSTED:
            yield certificate()
            continue
        block()  # a key
        (chain,) = struct.unpack_from(">I", store, place)
        place += 4
        for _ in range(chain):
            certificate()


def _of_pkcs12(store: bytes, password: str) -> list[bytes]:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whom a machine trusts is not rr's to judge
        loaded = pkcs12.load_pkcs12(store, password.encode())
    return [one.certificate.public_bytes(Encoding.DER) for one in loaded.additional_certs]


def _pem(der: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(der).decode("ascii"), 64)
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----"]).encode()
