"""Answers as they go over the wire, made once: as many as are welcome in memory, the others in a file without a name.

Reading a document costs a hundred times what finding it does, and all of them together may not fit into memory.
"""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """Where something stands in the spool."""

    start: int
    end: int


Kept = bytes | Piece


class Spool:
    """Grows while the mocks are read; then it is sealed, and read."""

    def __init__(self, in_memory: int) -> None:
        self._room = in_memory
        self._file = tempfile.TemporaryFile(prefix="rr-mocks-")  # noqa: SIM115 - lives as long as the spool
        self._end = 0
        self._map: mmap.mmap | None = None

    def put(self, data: bytes) -> Kept:
        if len(data) <= self._room:
            self._room -= len(data)
            return data
        self._file.write(data)
        piece = Piece(self._end, self._end + len(data))
        self._end = piece.end
        return piece

    def seal(self) -> None:
        """Nothing more comes."""
        self._file.flush()
        if self._end:
            self._map = mmap.mmap(self._file.fileno(), self._end, access=mmap.ACCESS_READ)

    def get(self, piece: Kept) -> bytes:
        if isinstance(piece, bytes):
            return piece
        assert self._map is not None, "the spool was not sealed"
        return self._map[piece.start : piece.end]

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
        self._file.close()
