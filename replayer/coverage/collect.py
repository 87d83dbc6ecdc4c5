"""Makes the reports of what the app's processes have left, and says what could not be measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from replayer.coverage.kit import PARTS, installed
from replayer.coverage.measured import Measured, read_measured
from testset.errors import CoverageError, RRError

_ROOT = Path(__file__).resolve().parent.parent.parent
_CEILING = 600.0  # seconds for the reports of a very large project


@dataclass(frozen=True, slots=True)
class Note:
    """What processes of one kind have said of themselves."""

    python: str = ""
    base: str = ""  # the folder that their configuration is relative to
    config: str = ""
    core: str = ""  # what followed the lines: "C", "sys.monitoring", "Python"
    problem: str = ""


def collect(
    data: Path,
    out: Path,
    *,
    project: Path,
    config: Path | None = None,
    moved: Sequence[tuple[str, Path]] = (),
    hosts: Sequence[Path] = (),
) -> Measured:
    """Write HTML, XML and JSON into `out`. Raises `CoverageError` if nothing was measured.

    `project` is the folder that counts and `config` its configuration, as the kit was made with. `moved` says where
    folders are here that the app has elsewhere. If the app has kept its files (in a container), `hosts` are folders
    that may be the same project: the first whose files are what was measured stands for it, else the kept files do.
    """
    folders = sorted((data / PARTS).iterdir()) if (data / PARTS).is_dir() else [data]
    notes = [list(_notes(folder)) for folder in folders]
    files = [sorted(str(path) for path in folder.glob("lines.*")) for folder in folders]
    problems = tuple(dict.fromkeys(_problem(note) for some in notes for note in some if note.problem))
    if not any(files):
        raise CoverageError("No Python process of the app was measured.", remedy="\n".join(problems) or None)
    out.mkdir(parents=True, exist_ok=True)
    base = config.parent if config is not None else project
    projects, ways = [], []
    for folder, said in zip(folders, notes, strict=True):
        first = next((note for note in said if note.config), None) or next((note for note in said if note.base), None)
        here, way = project, list(moved)
        if (folder / "sources").is_dir() and first is not None:
            here = _like_measured(folder / "sources", first.base, hosts)
            way += [(first.base, here), ("/", folder / "sources")]
            if config is None and first.config:
                config = folder / "sources" / first.config.lstrip("/")
            if len(folders) == 1:
                base = here
            elif here.is_relative_to(folder):
                base = folder.parent
        elif config is None and first is not None and first.config:
            config, base = Path(first.config), Path(first.base)
        projects.append(here)
        ways.append(way)
    outcome = _report(
        {
            "parts": [
                {"files": some, "moved": [(there, str(here)) for there, here in way]}
                for some, way in zip(files, ways, strict=True)
            ],
            "out": str(out.resolve()),
            "config": str(config.resolve()) if config is not None else None,
            "projects": [str(one.resolve()) for one in projects],
        },
        base,
    )
    if outcome["empty"]:
        raise CoverageError(
            f"The app's Python processes ran no line that counts ({outcome['empty'].rstrip('.')}).",
            remedy=f"The files in {' and '.join(dict.fromkeys(map(str, projects)))} count, unless the project's "
            "configuration says otherwise.",
        )
    slow = tuple(dict.fromkeys(_slow(note) for some in notes for note in some if note.core == "Python"))
    measured = read_measured(out)
    assert measured is not None, "the reports were made"
    return replace(measured, warnings=(*problems, *slow, *outcome["warnings"]))


def _notes(data: Path) -> Iterator[Note]:
    for path in sorted(data.glob("note-*.json"), key=lambda path: path.stat().st_mtime_ns):
        yield Note(**json.loads(path.read_text("utf-8")))


def _problem(note: Note) -> str:
    which = f"a process of Python {note.python} was not measured: " if note.python else "a process: "
    return which + note.problem


def _slow(note: Note) -> str:
    return (
        f"Python {note.python} was measured by coverage.py's Python part, which is slow: its C part here is for Python "
        f"{sys.version_info.major}.{sys.version_info.minor}"
    )


def _like_measured(sources: Path, base: str, hosts: Sequence[Path]) -> Path:
    """The folder here in which the files are as they were measured in `base`."""
    kept = sources / base.lstrip("/")
    names = [Path(parent, name).relative_to(kept) for parent, _, files in os.walk(kept) for name in files]
    for host in hosts:
        if all(_is_same(kept / name, host / name) for name in names):
            return host
    return kept


def _is_same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def _report(task: dict[str, Any], base: Path) -> dict[str, Any]:
    first, last = [str(_ROOT)], [str(installed().parent)]  # rr before all else, and coverage.py wherever it is
    code = f"import sys; sys.path[:] = {first} + sys.path + {last}\n"
    code += "from replayer.coverage.reporting import main; main()"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", code], input=json.dumps(task), cwd=base, env=environment, capture_output=True,
            text=True, timeout=_CEILING, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise CoverageError(
            f"The reports of coverage were not made within {_CEILING:g} s.",
            remedy="Leave out what needs no measuring: `omit` in the project's configuration.",
        ) from error
    if done.returncode != 0:
        said = done.stderr.strip().rpartition("\n")[2]
        raise CoverageError(f"The reports of coverage cannot be made: {said}", remedy=RRError.default_remedy)
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome
