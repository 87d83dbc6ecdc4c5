"""A request over HTTP/2, on a connection that was opened for it: what goes out depends on what comes in."""

from __future__ import annotations

import time
from typing import BinaryIO

from protocols.furniture import Decoder, Limits
from protocols.http.h2_client import H2Client
from protocols.http.wire import HttpRequest
from replayer.peer import Peer
from testset.model import FileBody, Side

_PIECE = 256 << 10


class H2Sending:
    """Sends `request` as far as the peer takes it; `decoder` sees what both sides say."""

    def __init__(self, peer: Peer, request: HttpRequest, decoder: Decoder, limits: Limits) -> None:
        self._peer = peer
        self._body = request.body
        self._decoder = decoder
        self._client = H2Client(request, limits)
        self._position = 0
        self._file: BinaryIO | None = None
        self._broken = False

    async def begin(self) -> None:
        self._client.start()
        await self._go_on()

    async def receive(self) -> bytes:
        """What comes next from the peer, and what is to be said to it; nothing at the end."""
        data = await self._peer.receive()
        if data:
            self._client.receive(data)
            await self._go_on()
        return data

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    async def _go_on(self) -> None:
        """A peer that hangs up has perhaps answered before: a broken connection is the reader's to tell."""
        while not self._broken:
            wanted = self._client.wanted()
            if wanted:
                self._client.body(self._piece(min(wanted, _PIECE)))
            data = self._client.outgoing()
            if not data:
                return
            self._decoder.feed(Side.CLIENT, data, time.time_ns())
            try:
                await self._peer.send(data)
            except OSError:
                self._broken = True

    def _piece(self, size: int) -> bytes:
        body = self._body
        if not isinstance(body, FileBody):
            self._position += size
            return body[self._position - size : self._position]
        if self._file is None:
            self._file = open(body.path, "rb")  # noqa: SIM115
        return self._file.read(size)
