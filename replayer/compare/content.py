"""From the bytes of a body to what they mean: Content-Encoding undone, charset applied.

Bodies come without their transfer coding; that is the protocol's business.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass

import brotli
import zstandard

Headers = tuple[tuple[str, str], ...]

_LARGEST = 256 * 1024 * 1024  # what a compressed body may unpack to; a bomb is compared as it is


class CannotUndoError(Exception):
    """The body is not what its Content-Encoding says; the comparison then takes the bytes as they are."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type's parts that matter here."""

    name: str = ""  # "application/json", lower case
    charset: str = ""

    @property
    def is_json(self) -> bool:
        return self.name.endswith(("/json", "+json"))

    @property
    def may_be_json(self) -> bool:
        """Many servers send JSON as text/plain or without a type: what parses as an object or array is JSON."""
        return self.is_json or self.name in ("", "text/plain", "application/javascript")


def first(headers: Headers, name: str) -> str | None:
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def media_type(headers: Headers) -> MediaType:
    name, *parameters = (first(headers, "content-type") or "").split(";")
    charset = ""
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return MediaType(name.strip().lower(), charset)


def codings(headers: Headers) -> tuple[str, ...]:
    """The content codings in the order in which they were applied."""
    listed = ",".join(value for key, value in headers if key.lower() == "content-encoding")
    return tuple(coding for part in listed.split(",") if (coding := part.strip().lower()) not in ("", "identity"))


def undo(body: bytes, applied: tuple[str, ...]) -> bytes:
    """The body before `applied` was applied. Raises `CannotUndoError`."""
    if not body:  # an answer to HEAD says how the body would be coded
        return body
    for coding in reversed(applied):
        try:
            body = _undo_one(body, coding)
        except (OSError, EOFError, zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise CannotUndoError(f"the body is not valid {coding}: {error}") from None
    return body


def _undo_one(body: bytes, coding: str) -> bytes:
    if coding in ("gzip", "x-gzip"):
        return gzip.decompress(body)
    if coding == "deflate":
        try:
            return zlib.decompress(body)
        except zlib.error:  # some servers send the raw stream, without zlib's frame
            return zlib.decompress(body, -zlib.MAX_WBITS)
    if coding == "br":
        return bytes(brotli.decompress(body))
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    raise CannotUndoError(f"rr does not know the content coding {coding!r}")


def text_of(body: bytes, media: MediaType) -> str | None:
    """The body as text, None if it is none. Round-trips: equal text means equal bytes."""
    charset = media.charset
    if not charset and media.is_json:
        charset = json.detect_encoding(body)
    try:
        text = body.decode(charset or "utf-8")
    except (UnicodeDecodeError, LookupError):
        return None
    return None if "\x00" in text else text
