"""Which room a connection or a document belongs to; and that asking costs little."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from protocols import registry
from protocols.furniture import Guess, Room
from testset.errors import DocumentError

ROOT = Path(__file__).parents[2]


def test_a_connection_finds_its_room() -> None:
    assert registry.detect(b"GET / HTTP/1.1\r\n", b"") is registry.room_named("http")
    assert registry.detect(b"GE", b"") is Guess.MORE
    assert registry.detect(b"\x00\x01", b"") is Guess.NO


def test_a_document_finds_its_room() -> None:
    assert [registry.room_for_kind(kind).name for kind in ("Http", "Generic", "DNS")] == ["http", "generic", "dns"]
    with pytest.raises(DocumentError, match="Carrier Pigeon"):
        registry.room_for_kind("Carrier Pigeon")


@pytest.mark.parametrize("room", registry.ROOMS, ids=lambda room: room.name)
def test_every_room_has_all_its_furniture(room: Room) -> None:
    """The parts are loaded late: a name that is missing in a module would show only in the middle of a recording."""
    for field in fields(room):
        part = getattr(room, field.name)
        load = getattr(part, "load", None)
        if load is not None:
            assert callable(load()), field.name


def test_detecting_loads_neither_rooms_nor_what_they_need() -> None:
    script = (
        "import sys; import protocols.registry as r; r.detect(b'GET / HTTP/1.1', b'');"
        "print([m for m in sys.modules if m.partition('.')[0] in ('mitmproxy', 'yaml', 'asyncio', 'ssl')"
        " or m.endswith(('.decode', '.serve', '.match')) and m.startswith('protocols')])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
