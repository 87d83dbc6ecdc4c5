"""The app's wall clock at replay: this machine's, moved to when the recording was made, and forward with it.

A library that is preloaded into the app and all that it starts (`clock.c`) adds a number to what it reads; the number
is in a file in memory, so that the clock of running processes moves. It never goes back while the app runs, and
monotonic clocks are left alone. What no library reaches (static binaries, setuid) keeps today's clock: `left_behind`
names it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from intercept.clock_library import FAKETIME_SETTINGS, Kind, Library
from intercept.unmoved import Unmoved, unmoved

VARIABLE = "RR_CLOCK"
_SECOND = 1_000_000_000
_FAKETIME = "libfaketime"
_SEPARATES = re.compile(r"[\s:]")  # what stands between two libraries in LD_PRELOAD, and so in no path


class Clock:
    """The clock that an app has anyway."""

    moves = False
    offset_ns = 0  # how far it is ahead of this machine's; it may be negative, and is for old recordings

    def now_ns(self) -> int:
        """What the app believes the time to be."""
        return time.time_ns() + self.offset_ns

    def move_to(self, moment_ns: int) -> int:
        """Make it `moment_ns`, if that is ahead. Returns by how much it is later than that, afterwards."""
        return max(0, self.now_ns() - moment_ns)

    def environment(self, environment: Mapping[str, str]) -> Mapping[str, str]:
        """What the app's environment must have beside, or instead of, its own."""
        return {}

    def left_behind(self, processes: Iterable[int]) -> list[Unmoved]:
        """Which of these processes read this machine's clock although this one is moved."""
        return []

    def close(self) -> None:
        """The app has ended."""


class MovedClock(Clock):
    """A clock that runs as this machine's does, from another moment on."""

    moves = True

    def __init__(self, library: Library, folder: Path, start_ns: int) -> None:
        """`folder`: in memory, readable for the app whichever user it runs under. The app starts at `start_ns`."""
        self._kind = library.kind
        self._file = folder / "clock"
        self._library = _reachable(library.path, folder)
        self.offset_ns = start_ns - time.time_ns()
        self._below_ns = 0  # how far rr's clock is ahead of what the app would see
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.fchmod(descriptor, 0o644)
            os.ftruncate(descriptor, 8)
            self._map = mmap.mmap(descriptor, 8)
        finally:
            os.close(descriptor)
        self._number = ctypes.c_int64.from_buffer(self._map)  # is written at once, never byte by byte
        self._write()

    def move_to(self, moment_ns: int) -> int:
        ahead = moment_ns - self.now_ns()
        if ahead > 0:
            self.offset_ns += ahead
            self._write()
        return max(0, -ahead)

    def environment(self, environment: Mapping[str, str]) -> Mapping[str, str]:
        others = [one for one in _SEPARATES.split(environment.get("LD_PRELOAD", "")) if one]
        if self._kind is Kind.OWN and any(_FAKETIME in one for one in others):
            # Around rr it moves this machine's clock. The app is moved by rr alone: two years ahead and back again is
            # nowhere, and libfaketime lets programs wait for years, or not at all.
            others = [one for one in others if _FAKETIME not in one]
            self._below_ns = _ahead_of_kernel_ns()
            self._write()
        made = {"LD_PRELOAD": ":".join([self._library, *others])}
        if self._kind is Kind.OWN:
            return {**made, VARIABLE: str(self._file)}
        return {**made, **FAKETIME_SETTINGS, "FAKETIME_TIMESTAMP_FILE": str(self._text_file)}

    def left_behind(self, processes: Iterable[int]) -> list[Unmoved]:
        return unmoved(processes, str(self._file) if self._kind is Kind.OWN else self._library, self._library)

    def close(self) -> None:
        del self._number  # a mapping that something looks into cannot be closed
        self._map.close()

    @property
    def _text_file(self) -> Path:
        return self._file.with_suffix(".txt")

    def _write(self) -> None:
        self._number.value = self.offset_ns + self._below_ns
        if self._kind is Kind.FAKETIME:  # reads a text, by its name and each time anew
            fresh = self._file.with_suffix(".new")
            fresh.write_text(f"{self.offset_ns / _SECOND:+.6f}\n")
            fresh.chmod(0o644)
            fresh.rename(self._text_file)


class ClockElsewhere(Clock):
    """The clock of an app in a container: somebody there writes the number."""

    moves = True

    def __init__(self, start_ns: int, tell: Callable[[int], None]) -> None:
        """`tell`: is given the number whenever it changes."""
        self.offset_ns = start_ns - time.time_ns()
        self._tell = tell
        self.unmoved: list[Unmoved] = []

    def move_to(self, moment_ns: int) -> int:
        ahead = moment_ns - self.now_ns()
        if ahead > 0:
            self.offset_ns += ahead
            self._tell(self.offset_ns)
        return max(0, -ahead)

    def left_behind(self, processes: Iterable[int]) -> list[Unmoved]:
        return self.unmoved


def _reachable(library: Path, folder: Path) -> str:
    """Where the app finds the library, whichever user it is, and whatever the path has in it."""
    target = folder / "clock.so"
    if not os.statvfs(folder).f_flag & os.ST_NOEXEC:
        shutil.copyfile(library, target)
        target.chmod(0o755)
        return str(target)
    if _SEPARATES.search(str(library)):
        target.symlink_to(library)
        return str(target)
    return str(library)


def _ahead_of_kernel_ns() -> int:
    """By how much the clock that this process reads is ahead of the kernel's: a library is preloaded into rr itself."""
    try:
        library = ctypes.CDLL("libc.so.6")  # by its name, and so the function of this very library
    except OSError:  # not glibc
        return 0
    now = (ctypes.c_int64 * 2)()
    library.clock_gettime(time.CLOCK_REALTIME, now)
    return time.time_ns() - (now[0] * _SECOND + now[1])
