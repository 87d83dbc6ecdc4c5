"""What the app is to trust: the roots that it trusts anyway, and rr's authority; by the environment that runtimes read.

No app is changed and no check is switched off. Which variable is whose: SSL_CERT_FILE of OpenSSL (Python's ssl, Ruby,
.NET) and Go, the others of what they are named after; Java reads no variable, but options, and wants a key store.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from intercept.authority import certificate_of

# Each replaces what the runtime would trust otherwise.
_BUNDLES = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT",
    "CARGO_HTTP_CAINFO", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "DENO_CERT", "PERL_LWP_SSL_CA_FILE",
)  # fmt: skip
# This one adds to it.
_ADDITIONS = "NODE_EXTRA_CA_CERTS"
_JAVA = "JAVA_TOOL_OPTIONS"
_USUAL = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)
_STORE_PASSWORD = "changeit"  # what everybody's has: it guards nothing


@dataclass(frozen=True, slots=True)
class Trust:
    """What rr and the app verify servers with."""

    roots: Path  # what the app trusts without rr
    environment: Mapping[str, str]  # for the app


def trust(authority: bytes, folder: Path, environment: Mapping[str, str]) -> Trust:
    """Writes what the app needs into `folder`. `authority`: rr's, with its key; `environment`: the app's own."""
    authority = certificate_of(authority)
    own = [_pem(Path(environment[name])) for name in (*_BUNDLES, _ADDITIONS) if environment.get(name)]
    roots = list(dict.fromkeys(_CERTIFICATE.findall(b"\n".join([_system(), *own]))))
    added = _pem(Path(environment[_ADDITIONS])) if environment.get(_ADDITIONS) else b""
    files = {
        "roots.pem": b"\n".join(roots) + b"\n",
        "bundle.pem": b"\n".join([*roots, authority]),
        "rr.pem": added + b"\n" + authority,
    }
    made = dict.fromkeys(_BUNDLES, str(folder / "bundle.pem"))
    made[_ADDITIONS] = str(folder / "rr.pem")
    if shutil.which("java", path=environment.get("PATH")) or _JAVA in environment:
        files["truststore.jks"] = key_store([*roots, authority])
        options = (
            f"-Djavax.net.ssl.trustStore={folder / 'truststore.jks'} "
            f"-Djavax.net.ssl.trustStorePassword={_STORE_PASSWORD}"
        )
        made[_JAVA] = f"{environment[_JAVA]} {options}" if environment.get(_JAVA) else options
    for name, content in files.items():
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644), "wb") as file:
            file.write(content)
    return Trust(folder / "roots.pem", made)


def key_store(certificates: list[bytes]) -> bytes:
    """Java's own format (JKS, version 2) with these certificates (PEM): every JDK reads it, whatever its default is."""
    now = int(time.time() * 1000)
    parts = [struct.pack(">III", 0xFEEDFEED, 2, len(certificates))]
    for number, pem in enumerate(certificates):
        der = ssl.PEM_cert_to_DER_cert(pem.decode("ascii").strip())
        alias, kind = f"root-{number}".encode(), b"X.509"
        parts += [
            struct.pack(">IH", 2, len(alias)), alias, struct.pack(">QH", now, len(kind)), kind,
            struct.pack(">I", len(der)), der,
        ]  # fmt: skip
    content = b"".join(parts)
    sealed = hashlib.sha1(_STORE_PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + content)  # as the format has it
    return content + sealed.digest()


def _system() -> bytes:
    """What this machine trusts."""
    paths = ssl.get_default_verify_paths()
    for name in (paths.cafile, paths.openssl_cafile, *_USUAL):
        if name and os.path.isfile(name):
            return Path(name).read_bytes()
    return b"\n".join(_files(Path(paths.capath))) if paths.capath else b""


def _pem(path: Path) -> bytes:
    """A bundle that the user has set; a folder of certificates as well. One that is not there says nothing."""
    try:
        return b"\n".join(_files(path)) if path.is_dir() else path.read_bytes()
    except OSError:
        return b""


def _files(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in (".pem", ".crt", ".0"):
            yield path.read_bytes()
