"""Where an app runs at replay: a namespace with no way out, in which every connection meets the mocks.

Asynchronous: one event loop serves the mocks, answers names, and sends the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from intercept import memory, unix_sockets
from intercept.authority import new_authority
from intercept.certificates import Certificates
from intercept.clock import Clock
from intercept.connection import accepted
from intercept.gate import Gate
from intercept.namespace import Namespace
from intercept.relay import original_destination
from intercept.sockdiag import Listener, is_own, listeners
from intercept.trust import trust
from replayer.conversation import Answers, Conversation
from replayer.doorman import Doorman
from replayer.scene import Hermetic, Steps
from testset.model import Ending

_LARGEST_DATAGRAM = 65535
_LOOK_AGAIN = 0.5  # seconds between two looks for new Unix sockets of the host


class Stage(Hermetic):
    """One namespace for one run of the app. Use as an asynchronous context manager."""

    def __init__(
        self,
        unix: Sequence[str] = (),
        allowed: Sequence[str] = (),
        clock: Callable[[Path], Clock] = lambda _folder: Clock(),
    ) -> None:
        """`unix`: Unix sockets that the mocks answer. `allowed`: those of the host that the app may use. `clock`: makes
        the app's, in a folder that the app can read."""
        self._unix = unix
        self._allowed = {os.path.realpath(path) for path in allowed}
        self._covers: list[unix_sockets.Cover] = []
        self._masked: dict[str, tuple[int, int]] = {}  # path: which file it was, for it may be made anew
        self._folder = memory.scratch()
        self._public = memory.public()
        self._authority = new_authority()
        self._trust = trust(self._authority, self._public, os.environ)
        self.clock = clock(self._public)
        self.doorman = Doorman()
        self.connections = 0

    async def __aenter__(self) -> Stage:
        try:
            self.namespace = Namespace()
        except BaseException:
            self._remove_folders()
            raise
        self._loop = asyncio.get_running_loop()
        self._cover_unix_sockets()
        inside = self.namespace.inside
        for listener in inside.tcp:
            listener.setblocking(False)
            self._loop.add_reader(listener.fileno(), self._accept, listener)
        self._gate = Gate(inside.queue) if inside.has_queue else None
        if self._gate is not None:
            self._loop.add_reader(self._gate.fileno(), self._knock)
        for sock in inside.dns:
            sock.setblocking(False)
            self._loop.add_reader(sock.fileno(), self._resolve, sock)
        for sock in inside.udp:
            sock.setblocking(False)
            self._loop.add_reader(sock.fileno(), self._drop, sock)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        inside = self.namespace.inside
        for sock in (inside.queue, *inside.tcp, *inside.dns, *inside.udp):
            self._loop.remove_reader(sock.fileno())
        if self._again is not None:
            self._again.cancel()
        for cover in self._covers:
            self._loop.remove_reader(cover.listener.fileno())
            cover.close()
        self.namespace.close()
        self._remove_folders()

    def _remove_folders(self) -> None:
        self.clock.close()
        for folder in (self._folder, self._public):
            shutil.rmtree(folder, ignore_errors=True)

    def serve(self, answers: Answers) -> None:
        """From now on, these are the mocks."""
        answers.certificates = Certificates(self._authority, self.clock.now_ns)
        for note in self._trust.notes:
            answers.told(note)
        answers.clock = self.clock
        self.doorman.serve(answers)

    # -- the app -------------------------------------------------------------------------------------------------

    def start(self, command: str, environment: Mapping[str, str], folder: str, output: int | None) -> None:
        environment = {**environment, **self._trust.environment, **self.clock.environment(environment)}
        self.namespace.start(["/bin/sh", "-c", command], environment, folder, output)

    def processes(self) -> list[int]:
        return self.namespace.tree()

    def exit_code(self) -> int | None:
        return self.namespace.exit_code()

    def stop(self, steps: Steps) -> int:
        return self.namespace.stop(steps)

    def listeners(self) -> frozenset[Listener]:
        """Where the app listens."""
        inside = self.namespace.inside
        return listeners(inside.diag, inside.port)

    async def connect(self, host: str, port: int) -> socket.socket:
        """A connection to the app."""
        sock = self.namespace.take_socket(6 if ":" in host else 4)
        try:
            await self._loop.sock_connect(sock, (host, port))
        except OSError:
            sock.close()
            raise
        return sock

    # -- Unix sockets -------------------------------------------------------------------------------------------

    def _cover_unix_sockets(self) -> None:
        for number, path in enumerate(self._unix):
            cover = unix_sockets.cover(path, self._folder, number)
            self._covers.append(cover)
            if not os.path.exists(path):
                self.namespace.mirror(path, str(self._folder / f"mirror-{number}"))
            self.namespace.mask([cover.mount])
            self._loop.add_reader(cover.listener.fileno(), self._accept_unix, cover)
        self._again: asyncio.TimerHandle | None = None
        self._dead_end = unix_sockets.dead_end(self._folder)
        self._mask_the_rest()

    def _mask_the_rest(self) -> None:
        """Whatever else of the host listens on the file system is a way out; also what begins to while the app runs."""
        open_to_it = self._allowed.union(self._unix)
        there = {path: unix_sockets.identity(path) for path in unix_sockets.listening() if path not in open_to_it}
        fresh = [path for path, identity in there.items() if identity and self._masked.get(path) != identity]
        if fresh:
            self.namespace.mask([(self._dead_end, path) for path in fresh])
            self._masked.update((path, identity) for path in fresh if (identity := there[path]))
        self._again = self._loop.call_later(_LOOK_AGAIN, self._mask_the_rest)

    def _accept_unix(self, cover: unix_sockets.Cover) -> None:
        for client, _source in accepted(cover.listener):
            self.connections += 1
            self._loop.create_task(self._converse(client, cover.path))

    # -- what leaves the app -----------------------------------------------------------------------------------

    def _knock(self) -> None:
        assert self._gate is not None
        inside = self.namespace.inside
        for knock in self._gate.knocks():
            if is_own(inside.diag, inside.port, *knock.target):
                self._gate.let_be(knock)
                continue
            ending = self.doorman.failure(*knock.target)
            if ending is Ending.REFUSED:
                self._gate.refuse(knock)
            elif ending is Ending.UNREACHABLE:
                self._gate.unreachable(knock)
            elif ending is Ending.TIMED_OUT:
                self._gate.forget(knock)
            else:
                self._gate.let_in(knock)

    def _accept(self, listener: socket.socket) -> None:
        for client, _source in accepted(listener):
            self.connections += 1
            if self._gate is None:
                host, port = original_destination(client)
                inside = self.namespace.inside
                if is_own(inside.diag, inside.port, host, port):
                    self._loop.create_task(self._splice(client, host, port))
                    continue
            self._loop.create_task(self._converse(client))

    async def _converse(self, client: socket.socket, path: str | None = None) -> None:
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(lambda: Conversation(self.doorman.answers, path), client)

    async def _splice(self, client: socket.socket, host: str, port: int) -> None:
        """The app calls itself: carry it back (only where the kernel has no packet queue)."""
        try:
            own = await self.connect(host, port)
        except OSError:
            client.close()
            return
        ends = [await asyncio.open_connection(sock=sock) for sock in (client, own)]

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            with contextlib.suppress(OSError):
                target.write_eof()

        await asyncio.gather(copy(ends[0][0], ends[1][1]), copy(ends[1][0], ends[0][1]))
        for _reader, writer in ends:
            writer.close()

    def _resolve(self, sock: socket.socket) -> None:
        for _ in range(64):
            try:
                query, client = sock.recvfrom(_LARGEST_DATAGRAM)
            except OSError:
                return
            answer = self.doorman.name(query)
            if isinstance(answer, bytes):
                _send(sock, answer, client)
            else:
                self._loop.create_task(_send_later(sock, answer, client))

    def _drop(self, sock: socket.socket) -> None:
        for _ in range(64):
            try:
                sock.recv(_LARGEST_DATAGRAM)
            except OSError:
                return
            self.datagrams += 1


def _send(sock: socket.socket, answer: bytes, client: Any) -> None:
    if answer:
        with contextlib.suppress(OSError):
            sock.sendto(answer, client)


async def _send_later(sock: socket.socket, answer: Awaitable[bytes], client: Any) -> None:
    _send(sock, await answer, client)


def memory_file(name: str) -> int:
    """A descriptor for the app's output: in memory, gone with rr."""
    return os.memfd_create(name, os.MFD_CLOEXEC)
