"""A million packets that nobody sends, into MySQL's decoder and into the server of the replay: what has to hold of each
is in `tests.protocols.mysql.conversations`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.protocols.mysql.conversations import Fed, check, from_bytes, mutated, seeds

pytestmark = [pytest.mark.gate, pytest.mark.timeout(2400)]

ROOT = Path(__file__).parents[2]
PACKETS = 1_000_000
BLIND = 20_000  # of these, without being led by what they cover
MEMORY = 512  # MiB that the process may have; more is a MemoryError in it
HELD = 256  # MiB that it held at most, the fuzzer and what it has found included


def test_a_million_packets(tmp_path: Path) -> None:
    began = time.monotonic()
    blind, random, conversations = Fed(), Random(), list(seeds())
    seed = random.randrange(1 << 32)
    random.seed(seed)
    while blind.strange < BLIND:
        conversation = random.choice(conversations)
        for _ in range(random.randint(1, 4)):
            conversation = mutated(conversation, random)
        try:
            check(conversation, blind)
        except Exception as error:
            error.add_note(f"seed {seed}: {conversation}")
            raise

    corpus, report = tmp_path / "corpus", tmp_path / "report.json"
    corpus.mkdir()
    command = [sys.executable, "-m", "tests.harness.mysql_fuzz"]
    done = subprocess.run(
        [*command, str(PACKETS - BLIND), str(MEMORY), str(corpus), str(report)],
        cwd=ROOT, capture_output=True, text=True, check=False, errors="replace",
    )  # fmt: skip
    crashes = [
        (path.name, from_bytes(path.read_bytes())) for path in tmp_path.iterdir() if path.is_file() and path != report
    ]
    assert done.returncode == 0, f"{done.stderr[-6000:]}\n{crashes}"
    led = json.loads(report.read_text())
    print(
        f"\n{led['strange'] + blind.strange:,} mutated and truncated packets in {time.monotonic() - began:.0f} s "
        f"({led['to_decoder'] + blind.to_decoder:,} to the decoder and {led['to_server'] + blind.to_server:,} to the "
        f"server in all, {led['conversations'] + blind.conversations:,} conversations; "
        f"{led['exchanges'] + blind.exchanges:,} exchanges, {led['refused'] + blind.refused:,} conversations refused); "
        f"{len(list(corpus.iterdir()))} of them cover something of their own; "
        f"the process held at most {led['peak_mib']} MiB, {led['first_mib']} of them before it began"
    )
    assert led["strange"] + blind.strange >= PACKETS
    assert led["peak_mib"] < HELD
