"""Bodies in files of their own, as they go over the wire: with their secrets, which only ever are in memory.

A side file without a secret is used as it is. Of one with a secret there is a copy in a memory file without a name, for
as long as it is among the last that were asked for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from testset import placeholders
from testset.model import FileBody
from testset.revision import pieces_of

_COPIES = 16  # that are kept
Value = Callable[[str], str]  # of a secret's name; raises `SecretError`


class SideFiles:
    """The side files of one test set."""

    def __init__(self) -> None:
        self._plain: dict[Path, bool] = {}  # whether a file holds nothing but what was recorded
        self._copies: list[BinaryIO] = []

    def unsealed(self, body: FileBody, value: Value) -> FileBody:
        """The body as it was recorded. Raises `SecretError`."""
        if body.path not in self._plain:
            self._plain[body.path] = not any(map(placeholders.is_any_in, pieces_of(body.path)))
        if self._plain[body.path]:
            return body
        digest, size = hashlib.sha256(), 0
        copy = os.fdopen(os.memfd_create("rr-body", os.MFD_CLOEXEC), "wb")  # gone when nobody has it open any more
        for piece in pieces_of(body.path):
            data = placeholders.replace(piece, value).encode("latin-1")
            digest.update(data)
            size += len(data)
            copy.write(data)
        copy.flush()
        self._copies = [*self._copies[1 - _COPIES :], copy]
        return replace(body, path=Path(f"/proc/self/fd/{copy.fileno()}"), size=size, sha256=digest.hexdigest())
