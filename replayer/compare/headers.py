"""Headers and trailers: by exact name without case, several values of one name in their order.

Aside only: what speaks of one connection (hop-by-hop, and what `Connection` names), `Date`, and `Content-Length`,
which the body itself tells better; it counts where no body tells (an answer to HEAD).
"""

from __future__ import annotations

from collections.abc import Iterator

from protocols.http.wire import Headers
from replayer.compare.finding import Finding, Forgive, Kind
from replayer.compare.noise import Noise
from replayer.compare.renaming import Renaming, forgiven

ASIDE = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "server",  # names the software that serves, and its version: an upgrade breaks no promise of the app
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def header_findings(
    expected: Headers,
    actual: Headers,
    *,
    noise: Noise,
    renaming: Renaming | None,
    forgive: Forgive | None,
    aside: frozenset[str],
    trailer: bool = False,
) -> Iterator[Finding]:
    """`aside`: names in lower case that are not compared here."""
    wanted, got = _by_name(expected), _by_name(actual)
    for section in (wanted, got):
        if "connection" in section:
            _, values = section["connection"]
            aside |= {name.strip().lower() for value in values for name in value.split(",")}
    root = "trailer" if trailer else "header"
    for key, (name, values) in wanted.items():
        if key in aside:
            continue
        place = f"{root}.{name}"
        now = got.get(key)
        if now is None:
            if not noise.covers_header(key, None, trailer=trailer):
                yield Finding(place, Kind.MISSING, _joined(values), None)
            continue
        if renaming:
            values = [renaming(value) for value in values]
        if values == now[1]:
            continue
        if noise.covers_header(key, _joined(now[1]), trailer=trailer):
            continue
        if len(values) == len(now[1]) and all(
            forgiven(forgive, place, one, other) for one, other in zip(values, now[1], strict=True)
        ):
            continue
        yield Finding(place, Kind.VALUE, _joined(values), _joined(now[1]))
    for key, (name, values) in got.items():
        if key not in wanted and key not in aside and not noise.covers_header(key, None, trailer=trailer):
            yield Finding(f"{root}.{name}", Kind.EXTRA, None, _joined(values))


def _by_name(headers: Headers) -> dict[str, tuple[str, list[str]]]:
    named: dict[str, tuple[str, list[str]]] = {}
    for name, value in headers:
        key = name.lower()
        if key in named:
            named[key][1].append(value)
        else:
            named[key] = (name, [value])
    return named


def _joined(values: list[str]) -> str:
    return "\n".join(values)
