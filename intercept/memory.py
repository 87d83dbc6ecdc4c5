"""The private folder in memory where a recording's journal lives, and those that crashed recordings left there.

A folder is held by a lock on its `lock` file for as long as its rr lives; the kernel drops the lock with the process,
however that ended. A folder without a holder is a recording to be recovered.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pathlib
import secrets
import shutil
import stat
import time
from dataclasses import dataclass
from typing import Any

from testset.errors import JournalError

_RESERVE = 4 << 20  # bytes of it that are kept for the recorder, which needs a little to finish when all is full
WRITER = "writer"  # the file whose lock the relay holds while it may write
_WRITER_CEILING = 10.0  # seconds that a relay may take to see that its rr is gone
_SMALLEST = 32 << 20  # bytes of room without which a recording is not begun


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """One recording's folder. `lock` is the descriptor that holds it."""

    path: pathlib.Path
    lock: int
    facts: dict[str, Any]  # what a recovery has to know: where the files go, and how

    def release(self, amount: int) -> None:
        """Tell the relay that the recorder has freed this many bytes, all in all."""
        target = self.path / "released"
        fresh = self.path / "released.new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write(self.path, file, str(amount).encode())
        finally:
            os.close(file)
        fresh.rename(target)

    def remove(self) -> None:
        """Nothing more to be recovered."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def base_folder() -> pathlib.Path:
    """The user's own folder in a memory file system; made on first use."""
    candidates = [pathlib.Path("/dev/shm") / f"rr-{os.getuid()}"]
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        candidates.append(pathlib.Path(runtime) / "rr")
    reasons = []
    for folder in candidates:
        try:
            folder.mkdir(mode=0o700, parents=False, exist_ok=True)
            facts = folder.lstat()
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror}")
            continue
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
            reasons.append(f"{folder}: not a private folder of this user")
            continue
        if not _in_memory(folder):
            reasons.append(f"{folder}: not in memory")
            continue
        return folder
    raise JournalError(
        "There is no place in memory for the journal (" + "; ".join(reasons) + ").",
        remedy="Mount a tmpfs on /dev/shm (docker: --shm-size=256m), or set XDG_RUNTIME_DIR to a folder on one.",
    )


def create(facts: dict[str, Any], limit: int) -> SessionFolder:
    """Make the folder of a new recording."""
    base = base_folder()
    room = os.statvfs(base)
    free = room.f_bavail * room.f_frsize
    if free < _SMALLEST:
        raise JournalError(
            f"There is no memory for the journal: {base} has {free >> 20} MiB left, and rr wants at least "
            f"{_SMALLEST >> 20} MiB (up to {limit >> 20} MiB).",
            remedy="Free some space there, or give it more: mount -o remount,size=1G /dev/shm.",
        )
    path = base / f"session-{os.getpid()}-{secrets.token_hex(4)}"
    path.mkdir(mode=0o700)
    held = lock(path / "lock")
    assert held is not None
    with open(path / "reserve", "wb") as reserve:
        os.posix_fallocate(reserve.fileno(), 0, _RESERVE)
    (path / "session.json").write_text(json.dumps(facts))
    return SessionFolder(path, held, facts)


def scratch() -> pathlib.Path:
    """A private folder in memory for as long as this process lives; those of processes that are gone are removed."""
    base = base_folder()
    for path in base.glob("scratch-*"):
        if not pathlib.Path("/proc", path.name.split("-")[1]).exists():
            shutil.rmtree(path, ignore_errors=True)
    path = base / f"scratch-{os.getpid()}-{secrets.token_hex(4)}"
    path.mkdir(mode=0o700)
    return path


def public() -> pathlib.Path:
    """A folder in memory that every user of this machine can read, for as long as this process lives: for what the app
    has to read under whichever user it runs. Nothing private goes there."""
    shelf = base_folder().parent
    mark = f"rr-public-{os.getuid()}-"
    for path in shelf.glob(f"{mark}*"):
        if not pathlib.Path("/proc", path.name.removeprefix(mark).split("-")[0]).exists():
            shutil.rmtree(path, ignore_errors=True)
    path = shelf / f"{mark}{os.getpid()}-{secrets.token_hex(4)}"
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    return path


def abandoned() -> list[SessionFolder]:
    """The folders of recordings whose rr is gone; the caller holds them now."""
    try:
        base = base_folder()
    except JournalError:
        return []
    found = []
    for path in sorted(base.glob("session-*")):
        held = lock(path / "lock")
        if held is None:
            continue
        if not _writer_is_gone(path):
            os.close(held)
            continue
        try:
            facts = json.loads((path / "session.json").read_text())
        except (OSError, ValueError):
            shutil.rmtree(path, ignore_errors=True)  # it ended before it began
            os.close(held)
            continue
        found.append(SessionFolder(path, held, facts))
    return found


def abandoned_count() -> int:
    """How many recordings wait for a recovery, without touching them."""
    found = abandoned()
    for folder in found:
        os.close(folder.lock)
    return len(found)


def write(folder: pathlib.Path, file: int, data: bytes) -> None:
    """Append to a file of the session; when the memory is full, what was reserved for that is given up."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(file, view) :]
        except OSError as error:
            if error.errno != errno.ENOSPC or not _give_up_reserve(folder):
                raise JournalError(f"{folder} cannot be written: {error.strerror}.") from error


def _give_up_reserve(folder: pathlib.Path) -> bool:
    try:
        (folder / "reserve").unlink()
    except FileNotFoundError:
        return False
    return True


def hold(folder: pathlib.Path) -> int:
    """Say that this process writes the session's journal, for as long as it lives; returns the lock's descriptor."""
    descriptor = os.open(folder / WRITER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _writer_is_gone(path: pathlib.Path) -> bool:
    """Wait for a relay that outlives its rr by a moment: what it still passes on is to be recovered as well."""
    deadline = time.monotonic() + _WRITER_CEILING
    while (descriptor := lock(path / WRITER)) is None and path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    if descriptor is not None:
        os.close(descriptor)
    return True


def lock(path: pathlib.Path) -> int | None:
    """Hold a file for as long as this process lives; None if another holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _in_memory(folder: pathlib.Path) -> bool:
    """Whether a folder lies in a tmpfs or ramfs, by the longest mount point that it is below."""
    best, kind = "", ""
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            _device, point, name, *_rest = line.split()
            if (str(folder) + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
                best, kind = point, name
    return kind in ("tmpfs", "ramfs")
