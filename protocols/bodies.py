"""Where a responder keeps the bodies that the app sends: in memory up to a limit, beyond that only size and digest.

A recorded body that was kept in a file is compared by its digest, so nothing more is needed of a large one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from testset.model import Body, FileBody


class KeptBody:
    """A `BodyBuffer` that never holds more than `limit` bytes."""

    __slots__ = ("_digest", "_limit", "_parts", "_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._digest: hashlib._Hash | None = None

    @property
    def size(self) -> int:
        """Of what has come so far."""
        return self._size

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._digest is not None:
            self._digest.update(data)
            return
        self._parts.append(data)
        if self._size > self._limit:
            self._digest = hashlib.sha256()
            for part in self._parts:
                self._digest.update(part)
            self._parts.clear()

    def finish(self) -> Body:
        if self._digest is not None:
            return FileBody(path=Path(), size=self._size, sha256=self._digest.hexdigest())
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def discard(self) -> None:
        self._parts.clear()
