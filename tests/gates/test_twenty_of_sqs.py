"""An app on SQS with a worker that polls for ever, recorded once: twenty replays in a row, each of them green."""

from __future__ import annotations

import pytest

from tests.apps.sqs.orders_traffic import LINES, record
from tests.harness.rr_command import RR

pytestmark = [pytest.mark.gate, pytest.mark.timeout(600)]


def test_twenty_in_a_row(rr: RR, port: int) -> None:
    rr = record(rr.with_settings(PORT=str(port)))
    for number in range(1, 21):
        replay = rr.test("--delay", "30", ceiling=120)
        assert replay.code == 0, f"replay {number}:\n{replay.output}"
        assert f"{len(LINES)} passed" in replay.output
