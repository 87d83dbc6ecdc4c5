"""What the app is to trust: the roots that it trusts anyway, and rr's authority; by the environment that runtimes read.

No app is changed and no check is switched off. Which variable is whose: SSL_CERT_FILE of OpenSSL (Python's ssl, Ruby,
.NET) and Go, the others of what they are named after; Java reads no variable, but options, and wants a key store.

A variable that names nothing usable is left as it is, so that its readers fail as they do without rr.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from intercept import key_stores
from intercept.authority import certificate_of

# Each replaces what the runtime would trust otherwise.
_BUNDLES = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT",
    "CARGO_HTTP_CAINFO", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "DENO_CERT", "PERL_LWP_SSL_CA_FILE",
)  # fmt: skip
# What their readers look at when the first is not set.
_INSTEAD = {
    "REQUESTS_CA_BUNDLE": ("CURL_CA_BUNDLE",),
    "PIP_CERT": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    "AWS_CA_BUNDLE": ("REQUESTS_CA_BUNDLE",),
}
_FILE, _FOLDERS = "SSL_CERT_FILE", "SSL_CERT_DIR"
_GIT, _GIT_FOLDER = "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"
# This one adds to it; when it names nothing usable, Node says so and goes on.
_ADDITIONS = "NODE_EXTRA_CA_CERTS"
_JAVA = ("_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS")  # the first wins
_STORE = re.compile(r"-Djavax\.net\.ssl\.trustStore(Password|Type|)=(\S*)")
ROOTS = "roots.pem"  # what the app trusts without rr
_BUNDLE, _ADDED, _KEY_STORE = "bundle.pem", "rr.pem", "truststore.jks"
USUAL = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_USUAL_FOLDERS = ("/etc/ssl/certs", "/etc/pki/tls/certs")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)

Read = Callable[[str], bytes]  # the content of a file, or of those in a folder; nothing if it cannot be read


@dataclass(frozen=True, slots=True)
class Trust:
    """What rr and the app verify servers with."""

    roots: Path  # what the app trusts without rr
    environment: Mapping[str, str]  # for the app
    notes: tuple[str, ...] = ()  # for the user, of what cannot be used


def trust(authority: bytes, folder: Path, environment: Mapping[str, str]) -> Trust:
    """For an app of this machine: writes what it needs into `folder`. `authority`: rr's, with its key; `environment`:
    the app's own."""
    program = shutil.which("java", path=environment.get("PATH"))
    system = b"\n".join([_system(), *(_of_java(Path(program)) if program else ())])
    made = files(authority, environment, system, _read, java=program is not None)
    bad = unusable(environment, _read)
    if bad:
        made[_name_by_hash(authority)] = certificate_of(authority)
    for name, content in made.items():
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644), "wb") as file:
            file.write(content)
    notes = (
        f"{name} names {path}, from which no certificate can be read; the app sees that as without rr. "
        "Let it name a file of certificates (PEM) that can be read, or unset it."
        for name, path in bad.items()
    )
    return Trust(folder / ROOTS, variables(environment, folder, java=program is not None, bad=bad), tuple(notes))


def variables(environment: Mapping[str, str], folder: Path, *, java: bool, bad: Collection[str] = ()) -> dict[str, str]:
    """What an app with this environment is told, when the files are in `folder`. `bad`: what is `unusable`."""
    made = {}
    for name in _BUNDLES:
        asked = next((one for one in (name, *_INSTEAD.get(name, ())) if environment.get(one)), name)
        if asked not in bad:
            made[name] = str(folder / _BUNDLE)
    if _FILE in bad:  # OpenSSL goes on with its folders, and so does Go
        made[_FOLDERS] = os.pathsep.join([str(folder), environment.get(_FOLDERS) or _default_folders()])
    if _GIT in bad and not environment.get(_GIT_FOLDER):  # the same, where it uses GnuTLS
        made[_GIT_FOLDER] = str(folder)
    made[_ADDITIONS] = str(folder / _ADDED)
    name, options = _java(environment)
    if (java or options) and name not in bad:
        own = [options] if options else []
        own += [f"-Djavax.net.ssl.trustStore={folder / _KEY_STORE}"]
        own += [f"-Djavax.net.ssl.trustStorePassword={key_stores.PASSWORD}"]
        own += ["-Djavax.net.ssl.trustStoreType=JKS"] * ("trustStoreType" in options)
        made[name] = " ".join(own)
    return made


def files(
    authority: bytes, environment: Mapping[str, str], system: bytes, read: Read, *, java: bool
) -> dict[str, bytes]:
    """What the app is to find there, by name. `system`: what it trusts unless it is told otherwise; `read` gets what it
    has been told."""
    authority = certificate_of(authority)
    told = [read(environment[name]) for name in (*_BUNDLES, _ADDITIONS) if environment.get(name)]
    told += [read(path) for path in environment.get(_FOLDERS, "").split(os.pathsep) if path]
    options = _java(environment)[1]
    roots = _certificates(b"\n".join([system, *told])) + _stored(options, read)
    roots = list(dict.fromkeys(roots))
    added = _certificates(read(environment[_ADDITIONS])) if environment.get(_ADDITIONS) else []
    made = {
        ROOTS: b"\n".join(roots) + b"\n",
        _BUNDLE: b"\n".join([*roots, authority]),
        _ADDED: b"\n".join([*added, authority]),
    }
    if java or options:
        made[_KEY_STORE] = key_stores.key_store([*roots, authority])
    return made


def unusable(environment: Mapping[str, str], read: Read) -> dict[str, str]:
    """The variables that name something from which no certificate can be read, and what they name."""
    set_ = {name: environment[name] for name in (*_BUNDLES, _ADDITIONS) if environment.get(name)}
    found = {name: path for name, path in set_.items() if not _certificates(read(path))}
    name, options = _java(environment)
    path = _told(options).get("")
    if path and not _stored(options, read):
        found[name] = path
    return found


# -- Java -------------------------------------------------------------------------------------------------------


def _java(environment: Mapping[str, str]) -> tuple[str, str]:
    """The variable with Java's options in which a key store is named, or would be."""
    name = next((one for one in _JAVA if "" in _told(environment.get(one, ""))), _JAVA[-1])
    return name, environment.get(name, "")


def _told(options: str) -> dict[str, str]:
    """What is said of a key store: its path (""), its "Password" and "Type"."""
    return {what: value.strip("'\"") for what, value in _STORE.findall(options)}


def _stored(options: str, read: Read) -> list[bytes]:
    told = _told(options)
    if not told.get(""):
        return []
    return key_stores.certificates(read(told[""]), told.get("Password", key_stores.PASSWORD))


def _of_java(program: Path) -> list[bytes]:
    """What this Java trusts: companies put their authorities there, too."""
    home = program.resolve().parent.parent
    for name in ("jssecacerts", "cacerts"):
        for folder in (home / "lib" / "security", home / "jre" / "lib" / "security"):
            if store := _read(str(folder / name)):
                return key_stores.certificates(store)
    return []


# -- this machine -----------------------------------------------------------------------------------------------


def _system() -> bytes:
    """What this machine trusts."""
    paths = ssl.get_default_verify_paths()
    for name in (paths.cafile, paths.openssl_cafile, *USUAL):
        if name and os.path.isfile(name):
            return Path(name).read_bytes()
    return b"\n".join(_files(Path(paths.capath))) if paths.capath else b""


def _default_folders() -> str:
    """Where OpenSSL looks, and Go."""
    folders = (ssl.get_default_verify_paths().openssl_capath, *_USUAL_FOLDERS)
    return os.pathsep.join(dict.fromkeys(one for one in folders if one and os.path.isdir(one)))


def _read(name: str) -> bytes:
    """A bundle that the user has set; a folder of certificates as well. One that is not there says nothing."""
    path = Path(name)
    try:
        return b"\n".join(_files(path)) if path.is_dir() else path.read_bytes()
    except OSError:
        return b""


def _files(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in (".pem", ".crt", ".0"):
            yield path.read_bytes()


# -- certificates -----------------------------------------------------------------------------------------------


def _certificates(content: bytes) -> list[bytes]:
    """Those in PEM; what only looks like one would make a whole bundle useless."""
    found = list(dict.fromkeys(_CERTIFICATE.findall(content)))
    return found if not found or _are_read(found) else [one for one in found if _are_read([one])]


def _are_read(certificates: list[bytes]) -> bool:
    """Whether OpenSSL takes them, as it does for most apps: machines trust some that stricter libraries refuse."""
    try:
        text = b"\n".join(certificates).decode("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, UnicodeDecodeError):
        return False
    return True


def _name_by_hash(authority: bytes) -> str:
    """What OpenSSL looks for in a folder: the hash of a name, in a form that rr's own has from the start."""
    from cryptography import x509

    (name,) = x509.load_pem_x509_certificate(certificate_of(authority)).subject.rdns
    encoded = x509.Name([name]).public_bytes()[2:]  # without the head of the sequence
    return f"{int.from_bytes(hashlib.sha1(encoded).digest()[:4], 'little'):08x}.0"
