"""`aws-chunked`: a body that is sent in signed pieces, and the body in it.

Each piece has its size and a signature in a line before it; checksums follow the last. All of it is new each time.
"""

from __future__ import annotations

import re

from protocols.http import wire
from protocols.http.wire import Headers

_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=[^\r\n]*)?\r\n")


def payload(headers: Headers, body: bytes) -> bytes:
    """What is sent; `body` itself if it is not in pieces, or not well."""
    digest = wire.header(headers, "x-amz-content-sha256") or ""
    if not digest.startswith("STREAMING-") and not wire.has_token(headers, "content-encoding", "aws-chunked"):
        return body
    pieces: list[bytes] = []
    position = 0
    while (head := _CHUNK.match(body, position)) is not None:
        size = int(head[1], 16)
        if size == 0:
            return b"".join(pieces)
        position = head.end() + size
        if body[position : position + 2] != b"\r\n":
            break
        pieces.append(body[head.end() : position])
        position += 2
    return body
