"""The workflow of the README: what stands behind `run:` is run, in a workspace as GitHub would make it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness.network import listens
from tests.harness.processes import Running
from tests.harness.rr_command import RR
from tests.harness.waiting import eventually
from testset.text import load

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

ROOT = Path(__file__).parent.parent.parent
MADE = (".git", ".venv", ".*_cache", ".hypothesis", ".servers", "node_modules", "__pycache__", "build")  # not rr itself
HELLO = ROOT / "sample_app" / "hello"


def workflow() -> dict[str, Any]:
    blocks = (ROOT / "README.md").read_text("utf-8").split("```yaml\n")[1:]
    [found] = [block.partition("```")[0] for block in blocks if "\njobs:" in block]
    read: dict[str, Any] = load(found)
    return read


def record(rr: RR, port: int, user_port: int, log: Path) -> None:
    """The repository that the workflow is in: a service with its recording."""
    for name in ("order_service.py", "requirements.txt"):
        shutil.copy(HELLO / name, rr.folder)
    with (
        Running([sys.executable, HELLO / "user_service.py"], log=log, env={**os.environ, "PORT": str(user_port)}),
        rr.record("python order_service.py", port=port) as recording,
    ):
        eventually(lambda: listens(user_port), "the user service listens")
        subprocess.run(
            ["curl", "-sf", f"http://localhost:{port}/orders", "-H", "Content-Type: application/json",
             "-d", '{"user_id": "user123", "item": "Laptop"}'], check=True, capture_output=True, timeout=20,
        )  # fmt: skip
        recording.interrupt()
        assert recording.wait(30) == 0, recording.output


def test_every_step_does_its_work(rr: RR, unused_port: int, free_tcp_port: int, tmp_path: Path) -> None:
    where = {"PORT": str(unused_port), "USER_SERVICE_URL": f"http://localhost:{free_tcp_port}"}
    record(rr.with_settings(**where), unused_port, free_tcp_port, tmp_path / "users.log")
    made = shutil.ignore_patterns(
        ".git", ".venv", ".*_cache", ".hypothesis", ".servers", "node_modules", "__pycache__", "build"
    )
    shutil.copytree(ROOT, rr.folder / "rr", ignore=made)
    tools, bin_folder = tmp_path / "tools", tmp_path / "bin"
    subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True, timeout=60)
    subprocess.run([tools / "bin" / "pip", "install", "-q", "pipx"], check=True, timeout=120)
    bin_folder.mkdir()
    (bin_folder / "sudo").write_text('#!/bin/sh\nexec "$@"\n')  # the runner's user is root here
    (bin_folder / "sudo").chmod(0o755)
    env = {
        **os.environ,
        **where,
        "HOME": str(rr.home),
        "XDG_DATA_HOME": str(rr.home / "data"),
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(bin_folder),
        "PATH": os.pathsep.join(
            [str(bin_folder), str(tools / "bin"), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"]
        ),
    }
    steps = [step["run"] for step in workflow()["jobs"]["replay"]["steps"] if "run" in step]
    assert len(steps) == 4
    for step in steps:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step], cwd=rr.folder, env=env, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"$ {step}\n{done.stdout}{done.stderr}"
    assert (rr.folder / "junit.xml").read_text().count("<testcase") == 1
