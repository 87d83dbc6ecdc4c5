"""Keys: what a project's secrets are encrypted with. They are the user's, and never in a project.

`RR_KEY` holds one or more (base64, with commas); else they are in the user's data folder: `key` is the one that new
projects get, made on first use, and `keys/<id>` are those it has replaced. A file says which key it needs by its id, so
a new key locks nobody out of what an older one has sealed. What is sealed is said in `secrets`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from testset.errors import SecretError
from testset.files import storage, write_aside, write_whole

_NONCE = 12
_KEY = 32


class Key:
    """One key; `id` tells keys apart and gives nothing away."""

    def __init__(self, secret: bytes) -> None:
        self._sealing = _derive(secret, b"rr sealing")
        self._nonces = _derive(secret, b"rr nonces")
        self.id = _derive(secret, b"rr id").hex()[:8]

    def seal(self, name: str, value: str) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        plain = value.encode("utf-8", "surrogatepass")
        nonce = hmac.digest(self._nonces, name.encode() + b"\0" + plain, "sha256")[:_NONCE]
        return base64.b64encode(nonce + ChaCha20Poly1305(self._sealing).encrypt(nonce, plain, name.encode())).decode()

    def unseal(self, name: str, sealed: str) -> str | None:
        """None: it was changed since it was sealed, or was sealed under another name."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        try:
            data = base64.b64decode(sealed, validate=True)
            plain = ChaCha20Poly1305(self._sealing).decrypt(data[:_NONCE], data[_NONCE:], name.encode())
            return plain.decode("utf-8", "surrogatepass")
        except (binascii.Error, ValueError, InvalidTag):
            return None


def find_key(environ: Mapping[str, str], wanted: str | None) -> Key | None:
    """The key with this id or, if there is none, the one that comes first. `wanted` None: any."""
    first = None
    for key in _keys(environ, wanted):
        if wanted is None or key.id == wanted:
            return key
        first = first or key
    return first


def own_key(environ: Mapping[str, str]) -> Key:
    """The key for what is new; made if there is none."""
    key = find_key(environ, None)
    if key is not None:
        return key
    _make(key_path(environ))
    return _read(key_path(environ))


def key_path(environ: Mapping[str, str]) -> Path:
    data = environ.get("XDG_DATA_HOME") or ""
    home = environ.get("HOME") or str(Path.home())
    return (Path(data) if data.startswith("/") else Path(home, ".local", "share")) / "rr" / "key"


class NewKey(Key):
    """A key that is about to replace the user's. First `keep` it, then seal with it, then let it `take_over`: whenever
    that ends, both keys are there."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        secret = os.urandom(_KEY)
        super().__init__(secret)
        self.text = base64.b64encode(secret).decode()
        self.path = key_path(environ)

    def keep(self) -> Path | None:
        """Writes it, and what it will replace, to `keys/`; returns where the latter is."""
        older = None
        if self.path.exists():
            before = self.path.read_bytes()
            older = _beside(self.path, _read(self.path).id)
            self._write(older, before)
        self._write(_beside(self.path, self.id), self._line())
        return older

    def take_over(self) -> None:
        self._write(self.path, self._line())
        _beside(self.path, self.id).unlink(missing_ok=True)

    def _line(self) -> bytes:
        return self.text.encode() + b"\n"

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        with storage(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, data, mode=0o600)


def _keys(environ: Mapping[str, str], wanted: str | None) -> Iterator[Key]:
    """The keys at hand, in the order in which they are asked."""
    for text in environ.get("RR_KEY", "").split(","):
        if text.strip():
            yield Key(_decode(text.strip(), "RR_KEY"))
    path = key_path(environ)
    if path.exists():
        yield _read(path)
    if wanted is not None and wanted.isalnum() and (older := _beside(path, wanted)).exists():
        yield _read(older)


def _beside(path: Path, id: str) -> Path:
    return path.parent / "keys" / id


def _read(path: Path) -> Key:
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(
            f"the key {path} cannot be read: {error}", remedy="Correct its owner and mode (0600)."
        ) from error
    return Key(_decode(text, str(path)))


def _make(path: Path) -> None:
    with storage(path):
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = write_aside(path.parent, [base64.b64encode(os.urandom(_KEY)) + b"\n"], mode=0o600)
        try:
            os.link(temporary, path)  # unlike a rename, this keeps a key that another rr made just now
        except FileExistsError:
            return
        finally:
            temporary.unlink()


def _decode(text: str, source: str) -> bytes:
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != _KEY:
        raise SecretError(
            f"{source} is no key: expected {_KEY} bytes in base64", remedy="Copy it again from who recorded."
        )
    return secret


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return hmac.new(secret, purpose, hashlib.sha256).digest()
