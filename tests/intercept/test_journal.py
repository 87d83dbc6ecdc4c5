"""What is written is read, whatever the pieces; what is torn or damaged is cut off or named, never made up."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intercept import journal
from intercept.journal import CLIENT, FRAME, MAGIC, Frame, JournalReader, JournalWriter, Kind, segment_path
from tests.harness.limits import file_size_limit
from testset.errors import JournalError

PLENTY = 1 << 30

frames = st.builds(
    Frame,
    kind=st.sampled_from(Kind),
    side=st.integers(0, 1),
    connection=st.integers(0, (1 << 32) - 1),
    offset=st.integers(0, (1 << 64) - 1),
    data=st.binary(max_size=300),
    time_ns=st.just(0),
    segment=st.just(0),
)
blocks = st.lists(st.tuples(st.integers(0, (1 << 64) - 1), st.lists(frames, min_size=1, max_size=5)), max_size=12)


def packed(frame: Frame) -> bytes:
    return FRAME.pack(frame.kind, frame.side, frame.connection, frame.offset, len(frame.data)) + frame.data


def said(frame: Frame) -> tuple[object, ...]:
    return frame.kind, frame.side, frame.connection, frame.offset, frame.data


def block(writer: JournalWriter, text: bytes, time_ns: int = 1) -> int:
    return writer.commit([b"", FRAME.pack(Kind.DATA, CLIENT, 1, 0, len(text)) + text], time_ns)


def texts(reader: JournalReader) -> list[bytes]:
    return [frame.data for frame in reader.read(PLENTY)]


@given(blocks=blocks, segment=st.sampled_from([200, 1000, 1 << 20]), budget=st.integers(1, 3000))
def test_what_is_written_is_read_in_order(blocks: list[tuple[int, list[Frame]]], segment: int, budget: int) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "SEGMENT_BYTES", segment)
        writer, reader = JournalWriter(Path(name), PLENTY), JournalReader(Path(name))
        read: list[Frame] = []
        for time_ns, members in blocks:
            assert writer.commit([b"", *map(packed, members)], time_ns) > 0
            if budget % 2:  # a reader that is on the writer's heels, or one that comes afterwards
                read += reader.read(budget)
        while more := list(reader.read(budget)):
            read += more
        assert reader.at_end()
        assert [said(frame) for frame in read] == [said(frame) for _, members in blocks for frame in members]
        assert [frame.time_ns for frame in read] == [time_ns for time_ns, members in blocks for _ in members]
        reader.close()
        writer.close()


@given(cut=st.integers(0, 1000), first=st.binary(max_size=200), second=st.binary(max_size=200))
def test_what_is_torn_at_the_end_is_cut_off(cut: int, first: bytes, second: bytes) -> None:
    """A relay that is killed in the middle of a write leaves a part of a block; it had not passed it on."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        writer = JournalWriter(folder, PLENTY)
        block(writer, first)
        size = segment_path(folder, 1).stat().st_size
        last = block(writer, second)
        os.truncate(segment_path(folder, 1), size + cut % last)
        reader = JournalReader(folder)
        assert texts(reader) == [first]

        heir = JournalWriter(folder, PLENTY, first_segment=2)  # the relay that comes after it
        block(heir, b"after")
        assert texts(reader) == [b"after"]
        assert reader.at_end()


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_byte_is_never_taken_for_data(place: int, bit: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        writer = JournalWriter(folder, PLENTY)
        for text in (b"first", b"second", b"third"):
            block(writer, text)
        path = segment_path(folder, 1)
        data = bytearray(path.read_bytes())
        place %= len(data)
        data[place] ^= 1 << bit
        path.write_bytes(data)
        read: list[bytes] = []
        try:
            for frame in JournalReader(folder).read(PLENTY):
                read.append(frame.data)
        except JournalError:
            pass
        assert read == [b"first", b"second", b"third"][: len(read)]


def test_damage_is_named_with_its_place(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, PLENTY)
    block(writer, b"good")
    place = segment_path(tmp_path, 1).stat().st_size
    block(writer, b"bad")
    with segment_path(tmp_path, 1).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"?")
    reader = JournalReader(tmp_path)
    found = reader.read(PLENTY)
    assert next(found).data == b"good"
    with pytest.raises(JournalError, match=f"Segment 1 .* damaged at byte {place}"):
        next(found)


def test_a_file_of_another_version_is_not_read(tmp_path: Path) -> None:
    segment_path(tmp_path, 1).write_bytes(b"rr-journal 9\n\0\0\0")
    with pytest.raises(JournalError, match="this version of rr"):
        list(JournalReader(tmp_path).read(1))


def test_a_block_larger_than_what_is_read_at_once(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, PLENTY)
    large = bytes(9 << 20)
    block(writer, large)
    block(writer, b"small")
    assert texts(JournalReader(tmp_path)) == [large, b"small"]


def test_a_block_of_more_parts_than_one_system_call_takes(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, PLENTY)
    parts = [FRAME.pack(Kind.DATA, CLIENT, number, 0, 100) + bytes(100) for number in range(3000)]
    assert writer.commit([b"", *parts], 1) > 300_000
    assert [frame.connection for frame in JournalReader(tmp_path).read(PLENTY)] == list(range(3000))


@pytest.mark.parametrize("size", [100, 200_000])
def test_a_write_that_fails_is_cut_off_and_recording_stops(size: int, tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, PLENTY)
    block(writer, b"kept")
    room = segment_path(tmp_path, 1).stat().st_size + size // 2
    with file_size_limit(room):
        assert block(writer, bytes(size)) == 0
    assert writer.stopped is not None
    assert "cannot be written" in writer.stopped
    assert block(writer, b"never") == 0, "it has stopped for good"
    reader = JournalReader(tmp_path)
    assert texts(reader) == [b"kept"]
    assert reader.at_end()


def test_a_segment_that_cannot_even_begin_leaves_nothing_that_is_misread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 100)
    writer = JournalWriter(tmp_path, PLENTY)
    block(writer, b"kept")
    with file_size_limit(len(MAGIC) // 2):
        assert block(writer, bytes(200)) == 0
    reader = JournalReader(tmp_path)
    assert texts(reader) == [b"kept"]
    assert reader.at_end()


def test_the_limit_counts_what_the_recorder_has_not_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 900)
    writer = JournalWriter(tmp_path, 1000)
    block(writer, bytes(800))
    assert not writer.over_limit()
    block(writer, bytes(800))
    assert writer.over_limit()
    first = segment_path(tmp_path, 1)
    (tmp_path / "released").write_text(str(first.stat().st_size))
    first.unlink()
    assert not writer.over_limit()
    heir = JournalWriter(tmp_path, 1000, first_segment=3)
    assert heir.backlog() == writer.backlog() + len(MAGIC)


def test_segments_that_have_left_the_folder_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 100)
    writer = JournalWriter(tmp_path, PLENTY)
    for number in range(5):
        block(writer, b"%d" % number * 60)
    away = tmp_path / "away"
    away.mkdir()
    for number in (1, 2, 3):
        segment_path(tmp_path, number).rename(segment_path(away, number))

    def elsewhere(number: int) -> int | None:
        return os.open(segment_path(away, number), os.O_RDONLY) if number < 4 else None

    assert texts(JournalReader(tmp_path, elsewhere=elsewhere)) == [b"%d" % number * 60 for number in range(5)]


def test_the_format_is_the_documented_one(tmp_path: Path) -> None:
    """docs/journal.md: whoever changes this changes MAGIC."""
    writer = JournalWriter(tmp_path, PLENTY)
    block(writer, b"hello", time_ns=7)
    data = segment_path(tmp_path, 1).read_bytes()
    assert data[:16] == b"rr-journal 1\n\0\0\0"
    length, _checksum, time_ns = struct.unpack_from("<IIQ", data, 16)
    assert (length, time_ns) == (18 + 5, 7)
    assert struct.unpack_from("<BBIQI", data, 32) == (Kind.DATA, CLIENT, 1, 0, 5)
    assert data[50:] == b"hello"
