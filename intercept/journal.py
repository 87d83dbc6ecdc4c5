"""The journal: what the relay saw, kept before it is passed on. Format and guarantees: docs/journal.md.

A journal is a private folder in a memory file system with numbered segments. A segment is a header and blocks; a block
is one turn of the relay's loop: its length, a checksum, the time, and frames. The writer is the relay, the reader the
recorder, also after the writer was killed: what is torn at the end was never passed on, and is cut off.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from testset.errors import JournalError

MAGIC = b"rr-journal 1\n\0\0\0"
SEGMENT_BYTES = 16 << 20
_IOV_MAX = 1000
_JOINED = 64 << 10  # blocks up to this size are copied together: one buffer is quicker than many small ones

BLOCK = struct.Struct("<IIQ")  # length of the frames, crc32 of them, nanoseconds since 1970
FRAME = struct.Struct("<BBIQI")  # kind, side, connection, offset in the side's stream, length of what follows


class Kind(IntEnum):
    """What a frame tells. Numbers are part of the format."""

    OPEN = 1  # a connection was made; JSON: inbound, client, server
    DATA = 2  # bytes of one side
    END = 3  # one side will send no more
    RESET = 4  # one side reset the connection
    FAILED = 5  # a connection that the app tried failed; JSON as OPEN, and how
    DATAGRAM = 6  # a question and its answer by DNS; JSON head line, then both
    GAP = 7  # from here on the connection (0: all) was not recorded; JSON: why
    NOTE = 8  # something to be told in the summary; JSON
    SECURE = 9  # the connection is TLS, and what follows is what was said in it; JSON: name, protocol, fault


CLIENT, SERVER = 0, 1


@dataclass(frozen=True, slots=True)
class Frame:
    """One event on one connection."""

    kind: Kind
    side: int
    connection: int
    offset: int
    data: bytes
    time_ns: int
    segment: int


def segment_path(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"{number:08d}.seg"


class JournalWriter:
    """Appends blocks. When there is no room it cuts off what is half written, says why in `stopped`, and keeps
    quiet."""

    def __init__(self, folder: pathlib.Path, limit: int, first_segment: int = 1) -> None:
        self._folder = folder
        self._limit = limit
        self._number = first_segment - 1
        self._file = -1
        self._size = 0
        # A relay that takes over from one that died counts on from there.
        self._written = self._released() + sum(path.stat().st_size for path in folder.glob("*.seg"))
        self.stopped: str | None = None
        self._next_segment()

    def commit(self, parts: list[bytes], time_ns: int) -> int:
        """Write one block of frames; returns its size, or 0 when recording has stopped. `parts[0]` is left free for the
        head of the block."""
        if self.stopped is not None:
            return 0
        length = sum(map(len, parts))
        if length < _JOINED:
            payload = b"".join(parts)
            checksum = zlib.crc32(payload)
        else:
            checksum = 0
            for part in parts:
                checksum = zlib.crc32(part, checksum)
        wanted = length + BLOCK.size
        head = BLOCK.pack(length, checksum, time_ns)
        try:
            if self._size + wanted > SEGMENT_BYTES:
                self._next_segment()
            if length < _JOINED:
                data = head + payload
                written = os.write(self._file, data)
                if written < wanted:
                    self._write_rest(data[written:])
            else:
                parts[0] = head
                written = os.writev(self._file, parts) if len(parts) <= _IOV_MAX else 0
                if written < wanted:
                    self._write_rest(b"".join(parts)[written:])
        except OSError as error:
            self._stop(f"the journal cannot be written: {error.strerror}")
            return 0
        self._size += wanted
        self._written += wanted
        return wanted

    def backlog(self) -> int:
        """Bytes written that the recorder has not released yet."""
        return self._written - self._released()

    def over_limit(self) -> bool:
        return self.stopped is None and self.backlog() > self._limit

    def stop(self, why: str) -> None:
        """Stop recording for good; what is written stays."""
        self._stop(why)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _released(self) -> int:
        try:
            return int((self._folder / "released").read_bytes())
        except FileNotFoundError:
            return 0

    def _write_rest(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def _next_segment(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._number += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(segment_path(self._folder, self._number), flags, 0o600)
        self._size = 0  # what a failure is to cut back to
        os.write(self._file, MAGIC)
        self._size = len(MAGIC)
        self._written += len(MAGIC)

    def _stop(self, why: str) -> None:
        self.stopped = why
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)


class JournalReader:
    """Reads blocks as they are written; the position is always at the border of a block."""

    _CHUNK = 4 << 20

    def __init__(
        self,
        folder: pathlib.Path,
        first_segment: int = 1,
        elsewhere: Callable[[int], int | None] = lambda _number: None,
    ) -> None:
        """`elsewhere` opens a segment that has left the folder, or returns None."""
        self._folder = folder
        self._elsewhere = elsewhere
        self.segment = first_segment
        self.position = len(MAGIC)
        self._file = -1

    def read(self, budget: int) -> Iterator[Frame]:
        """The frames written since the last call, up to about `budget` bytes, in whole blocks."""
        while budget > 0 and self._opened():
            sealed = self._is_there(self.segment + 1)  # asked before the read: no race
            chunk = os.pread(self._file, self._CHUNK, self.position)
            if len(chunk) == self._CHUNK:  # a block may be larger than the chunk
                length = BLOCK.unpack_from(chunk)[0] + BLOCK.size
                if length > len(chunk):
                    chunk = os.pread(self._file, length, self.position)
            used = 0
            for end, frames in self._blocks(chunk):
                self.position += end - used
                budget -= end - used
                used = end
                yield from frames
                if budget <= 0:
                    return
            if used:
                continue
            if not sealed:
                return
            # The writer has gone on to the next segment; what is torn at this one's end was never passed on.
            self.close()
            self.segment += 1
            self.position = len(MAGIC)

    def at_end(self) -> bool:
        """Whether everything that is written has been read."""
        if not self._opened():
            return True
        more = os.fstat(self._file).st_size > self.position
        return not more and not self._is_there(self.segment + 1)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _opened(self) -> bool:
        if self._file >= 0:
            return True
        try:
            self._file = os.open(segment_path(self._folder, self.segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            elsewhere = self._elsewhere(self.segment)
            if elsewhere is None:
                return False
            self._file = elsewhere
        head = os.pread(self._file, len(MAGIC), 0)
        if len(head) < len(MAGIC):  # just being made
            os.close(self._file)
            self._file = -1
            return False
        if head != MAGIC:
            raise JournalError(
                f"{segment_path(self._folder, self.segment)} is not a journal that this version of rr can read.",
                remedy="Recover it with the version of rr that wrote it, or delete the folder.",
            )
        return True

    def _is_there(self, number: int) -> bool:
        # Spilling goes from the oldest on, so a later segment in the folder vouches for the ones between.
        return any(int(name[:8]) >= number for name in os.listdir(self._folder) if name.endswith(".seg"))

    def _blocks(self, chunk: bytes) -> Iterator[tuple[int, list[Frame]]]:
        begin, position = self.position, 0
        while position + BLOCK.size <= len(chunk):
            length, checksum, time_ns = BLOCK.unpack_from(chunk, position)
            start = position + BLOCK.size
            end = start + length
            if end > len(chunk):
                return
            payload = chunk[start:end]
            if zlib.crc32(payload) != checksum:
                raise JournalError(
                    f"Segment {self.segment} of the journal is damaged at byte {begin + position}.",
                    remedy="What came before it has been recovered; delete the folder to go on without the rest.",
                )
            position = end
            yield end, list(self._frames(payload, time_ns))

    def _frames(self, payload: bytes, time_ns: int) -> Iterator[Frame]:
        position = 0
        while position < len(payload):
            kind, side, connection, offset, length = FRAME.unpack_from(payload, position)
            position += FRAME.size
            data = payload[position : position + length]
            yield Frame(Kind(kind), side, connection, offset, data, time_ns, self.segment)
            position += length
