"""The sample shop as `python -m sample_app` opens it, on ports of the test's own."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sample_app import traffic
from tests.harness.network import free_port
from tests.harness.newman import Passed, collection
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

    def how_to_start(self, service: str) -> tuple[dict[str, str], list[str]]:
        """What it says of a service that it leaves out: the settings and the command."""
        [line] = [line for line in self.running.output.splitlines() if line.startswith(service)]
        words = shlex.split(line.partition("To start it: ")[2])
        command = words[words.index("python") :]
        return dict(word.split("=", 1) for word in words[: -len(command)]), command

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


def shop_with(shop: OpenShop) -> list[str]:
    """What the shopper found wrong."""
    return traffic.play(*traffic.chosen([*shop.traffic, "--quiet"])).wrong


def run_newman(shop: OpenShop) -> Passed:
    """The Postman collection: all assertions pass."""
    return collection({name: shop.url(name) for name in KINDS[:4]})


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
