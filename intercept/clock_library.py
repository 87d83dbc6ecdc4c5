"""Finds the library that moves an app's clock, or makes it from `clock.c`.

In order: the one that rr was installed with (`setup.py` makes it), the one made here before, one made now if there is
a C compiler, and else libfaketime if that is installed. One small binary serves glibc and musl alike: it is linked with
no C library, but only with the names of two that both have, so that no version of a symbol is asked for.

Imports nothing but the standard library: `setup.py` runs it where nothing else is installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")
MACHINES = ("x86_64", "aarch64")
_FLAGS = (
    "-shared", "-fPIC", "-O2", "-std=gnu11", "-s",
    "-nostdlib", "-ffreestanding", "-fno-builtin", "-fno-stack-protector",
)  # fmt: skip
# Old versions of glibc keep `dlsym` and what waits in these, newer ones have them empty, musl takes them for itself.
_NEEDED = ("libpthread.so.0", "libdl.so.2")
_COMPILERS = ("cc", "gcc", "clang")
ZIG = (sys.executable, "-m", "ziglang", "cc")
_CEILING = 120.0  # seconds that a compiler may take; zig builds parts of itself at first
_FAKETIME = ("libfaketime.so.1", "faketime/libfaketime.so.1")
FAKETIME_SETTINGS = {
    "FAKETIME_NO_CACHE": "1",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "DONT_FAKE_MONOTONIC": "1",  # as older versions call it
}
_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/{machine}-linux-gnu")


class Kind(Enum):
    """Whose library it is."""

    OWN = "rr's own library"
    FAKETIME = "libfaketime"


@dataclass(frozen=True, slots=True)
class Library:
    """A library to be preloaded."""

    path: Path
    kind: Kind


@dataclass(frozen=True, slots=True)
class NoLibrary:
    """Why there is none, and what to do."""

    why: str
    remedy: str = "Install a C compiler (apt install gcc) or libfaketime (apt install libfaketime)."


def find(machine: str = "") -> Library | NoLibrary:
    """The library for this machine; or for one with another processor, on which a container is to run."""
    machine = machine or platform.machine()
    if sys.platform != "linux" or machine not in MACHINES:
        return _faketime(machine) or NoLibrary(f"rr's own library knows {' and '.join(MACHINES)}, not {machine}")
    installed = beside(SOURCE.parent, machine)
    if installed.is_file():
        return Library(installed, Kind.OWN)
    made = _made_here(machine)
    return made if isinstance(made, Library) else _faketime(machine) or made


def beside(folder: Path, machine: str) -> Path:
    """Where the library of an installed rr lies."""
    return folder / f"clock-{machine}.so"


def build(target: Path, compiler: Sequence[str], *options: str) -> None:
    """Compile and link. Raises `OSError` and `subprocess.SubprocessError`; then `target` is as it was."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".making-") as name:
        folder = Path(name)
        stubs = []
        for needed in _NEEDED:
            stub = folder / needed
            (folder / "stub.c").write_text(f"void rr_{needed.partition('.')[0]}(void) {{}}\n")
            _run([*compiler, *options, *_FLAGS, f"-Wl,-soname,{needed}", "-o", str(stub), str(folder / "stub.c")])
            stubs.append(str(stub))
        made = folder / target.name
        links = ["-Wl,-soname,rr-clock.so", "-Wl,--no-as-needed", "-Wl,-z,noexecstack"]
        _run([*compiler, *options, *_FLAGS, *links, "-o", str(made), str(SOURCE), *stubs])
        made.chmod(0o755)
        made.rename(target)


def compilers(machine: str) -> list[list[str]]:
    """Those of this machine that compile for that one, the likeliest first."""
    names = (os.environ.get("CC", ""), *_COMPILERS) if machine == platform.machine() else (f"{machine}-linux-gnu-gcc",)
    found = [[path] for name in names if name and (path := shutil.which(name))]
    if importlib.util.find_spec("ziglang") is not None:
        found.append([*ZIG, "-target", f"{machine}-linux-gnu.2.17"])
    return found


def _run(command: list[str]) -> None:
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=_CEILING,
    )


def _made_here(machine: str) -> Library | NoLibrary:
    """In the user's cache, under a name that says what it was made of. Made whole or not at all."""
    mark = hashlib.sha256("\0".join([*_FLAGS, *_NEEDED, SOURCE.read_text()]).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rr"
    target = folder / f"clock-{mark}-{machine}.so"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder):
            return NoLibrary(f"{folder} belongs to somebody else", "Set XDG_CACHE_HOME to a folder of your own.")
        if target.is_file() and _is_ours(target):
            return Library(target, Kind.OWN)
        why = "there is no C compiler" + ("" if machine == platform.machine() else f" for {machine}")
        for compiler in compilers(machine):
            try:
                build(target, compiler)
            except (OSError, subprocess.SubprocessError) as error:
                why = f"{compiler[0]} cannot make it: {_first_line(error)}"
                continue
            return Library(target, Kind.OWN)
        return NoLibrary(why)
    except OSError as error:
        return NoLibrary(f"{folder} cannot be written: {error.strerror}", "Set XDG_CACHE_HOME to a folder that can.")


def _is_ours(path: Path) -> bool:
    """Nobody else may put code there that runs in the user's apps."""
    facts = path.stat()
    return facts.st_uid in (os.getuid(), 0) and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _first_line(error: Exception) -> str:
    said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return next((line for line in said if "error" in line.lower()), said[0] if said else type(error).__name__)


def _faketime(machine: str) -> Library | None:
    if machine != platform.machine():
        return None
    places = (Path(folder.format(machine=machine)) / name for folder in _FOLDERS for name in _FAKETIME)
    return next((Library(path, Kind.FAKETIME) for path in places if path.is_file() and _sleeps(path)), None)


def _sleeps(faketime: Path) -> bool:
    """Version 0.9.10, Debian 12's, makes every sleep fail while monotonic clocks are left alone."""
    environment = {**os.environ, **FAKETIME_SETTINGS, "LD_PRELOAD": str(faketime), "FAKETIME": "-100000"}
    command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(0.001)"]
    return subprocess.run(command, env=environment, capture_output=True, timeout=_CEILING, check=False).returncode == 0
