"""Certificates that rr shows to the app's clients, each made once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from intercept.authority import Authority, Fault, new_authority
from intercept.secure import server_context

if TYPE_CHECKING:
    import ssl


_LONG_AGO = timedelta(days=500)


class Certificates:
    """They are of rr's authority, which the app trusts, unless their fault is that nobody knows the authority."""

    def __init__(self, authority: bytes | None = None, believed_ns: Callable[[], int] = time.time_ns) -> None:
        """`authority`: rr's, where an app was made to trust it. `believed_ns`: what time the app takes it to be."""
        self._pem = authority
        self._believed_ns = believed_ns
        self._made: dict[tuple[str, tuple[str, ...], Fault], ssl.SSLContext] = {}

    def context(self, host: str, protocols: tuple[str, ...] = (), fault: Fault = Fault.NONE) -> ssl.SSLContext:
        """For the side of a server of this name. `protocols`: what may be spoken inside (ALPN)."""
        key = (host, protocols, fault)
        context = self._made.get(key)
        if context is None:
            context = self._made[key] = server_context(self._leaf(host, fault), protocols)
        return context

    def _leaf(self, host: str, fault: Fault) -> bytes:
        # Some of an app's processes may know what time it really is, and the certificate is to hold, or not, for all.
        now, believed = datetime.now(UTC), datetime.fromtimestamp(self._believed_ns() / 1e9, UTC)
        first, last = min(now, believed), max(now, believed)
        if fault is Fault.UNKNOWN:
            return self._untrusted.leaf(host, first, last)
        if fault is Fault.NAME:
            return self._trusted.leaf("", first, last)
        if fault is Fault.EXPIRED:
            return self._trusted.leaf(host, first - _LONG_AGO)
        return self._trusted.leaf(host, first, last)

    @cached_property
    def _trusted(self) -> Authority:
        return Authority.of(self._pem or new_authority())

    @cached_property
    def _untrusted(self) -> Authority:
        return Authority.of(new_authority())
