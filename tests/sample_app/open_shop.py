"""The sample shop as `python -m sample_app` opens it, on ports of the test's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.network import free_port
from tests.harness.processes import Running

REPOSITORY = Path(__file__).parent.parent.parent
KINDS = ("user", "product", "order", "gateway", "mysql", "sqs")


@dataclass(frozen=True, slots=True)
class OpenShop:
    running: Running
    ports: Mapping[str, int]
    temporary: Path

    def url(self, service: str) -> str:
        return f"http://localhost:{self.ports[service]}"

    @property
    def traffic(self) -> list[str]:
        """The arguments that send a shopper here."""
        return [part for name in KINDS[:4] for part in (f"--{name}-url", self.url(name))]


def command(ports: Mapping[str, int], *options: str) -> list[str]:
    chosen = [part for name, port in ports.items() for part in (f"--{name}-port", str(port))]
    return [sys.executable, "-m", "sample_app", *chosen, *options]


def own_ports() -> dict[str, int]:
    return {name: free_port() for name in KINDS}


def environment(temporary: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary), **more}


@contextmanager
def open_shop(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> Iterator[OpenShop]:
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    ports = own_ports()
    with Running(
        command(ports, *options), log=folder / "shop.log", cwd=REPOSITORY, env=environment(temporary, **(env or {}))
    ) as running:
        running.until_says("The shop is open", 90)
        yield OpenShop(running, ports, temporary)


def processes_with(text: str) -> Sequence[str]:
    """The command lines of this machine that have this text in them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # has ended
            continue
        if text in line:
            found.append(line)
    return found
