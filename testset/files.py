"""Files that are there whole or not at all, and what to say when the disk refuses."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testset.errors import StorageError

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space, then run the command again."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space, then run the command again."),
    errno.EROFS: ("the file system is read-only", "Choose a folder that you may write to with --path."),
    errno.EACCES: ("permission denied", "Choose a folder that you may write to with --path."),
    errno.EPERM: ("permission denied", "Choose a folder that you may write to with --path."),
    errno.ENOTDIR: ("a part of its path is a file", "Move that file away, or choose another folder with --path."),
    errno.EEXIST: ("a file of that name is in the way", "Move that file away, or choose another folder with --path."),
    errno.EISDIR: ("a folder of that name is in the way", "Move that folder away."),
}


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turns what the operating system says of a write to `path` into a `StorageError`."""
    try:
        yield
    except OSError as error:
        reason, remedy = _REASONS.get(error.errno or 0, (error.strerror or str(error), None))
        raise StorageError(f"{path} cannot be written: {reason}", remedy=remedy) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """The same for reading."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}", remedy="Check that it is there and may be read."
        ) from error


def write_whole(path: Path, content: bytes | Iterable[bytes], *, mode: int = 0o666) -> None:
    """Writes a file under another name in the same folder, then renames it: no reader ever sees a half of it."""
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = write_aside(path.parent, [content] if isinstance(content, bytes) else content, mode=mode)
        try:
            os.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def write_aside(folder: Path, content: Iterable[bytes], *, mode: int = 0o666) -> Path:
    """Writes to a new hidden file in `folder`, which the caller renames; nothing is left behind on failure."""
    temporary = folder / f".rr-{secrets.token_hex(8)}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for part in content:
                file.write(part)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
