"""Is this HTTP? Told from the first bytes of a connection, and as early as they allow."""

from __future__ import annotations

import re

from protocols.furniture import Guess
from protocols.http.h2_frames import PREFACE, may_be_settings

_LINE = re.compile(rb"(?:\r\n)*[A-Z][A-Z_-]{0,31} [\x21-\x7e\x80-\xff]+ HTTP/1\.[01]\r\n")
_BEGINNING = re.compile(
    rb"(?:\r\n)*(?:\r|[A-Z][A-Z_-]{0,31}(?: (?:[\x21-\x7e\x80-\xff]+(?: (?:H|HT|HTT|HTTP|HTTP/|HTTP/1|HTTP/1\."
    rb"|HTTP/1\.[01]\r?)?)?)?)?)?"
)
_LONGEST = 64 << 10  # a request line longer than this is none


def detect(client: bytes, server: bytes) -> Guess:
    if not client:
        # A server of HTTP/1 does not speak first. One of HTTP/2 may send its settings before it has heard anything.
        return Guess.MORE if not server or may_be_settings(server) else Guess.NO
    if client.startswith(PREFACE):
        return Guess.YES
    if PREFACE.startswith(client):
        return Guess.MORE
    if _LINE.match(client):
        return Guess.YES
    return Guess.MORE if len(client) < _LONGEST and _BEGINNING.fullmatch(client) else Guess.NO
