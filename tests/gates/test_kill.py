"""100 rounds of `kill -9` under load: nothing that a client has seen is ever lost, and nothing is there twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.harness.crash import kill_round
from tests.harness.mounts import own_mounts
from tests.harness.network import free_port
from tests.harness.rr_command import RR

pytestmark = [pytest.mark.gate, pytest.mark.timeout(3600)]

ROUNDS = 100


def test_a_hundred_kills(rr: RR, tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    total = 0
    wrong: list[str] = []
    with own_mounts(rr.folder, tmp_path / "mounts.log") as mounts:
        for number in range(ROUNDS):
            victim = "relay" if number % 4 == 3 else "rr"
            after = chance.uniform(0.0, 1.0)
            answers, found = kill_round(
                rr.with_prefix(mounts.prefix), mounts, free_port(), victim=victim, after=after, again=number % 8 == 2
            )
            total += answers
            wrong += [f"round {number} ({victim} after {after:.3f} s, seed {seed}): {text}" for text in found]
    print(f"\n{ROUNDS} rounds, {total} answers seen by clients, {len(wrong)} findings")
    assert not wrong, "\n".join(wrong[:40])
    assert total > ROUNDS * 20, "there was no load to speak of"
