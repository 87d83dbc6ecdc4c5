"""Raw bytes claim no connection: this room takes what no other one knows."""

from __future__ import annotations

from protocols.furniture import Guess


def detect(client: bytes, server: bytes) -> Guess:
    return Guess.NO
