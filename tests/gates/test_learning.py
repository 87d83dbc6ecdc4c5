"""What a recording's end takes: the replays from which rr learns are done sooner than the recording was made."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.harness.rr_command import RR
from tests.sample_app.open_shop import REPOSITORY, open_shop, shop_with
from tests.sample_app.test_recorded import NOT_NEEDED

pytestmark = [pytest.mark.gate, pytest.mark.timeout(300)]

SERVICES = ("order_service", "product_service", "user_service")


@pytest.mark.parametrize("service", SERVICES)
def test_learning_takes_less_time_than_the_recording_did(service: str, rr: RR, tmp_path: Path) -> None:
    """Both of one command: from its start to Ctrl-C, and from its word that all is recorded to its end."""
    shutil.copytree(REPOSITORY / "sample_app", rr.folder / "sample_app", ignore=NOT_NEEDED)
    with open_shop(tmp_path, "--mysql", "embedded", "--without", service) as shop:
        settings, command = shop.how_to_start(service)
        port = shop.ports[service.removesuffix("_service")]
        recorder = rr.with_settings(**settings, RR_RECORD_LEARN="true")
        began = time.monotonic()
        with recorder.record(" ".join(command), port=port) as recording:
            assert shop_with(shop) == []
            recording.interrupt()
            recorded = time.monotonic() - began
            recording.until_says("replays them, with nothing but the mocks to talk to", 60)
            began = time.monotonic()
            assert recording.wait(100) == 0, recording.output
            learned = time.monotonic() - began
    tests = len(list((rr.keploy / "test-set-0" / "tests").iterdir()))
    print(f"\n{service}: {tests} tests recorded in {recorded:.1f} s, learned from in {learned:.1f} s")
    assert f"Replayed as recorded: {tests} tests." in recording.output
    assert learned < recorded
