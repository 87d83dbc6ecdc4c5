"""Bodies while they arrive: in memory when small, else in a side file of the test set, redacted on the way.

A side file is hidden until its document is written; then it gets the name that the document gives it. Nothing that the
redactor has not seen touches the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from testset.errors import StorageError
from testset.files import storage
from testset.model import Body, BodyBuffer, Exchange, FileBody
from testset.redaction import RedactingStream, Redactor

LARGE = 1 << 20  # bytes above which a body gets a file of its own


class ArrivingBody:
    """A `BodyBuffer` that moves to a file when it grows large."""

    def __init__(self, folder: Path, redactor: Redactor) -> None:
        self._folder = folder
        self._redactor = redactor
        self._parts: list[bytes] = []
        self._size = 0
        self._file: BinaryIO | None = None
        self._path = Path()
        self._stream: RedactingStream | None = None
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        if self._file is not None:
            self._put(self._redact(data))
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > LARGE:
            self._move()

    def finish(self) -> Body:
        if self._file is None:
            return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        assert self._stream is not None
        self._put(self._stream.finish())
        with self._kept_or_gone():
            self._file.close()
        return FileBody(path=self._path, size=self._size, sha256=self._digest.hexdigest())

    def discard(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # what the disk did not take is not wanted any more
                self._file.close()
            self._path.unlink(missing_ok=True)
        self._parts.clear()

    def _move(self) -> None:
        self._path = self._folder / f".rr-{secrets.token_hex(8)}.tmp"
        with storage(self._path):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = open(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb")  # noqa: SIM115
        self._stream = self._redactor.stream()
        parts, self._parts = self._parts, []
        self._size = 0
        for part in parts:
            self._put(self._redact(part))

    def _redact(self, data: bytes) -> bytes:
        assert self._stream is not None
        return self._stream.feed(data)

    def _put(self, data: bytes) -> None:
        assert self._file is not None
        self._digest.update(data)
        self._size += len(data)
        with self._kept_or_gone():
            self._file.write(data)

    @contextlib.contextmanager
    def _kept_or_gone(self) -> Iterator[None]:
        """A file that cannot be completed does not fill the disk any further."""
        try:
            with storage(self._path):
                yield
        except StorageError:
            self.discard()
            raise


def arriving_in(folder: Path, redactor: Redactor) -> Callable[[], BodyBuffer]:
    """What decoders call for each body; side files go to `assets/` of the test set."""
    return lambda: ArrivingBody(folder / "assets", redactor)


def settle(exchange: Exchange[Any, Any], spec: Mapping[str, Any], folder: Path) -> None:
    """Give the side files of an exchange the names that its document has for them."""
    for body, part in ((_body(exchange.request), "req"), (_body(exchange.response), "resp")):
        if isinstance(body, FileBody) and body.path.exists():
            os.replace(body.path, folder / spec[part]["body_ref"]["path"])


def drop(exchange: Exchange[Any, Any]) -> None:
    """The exchange is not kept: neither are its side files."""
    for body in (_body(exchange.request), _body(exchange.response)):
        if isinstance(body, FileBody):
            with contextlib.suppress(OSError):
                body.path.unlink()


def sweep(folder: Path) -> None:
    """Remove what a crash left unfinished in a test set: side files and documents under their temporary names."""
    for part in (folder, folder / "assets", folder / "tests"):
        for path in part.glob(".rr-*.tmp"):
            path.unlink(missing_ok=True)


def _body(message: Any) -> Any:
    return getattr(message, "body", None)
