"""The shop's Postman collection, run by newman as its readers run it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
POSTMAN = ROOT / "sample_app" / "postman"
NEWMAN = ROOT / "tests" / "apps" / "newman" / "node_modules" / ".bin" / "newman"


@dataclass(frozen=True, slots=True)
class Passed:
    """How much of the collection was run, all of which has passed."""

    requests: int
    assertions: int
    seconds: float


def collection(urls: Mapping[str, str] | None = None) -> Passed:
    """Against these services, by the names user, product, order and gateway; without, where the environment says."""
    if not NEWMAN.exists():
        pytest.fail("newman is not installed: run `make test`, which does so", pytrace=False)
    given = []
    for name, url in (urls or {}).items():
        variable = f"gw_base={url}" if name == "gateway" else f"{name}_base={url}/api/v1"
        given += ["--env-var", variable]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(
            [
                str(NEWMAN), "run", str(POSTMAN / "ecommerce.postman_collection.json"),
                "-e", str(POSTMAN / "local.postman_environment.json"), *given, "--color", "off", "--bail",
                "--reporters", "cli,json", "--reporter-json-export", str(report),
            ],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        run = json.loads(report.read_text("utf-8"))["run"]
    assert not run["failures"], run["failures"]
    stats, timings = run["stats"], run["timings"]
    return Passed(
        stats["requests"]["total"], stats["assertions"]["total"], (timings["completed"] - timings["started"]) / 1000
    )
