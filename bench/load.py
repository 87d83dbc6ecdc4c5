"""Load from wrk, and what it says."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.harness.programs import program

MICROSECONDS = {"us": 1.0, "ms": 1_000.0, "s": 1_000_000.0}


class LoadError(Exception):
    """The server did not answer as it should have: the figure would mean nothing."""


@dataclass(frozen=True, slots=True)
class Figures:
    requests_per_second: float
    median_ms: float


def wrk(url: str, connections: int, seconds: float, script: Path | None = None) -> Figures:
    """One run of wrk with one thread. Any error makes the run worthless, so it is one. `script` makes the requests."""
    done = subprocess.run(wrk_command(url, connections, seconds, script), capture_output=True, text=True, check=False)
    return parse(done.stdout, url)


def wrk_command(url: str, connections: int, seconds: float, script: Path | None = None) -> list[str]:
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"]
    return command + ([url] if script is None else ["-s", str(script), url])


def parse(output: str, url: str) -> Figures:
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", output, re.MULTILINE)
    middle = re.search(r"^\s+50%\s+([\d.]+)(us|ms|s)\s*$", output, re.MULTILINE)
    wrong = re.search(r"^\s*(Socket errors:.*|Non-2xx.*)$", output, re.MULTILINE)
    if wrong is not None:
        raise LoadError(f"{url}: {wrong.group(1)}")
    if rate is None or middle is None or float(rate.group(1)) == 0:
        raise LoadError(f"{url}: wrk measured nothing\n{output}")
    return Figures(float(rate.group(1)), float(middle.group(1)) * MICROSECONDS[middle.group(2)] / 1000)
