"""Asks the apps for HTTPS clients, first without rr and then under it: they must not see a difference."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.harness.network import listens
from tests.harness.processes import Running
from tests.harness.rr_command import RR, Finished

APPS = Path(__file__).parent
PYTHON, NODE, JAVA = f"{sys.executable} {APPS / 'app.py'}", f"node {APPS / 'server.js'}", "java HttpsApp"

Answers = dict[str, dict[str, Any]]  # by target


def ask(port: int, target: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}", timeout=60) as answer:
        got: dict[str, Any] = json.load(answer)
        return got


def ask_all(port: int, targets: Sequence[str]) -> Answers:
    return {target: ask(port, target) for target in targets}


def recorded_as_without(rr: RR, command: str, port: int, targets: Sequence[str]) -> tuple[Answers, str]:
    """What the app answers, without rr and under `rr record`; and what rr said."""
    direct = [*rr.prefix, *command.split()]
    with Running(direct, log=rr.home / "direct.log", cwd=rr.folder, env=rr.env) as app:
        app.until(lambda: listens(port), "the app listens")
        without = ask_all(port, targets)
    with rr.record(command, port=port) as recording:
        recorded = ask_all(port, targets)
        recording.interrupt()
        assert recording.wait(60) == 0, recording.output
    different = [(one, without[one], recorded[one]) for one in targets if without[one] != recorded[one]]
    assert not different, f"(target, without rr, recorded): {different}\n{recording.output}"
    return without, recording.output


def replayed(rr: RR, count: int) -> Finished:
    """With nobody to talk to but rr."""
    replay = rr.test("--delay", "30")
    assert replay.code == 0, replay.output
    assert f"{count} passed" in replay.output
    return replay
