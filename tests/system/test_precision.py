"""Every field of every answer and write of the shop stays compared, but for those that a table names with a reason.

The recordings are those in the repository. The four hard apps have their table in `test_time_apart`, where they are
recorded.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.system.precision import complaints, look, tables
from tests.system.precision_of_writes import complaints_of_writes, free_writes, look_at_writes

KEPLOY = Path(__file__).parent.parent.parent / "keploy"
SHOP = tables(Path(__file__).parent / "precision_of_shop.yml")
WRITES = free_writes(Path(__file__).parent / "precision_of_writes.yml")


@pytest.mark.parametrize("service", SHOP)
def test_another_value_is_red_wherever_the_table_says_so(service: str) -> None:
    assert complaints(SHOP[service], look(KEPLOY / service)) == []


@pytest.mark.parametrize("service", SHOP)
def test_another_value_in_a_write_is_red_but_where_the_app_makes_it_up(service: str) -> None:
    seen = look_at_writes(KEPLOY / service)
    assert len(seen) > 10
    assert complaints_of_writes(WRITES[service], seen) == []


def test_a_write_that_is_not_compared_is_found() -> None:
    seen = look_at_writes(KEPLOY / "user_service")
    gone, passes = complaints_of_writes({"INSERT INTO users, id": "", "UPDATE users, id": ""}, seen)
    assert gone == "UPDATE users, id: in no write"
    assert passes.startswith("INSERT INTO addresses, id: another value passes in test-")


@pytest.fixture
def products(tmp_path: Path) -> Path:
    """The product service's recordings, to be changed."""
    return Path(shutil.copytree(KEPLOY / "product_service", tmp_path / "product_service"))


HEALTH = "GET /health 200"


def test_a_field_that_is_silenced_is_missed(products: Path) -> None:
    test = products / "tests" / "test-1.yml"
    test.write_text(test.read_text("utf-8") + "  assertions:\n    noise:\n      body.status: []\n", "utf-8")
    assert complaints(SHOP["product_service"], look(products)) == [
        f"{HEALTH}, body.status: another value passes in test-1",
        f"{HEALTH}, body.status: nobody minds that it is not there in test-1",
        f"{HEALTH}, body.status: it may be empty in test-1",
        f"{HEALTH}, body.status: it may be some words in test-1",
    ]


def test_a_new_field_has_to_be_decided_on(products: Path) -> None:
    test = products / "tests" / "test-1.yml"
    recorded = test.read_text("utf-8")
    assert '"status":' in recorded
    test.write_text(recorded.replace('"status":', '"state":'), "utf-8")
    assert complaints(SHOP["product_service"], look(products)) == [
        f"{HEALTH}, body.status: in no answer",
        f"{HEALTH}, body.state: is it to be compared, or may it vary?",
    ]


def test_an_answer_that_is_recorded_no_more_leaves_the_table(products: Path) -> None:
    (products / "tests" / "test-1.yml").unlink()
    assert complaints(SHOP["product_service"], look(products)) == [f"{HEALTH}: no such answer"]
