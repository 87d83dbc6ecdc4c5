"""Which of an app's processes a preloaded clock does not reach, and why: read from /proc, as far as one may.

What the kernel does not let rr see (a process of another user) is not spoken of.
"""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass

_SETTLED = 0.25  # seconds that a process which has just begun may take to load its libraries
_PT_INTERP = 3
_STATIC = "statically linked, as Go's programs are"
_ELF_64 = b"\x7fELF\x02"


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
    left = [pid for pid in processes if _has(pid, mark) is False]
    while left and time.monotonic() < deadline:
        time.sleep(0.005)
        left = [pid for pid in left if _has(pid, mark) is False]
    return list(dict.fromkeys(one for pid in left if (one := _told(pid, library)) is not None))


def _has(pid: int, mark: str) -> bool | None:
    """None: it has ended, or may not be looked at."""
    try:
        with open(f"/proc/{pid}/maps") as maps:
            found = [line.rstrip("\n").partition("/")[2] for line in maps]
    except OSError:
        return None
    return any(f"/{path}" == mark for path in found) if found else None  # an ended one has no memory


def _told(pid: int, library: str) -> Unmoved | None:
    try:
        path = os.readlink(f"/proc/{pid}/exe")
        with open(f"/proc/{pid}/exe", "rb") as program:
            why = _why(pid, program.fileno(), library)
    except OSError:
        return None
    return Unmoved(os.path.basename(path.removesuffix(" (deleted)")), why)


def _why(pid: int, program: int, library: str) -> str:
    if _is_static(program):
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


def _has_capabilities(program: int) -> bool:
    try:
        return "security.capability" in os.listxattr(program)
    except OSError:  # a file system without such things
        return False


def _is_static(program: int) -> bool:
    """An ELF file that names no loader."""
    head = os.pread(program, 64, 0)
    if not head.startswith(_ELF_64) or len(head) < 64:
        return False
    offset, size, count = _table(head)
    return _names_no_loader(os.pread(program, size * count, offset), size)


def static_program(name: str, content: bytes) -> list[Unmoved]:
    """The program with this content, if no library can be preloaded into it."""
    if not content.startswith(_ELF_64) or len(content) < 64:
        return []
    offset, size, count = _table(content)
    is_static = _names_no_loader(content[offset : offset + size * count], size)
    return [Unmoved(name, _STATIC)] if is_static else []


def _table(head: bytes) -> tuple[int, int, int]:
    """Where an ELF file's program headers are: offset, the size of each, their number."""
    return struct.unpack_from("=Q", head, 32)[0], *struct.unpack_from("=HH", head, 54)


def _names_no_loader(table: bytes, size: int) -> bool:
    kinds = [struct.unpack_from("=I", table, at)[0] for at in range(0, len(table) - 3, size or 1)]
    return _PT_INTERP not in kinds
