"""Mocks in a form that is quick to answer from: parsed once, kept in a file that nobody else can open, read by offset.

Reading a document costs a hundred times what finding it does. What is kept here is in the recording in clear anyway:
a mock with a secret in its answer is not taken, and is read from its document each time.
"""

from __future__ import annotations

import mmap
import pickle
import tempfile
from dataclasses import dataclass
from typing import Any

from protocols.http.match import plain_body
from testset.model import FileBody, Mock


@dataclass(frozen=True, slots=True)
class Piece:
    """Where something stands in the spool."""

    start: int
    end: int


class Spool:
    """Grows while the mocks are read; then it is closed, and read."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="rr-mocks-")  # noqa: SIM115 - lives as long as the spool
        self._end = 0
        self._map: mmap.mmap | None = None

    def put(self, data: bytes) -> Piece:
        self._file.write(data)
        piece = Piece(self._end, self._end + len(data))
        self._end = piece.end
        return piece

    def put_mock(self, mock: Mock) -> Piece:
        return self.put(pickle.dumps(mock, pickle.HIGHEST_PROTOCOL))

    def seal(self) -> None:
        """Nothing more comes."""
        self._file.flush()
        if self._end:
            self._map = mmap.mmap(self._file.fileno(), self._end, access=mmap.ACCESS_READ)

    def get(self, piece: Piece) -> bytes:
        if piece.start == piece.end:
            return b""
        assert self._map is not None, "the spool was not sealed"
        return self._map[piece.start : piece.end]

    def get_mock(self, piece: Piece) -> Mock:
        mock = pickle.loads(self.get(piece))  # of rr's own making, from a file without a name
        assert isinstance(mock, Mock)
        return mock

    def close(self) -> None:
        if self._map is not None:
            self._map.close()
        self._file.close()


def is_plain(mock: Mock) -> bool:
    """Whether the mock's answer is what goes over the wire: no secret in it, and no body in a file of its own."""
    response = mock.exchange.response
    body = getattr(response, "body", b"")
    if isinstance(body, FileBody):
        return False
    headers: Any = getattr(response, "headers", ())
    if isinstance(body, bytes) and b"{{" in (plain_body(headers, body) if headers else body):
        return False
    return "{{" not in repr(headers or response)
