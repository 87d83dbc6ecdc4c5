"""Two years later, twenty times in a row: the apps that were made to be hard, and the sample shop's order service."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.hard.traffic import NAMES, Hard
from tests.harness.later import later
from tests.harness.rr_command import RR
from tests.sample_app.test_recorded import record, shops_without_complaint
from tests.system.conftest import company
from tests.system.test_time_apart import YEARS, hard

pytestmark = [pytest.mark.gate, pytest.mark.timeout(900)]

__all__ = ["company", "hard"]  # fixtures


def twenty_green(rr: RR, folder: Path) -> None:
    rr = rr.with_settings(**later(folder, YEARS))
    for number in range(20):
        replay = rr.test(ceiling=120)
        assert replay.code == 0, f"{number + 1} of 20\n{replay.output}"


@pytest.mark.parametrize("name", NAMES)
def test_twenty_of_twenty(name: str, hard: dict[str, Hard], tmp_path: Path) -> None:
    twenty_green(hard[name].copy(tmp_path / "project").rr, tmp_path)


def test_twenty_of_twenty_of_the_shop(rr: RR, tmp_path: Path) -> None:
    rr = rr.with_settings(RR_RECORD_LEARN="true")
    twenty_green(record(rr, tmp_path, "order_service", "embedded", shops_without_complaint), tmp_path)
