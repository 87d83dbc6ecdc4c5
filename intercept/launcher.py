"""The process that lives inside the app's namespace: makes it, starts the app in it, hands out sockets of it.

A program of its own (`python -I -S`), single-threaded, because the kernel lets no threaded process make a user
namespace. It speaks with rr over `passing` (descriptor given as argument). It outlives whatever the app does and ends
the whole process tree of the app when rr is gone, however rr went.

Requests: `setup`, `start`, `sockets`, `supply` (one more channel on which `sockets` is answered), `mirror`, `mask`,
`signal`, `tree`, `quit`.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from intercept import firewall, kernel, links, netlink, passing, processes

_SO_MARK = 36
_IP_TRANSPARENT, _IPV6_TRANSPARENT = 19, 75
_IP_RECVORIGDSTADDR, _IPV6_RECVORIGDSTADDR = 20, 74
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78
_OWN_PORTS = range(717, 729)  # assigned to nobody
_GRACE = 2.0  # seconds between SIGTERM and SIGKILL when rr has vanished


class Where(StrEnum):
    """Whose namespace it is."""

    APART = "apart"  # one that is made for the app, in which every address is local
    ALONE = "alone"  # that of a container without networks: it becomes the same
    BESIDE = "beside"  # that of a container with networks, which stay as they are
    AMONG = "among"  # the same at replay: others reach the app, the app reaches nobody

    @property
    def has_networks(self) -> bool:
        return self in (Where.BESIDE, Where.AMONG)


class _Step(Exception):
    """A step of the set-up that the kernel refused."""

    def __init__(self, step: str, error: OSError) -> None:
        super().__init__(step)
        self.step = step
        self.error = error


class Launcher:
    """Holds the namespace, the app's first process and the channels to rr."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._supplies: dict[int, socket.socket] = {}
        self._app = 0
        self._interrupted_at = 0.0
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        """Serve until rr says `quit` or is gone."""
        kernel.become_subreaper()
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, self._note_interrupt)
        for ignored in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
            signal.signal(ignored, lambda *_: None)
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        while True:
            for descriptor, _events in poller.poll():
                if descriptor == self._wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)
                    self._reap()
                    continue
                channel = self._supplies.get(descriptor, self._control)
                try:
                    got = passing.receive(channel)
                except ConnectionError:
                    got = None
                if got is None and channel is self._control:
                    self._end_everything()
                    return 0
                if got is None:
                    poller.unregister(channel)
                    del self._supplies[descriptor]
                    channel.close()
                    continue
                message, files = got
                if message["do"] == "quit":
                    self._end_everything()
                    return 0
                if message["do"] == "supply":
                    supply = socket.socket(fileno=files[0])
                    self._supplies[supply.fileno()] = supply
                    poller.register(supply, select.POLLIN)
                    continue
                self._answer(channel, message, files)

    # -- requests ---------------------------------------------------------------------------------------------

    def _answer(self, channel: socket.socket, message: dict[str, Any], files: list[int]) -> None:
        if files:
            message["output"] = files[0]
        try:
            answer, sockets = getattr(self, "_do_" + message["do"])(message)
        except _Step as refused:
            answer, sockets = {"step": refused.step, "errno": refused.error.errno, "text": str(refused.error)}, []
        except OSError as error:
            answer, sockets = {"step": message["do"], "errno": error.errno, "text": str(error)}, []
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            passing.send(channel, answer, [sock.fileno() for sock in sockets])
        for sock in sockets:
            sock.close()
        for file in files:
            os.close(file)

    def _do_setup(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[socket.socket]]:
        where = Where(message["where"])
        rootless = where is Where.APART and self._unshare(message["root"])
        with _step("network"):
            ipv6 = links.has_ipv6() if where.has_networks else links.deliver_everything_here()
        for path in ("ip_unprivileged_port_start",):
            with contextlib.suppress(OSError), open(f"/proc/sys/net/ipv4/{path}", "w") as knob:
                knob.write("0")
        for line in message["mounts"]:
            with _step(f"mount over {line[1]}"):
                kernel.mount(line[0], line[1], kernel.MS_BIND)
        with _step("sockets"):
            tcp = _at_a_port(_listeners, ipv6)
            dns = _at_a_port(_dns_sockets, ipv6)
            udp = [] if where.has_networks else _udp_sockets(ipv6)
            inbound = _at_a_port(_listeners, ipv6) if where is Where.BESIDE else []
        tcp_port, dns_port, udp_port, inbound_port = (
            sockets[0].getsockname()[1] if sockets else 0 for sockets in (tcp, dns, udp, inbound)
        )
        ports = firewall.Ports(tcp_port, dns_port, udp_port, inbound_port)
        with _step("redirect"):
            installed = firewall.install(ports, queue=message["queue"], walled=where is Where.AMONG)
        queue = netlink.open_socket(netlink.NETLINK_NETFILTER)
        # One for each process that asks: two that ask over one socket get EBUSY, or each other's answers.
        diags = [netlink.open_socket(netlink.NETLINK_SOCK_DIAG) for _ in range(2)]
        answer = {
            "ok": True,
            "rootless": rootless,
            "ipv6": ipv6,
            "queue": installed.queue,
            "udp": installed.udp and bool(udp),
            "ports": [ports.tcp, ports.dns, ports.udp, ports.inbound],
            "counts": [len(tcp), len(dns), len(udp)],
        }
        return answer, [queue, *diags, *tcp, *dns, *udp, *inbound]

    def _unshare(self, root: bool) -> bool:
        """Returns whether a user namespace was needed."""
        apart = kernel.CLONE_NEWNET | kernel.CLONE_NEWNS
        if root:
            try:
                kernel.unshare(apart)
                return self._private_mounts(False)
            except OSError:
                pass  # root without CAP_SYS_ADMIN, as in a container: a user namespace may still be allowed
        uid, gid = os.getuid(), os.getgid()
        with _step("unshare"):
            kernel.unshare(apart | kernel.CLONE_NEWUSER)
        with _step("uid_map"):
            for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(line)
        return self._private_mounts(True)

    def _private_mounts(self, rootless: bool) -> bool:
        with _step("mount"):
            kernel.mount("none", "/", kernel.MS_REC | kernel.MS_PRIVATE)
        return rootless

    def _do_start(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[socket.socket]]:
        """Start the app. It inherits this process's standard streams, folder and process group."""
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                _become_app(message)
            except BaseException as error:
                os.write(2, f"rr: cannot start the command: {error}\n".encode())
            os._exit(127)
        self._app = child
        return {"ok": True, "pid": child}, []

    def _do_sockets(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[socket.socket]]:
        """Unconnected TCP sockets of this namespace that the redirect lets pass."""
        family = socket.AF_INET6 if message["family"] == 6 else socket.AF_INET
        sockets = []
        for _ in range(message["count"]):
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, firewall.MARK_OWN)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            sockets.append(sock)
        return {"ok": True, "family": message["family"]}, sockets

    def _do_datagram(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[socket.socket]]:
        """A UDP socket that speaks from an address of the outside, for an answer that rr relays."""
        family = socket.AF_INET6 if message["family"] == 6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, firewall.MARK_OWN)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _transparent(sock, family)
        sock.bind((message["host"], message["port"]))
        return {"ok": True}, [sock]

    def _do_mirror(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[socket.socket]]:
        """Make a place for a socket whose folder does not exist here, and where the user may not make one.

        The nearest folder that exists is covered by a copy of itself, in which all that is there is mounted again.
        """
        path, copy = message["path"], message["copy"]
        existing = os.path.dirname(path)
        while not os.path.isdir(existing):
            existing = os.path.dirname(existing)
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            return {"ok": True, "made": path}, []
        except OSError:
            pass
        os.makedirs(copy)
        for entry in os.scandir(existing):
            target = os.path.join(copy, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), target)
                continue
            if entry.is_dir():
                os.mkdir(target)
            else:
                os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
            kernel.mount(entry.path, target, kernel.MS_BIND | kernel.MS_REC)
        inner = os.path.join(copy, os.path.relpath(path, existing))
        os.makedirs(os.path.dirname(inner), exist_ok=True)
        os.close(os.open(inner, os.O_WRONLY | os.O_CREAT, 0o600))
        kernel.mount(copy, existing, kernel.MS_BIND | kernel.MS_REC)
        return {"ok": True}, []

    def _do_mask(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[socket.socket]]:
        """Cover files (the host's Unix sockets) with others, or with nothing that could answer."""
        covered, failed = [], []
        for source, target in message["mounts"]:
            try:
                kernel.mount(source, target, kernel.MS_BIND)
                covered.append(target)
            except OSError as error:
                failed.append([target, error.strerror])
        return {"ok": True, "covered": covered, "failed": failed}, []

    def _do_signal(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[socket.socket]]:
        """Signal the app's whole tree; `seen_within` skips it when the terminal has just interrupted everyone."""
        if time.monotonic() - self._interrupted_at < message.get("seen_within", 0):
            return {"ok": True, "sent": 0}, []
        tree = processes.descendants(os.getpid())
        return {"ok": True, "sent": processes.signal_all(tree, message["signal"])}, []

    def _do_tree(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[socket.socket]]:
        return {"ok": True, "pids": processes.descendants(os.getpid())}, []

    # -- the app's processes ------------------------------------------------------------------------------------

    def _note_interrupt(self, *_: object) -> None:
        self._interrupted_at = time.monotonic()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._app:
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(OSError):
                    passing.send(self._control, {"exited": code})

    def _end_everything(self) -> None:
        """End what is left of the app: politely, then not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + _GRACE
            told: set[int] = set()
            while tree := processes.descendants(os.getpid()):
                processes.signal_all([pid for pid in tree if pid not in told], number)
                told.update(tree)
                self._reap()
                if time.monotonic() > deadline:
                    break
                select.select([self._wake_read], [], [], 0.02)
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)


@contextlib.contextmanager
def _step(name: str) -> Any:
    try:
        yield
    except OSError as error:
        raise _Step(name, error) from error


def _become_app(message: dict[str, Any]) -> None:
    kernel.die_with_parent(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    if "output" in message:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(message["output"], 1)
        os.dup2(message["output"], 2)
    if message.get("drop", True):
        kernel.drop_capabilities()
    os.chdir(message["folder"])
    os.execve(message["argv"][0], message["argv"], message["environment"])


def _at_a_port(make: Callable[[int, bool], list[socket.socket]], ipv6: bool) -> list[socket.socket]:
    """Sockets of rr's own where no app wants to listen: a port that the kernel chooses may be one that the app has."""
    for port in _OWN_PORTS:
        with contextlib.suppress(OSError):
            return make(port, ipv6)
    return make(0, ipv6)


def _listeners(port: int, ipv6: bool) -> list[socket.socket]:
    """The sockets to which every connection is redirected: the same port on IPv4 and IPv6."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.create_server(("0.0.0.0", port), backlog=4096))]
        if ipv6:
            made.append(stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM)))
            made[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made[1].bind(("::", made[0].getsockname()[1]))
            made[1].listen(4096)
        stack.pop_all()
    return made


def _dns_sockets(port: int, ipv6: bool) -> list[socket.socket]:
    """Bound to the loopback addresses themselves, so that answers leave with the address that was asked."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))]
        made[0].bind(("127.0.0.1", port))
        if ipv6:
            made.append(stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)))
            made[1].bind(("::1", made[0].getsockname()[1]))
        stack.pop_all()
    return made


def _udp_sockets(ipv6: bool) -> list[socket.socket]:
    """The sockets that TPROXY leads all other datagrams to. Empty where the kernel lacks transparent sockets."""
    try:
        return _at_a_port(_transparent_sockets, ipv6)
    except OSError:
        return []


def _transparent_sockets(port: int, ipv6: bool) -> list[socket.socket]:
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))]
        _transparent(made[0], socket.AF_INET)
        made[0].setsockopt(socket.IPPROTO_IP, _IP_RECVORIGDSTADDR, 1)
        made[0].bind(("0.0.0.0", port))
        if ipv6:
            made.append(stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)))
            made[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            _transparent(made[1], socket.AF_INET6)
            made[1].setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVORIGDSTADDR, 1)
            made[1].bind(("::", made[0].getsockname()[1]))
        stack.pop_all()
    return made


def _transparent(sock: socket.socket, family: int) -> None:
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)


def main() -> None:
    """Entry point: the descriptor of the control channel is the first argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)  # the app must not hold it: its other end would never see this process end
    sys.exit(Launcher(control).run())
