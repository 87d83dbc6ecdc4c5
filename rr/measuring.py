"""`rr test --coverage`: a kit for the app before the run; reports, a table and an exit code after it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from intercept import memory
from replayer.coverage.collect import collect
from replayer.coverage.kit import Kit, find_config, make_kit
from replayer.coverage.measured import FOLDER, HTML, Measured
from rr.console import Console
from rr.settings import Settings
from testset.errors import CoverageError, UsageError

_MEASURES_ITSELF = re.compile(r"\bcoverage\s+run\b")


@dataclass(slots=True)
class Measuring:
    """One run's coverage, of all its sets together."""

    kit: Kit
    project: Path
    config: Path | None
    least: float
    hosts: Sequence[Path] = ()
    measured: Measured | None = None

    def tell(self, console: Console, run_folder: Path, shown: str) -> int:
        """Write the reports and print the table. Returns what the coverage alone makes of the exit code."""
        try:
            self.measured = collect(
                self.kit.data,
                run_folder / FOLDER,
                project=self.project,
                config=self.config,
                hosts=[*self.kit.hosts, *self.hosts],
            )
        except CoverageError as error:
            if self.least:
                console.error(error)
                return 2
            console.warning(f"{error} {error.remedy}")
            return 0
        for warning in self.measured.warnings:
            console.warning(warning)
        console.coverage(self.measured, f"{shown}/{FOLDER}/{HTML}/index.html")
        if self.measured.is_below(self.least):
            console.error(f"The coverage is {self.measured.percent:.2f} %, and {self.least:g} % is asked for.")
            return 1
        return 0


@contextmanager
def measuring(settings: Settings, *, elsewhere: bool = False) -> Iterator[Measuring | None]:
    """The coverage of a run, if it is asked for. The kit is there as long as the block runs. `elsewhere`: the app runs
    where it does not see the files of this machine."""
    if not is_wanted(settings):
        yield None
        return
    if settings.test.base_path:
        raise UsageError(
            "The app at --base-path runs already: rr cannot measure it.",
            remedy="Leave out --coverage, or let rr start the app with --command.",
        )
    if settings.command and _MEASURES_ITSELF.search(settings.command):
        raise UsageError(
            "The command measures coverage itself, and two do not get along in one process.",
            remedy="Leave out either --coverage or the command's own `coverage run`.",
        )
    here = Path.cwd()
    config = find_config([here, settings.path], os.environ)
    # An app that root starts may go on as another user, who has to read the kit; nobody else's can.
    folder = memory.public() if os.geteuid() == 0 else memory.scratch()
    try:
        kit = make_kit(folder, project=here, config=config, elsewhere=elsewhere)
        yield Measuring(kit, here, config, settings.test.coverage_fail_under, [here, settings.path.resolve()])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_wanted(settings: Settings) -> bool:
    """A least coverage asks for coverage as well, unless somebody said no."""
    asked = settings.test
    return asked.coverage or (asked.coverage_fail_under > 0 and "test.coverage" not in settings.origins)
