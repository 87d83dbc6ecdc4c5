"""What README and docs name is there: files, modules, commands, options, error codes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from testset import errors

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
ROOMS = ("testset", "protocols", "intercept", "recorder", "replayer", "rr")
COMMANDS = (
    "record", "recover", "test", "report", "normalize", "config", "doctor",
    "mock serve", "mock record", "mock replay",
)  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_reading_order_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"[\w/]*?(\w+\.py)`", text))
    there = {path.name for room in ROOMS for path in (ROOT / room).rglob("*.py")} - {"__init__.py"}
    assert named >= there, f"not in docs/architecture.md: {sorted(there - named)}"
    assert named - there <= {"test_layers.py"}, f"named in docs/architecture.md and not there: {sorted(named - there)}"


@pytest.fixture(scope="module")
def options() -> set[str]:
    """Every option of every command, as `--help` shows it."""
    found = set()
    for command in ("", *COMMANDS):
        done = subprocess.run(
            [sys.executable, "-m", "rr", *command.split(), "--help"],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env={"COLUMNS": "200", "PATH": ""},
        )  # fmt: skip
        assert done.returncode == 0, f"rr {command} --help: {done.stderr}"
        found.update(re.findall(r"(?<![\w-])--[a-z][a-z-]+", done.stdout))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_are_shown_with_rr_exist(page: Path, options: set[str]) -> None:
    for line in page.read_text("utf-8").splitlines():
        for command in re.findall(r"(?:^|[`$ ])rr ((?:mock )?[a-z]+ [^`#|]*)", line):
            given = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", command.partition(" -- ")[0]))
            assert given <= options, f"{page.name}: `rr {command}` has {sorted(given - options)}"


def test_every_error_has_a_code_of_its_own_and_a_remedy() -> None:
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.RRError)]
    codes = [each.code for each in classes]
    assert len(codes) == len(set(codes)), "two errors share a code"
    assert all(each.default_remedy and each.__doc__ for each in classes)
