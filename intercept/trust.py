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
from collections.abc import Callable, Iterator, Mapping
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
ROOTS = "roots.pem"  # what the app trusts without rr
_BUNDLE, _ADDED, _KEY_STORE = "bundle.pem", "rr.pem", "truststore.jks"
USUAL = (
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
    """For an app of this machine: writes what it needs into `folder`. `authority`: rr's, with its key; `environment`:
    the app's own."""
    java = shutil.which("java", path=environment.get("PATH")) is not None
    for name, content in files(authority, environment, _system(), lambda path: _pem(Path(path)), java=java).items():
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644), "wb") as file:
            file.write(content)
    return Trust(folder / ROOTS, variables(environment, folder, java=java))


def variables(environment: Mapping[str, str], folder: Path, *, java: bool) -> dict[str, str]:
    """What an app with this environment is told, when the files are in `folder`."""
    made = dict.fromkeys(_BUNDLES, str(folder / _BUNDLE))
    made[_ADDITIONS] = str(folder / _ADDED)
    if java or _JAVA in environment:
        options = (
            f"-Djavax.net.ssl.trustStore={folder / _KEY_STORE} -Djavax.net.ssl.trustStorePassword={_STORE_PASSWORD}"
        )
        made[_JAVA] = f"{environment[_JAVA]} {options}" if environment.get(_JAVA) else options
    return made


def files(
    authority: bytes, environment: Mapping[str, str], system: bytes, read: Callable[[str], bytes], *, java: bool
) -> dict[str, bytes]:
    """What the app is to find there, by name. `system`: what it trusts unless it is told otherwise; `read` gets what it
    has been told."""
    authority = certificate_of(authority)
    own = [read(environment[name]) for name in (*_BUNDLES, _ADDITIONS) if environment.get(name)]
    roots = list(dict.fromkeys(_CERTIFICATE.findall(b"\n".join([system, *own]))))
    added = read(environment[_ADDITIONS]) if environment.get(_ADDITIONS) else b""
    made = {
        ROOTS: b"\n".join(roots) + b"\n",
        _BUNDLE: b"\n".join([*roots, authority]),
        _ADDED: added + b"\n" + authority,
    }
    if java or _JAVA in environment:
        made[_KEY_STORE] = key_store([*roots, authority])
    return made


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
    for name in (paths.cafile, paths.openssl_cafile, *USUAL):
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
