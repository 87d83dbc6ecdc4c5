"""The vault: what stands behind each `{{secret "..."}}`, encrypted in `keploy/secrets.yml`, which may be committed.

A value is sealed with ChaCha20-Poly1305, its name bound to it; the nonce is made from name and value, so an unchanged
secret is the same line every time. The key is not in the project: `RR_KEY` (base64), or a file in the user's data
folder, made on first use. Which values are secrets is decided in `redaction`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

from testset import placeholders
from testset.errors import DocumentError, SecretError
from testset.files import storage, write_aside, write_whole
from testset.text import VERSION, read_only_document

FILE_NAME = "secrets.yml"
KIND = "Secrets"
_NONCE = 12
_KEY = 32
_HEAD = """\
# What stands behind each {{{{secret "..."}}}}, encrypted. It may be committed; the key is kept elsewhere.
version: {version}
kind: {kind}
name: secrets
spec:
  key: '{key}'
  secrets:
"""


class Key:
    """The user's key; `id` tells keys apart and gives nothing away."""

    def __init__(self, secret: bytes) -> None:
        self._sealing = _derive(secret, b"rr sealing")
        self._nonces = _derive(secret, b"rr nonces")
        self.id = _derive(secret, b"rr id").hex()[:8]

    def seal(self, name: str, value: str) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        plain = value.encode("utf-8", "surrogatepass")
        nonce = hmac.digest(self._nonces, name.encode() + b"\0" + plain, "sha256")[:_NONCE]
        return base64.b64encode(nonce + ChaCha20Poly1305(self._sealing).encrypt(nonce, plain, name.encode())).decode()

    def unseal(self, name: str, sealed: str) -> str:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        try:
            data = base64.b64decode(sealed, validate=True)
            plain = ChaCha20Poly1305(self._sealing).decrypt(data[:_NONCE], data[_NONCE:], name.encode())
            return plain.decode("utf-8", "surrogatepass")
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise SecretError(
                f"the secret {name!r} in {FILE_NAME} was changed since it was sealed",
                remedy=f"Restore {FILE_NAME} from version control, or record again.",
            ) from error


class Vault:
    """The secrets of one project. Nothing is read, and no key is made, before it is needed."""

    def __init__(self, path: Path, *, environ: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._environ = os.environ if environ is None else environ
        self._key: Key | None = None
        self._file_key: str | None = None  # the id of the key that the file was made with
        self._sealed: dict[str, str] | None = None
        self._values: dict[str, str] = {}  # name -> value, as far as unsealed
        self._names: dict[str, str] | None = None  # value -> name, once all are unsealed
        self._counters: dict[str, int] = {}
        self._changed = False

    # -- sealing ------------------------------------------------------------------------------------------------

    def seal(self, value: str, kind: str) -> str:
        """The placeholder of a value: that which it has, or a new one named after `kind`."""
        known = self._known()
        name = known.get(value)
        if name is None:
            name = self._new_name(kind)
            self._load()[name] = self._find_key(create=True).seal(name, value)
            self._values[name] = value
            known[value] = name
            self._changed = True
        return placeholders.placeholder(name)

    def values(self) -> Mapping[str, str]:
        """Every value that was ever sealed, with its name; empty without a file (then no key is needed)."""
        return self._known() if self._load() else {}

    def save(self) -> None:
        """Writes the file if anything was sealed or dropped since it was read."""
        if not self._changed:
            return
        head = _HEAD.format(version=VERSION, kind=KIND, key=self._find_key(create=True).id)
        lines = [f"    {name}: '{sealed}'\n" for name, sealed in self._load().items()]
        write_whole(self.path, [head.encode(), "".join(lines).encode() if lines else b"    {}\n"])
        self._changed = False

    def prune(self, used: Container[str]) -> None:
        """Forgets every secret that is not named in `used` (a test set was removed or recorded again)."""
        sealed = self._load()
        for name in [name for name in sealed if name not in used]:
            del sealed[name]
            self._values.pop(name, None)
            self._changed = True
        self._names = None
        self._counters = {}

    def _known(self) -> dict[str, str]:
        if self._names is None:
            for name in self._load():
                self._value(name)
            self._names = {self._values[name]: name for name in self._load()}
        return self._names

    def _new_name(self, kind: str) -> str:
        kind = re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")[:60] or "secret"
        number = self._counters.get(kind, 0) + 1
        while f"{kind}-{number}" in self._load():
            number += 1
        self._counters[kind] = number
        return f"{kind}-{number}"

    # -- unsealing ----------------------------------------------------------------------------------------------

    def unseal(self, text: str) -> str:
        """The text with every placeholder replaced by its value. Raises `SecretError`, naming the placeholder."""
        return placeholders.replace(text, self._value)

    def unseal_tree(self, tree: Any, bound: Callable[[str], str | None] = lambda placeholder: None) -> Any:
        """The same for all texts of a tree; what holds no placeholder is not copied. `bound` knows the placeholders
        whose values are others by now: those are not unsealed, and need no key."""

        def value(name: str) -> str:
            return bound(placeholders.placeholder(name)) or self._value(name)

        return self._replaced(tree, value)

    def _replaced(self, tree: Any, value: Callable[[str], str]) -> Any:
        if isinstance(tree, str):
            return placeholders.replace(tree, value)
        if isinstance(tree, Mapping):
            changed = {key: self._replaced(member, value) for key, member in tree.items()}
            return changed if any(changed[key] is not member for key, member in tree.items()) else tree
        if isinstance(tree, (list, tuple)):
            items = [self._replaced(item, value) for item in tree]
            return items if any(new is not old for new, old in zip(items, tree, strict=True)) else tree
        return tree

    def _value(self, name: str) -> str:
        value = self._values.get(name)
        if value is None:
            sealed = self._load().get(name)
            if sealed is None:
                raise SecretError(
                    f'{{{{secret "{name}"}}}} is not in {self.path}',
                    remedy=f"Restore {FILE_NAME} from version control, or record again.",
                )
            try:
                value = self._values[name] = self._find_key(create=False).unseal(name, sealed)
            except SecretError as error:
                raise SecretError(f"{placeholders.placeholder(name)}: {error}", remedy=error.remedy) from error
        return value

    # -- file and key -------------------------------------------------------------------------------------------

    def _load(self) -> dict[str, str]:
        if self._sealed is None:
            if not self.path.exists():
                self._sealed = {}
                return self._sealed
            spec = read_only_document(self.path, [KIND]).spec
            sealed, key = spec.get("secrets") or {}, spec.get("key")
            if not isinstance(key, str) or not isinstance(sealed, dict):
                raise DocumentError("`spec.key` and `spec.secrets` are missing or wrong", path=self.path)
            for name, value in sealed.items():
                if not isinstance(name, str) or not isinstance(value, str):
                    raise DocumentError(f"the secret {name!r} is no text", path=self.path)
            self._sealed, self._file_key = sealed, key
        return self._sealed

    def _find_key(self, *, create: bool) -> Key:
        if self._key is None:
            self._load()
            key = find_key(self._environ, create=create and self._file_key is None)
            if key is None:
                raise SecretError(f"{self.path} was made with the key {self._file_key}, and no key is here")
            if self._file_key is not None and key.id != self._file_key:
                raise SecretError(f"{self.path} was made with the key {self._file_key}; the key here is {key.id}")
            self._key = key
        return self._key


def find_key(environ: Mapping[str, str], *, create: bool) -> Key | None:
    """The key of `RR_KEY`, else the one in the user's data folder, which is made if `create` says so."""
    text = environ.get("RR_KEY", "").strip()
    if text:
        return Key(_decode(text, "RR_KEY"))
    path = key_path(environ)
    if not path.exists():
        if not create:
            return None
        _make_key(path)
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(
            f"the key {path} cannot be read: {error}", remedy="Correct its owner and mode (0600)."
        ) from error
    return Key(_decode(text, str(path)))


def key_path(environ: Mapping[str, str]) -> Path:
    data = environ.get("XDG_DATA_HOME") or ""
    home = environ.get("HOME") or str(Path.home())
    return (Path(data) if data.startswith("/") else Path(home, ".local", "share")) / "rr" / "key"


def _make_key(path: Path) -> None:
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
