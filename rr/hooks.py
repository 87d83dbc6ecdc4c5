"""The project's own commands before and after a test set: from `rr.yml` only, never from a recording."""

from __future__ import annotations

import os
import subprocess

from testset.errors import HookError

_TOLD = 5  # last lines of what a hook has said


def run_hook(name: str, command: str | None, test_set: str) -> None:
    """Run it in the shell, here, with the set's name in RR_TEST_SET. Raises `HookError` if it fails."""
    if not command:
        return
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={**os.environ, "RR_TEST_SET": test_set},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        last = "\n".join(f"    {line}" for line in done.stdout.splitlines()[-_TOLD:])
        said = f"\n{last}" if last else ""
        raise HookError(f"hooks.{name} of {test_set} ended with exit code {done.returncode}: {command}{said}")
