"""The four apps that were made to be hard, recorded with what rr learns of them, and replayed two years later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.apps.hard.traffic import NAMES, Hard, record, world
from tests.harness.company import Company
from tests.harness.later import later
from tests.harness.mysql_servers import MYSQL, mysql_server

pytestmark = pytest.mark.system

YEARS = timedelta(days=2 * 365)


@pytest.fixture(scope="session")
def hard(tmp_path_factory: pytest.TempPathFactory, company: Company) -> dict[str, Hard]:
    """All four as recorded. Nothing that they talked to is there any more."""
    folder = tmp_path_factory.mktemp("hard")
    with mysql_server(MYSQL) as database, world(folder, company, database) as around:
        recorded = {name: record(name, folder / name, around) for name in NAMES}
    return recorded


@pytest.mark.parametrize("name", NAMES)
def test_two_years_later_all_is_green_again_and_again(name: str, hard: dict[str, Hard], tmp_path: Path) -> None:
    app = hard[name].copy(tmp_path / "project")
    rr = app.rr.with_settings(**later(tmp_path, YEARS))
    for number in range(3):
        replay = rr.test()
        assert replay.code == 0, f"replay {number + 1}\n{replay.output}"
        assert "cannot be moved" not in replay.output
