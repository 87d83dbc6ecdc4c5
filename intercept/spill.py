"""Moves segments of the journal from memory to disk, encrypted, when the recorder falls behind; and back to read them.

The key never leaves memory: it lies in the session's folder, which is in a memory file system, so that a recovery
after a crash finds it and nothing that survives a power-off does.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from intercept.journal import segment_path
from testset.errors import JournalError

_NONCE = 12


def state_folder() -> pathlib.Path:
    """Where rr keeps what is of no use to anybody else, by the XDG rules."""
    root = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return pathlib.Path(root).expanduser() / "rr"


class Spill:
    """The segments of one session that lie on disk."""

    def __init__(self, session: pathlib.Path, limit: int) -> None:
        self._session = session
        self._limit = limit
        self._used = 0
        self._key: AESGCM | None = None
        self.folder = state_folder() / "spill" / session.name

    def has(self, number: int) -> bool:
        return self._path(number).exists()

    def move(self, number: int) -> bool:
        """Encrypt one complete segment to disk and free its memory; False when there is no room on disk."""
        source = segment_path(self._session, number)
        data = source.read_bytes()
        if self._used + len(data) > self._limit:
            return False
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher().encrypt(nonce, data, str(number).encode())
        partial = self._path(number).with_suffix(".new")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(sealed)
            partial.rename(self._path(number))
        except OSError:
            with contextlib.suppress(OSError):
                partial.unlink()
            return False
        source.unlink()
        self._used += len(data)
        return True

    def open(self, number: int) -> int:
        """A descriptor of the decrypted segment, in memory."""
        sealed = self._path(number).read_bytes()
        try:
            data = self._cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], str(number).encode())
        except InvalidTag as error:
            raise JournalError(f"The journal's segment {self._path(number)} was changed after rr wrote it.") from error
        descriptor = os.memfd_create(f"rr-segment-{number}", os.MFD_CLOEXEC)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        return descriptor

    def drop(self, number: int) -> None:
        with contextlib.suppress(OSError):
            path = self._path(number)
            self._used -= path.stat().st_size
            path.unlink()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> pathlib.Path:
        return self.folder / f"{number:08d}.spill"

    def _cipher(self) -> AESGCM:
        if self._key is None:
            path = self._session / "key"
            if not path.exists():
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(AESGCM.generate_key(256))
            self._key = AESGCM(path.read_bytes())
        return self._key
