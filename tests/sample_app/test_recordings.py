"""The recordings of the shop that are in the repository: replayed as somebody does who has just cloned it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.harness.rr_command import RR

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("order_service", "product_service", "user_service")


@pytest.fixture
def clone(rr: RR) -> RR:
    """Nothing but what is in the repository: no key, no database, no queue."""
    for name in ("keploy", "sample_app"):
        shutil.copytree(ROOT / name, rr.folder / name, ignore=shutil.ignore_patterns("__pycache__", "reports"))
    shutil.copy(ROOT / "rr.yml", rr.folder)
    return rr.with_settings(PYTHONPATH=str(rr.folder))


def test_they_replay_with_nothing_but_the_clone(clone: RR) -> None:
    done = clone.run("test", "--delay", "30", "--json", ceiling=200)
    assert done.code == 0, done.output
    sets = {one["name"]: one for one in json.loads(done.stdout)["sets"]}
    assert set(sets) == set(SERVICES)
    for name, found in sets.items():
        tests = len(list((clone.folder / "keploy" / name / "tests").glob("test-*.yml")))
        assert [one["verdict"] for one in found["tests"]] == ["passed"] * tests, name
        assert tests > 20, name


def test_a_reader_meets_every_protocol_of_the_shop() -> None:
    mocks = (ROOT / "keploy" / "order_service" / "mocks.yml").read_text("utf-8")
    for part in (
        "kind: MySQL",
        "kind: Http",
        "X-Amz-Target: AmazonSQS.SendMessage",
        "requestOperation: COM_STMT_EXECUTE",
    ):
        assert part in mocks, part
    assert "{{secret" not in mocks  # a demo's secrets are none: nobody needs a key
