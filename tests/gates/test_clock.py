"""The moved clock on the other processor, what it costs, and two years later: every app, and twenty times in a row."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from intercept.clock import MovedClock
from intercept.clock_library import Kind, Library, build
from tests.apps import traffic
from tests.apps.dependency import Dependency
from tests.conftest import APPS
from tests.harness.later import later
from tests.harness.network import NamedHost
from tests.harness.programs import program
from tests.harness.rr_command import RR
from tests.system.test_every_app import COMMANDS, STEPS
from tests.system.test_time import YEARS, Recorded, recorded, recording

pytestmark = [pytest.mark.gate, pytest.mark.timeout(900)]

__all__ = ["recorded", "recording"]  # fixtures

THEN = 1_700_000_000
DEAREST = 25.0  # nanoseconds that reading the clock may cost more


def test_on_aarch64(tmp_path: Path) -> None:
    """By an emulator: every way to read the clock, and every way to wait."""
    compiler, binary = program("aarch64-linux-gnu-gcc"), tmp_path / "clock_probe"
    subprocess.run([compiler, "-O1", "-pthread", "-o", binary, APPS / "clock_probe.c", "-lrt"], check=True)
    library = tmp_path / "clock-aarch64.so"
    build(library, [compiler])
    clock = MovedClock(Library(library, Kind.OWN), tmp_path, THEN * 10**9)
    settings = [part for name, value in clock.environment({}).items() for part in ("-E", f"{name}={value}")]
    done = subprocess.run(
        [program("qemu-aarch64"), "-L", "/usr/aarch64-linux-gnu", *settings, binary],
        input="waits\n", capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = {name: rest for name, *rest in map(str.split, done.stdout.splitlines())}
    readings = {name: float(rest[0]) for name, rest in found.items() if len(rest) == 1}
    waits = {name: rest for name, rest in found.items() if len(rest) == 2 and name not in ("over", "invalid")}
    assert len(readings) >= 9
    assert all(abs(reading - THEN) < 60 for reading in readings.values()), readings
    assert len(waits) >= 20
    assert all(how == "ended" and 49 <= float(took) < 1000 for took, how in waits.values()), waits


def test_what_it_costs(tmp_path: Path) -> None:
    """The least of many rounds each, in turn, so that what else this machine does falls on both."""
    library = tmp_path / "made.so"
    build(library, [program("gcc")])
    clock = MovedClock(Library(library, Kind.OWN), tmp_path, THEN * 10**9)
    measured: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(5):
        for moved, found in measured.items():
            environment = {**os.environ, **(clock.environment(os.environ) if moved else {})}
            words = [
                sys.executable,
                "-m",
                "timeit",
                "-u",
                "nsec",
                "-n",
                "500000",
                "-s",
                "from time import time",
                "time()",
            ]
            said = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
            number = re.search(r"best of 5: ([\d.]+) nsec", said)
            assert number is not None, said
            found.append(float(number[1]))
    plain, moved_ = min(measured[False]), min(measured[True])
    print(f"time.time(): {plain:.1f} ns, and moved {moved_:.1f} ns")
    assert moved_ - plain < DEAREST


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_app_two_years_later(
    command: str, rr: RR, app_files: Path, dependency: Dependency, stock: NamedHost, port: int, tmp_path: Path
) -> None:
    rr = rr.with_prefix(stock.prefix).with_settings(
        PORT=str(port), USERS_URL=dependency.url, STOCK_URL=dependency.url_as(stock.name)
    )
    with rr.record(command.format(port=port), port=port):
        traffic.play(STEPS, port)
    dependency.stop()
    for days in (730, -730):
        replay = rr.with_settings(**later(tmp_path, timedelta(days=days))).test("--delay", "30", ceiling=120)
        assert replay.code == 0, replay.output
        assert "cannot be moved" not in replay.output


def test_twenty_of_twenty_two_years_later(recorded: Recorded, tmp_path: Path) -> None:
    rr = recorded.again(tmp_path, YEARS)
    for number in range(20):
        replay = rr.test()
        assert replay.code == 0, f"{number + 1} of 20\n{replay.output}"
