"""`make demo` on a machine that is not as one would wish: a sentence, and the way round."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sample_app import demo
from sample_app.embedded.processes import usable
from sample_app.embedded.shop import DEFAULT
from tests.harness.network import free_port

ROOT = Path(__file__).parent.parent.parent
MAKES_VENV = ROOT / ".ci" / "venv"
OLD = '#!/bin/sh\ncase "$*" in *version_info*) exit 1;; esac\nexit 0\n'
NEW = '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexit 0\n'


def makes_venv(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """`.ci/venv` where there are these programs, and nothing else but what a shell needs."""
    path = folder / "bin"
    path.mkdir()
    for name, text in programs.items():
        (path / name).write_text(text)
        (path / name).chmod(0o755)
    for name in ("sh", "rm"):
        (path / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    env = {"PATH": str(path), "HOME": str(folder)}
    return subprocess.run(
        [str(MAKES_VENV), str(folder / "venv")], env=env, capture_output=True, text=True, timeout=30, check=False
    )


def test_an_old_python_is_named_with_the_way_round(tmp_path: Path) -> None:
    done = makes_venv(tmp_path, python3=OLD)
    assert done.returncode == 1
    assert done.stderr == (
        "rr needs Python 3.11 or newer, and python3 is not. Name one that is: make PYTHON=/path/to/python3\n"
    )


def test_a_newer_one_beside_an_old_one_is_taken(tmp_path: Path) -> None:
    newer = f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n'
    done = makes_venv(tmp_path, python3=OLD, **{"python3.12": newer})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").read_text().splitlines()[-1] == f"-m venv {tmp_path}/venv"


def test_a_python_that_cannot_make_environments(tmp_path: Path) -> None:
    done = makes_venv(tmp_path, python3=NEW)
    assert done.returncode == 1
    assert done.stderr == (
        "python3 cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv\n"
    )


def test_a_port_that_is_taken_is_replaced(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    usual = replace(
        DEFAULT,
        ports={service: free_port() for service in DEFAULT.ports},
        mysql_port=free_port(),
        queue_port=free_port(),
    )
    monkeypatch.setattr(demo, "DEFAULT", usual)
    port = usual.ports["order_service"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        shop = demo.on_usable_ports()
    chosen = shop.ports["order_service"]
    assert capsys.readouterr().out == f"Port {port} is taken by another program: {chosen} is used instead.\n"
    assert chosen != port
    assert replace(shop, ports={**shop.ports, "order_service": port}) == usual
    assert f"--order-url http://localhost:{chosen}" in " ".join(demo.options(shop, "url"))


def test_a_port_that_is_free_is_used() -> None:
    port = free_port()
    assert usable(port) == port


def test_without_rr_beside_python_it_says_what_to_run(tmp_path: Path) -> None:
    """Somebody starts it with a Python that rr is not installed for."""
    program = f"import sys; sys.executable = '{tmp_path}/python'; from sample_app import demo; sys.exit(demo.main())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == f"There is no rr beside {tmp_path}/python: run `make setup` first.\n"
