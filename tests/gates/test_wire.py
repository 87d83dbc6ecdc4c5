"""The long versions of what tests/system/test_on_the_wire.py shows: 1 GB, 10,000 connections."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.apps.dependency import Dependency
from tests.harness.crash import family, recording
from tests.harness.mounts import own_mounts
from tests.harness.recorded import recorded_tests
from tests.harness.rr_command import RR
from tests.harness.wire import MIB, Watch, at_once, in_sequence, pieces, stream

pytestmark = [pytest.mark.gate, pytest.mark.timeout(900)]

MEMORY = 200 * MIB


def test_a_gigabyte(rr: RR, tmp_path: Path, port: int, dependency: Dependency) -> None:
    size = 1000 * MIB
    with (
        own_mounts(rr.folder, tmp_path / "mounts.log") as mounts,
        recording(rr.with_prefix(mounts.prefix), dependency, port) as running,
        Watch(family(running.process.pid), mounts.seen(Path("/dev/shm"))) as watch,
    ):
        began = time.monotonic()
        assert stream(port, size) == pieces(size)
        streamed = time.monotonic() - began
        running.interrupt()
        assert running.wait(300) == 0, running.output
        took = time.monotonic() - began
    print(
        f"\n1 GB: {streamed:.1f} s for the client, {took:.1f} s until all is written; rr's processes held at most "
        f"{watch.most // MIB} MiB, the journal {watch.most_journal // MIB} MiB of memory"
    )
    assert watch.most < MEMORY
    [test] = recorded_tests(rr.keploy / "test-set-0")
    assert len(test.response_body) == size


def test_ten_thousand_connections_in_sequence_and_five_hundred_at_once(
    rr: RR, tmp_path: Path, port: int, dependency: Dependency
) -> None:
    with (
        own_mounts(rr.folder, tmp_path / "mounts.log") as mounts,
        recording(rr.with_prefix(mounts.prefix), dependency, port) as running,
        Watch(family(running.process.pid), mounts.seen(Path("/dev/shm"))) as watch,
    ):
        began = time.monotonic()
        assert in_sequence(port, 10_000) == []
        sequence = time.monotonic() - began
        assert at_once(port, 500) == []
        running.interrupt()
        assert running.wait(300) == 0, running.output
    print(
        f"\n10,000 connections in {sequence:.1f} s; rr's processes held at most {watch.most // MIB} MiB, the journal "
        f"{watch.most_journal // MIB} MiB of memory"
    )
    assert watch.most < MEMORY
    assert len(recorded_tests(rr.keploy / "test-set-0")) == 10_500
