"""Which requests become test cases, and which destinations are recorded: what the user asked for.

A filter is one line of `record.filters` in rr.yml or one `--include`/`--exclude`. An exchange is kept when it matches
no `exclude` and, if there are any `include`s, at least one of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from testset.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What must be so for the filter to match; what is None does not matter."""

    include: bool
    path: re.Pattern[str] | None = None
    methods: frozenset[str] | None = None
    host: re.Pattern[str] | None = None
    port: int | None = None
    any_of: bool = False  # Keploy's matchType OR: one part is enough

    def matches(self, method: str, path: str, host: str, port: int) -> bool:
        parts = []
        if self.path is not None:
            parts.append(self.path.search(path) is not None)
        if self.methods is not None:
            parts.append(method.upper() in self.methods)
        if self.host is not None:
            parts.append(self.host.search(host) is not None)
        if self.port is not None:
            parts.append(self.port == port)
        return any(parts) if self.any_of else all(parts)


def keeps(filters: Sequence[Filter], method: str, path: str, host: str, port: int) -> bool:
    """Whether an exchange is to be kept."""
    if any(not one.include and one.matches(method, path, host, port) for one in filters):
        return False
    includes = [one for one in filters if one.include]
    return not includes or any(one.matches(method, path, host, port) for one in includes)


def parse(text: str, *, include: bool) -> Filter:
    """A filter of the command line: `POST /orders`, `/health`, `GET`, `host=api.example`, `port=5000`, or several."""
    path = host = None
    methods: set[str] = set()
    port = None
    for word in text.split():
        if word.startswith("/"):
            path = _pattern("^" + re.escape(word).replace(r"\*", ".*") + "(?:[?/]|$)", text)
        elif word.startswith("path="):
            path = _pattern(word[5:], text)
        elif word.startswith("host="):
            host = _pattern(word[5:], text)
        elif word.startswith("port="):
            if not word[5:].isdigit():
                raise UsageError(f"The filter `{text}` has a port that is no number.", remedy=_REMEDY)
            port = int(word[5:])
        elif re.fullmatch(r"[A-Za-z]+(,[A-Za-z]+)*", word):
            methods.update(word.upper().split(","))
        else:
            raise UsageError(f"The filter `{text}` cannot be read at `{word}`.", remedy=_REMEDY)
    if path is None and host is None and port is None and not methods:
        raise UsageError("A filter is empty.", remedy=_REMEDY)
    return Filter(include=include, path=path, methods=frozenset(methods) or None, host=host, port=port)


_REMEDY = "Write it like 'POST /orders', 'GET,HEAD', '/internal/*', 'path=<regex>', 'host=<regex>' or 'port=5000'."


def _pattern(text: str, whole: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"The filter `{whole}` is no valid pattern: {error}.", remedy=_REMEDY) from error


def from_settings(
    *,
    path: str | None,
    host: str | None,
    port: int | None,
    methods: Sequence[str],
    include: bool,
    any_of: bool = False,
) -> Filter:
    """A filter of rr.yml or keploy.yml; its path and host are patterns."""
    return Filter(
        include=include,
        path=_pattern(path, path) if path else None,
        host=_pattern(host, host) if host else None,
        port=port,
        methods=frozenset(method.upper() for method in methods) or None,
        any_of=any_of,
    )
