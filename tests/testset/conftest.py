"""A project's folder with a vault of its own, whose key stays in the test's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from testset.redaction import Redactor
from testset.secrets import Vault


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_DATA_HOME": str(tmp_path / "data")}


@pytest.fixture
def vault(tmp_path: Path, environ: dict[str, str]) -> Vault:
    return Vault(tmp_path / "keploy" / "secrets.yml", environ=environ)


@pytest.fixture
def redactor(vault: Vault) -> Redactor:
    return Redactor(vault)
