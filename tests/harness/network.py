"""Ports that are free, and names that only a test knows."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from intercept import kernel
from tests.harness.processes import Running
from tests.harness.programs import program

_CHANCE = random.SystemRandom()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody has at this moment, and that the kernel gives to nobody who asks for none, as each connection
    does. Tests run in parallel, with the same seeds: what they choose must not depend on these."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = _CHANCE.randrange(10_000, 32_768)
        with closing(socket.socket(family)) as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port


def listens(port: int, host: str = "127.0.0.1") -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


@contextmanager
def own_network() -> Iterator[None]:
    """A network that this thread and all that it starts from here on have to themselves: ports, addresses and the rules
    of a firewall. It goes with the last process in it. Only as root."""
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        kernel.unshare(kernel.CLONE_NEWNET)
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            if ctypes.CDLL(None, use_errno=True).setns(outside, kernel.CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "cannot return to the machine's own network")
    finally:
        os.close(outside)


@dataclass(frozen=True, slots=True)
class NamedHost:
    """A name of this machine's loopback, and what a command must be started with to be able to resolve it."""

    name: str
    prefix: Sequence[str]


@contextmanager
def named_host(folder: Path, name: str = "stock.rr.test", address: str = "127.0.0.1") -> Iterator[NamedHost]:
    """A name that resolves through DNS.

    As root: a resolver of the test's own (dnsmasq), which the command sees through a private /etc/resolv.conf. Others
    may not open port 53, and get the machine's own name, or `localhost`.
    """
    if os.geteuid() != 0:
        yield NamedHost(_own_name(), ())
        return
    # an address of its own in 127.0.0.0/8, so that tests in parallel do not meet
    process = os.getpid()
    resolver = f"127.53.{process // 250 % 250 + 1}.{process % 250 + 1}"
    settings = folder / "resolv.conf"
    settings.write_text(f"nameserver {resolver}\noptions timeout:1 attempts:2\n")
    command = [
        program("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root",
        "--no-resolv", "--no-hosts",
        "--bind-interfaces", f"--listen-address={resolver}", f"--address=/{name}/{address}",
    ]  # fmt: skip
    with Running(command, log=folder / "dnsmasq.log") as dnsmasq:
        dnsmasq.until(lambda: listens(53, resolver), "dnsmasq listens on port 53")
        mount = f'mount --bind "{settings}" /etc/resolv.conf && exec "$@"'
        yield NamedHost(name, (program("unshare"), "--mount", "sh", "-c", mount, "sh"))


def _own_name() -> str:
    name = socket.gethostname()
    try:
        addresses = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, socket.AF_INET)}
    except OSError:
        return "localhost"
    return name if addresses and all(address.startswith("127.") for address in addresses) else "localhost"
