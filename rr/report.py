"""`rr report` and `rr normalize`: what a run found, shown again, and taken over into the tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from replayer import normalize
from replayer.coverage.measured import FOLDER as COVERAGE
from replayer.coverage.measured import HTML, read_measured
from replayer.report.as_json import as_json
from replayer.report.junit import junit
from replayer.report.reader import find_run, read_report
from rr.console import Console
from rr.record import KEPLOY
from rr.settings import load_settings
from testset.errors import UsageError
from testset.redaction import Redactor
from testset.store import TestSetStore


def report(path: Path | None, config_folder: Path, run: str | None, test: str | None, full: bool, form: str) -> int:
    """Show a run again, the last one unless another is named."""
    if form not in ("text", "junit", "json"):
        raise UsageError(f"There is no report format {form!r}.", remedy="Choose text, junit or json.")
    folder = find_run(_store(path, config_folder).root / "reports", run)
    result = read_report(folder)
    if form == "json":
        print(as_json(result, indent=2, coverage=read_measured(folder / COVERAGE)))
        return 0
    if form == "junit":
        print(junit(result))
        return 0
    console = Console()
    chosen = [one for one in result.tests if test is None or one.name in test.split(",")]
    if test is not None and not chosen:
        raise UsageError(f"{result.name} has no test {test!r}.", remedy="Leave out --test to see all of them.")
    console.headline(result.name, result.command)
    for one in chosen:
        console.replayed(one, full=full)
    if test is None:
        console.summary(result, folder)
        covered = folder / COVERAGE
        if (measured := read_measured(covered)) is not None:
            console.coverage(measured, str(covered / HTML / "index.html"))
    return 0


def accept(path: Path | None, config_folder: Path, run: str | None, tests: str | None, yes: bool) -> int:
    """Write what the app answered in a run into its tests."""
    settings = load_settings(config_folder, {"path": str(path) if path is not None else None})
    store = TestSetStore(settings.path / KEPLOY)
    result = read_report(find_run(store.root / "reports", run))
    redactor = Redactor(store.vault(), settings.redact.rules())
    console = Console()
    changes = normalize.plan(result, store.root, tests.split(",") if tests else None)
    if not changes:
        console.note(f"{result.name} has nothing to accept: every chosen test passed.")
        return 0
    written = left = 0
    for change in changes:
        console.headline(f"{change.set}/{change.test}")
        for line in change.what:
            console.note(f"  {line}")
        for line in change.left:
            console.warning(line)
        risky = change.risk is normalize.Risk.HIGH
        if risky and not yes and not _confirmed(console):
            left += 1
            continue
        written += bool(normalize.apply(change, redactor))
        redactor.vault.save()
    console.blank()
    console.headline(f"{written} of {len(changes)} tests changed" + (f", {left} left as they were" if left else ""))
    return 0


def _confirmed(console: Console) -> bool:
    """A change of status or schema may break the app's callers: a person says yes to it, or nobody."""
    if not sys.stdin.isatty():
        console.warning("The status or the schema changes: not accepted without --yes.")
        return False
    return input("  The status or the schema changes. Accept? [y/N] ").strip().lower() in ("y", "yes")


def _store(path: Path | None, config_folder: Path) -> Any:
    settings = load_settings(config_folder, {"path": str(path) if path is not None else None})
    return TestSetStore(settings.path / KEPLOY)
