"""What several system tests begin with."""

from __future__ import annotations

import pytest

from tests.apps.bank_traffic import RecordedBank, record_bank
from tests.harness.company import Company
from tests.harness.network import free_port


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> RecordedBank:
    """The bank, recorded once; a test replays a copy of it."""
    return record_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture
def unused_port() -> int:
    """A port besides the app's."""
    return free_port()


@pytest.fixture(scope="session")
def company() -> Company:
    """A certificate authority of a company's own."""
    return Company.founded()
