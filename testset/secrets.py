"""The vault: what stands behind each `{{secret "..."}}`, encrypted in `keploy/secrets.yml`, which may be committed.

A value is sealed with ChaCha20-Poly1305, its name bound to it; the nonce is made from name and value, so an unchanged
secret is the same line every time. The key is not in the project (`keys`). Which values are secrets is decided in
`redaction`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from testset import placeholders
from testset.errors import DocumentError, SecretError
from testset.files import storage, write_whole
from testset.keys import Key, find_key, own_key
from testset.text import VERSION, read_only_document

FILE_NAME = "secrets.yml"
KIND = "Secrets"
_HEAD = """\
# What stands behind each {{{{secret "..."}}}}, encrypted. It may be committed; the key is kept elsewhere.
version: {version}
kind: {kind}
name: secrets
spec:
  key: '{key}'
  secrets:
"""


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
        if self._load():
            head = _HEAD.format(version=VERSION, kind=KIND, key=self._find_key(create=True).id)
            lines = [f"    {name}: '{sealed}'\n" for name, sealed in self._load().items()]
            write_whole(self.path, [head.encode(), "".join(lines).encode()])
        else:
            with storage(self.path):
                self.path.unlink(missing_ok=True)
        self._changed = False

    def names(self) -> list[str]:
        """The names of all secrets, in the order in which they were sealed. Needs no key."""
        return list(self._load())

    @property
    def key_id(self) -> str | None:
        """The id of the key that the file was made with; None without a file."""
        self._load()
        return self._file_key

    def rekey(self, key: Key) -> None:
        """Seals everything with another key. Raises `SecretError` if there is something that cannot be unsealed."""
        values = {name: self.value(name) for name in self._load()}
        self._key, self._file_key = key, key.id
        self._sealed = {name: key.seal(name, value) for name, value in values.items()}
        self._changed = True

    def prune(self, used: Container[str]) -> None:
        """Forgets every secret that is not named in `used` (a test set was removed or recorded again)."""
        sealed = self._load()
        for name in [name for name in sealed if name not in used]:
            del sealed[name]
            self._values.pop(name, None)
            self._changed = True
        self._names = None
        self._counters = {}

    def forget(self, names: Iterable[str]) -> None:
        """These are no secrets any more."""
        gone = frozenset(names)
        self.prune(self._load().keys() - gone)

    def _known(self) -> dict[str, str]:
        if self._names is None:
            for name in self._load():
                self.value(name)
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
        return placeholders.replace(text, self.value)

    def unseal_tree(self, tree: Any, bound: Callable[[str], str | None] = lambda placeholder: None) -> Any:
        """The same for all texts of a tree; what holds no placeholder is not copied. `bound` knows the placeholders
        whose values are others by now: those are not unsealed, and need no key."""

        def value(name: str) -> str:
            return bound(placeholders.placeholder(name)) or self.value(name)

        return placeholders.in_tree(tree, lambda text: placeholders.replace(text, value))

    def value(self, name: str) -> str:
        value = self._values.get(name)
        if value is None:
            sealed = self._load().get(name)
            if sealed is None:
                raise SecretError(
                    f'{{{{secret "{name}"}}}} is not in {self.path}',
                    remedy=f"Restore {FILE_NAME} from version control, or record again.",
                )
            try:
                value = self._find_key(create=False).unseal(name, sealed)
            except SecretError as error:
                raise SecretError(f"{placeholders.placeholder(name)}: {error}", remedy=error.remedy) from error
            if value is None:
                raise SecretError(
                    f"{placeholders.placeholder(name)} in {self.path} was changed since it was sealed",
                    remedy=f"Restore {FILE_NAME} from version control, or record again.",
                )
            self._values[name] = value
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
            key = find_key(self._environ, self._file_key)
            if key is None and create and self._file_key is None:
                key = own_key(self._environ)
            if key is None:
                raise SecretError(f"{self.path} was made with the key {self._file_key}, and no key is here")
            if self._file_key is not None and key.id != self._file_key:
                raise SecretError(f"{self.path} was made with the key {self._file_key}; the key here is {key.id}")
            self._key = key
        return self._key
