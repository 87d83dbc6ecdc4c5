"""The journal's way out of a container: what the relay writes there goes to rr as it is, and is let go of."""

from __future__ import annotations

import os
from collections.abc import Iterator

from intercept.containers.frames import LARGEST, Kind, frame
from intercept.journal import segment_path
from intercept.memory import SessionFolder

_AT_ONCE = 16  # frames, so that other work gets its turn


class Mirror:
    """Reads segments as they grow."""

    def __init__(self, session: SessionFolder) -> None:
        self._session = session
        self._segment = 1
        self._position = 0
        self._passed = 0  # bytes, of all segments
        self._file = -1

    def frames(self) -> Iterator[bytes]:
        """What is new, as frames; not all at once if it is much."""
        folder = self._session.path
        before = self._passed
        for _ in range(_AT_ONCE):
            next_exists = segment_path(folder, self._segment + 1).exists()  # asked before the read: no race
            data = self._read()
            if data:
                self._position += len(data)
                self._passed += len(data)
                yield frame(Kind.JOURNAL, self._segment, data)
            elif next_exists:
                self.close()
                segment_path(folder, self._segment).unlink(missing_ok=True)
                self._segment += 1
                self._position = 0
            else:
                break
        if self._passed != before:
            self._session.release(self._passed)

    def _read(self) -> bytes:
        if self._file < 0:
            try:
                self._file = os.open(segment_path(self._session.path, self._segment), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
        return os.pread(self._file, LARGEST, self._position)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
