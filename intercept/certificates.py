"""Certificates that rr shows to the app's clients, each made once."""

from __future__ import annotations

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

    def __init__(self, authority: bytes | None = None) -> None:
        """`authority`: rr's, where an app was made to trust it."""
        self._pem = authority
        self._made: dict[tuple[str, tuple[str, ...], Fault], ssl.SSLContext] = {}

    def context(self, host: str, protocols: tuple[str, ...] = (), fault: Fault = Fault.NONE) -> ssl.SSLContext:
        """For the side of a server of this name. `protocols`: what may be spoken inside (ALPN)."""
        key = (host, protocols, fault)
        context = self._made.get(key)
        if context is None:
            context = self._made[key] = server_context(self._leaf(host, fault), protocols)
        return context

    def _leaf(self, host: str, fault: Fault) -> bytes:
        now = datetime.now(UTC)
        if fault is Fault.UNKNOWN:
            return self._untrusted.leaf(host, now)
        if fault is Fault.NAME:
            return self._trusted.leaf("", now)
        return self._trusted.leaf(host, now - _LONG_AGO if fault is Fault.EXPIRED else now)

    @cached_property
    def _trusted(self) -> Authority:
        return Authority.of(self._pem or new_authority())

    @cached_property
    def _untrusted(self) -> Authority:
        return Authority.of(new_authority())
