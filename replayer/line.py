"""The way to the app on one connection, in clear or in TLS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from intercept.connection import reset_when_closed
from intercept.secure import Secure
from testset.errors import ProtocolError

if TYPE_CHECKING:
    import ssl

_TO_READ = 0.02  # seconds
_TURNS = 250


class Line:
    """Writes for the app, and reads what came from it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._secure: Secure | None = None
        self.failed: str | None = None  # why there is no TLS

    @property
    def is_secure(self) -> bool:
        return self._secure is not None

    def begin_tls(self, context: ssl.SSLContext, first: bytes) -> bytes:
        """From here on TLS, of which the app has sent `first`. Returns what the app said in it."""
        self._secure = Secure(context, is_server=True)
        return self.read(first)

    def read(self, data: bytes) -> bytes:
        """What the app said with these bytes."""
        secure = self._secure
        if secure is None:
            return data
        try:
            plain = secure.receive(data)
        except ProtocolError:
            self.transport.abort()
            return b""
        answer = secure.outgoing()
        if answer:
            self.transport.write(answer)
        if secure.failed is not None and self.failed is None:
            self.failed = secure.failed
            self.transport.close()
        return plain

    def write(self, data: bytes) -> None:
        self.transport.write(data if self._secure is None else self._secure.send(data))

    def hang_up(self, *, reset: bool) -> None:
        if reset:
            asyncio.get_running_loop().call_later(_TO_READ, self._reset, _TURNS)
            return
        if self._secure is not None:
            self.transport.write(self._secure.finish())
        self.transport.close()

    def _reset(self, turns: int) -> None:
        """Once the app has what was said before: a reset that overtakes it would be seen as another one."""
        if self.transport.is_closing():
            return  # the app was quicker
        if turns and self.transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(_TO_READ, self._reset, turns - 1)
            return
        sock = self.transport.get_extra_info("socket")
        if sock is not None:  # a channel to a container is reset by being aborted
            reset_when_closed(sock)
        self.transport.abort()
