"""A UUID is written with hyphens or without, in capitals or not, and is the same value.

MariaDB answers with hyphens what SQLAlchemy has written without them.
"""

from __future__ import annotations

import re
from itertools import pairwise

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_HYPHENS = (8, 12, 16, 20)


def is_uuid(text: str) -> bool:
    return len(text) in (32, 36) and _UUID.fullmatch(text) is not None


def one_spelling(text: str) -> str:
    """The spelling that stands for all of a UUID's; every other text is its own."""
    return text.replace("-", "").lower() if is_uuid(text) else text


def spelled_like(model: str, uuid: str) -> str:
    """`uuid` written as `model` is."""
    written = one_spelling(uuid)
    if "-" in model:
        written = "-".join(written[start:end] for start, end in pairwise((0, *_HYPHENS, len(written))))
    return written.upper() if model.isupper() else written
