"""The other end of a connection that rr has opened, in clear or in TLS."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from intercept.secure import Secure

if TYPE_CHECKING:
    import ssl

_PIECE = 256 << 10


class Peer:
    """Reads and writes without blocking the loop."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._secure: Secure | None = None
        self._early = b""  # what came with the last of the TLS handshake

    async def begin_tls(self, context: ssl.SSLContext, name: str | None) -> None:
        """Speak TLS from here on. Raises `OSError` if the peer does not."""
        secure = Secure(context, is_server=False, name=name)
        while True:
            await self._loop.sock_sendall(self._sock, secure.outgoing())
            if secure.failed is not None:
                raise ConnectionError(None, f"no TLS: {secure.failed}")
            if secure.established:
                break
            data = await self._loop.sock_recv(self._sock, _PIECE)
            if not data:
                raise ConnectionError(None, "no TLS: the connection was closed")
            self._early += secure.receive(data)
        self._secure = secure

    @property
    def protocol(self) -> str:
        """What both have agreed to speak in TLS."""
        return self._secure.protocol if self._secure is not None else ""

    def send_now(self, data: bytes) -> bytes:
        """What the kernel takes at once; returns the rest, for `send_rest`. Raises `OSError`."""
        if self._secure is not None:
            data = self._secure.send(data)
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        return data[sent:]

    async def send_rest(self, rest: bytes) -> None:
        await self._loop.sock_sendall(self._sock, rest)

    async def send(self, data: bytes) -> None:
        await self.send_rest(data if self._secure is None else self._secure.send(data))

    async def receive(self) -> bytes:
        """What comes next; nothing at the end."""
        if self._secure is None:
            return await self._loop.sock_recv(self._sock, _PIECE)
        if self._early:
            early, self._early = self._early, b""
            return early
        while not self._secure.ended:
            data = await self._loop.sock_recv(self._sock, _PIECE)
            if not data:
                return b""
            plain = self._secure.receive(data)
            answer = self._secure.outgoing()
            if answer:
                await self.send_rest(answer)
            if plain:
                return plain
        return b""

    def close(self) -> None:
        if self._secure is not None:
            try:
                self._sock.send(self._secure.finish())
            except OSError:
                pass  # it is gone already
        self._sock.close()
