"""From the bytes of a body to what they mean: Content-Encoding undone, charset applied.

Bodies come without their transfer coding; that is the protocol's business.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from protocols.http.codings import decode, known
from protocols.http.wire import Headers, header


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


def media_type(headers: Headers) -> MediaType:
    name, *parameters = (header(headers, "content-type") or "").split(";")
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
        decoded = decode(coding, body) if known(coding) else None
        if decoded is None:
            raise CannotUndoError(f"the body is not valid {coding}")
        body = decoded
    return body


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
