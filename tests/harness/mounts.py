"""File systems of a test's own, which only the commands that it starts see: a full disk, a small memory, a private one.

`/dev/shm` is always among them: what one test's rr left to be recovered is not another test's to find.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.processes import Running
from tests.harness.programs import program

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Mounts:
    """Start commands with `prefix`; `seen(path)` is a path as they see it."""

    prefix: Sequence[str]
    holder: int

    def seen(self, path: Path) -> Path:
        return Path(f"/proc/{self.holder}/root{path}")

    @property
    def sessions(self) -> list[Path]:
        """What recordings have left in memory."""
        return sorted(self.seen(SHARED_MEMORY).glob("rr-*/session-*"))


@contextmanager
def own_mounts(project: Path, log: Path, sizes: Mapping[Path, str] | None = None) -> Iterator[Mounts]:
    """New file systems in memory on these folders, of these sizes; commands start in `project`."""
    wanted = {SHARED_MEMORY: "2g", **(sizes or {})}
    steps = [f'mount -t tmpfs -o size={size},mode=1777 rr-tests "{path}"' for path, size in wanted.items()]
    ordinary = os.geteuid() != 0
    user = ["--user", "--map-current-user", "--keep-caps"] if ordinary else []
    script = " && ".join([*steps, "echo mounted", "exec sleep infinity"])
    with Running([program("unshare"), *user, "--mount", "sh", "-c", script], log=log) as holder:
        holder.until_says("mounted")
        pid = holder.process.pid
        inside = [f"--user=/proc/{pid}/ns/user", "--preserve-credentials"] if ordinary else []
        prefix = [
            program("nsenter"), *inside, f"--mount=/proc/{pid}/ns/mnt",
            "sh", "-c", 'cd "$0" && exec "$@"', str(project),
        ]  # fmt: skip
        yield Mounts(prefix, pid)
