"""Certificates that rr shows to the app's clients, each made once."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from intercept.authority import Authority, new_authority, user_authority
from intercept.secure import server_context

if TYPE_CHECKING:
    import ssl


class Certificates:
    """`trusted` ones are of the user's authority, which the app trusts; the others of one that nobody knows."""

    def __init__(self, authority: Path) -> None:
        self._path = authority
        self._made: dict[tuple[str, tuple[str, ...], bool], ssl.SSLContext] = {}

    def context(self, host: str, protocols: tuple[str, ...] = (), *, trusted: bool) -> ssl.SSLContext:
        """For the side of a server of this name. `protocols`: what may be spoken inside (ALPN)."""
        key = (host, protocols, trusted)
        context = self._made.get(key)
        if context is None:
            authority = self._trusted if trusted else self._untrusted
            context = self._made[key] = server_context(authority.leaf(host, datetime.now(UTC)), protocols)
        return context

    @cached_property
    def _trusted(self) -> Authority:
        return Authority.of(user_authority(self._path.parent))

    @cached_property
    def _untrusted(self) -> Authority:
        return Authority.of(new_authority())
