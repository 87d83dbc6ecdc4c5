"""Which of an app's processes a preloaded clock does not reach, and why: read from /proc, as far as one may.

What the kernel does not let rr see (a process of another user) is not spoken of.
"""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_SETTLED = 0.25  # seconds that a process which has just begun may take to load its libraries
_PT_INTERP, _PT_NOTE = 3, 4
_STATIC = "statically linked, as Go's programs are"
_GO = "written in Go, which asks the kernel itself"
_NOTE_OF_GO = b"\x04\x00\x00\x00Go\x00\x00"  # its kind, and whose it is: the build's number
_LONGEST_NOTES = 64 << 10
_HEADER = 56  # bytes of a program header
_ELF_64 = b"\x7fELF\x02"

_Read = Callable[[int, int], bytes]  # so many bytes of a file, from this place on


@dataclass(frozen=True, slots=True)
class Unmoved:
    """A program that reads this machine's clock."""

    program: str
    why: str

    def __str__(self) -> str:
        return f"{self.program} ({self.why})"


def unmoved(processes: Iterable[int], mark: str, library: str) -> list[Unmoved]:
    """Those that do not have the file `mark` in their memory, each program once. `library`: was to be there."""
    deadline = time.monotonic() + _SETTLED
    processes = list(processes)
    left = [pid for pid in processes if _has(pid, mark) is False]
    while left and time.monotonic() < deadline:
        time.sleep(0.005)
        left = [pid for pid in left if _has(pid, mark) is False]
    deaf = [pid for pid in processes if pid not in left and _has(pid, mark) and _asks_kernel(pid)]
    return list(dict.fromkeys(one for pid in (*left, *deaf) if (one := _told(pid, library)) is not None))


def _has(pid: int, mark: str) -> bool | None:
    """None: it has ended, or may not be looked at."""
    try:
        with open(f"/proc/{pid}/maps") as maps:
            found = [line.rstrip("\n").partition("/")[2] for line in maps]
    except OSError:
        return None
    return any(f"/{path}" == mark for path in found) if found else None  # an ended one has no memory


def _asks_kernel(pid: int) -> bool:
    """Go's programs may have a C library in them (cgo), and what is preloaded, and ask neither for the time."""
    try:
        with open(f"/proc/{pid}/exe", "rb") as program:
            return _is_go(_reader(program.fileno()))
    except OSError:
        return False


def _told(pid: int, library: str) -> Unmoved | None:
    try:
        path = os.readlink(f"/proc/{pid}/exe")
        with open(f"/proc/{pid}/exe", "rb") as program:
            why = _why(pid, program.fileno(), library)
    except OSError:
        return None
    return Unmoved(os.path.basename(path.removesuffix(" (deleted)")), why)


def _why(pid: int, program: int, library: str) -> str:
    read = _reader(program)
    if _is_go(read):
        return _GO
    if _is_static(read):
        return _STATIC
    mode = os.fstat(program).st_mode
    if mode & (stat.S_ISUID | stat.S_ISGID) or _has_capabilities(program):
        return "it runs with other rights than whoever started it, and so loads nothing foreign"
    try:
        with open(f"/proc/{pid}/environ", "rb") as environment:
            if library.encode() not in environment.read():
                return "rr's LD_PRELOAD was taken out of its environment"
    except OSError:
        pass
    return "the library does not load there"


def _reader(program: int) -> _Read:
    return lambda size, offset: os.pread(program, size, offset)


def _has_capabilities(program: int) -> bool:
    try:
        return "security.capability" in os.listxattr(program)
    except OSError:  # a file system without such things
        return False


def static_program(name: str, content: bytes) -> list[Unmoved]:
    """The program with this content, if no library can be preloaded into it, or to no effect."""

    def read(size: int, offset: int) -> bytes:
        return content[offset : offset + size]

    why = _GO if _is_go(read) else _STATIC if _is_static(read) else None
    return [Unmoved(name, why)] if why is not None else []


def _is_go(read: _Read) -> bool:
    """An ELF file with the note that Go's linker writes."""
    notes = (read(min(size, _LONGEST_NOTES), place) for kind, place, size in _segments(read) if kind == _PT_NOTE)
    return any(_NOTE_OF_GO in each for each in notes)


def _is_static(read: _Read) -> bool:
    """An ELF file that names no loader."""
    kinds = [kind for kind, _place, _size in _segments(read)]
    return bool(kinds) and _PT_INTERP not in kinds


def _segments(read: _Read) -> Iterator[tuple[int, int, int]]:
    """An ELF file's program headers: their kinds, and where what they speak of is, and how long. Else none."""
    head = read(64, 0)
    if not head.startswith(_ELF_64) or len(head) < 64:
        return
    offset, size, count = struct.unpack_from("=Q", head, 32)[0], *struct.unpack_from("=HH", head, 54)
    table = read(size * count, offset)
    for at in range(0, len(table) - _HEADER + 1, max(size, _HEADER)):
        kind, _flags, place, _address, _physical, length = struct.unpack_from("=IIQQQQ", table, at)
        yield kind, place, length
