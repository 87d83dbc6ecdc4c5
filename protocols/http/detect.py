"""Is this HTTP/1? Told from the first bytes of a connection, and as early as they allow."""

from __future__ import annotations

import re

from protocols.furniture import Guess

_LINE = re.compile(rb"(?:\r\n)*[A-Z][A-Z_-]{0,31} [\x21-\x7e\x80-\xff]+ HTTP/1\.[01]\r\n")
_BEGINNING = re.compile(
    rb"(?:\r\n)*(?:\r|[A-Z][A-Z_-]{0,31}(?: (?:[\x21-\x7e\x80-\xff]+(?: (?:H|HT|HTT|HTTP|HTTP/|HTTP/1|HTTP/1\."
    rb"|HTTP/1\.[01]\r?)?)?)?)?)?"
)
_LONGEST = 64 << 10  # a request line longer than this is none


def detect(client: bytes, server: bytes) -> Guess:
    if not client:
        return Guess.NO if server else Guess.MORE  # an HTTP server does not speak first
    if _LINE.match(client):
        return Guess.YES
    return Guess.MORE if len(client) < _LONGEST and _BEGINNING.fullmatch(client) else Guess.NO
