"""Our side of the comparison: an app under `rr record`, the journal on and everything decoded.

No test cases are written: at tens of thousands a second they would fill a disk with files that say nothing about what
recording costs the app.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.load import LoadError
from tests.harness.network import free_port, listens
from tests.harness.processes import Running

IDLE_SHARE = 0.05  # of one core
SETTLE_CEILING = 60.0  # seconds
NO_TESTS = ("--exclude", "/*")


@dataclass(frozen=True, slots=True)
class Recording:
    port: int
    running: Running

    def settle(self) -> None:
        """Wait until rr has decoded what the last turn left it, so that the next contestant has the machine alone."""
        deadline = time.monotonic() + SETTLE_CEILING
        before = self._cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.2)
            now = self._cpu_seconds()
            if now - before < IDLE_SHARE * 0.2:
                return
            before = now
        raise LoadError(f"rr is still decoding {SETTLE_CEILING:.0f} s after its turn: the next figure would be wrong")

    def _cpu_seconds(self) -> float:
        total = 0.0
        root = psutil.Process(self.running.process.pid)
        for process in [root, *root.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total


@dataclass(frozen=True, slots=True)
class Inside(Recording):
    """A recording whose app runs what it is told to: load that leaves the app, and not load that comes to it."""

    def run(self, words: Sequence[str]) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", json.dumps(words).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                output: bytes = answer.read()
        except urllib.error.HTTPError as error:
            raise LoadError(f"{words[0]}: {error.read().decode(errors='replace')}") from error
        return output.decode()


@contextmanager
def inside_rr(folder: Path, destination: str) -> Iterator[Inside]:
    """`rr record` around a program that runs commands. What they ask of `destination` is kept in the journal and
    decoded, and not written: see above."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("inside.py")), str(port)]
    folder.mkdir(parents=True)
    (folder / "rr.yml").write_text(f"record:\n  pass_through: ['{destination}']\n")
    with start_rr(command, port, folder) as recording:
        yield Inside(recording.port, recording.running)


@contextmanager
def start_rr(
    app_command: Sequence[str], port: int, folder: Path, more: Mapping[str, str] | None = None
) -> Iterator[Recording]:
    """`rr record` with the app listening on `port`, in `folder`. The one place that knows with which settings. `more`:
    for its environment."""
    folder.mkdir(parents=True, exist_ok=True)
    binaries = Path(sys.executable).parent
    env = {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "XDG_DATA_HOME": str(folder / "data"),
        "NO_COLOR": "1",
        **(more or {}),
    }
    command = [str(binaries / "rr"), "record", "-c", shlex.join(app_command), *NO_TESTS]
    with Running(command, log=folder / "rr.log", cwd=folder, env=env) as running:
        running.until(lambda: listens(port), "the app listens under rr record")
        yield Recording(port, running)
