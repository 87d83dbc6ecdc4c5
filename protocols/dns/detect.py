"""DNS claims no connection: it comes as datagrams, and whoever receives these knows the port."""

from __future__ import annotations

from protocols.furniture import Guess


def detect(client: bytes, server: bytes) -> Guess:
    return Guess.NO
