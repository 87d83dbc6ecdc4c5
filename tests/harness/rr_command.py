"""rr as a person runs it: the installed command, in a folder of the test's own, with a key of the test's own."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.network import listens
from tests.harness.processes import Running

BIN = Path(sys.executable).parent

# Where rr keeps what it has made of its own source: once for all tests, beside pytest's folders.
CACHE = Path(tempfile.gettempdir()) / f"pytest-of-{getpass.getuser()}" / "cache"

# What of the developer's own environment would change what rr does, or where it keeps things.
NOT_INHERITED = (
    "RR_KEY",
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "TZ",
    "http_proxy",
    "HTTP_PROXY",
)


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


@dataclass(frozen=True, slots=True)
class RR:
    """rr, in `folder`: where a user's project would be."""

    folder: Path
    home: Path
    prefix: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        return {
            **inherited,
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CACHE_HOME": str(CACHE),
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
            "RR_RECORD_LEARN": "false",  # two replays more; the tests of it say otherwise
            "RR_TEST_DELAY": "30s",  # ceilings: a machine that is busy with other tests is no finding
            "RR_TEST_API_TIMEOUT": "30s",
            **self.settings,
        }

    @property
    def keploy(self) -> Path:
        return self.folder / "keploy"

    def with_settings(self, **settings: str) -> RR:
        """The same rr with more environment variables, which the app gets as well."""
        return RR(self.folder, self.home, self.prefix, {**self.settings, **settings})

    def with_prefix(self, prefix: Sequence[str]) -> RR:
        """The same rr, started by another command: `NamedHost.prefix`, `nice`, `strace`."""
        return RR(self.folder, self.home, prefix, self.settings)

    def run(self, *arguments: str | Path, ceiling: float = 60.0) -> Finished:
        """Run `rr ARGUMENTS` to its end."""
        done = subprocess.run(
            self._command(arguments), cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=ceiling, check=False,
        )  # fmt: skip
        return Finished(done.returncode, done.stdout, done.stderr)

    def test(self, *options: str | Path, ceiling: float = 60.0) -> Finished:
        return self.run("test", *options, ceiling=ceiling)

    @contextmanager
    def record(
        self,
        command: str,
        *options: str | Path,
        port: int | None = None,
        host: str = "127.0.0.1",
        terminal: bool = False,
        ceiling: float = 30.0,
    ) -> Iterator[Running]:
        """`rr record -c COMMAND` while the block runs; with `port`, the block begins once the app can be reached.

        Leaving the block presses Ctrl-C and waits; a test that wants the exit code does both itself.
        """
        arguments = ["record", "-c", command, *options]
        log = self.home / f"record-{len(list(self.home.glob('record-*.log')))}.log"
        with Running(self._command(arguments), log=log, cwd=self.folder, env=self.env, terminal=terminal) as running:
            if port is not None:
                running.until(lambda: listens(port, host), f"the app listens on {host}:{port}", ceiling)
            yield running
            if running.process.poll() is None:
                running.interrupt()
                running.wait(ceiling)

    def _command(self, arguments: Sequence[str | Path]) -> list[str]:
        return [*self.prefix, str(BIN / "rr"), *map(str, arguments)]
