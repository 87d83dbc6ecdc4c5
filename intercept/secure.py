"""One end of a TLS connection without a socket: bytes of the wire in and out, plain bytes out and in.

rr takes part in TLS where a protocol starts it in the middle of a conversation, as MySQL does. `ssl` of the standard
library does the work; it is loaded when it is first needed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from testset.errors import ProtocolError

if TYPE_CHECKING:
    import ssl

_RECORD = 16 << 10  # of TLS at most: more is never read at once


class Secure:
    """TLS with one peer."""

    def __init__(self, context: ssl.SSLContext, *, is_server: bool, name: str | None = None) -> None:
        """`name`: what a client asks the server for (SNI)."""
        import ssl

        self._wait, self._over, self._error = ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLError
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=is_server, server_hostname=name)
        self._unsent: list[bytes] = []
        self.established = False
        self.ended = False  # the peer has said that nothing more comes
        self.failed: str | None = None  # why there was no TLS
        self._shake()

    @property
    def protocol(self) -> str:
        """What is spoken inside, if both have agreed on it (ALPN)."""
        return self._tls.selected_alpn_protocol() or ""

    def receive(self, data: bytes) -> bytes:
        """Bytes of the wire; the plain bytes in them. Look at `outgoing` afterwards."""
        if data:
            self._in.write(data)
        if not self.established:
            self._shake()
            if not self.established:
                return b""
        parts = []
        try:
            while part := self._tls.read(_RECORD):
                parts.append(part)
                if not self._in.pending and not self._tls.pending():
                    break  # to be told so by an exception takes longer than all the rest
            else:
                self.ended = True
        except self._wait:
            pass
        except self._over:
            self.ended = True
        except self._error as error:
            self._fail(error)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def send(self, data: bytes) -> bytes:
        """Plain bytes for the peer; the bytes of the wire. Before TLS is established they wait."""
        if not self.established:
            self._unsent.append(data)
        elif data:
            try:
                self._tls.write(data)
            except self._error as error:
                self._fail(error)
        return self.outgoing()

    def outgoing(self) -> bytes:
        """What is to be put on the wire."""
        return self._out.read()

    def finish(self) -> bytes:
        """Nothing more will be sent: the bytes that say so."""
        if self.established:
            try:
                self._tls.unwrap()
            except self._error:
                pass  # the peer has not said the same yet, and need not
        return self.outgoing()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except self._wait:
            return
        except self._error as error:
            self._fail(error)
            return
        self.established = True
        for data in self._unsent:
            self._tls.write(data)
        self._unsent.clear()

    def _fail(self, error: ssl.SSLError) -> None:
        if self.failed is None:
            self.failed = getattr(error, "verify_message", "") or error.reason or str(error)
        if not self.established:
            return
        raise ProtocolError(f"TLS: {self.failed}") from error


def server_context(pem: bytes, protocols: Sequence[str] = ()) -> ssl.SSLContext:
    """For the side of a server, with the certificate and the key of `pem`."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = os.memfd_create("rr", os.MFD_CLOEXEC)  # the library reads files only, and the key is to be in none
    try:
        os.write(file, pem)
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def client_context(roots: Path | None, protocols: Sequence[str] = ()) -> ssl.SSLContext:
    """For the side of a client that verifies by `roots`, or takes every certificate."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if roots is not None:
        if roots.read_bytes().strip():  # a machine may trust nobody at all
            context.load_verify_locations(roots)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context
