"""Processes of the shop: started with a log of their own, waited for until they answer, and ended whatever happens.

Also when whoever started them is killed: then the kernel asks them to end (Linux only; elsewhere they stay).
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

START_CEILING = 60.0  # seconds
END_CEILING = 15.0
LINES_SHOWN = 12
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None  # looked up before there is a fork


class ShopError(Exception):
    """Why the shop cannot be opened, or had to close. The message is what the user reads."""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def require_free(port: int, option: str) -> None:
    """By taking the port for a moment: somebody may have it without answering."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ShopError(
                f"Port {port} cannot be used ({error.strerror}): stop the program that has it, "
                f"or choose another port with {option}."
            ) from error


def usable(port: int) -> int:
    """The port, or one that is free if somebody has it: not of the kernel's choice, which connections get as well."""
    for _ in range(100):
        try:
            require_free(port, "")
            break
        except ShopError:
            port = random.randrange(10_000, 32_768)
    return port


def die_with(parent: int) -> None:
    """In a new process, before its program is loaded: SIGTERM comes when `parent`, which has started it, is gone."""
    if PRCTL is not None:
        PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # gone already
            os._exit(1)


@contextmanager
def removed_afterwards(folder: Path) -> Iterator[None]:
    """By a process that waits for the end of this one, so that a kill leaves nothing either."""
    # not to be hurried by a signal to all of the shop; a few times, because a database that is ending may still write
    script = (
        'trap "" INT TERM HUP; cat >/dev/null; n=0; '
        'until rm -rf "$0" 2>/dev/null || [ $((n += 1)) -gt 100 ]; do sleep 0.1; done'
    )
    remover = subprocess.Popen(["sh", "-c", script, str(folder)], stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        remover.communicate()


@dataclass(slots=True)
class Child:
    """A process that was started, and the log that it writes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None

    @classmethod
    def start(cls, name: str, command: Sequence[str], env: Mapping[str, str], log: Path | None) -> Child:
        """`log` is None when it is to write to the terminal."""
        # a session of its own: Ctrl-C reaches the shop alone, which then ends its processes one after the other
        with nullcontext() if log is None else log.open("wb") as output:
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                preexec_fn=partial(die_with, os.getpid()),
            )  # fmt: skip
        return cls(name, process, log)

    def wait_until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_CEILING
        while not ready():
            if self.process.poll() is not None:
                raise ShopError(f"{self.name} did not start: exit code {self.process.returncode}.{self.last_words()}")
            if time.monotonic() > deadline:
                raise ShopError(f"{self.name} did not start within {START_CEILING:.0f} seconds.{self.last_words()}")
            time.sleep(0.05)

    def end(self) -> None:
        for ask, ceiling in ((self.process.terminate, END_CEILING), (self.process.kill, END_CEILING)):
            if self.process.poll() is not None:
                return
            ask()
            try:
                self.process.wait(ceiling)
            except subprocess.TimeoutExpired:
                continue

    def last_words(self) -> str:
        if self.log is None:
            return ""
        lines = self.log.read_text("utf-8", "replace").splitlines()[-LINES_SHOWN:]
        return "".join(f"\n    {line}" for line in lines)
