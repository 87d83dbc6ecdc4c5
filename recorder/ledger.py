"""What the recorder has written so far, so that a recovery after `kill -9` neither loses nor repeats anything.

One JSON object a line, appended in the session's folder (in memory) before the file it speaks of is touched:

- `test`: this exchange has this name. Written again under the same name, a test case is the same file.
- `mock`: this exchange is about to be appended to mocks.yml at this offset. If it is the last line, the append may be
  incomplete: a recovery cuts mocks.yml there and writes it again.
- `check`: all exchanges of these connections before these offsets are written; segments before this one are gone.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from intercept import memory
from testset.model import ExchangeId


@dataclass(frozen=True, slots=True)
class Resume:
    """Where the decoding of one connection goes on."""

    facts: dict[str, Any]
    client: int
    server: int
    index: int
    room: str | None
    state: Mapping[str, Any] | None = None  # of the decoder, there


@dataclass(frozen=True, slots=True)
class Written:
    """A test case that was written, and its window, to which mocks belong that are not."""

    name: str
    started_ns: int
    ended_ns: int
    port: int  # of the app


@dataclass(slots=True)
class Progress:
    """What a ledger says."""

    tests: dict[ExchangeId, Written] = field(default_factory=dict)
    mocks: dict[ExchangeId, str] = field(default_factory=dict)
    mocks_offset: int | None = None  # cut mocks.yml here
    connections: dict[int, Resume] = field(default_factory=dict)
    first_segment: int = 1
    faults: dict[str, str] = field(default_factory=dict)  # of TLS servers' certificates


class Ledger:
    """Appends to the ledger of a session."""

    def __init__(self, session: pathlib.Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._session = session
        self._file = os.open(session / "ledger", flags, 0o600)

    def test(self, id: ExchangeId, test: Written) -> None:
        self._put(["test", id.connection, id.index, test.name, test.started_ns, test.ended_ns, test.port])

    def mock(self, id: ExchangeId, name: str, offset: int) -> None:
        self._put(["mock", id.connection, id.index, name, offset])

    def check(self, connections: dict[int, Resume], first_segment: int, faults: Mapping[str, str]) -> None:
        rows = [[n, r.facts, r.client, r.server, r.index, r.room, r.state] for n, r in connections.items()]
        self._put(["check", first_segment, rows, dict(faults)])

    def close(self) -> None:
        os.close(self._file)

    def _put(self, row: list[Any]) -> None:
        memory.write(self._session, self._file, json.dumps(row).encode() + b"\n")


def read(session: pathlib.Path) -> Progress:
    """The progress of a session that ended, however it ended."""
    progress = Progress()
    try:
        lines = (session / "ledger").read_bytes().split(b"\n")[:-1]  # what follows the last newline is torn
    except FileNotFoundError:
        return progress
    for line in lines:
        kind, *rest = json.loads(line)
        if kind == "check":
            first_segment, rows, progress.faults = rest
            progress.first_segment = first_segment
            progress.connections = {row[0]: Resume(*row[1:]) for row in rows}
            progress.mocks_offset = None
            continue
        connection, index, name, *more = rest
        id = ExchangeId(connection, index)
        if kind == "test":
            progress.tests[id] = Written(name, *more)
        else:
            progress.mocks[id] = name
            progress.mocks_offset = more[0]
            last = id
    if progress.mocks_offset is not None:
        del progress.mocks[last]
    return progress
