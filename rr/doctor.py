"""`rr doctor`: what this machine offers, a line for each, and how to get what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from intercept import memory
from intercept.clock import MovedClock
from intercept.clock_library import Kind, Library, NoLibrary, find
from intercept.gate import Gate
from intercept.namespace import Namespace
from intercept.resolver import name_servers
from rr.console import Console
from testset.errors import RRError


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `good` is None for what is missing and not needed."""

    good: bool | None
    text: str
    remedy: str = ""


def doctor() -> int:
    """Check all; returns 2 if recording natively is not possible."""
    console = Console()
    bad = False
    checks: list[Callable[[], list[Finding]]] = [_system, _namespace, _memory, _names, _clock, _programs, _other_rr]
    for check in checks:
        for finding in check():
            mark = {True: "ok      ", False: "MISSING ", None: "without "}[finding.good]
            console.headline(mark + finding.text) if finding.good is False else console.note(mark + finding.text)
            for line in finding.remedy.splitlines():
                console.note("          " + line)
            bad = bad or finding.good is False
    return 2 if bad else 0


def _system() -> list[Finding]:
    name = platform.system()
    if name != "Linux":
        return [Finding(False, f"{name}: rr runs apps natively on Linux only", "Run the app in a container or a VM.")]
    who = "root" if os.getuid() == 0 else f"an ordinary user (uid {os.getuid()})"
    return [Finding(True, f"Linux {platform.release()}, {platform.machine()}, as {who}")]


def _namespace() -> list[Finding]:
    """Made for real: nothing else tells whether it works."""
    try:
        namespace = Namespace()
    except RRError as error:
        return [Finding(False, str(error), _how_to_allow())]
    with namespace:
        inside = namespace.inside
        found = [Finding(True, "a namespace for the app" + (", without root" if inside.rootless else ""))]
        if inside.has_queue:
            try:
                Gate(inside.queue)
                found.append(Finding(True, "connections are held until their outcome is known (packet queue)"))
            except OSError as error:
                found.append(Finding(None, f"a packet queue ({error.strerror}): refused connections look like resets"))
        else:
            found.append(
                Finding(
                    None,
                    "a packet queue: a refused connection looks to the app like one that is reset",
                    "A kernel with nfnetlink_queue has it (modprobe nfnetlink_queue).",
                )
            )
        if not inside.has_udp:
            found.append(Finding(None, "UDP other than DNS: it is dropped (the kernel lacks nft_tproxy)"))
        if not inside.ipv6:
            found.append(Finding(None, "IPv6"))
        return found


def _how_to_allow() -> str:
    lines = []
    knobs = {
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "AppArmor forbids it: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run rr with sudo.",
        ),
        "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        "/proc/sys/user/max_user_namespaces": ("0", "sudo sysctl -w user.max_user_namespaces=15000"),
        "/proc/sys/user/max_net_namespaces": ("0", "sudo sysctl -w user.max_net_namespaces=15000"),
    }
    for path, (forbidding, remedy) in knobs.items():
        try:
            if Path(path).read_text().strip() == forbidding:
                lines.append(remedy)
        except OSError:
            continue
    if Path("/.dockerenv").exists():
        lines.append("In a container: docker run --cap-add SYS_ADMIN --security-opt seccomp=unconfined …")
    return "\n".join(lines) or "Run rr as root, or ask whoever runs this machine to allow user namespaces."


def _memory() -> list[Finding]:
    try:
        folder = memory.base_folder()
    except RRError as error:
        return [Finding(False, str(error), error.remedy)]
    room = os.statvfs(folder)
    free = room.f_bavail * room.f_frsize >> 20
    left = memory.abandoned_count()
    found = [Finding(True, f"memory for the journal: {free} MiB free in {folder}")]
    if left:
        found.append(Finding(None, f"{left} recordings were cut off", "Finish them with: rr recover"))
    return found


def _names() -> list[Finding]:
    servers = name_servers()
    if not servers:
        return [Finding(None, "a name server in /etc/resolv.conf: the app can resolve only what /etc/hosts has")]
    return [Finding(True, "name servers: " + ", ".join(host for host, _port in servers))]


def _clock() -> list[Finding]:
    """Moved for real: only that tells whether the library loads here."""
    library = find()
    if isinstance(library, NoLibrary):
        return [Finding(None, f"time travel ({library.why}): tests run at today's time", library.remedy)]
    if not _moves(library):
        return [Finding(None, f"time travel: {library.path} does not load here", "Tests run at today's time.")]
    if library.kind is Kind.FAKETIME:
        remedy = "It is slower, and some waits end early. With a C compiler (apt install gcc), rr makes one of its own."
        return [Finding(True, f"time travel, by libfaketime: {library.path}", remedy)]
    return [Finding(True, f"time travel, by {library.kind.value}: {library.path}")]


def _moves(library: Library) -> bool:
    folder = memory.public()
    try:
        clock = MovedClock(library, folder, 10**18)
        environment = {**os.environ, **clock.environment(os.environ)}
        command = [sys.executable, "-I", "-S", "-c", "import time; print(int(time.time()))"]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False).stdout
        clock.close()
        return said.strip().isdigit() and abs(int(said) - 10**9) < 60
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> list[Finding]:
    found = []
    if shutil.which("docker") is None:
        found.append(Finding(None, "docker (only needed for apps in containers)"))
    else:
        found.append(Finding(True, "docker" if _docker_answers() else "docker's client; no engine answers"))
    return found


def _docker_answers() -> bool:
    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    if not path.startswith("/"):
        return True  # a remote engine: not asked here
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
    return True


def _other_rr() -> list[Finding]:
    """Debian has an `rr` of Mozilla's; a user may call that one and wonder."""
    mine = Path(sys.argv[0]).resolve()
    others = []
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder) / "rr"
        if os.path.isfile(path) and os.access(path, os.X_OK) and path.resolve() != mine:
            others.append(str(path))
    if not others:
        return []
    return [Finding(None, "confusion: another rr is on the PATH: " + ", ".join(others), f"This one is {mine}.")]
