"""What the app's processes are given so that they are measured: a folder, and a variable that leads Python to it.

    sitecustomize.py   `inside`: Python runs it when it starts, because the folder is on PYTHONPATH
    settings.json      what it has to know
    project/           the project's own configuration of coverage.py, if it has one
    lib/               coverage.py itself
    compiled/          what another Python than rr's compiles of it
    data/              what the processes leave; everybody may write there, and only rr reads

Where the app has rr's files in reach (natively), the configuration and coverage.py are used in place. Else all is found
relative to the folder, which may be anywhere. Into a container go `files()` and the empty folders `WRITABLE`, and the
files below `data` come back to `take()`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testset.errors import CoverageError, SettingsError

_HOOK = Path(__file__).with_name("inside.py")
WRITABLE = ("data", "compiled")  # by the app, whoever it runs as
PARTS = "parts"  # below `data`, what each of several containers has left
_DROP_BOX = 0o1733  # all may write, nobody but the owner may look, and nobody may remove what is another's
# They would make the app's Python measure itself a second time, by coverage.py of its own.
NOT_FOR_THE_APP = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COVERAGE_FILE")


@dataclass(frozen=True, slots=True)
class Kit:
    """`folder`: where it was made. `hosts`: folders here that an app elsewhere may have its files from."""

    folder: Path
    hosts: list[Path] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def environment(self, own: Mapping[str, str], inside: str | None = None) -> dict[str, str]:
        """The variables that the app gets in addition. `own`: those it has anyway; `inside`: where the app sees the
        kit, if not where it was made."""
        path = inside or str(self.folder)
        return {"PYTHONPATH": f"{path}{os.pathsep}{own['PYTHONPATH']}" if own.get("PYTHONPATH") else path}

    def files(self) -> dict[str, bytes]:
        """What has to be where the app is, by its name in the kit."""
        paths = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        named = {path.relative_to(self.folder): path for path in paths}
        return {str(name): path.read_bytes() for name, path in named.items() if name.parts[0] not in WRITABLE}

    def take(self, files: Iterable[tuple[str, bytes]], part: str = "") -> None:
        """What the app has left in its `data`, by the names there. Several runs may leave theirs one after another.
        `part`: which of several containers, whose files have the same names."""
        data = (self.data / PARTS / part if part else self.data).resolve()
        for name, content in files:
            path = (data / name).resolve()
            if path.is_relative_to(data):  # the app may have written any name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def make_kit(
    folder: Path,
    *,
    project: Path | None = None,
    config: Path | None = None,
    elsewhere: bool = False,
) -> Kit:
    """Make a kit in an empty folder.

    `project`: the folder that is measured; `config`: its configuration, if it has one (`find_config`). With
    `elsewhere`, the app runs where rr's files are not, such as in a container: coverage.py is copied, the folder that
    the first process starts in is the project, and the measured files are kept with the data.
    """
    shutil.copy(_HOOK, folder / "sitecustomize.py")
    package = installed()
    settings = {
        "lib": None if elsewhere else str(package.parent),
        "folder": None if elsewhere or project is None else str(project),
        "base": None if elsewhere or config is None else str(config.parent),
        "config": None if config is None else config.name if elsewhere else str(config),
        "keep_sources": elsewhere,
        "oldest": _oldest_python(),
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    if elsewhere:
        if config is not None:
            (folder / "project").mkdir()
            shutil.copyfile(config, folder / "project" / config.name)
        shutil.copytree(package, folder / "lib" / "coverage", ignore=shutil.ignore_patterns("htmlfiles", "__pycache__"))
    for parent, folders, files in os.walk(folder):  # whoever the app runs as
        for name in folders:
            os.chmod(os.path.join(parent, name), 0o755)
        for name in files:
            os.chmod(os.path.join(parent, name), 0o644)
    (folder / "compiled").mkdir(mode=0o755)  # not for everybody: what is in there, the app runs
    (folder / "data").mkdir()
    (folder / "data").chmod(_DROP_BOX)
    return Kit(folder)


def find_config(folders: Sequence[Path], environ: Mapping[str, str]) -> Path | None:
    """The configuration that coverage.py would read in the first of these folders that has one."""
    from coverage.config import CoverageConfig, config_files_to_try
    from coverage.exceptions import ConfigError

    named = environ.get("COVERAGE_RCFILE")
    if named:
        folders, names = folders[:1], [(named, True)]
        if not (folders[0] / named).is_file():
            raise SettingsError(f"COVERAGE_RCFILE names {named}, which is not there.", remedy="Correct the variable.")
    else:
        names = [(name, ours) for name, ours, _ in config_files_to_try(".coveragerc")]
    for folder in folders:
        for name, ours in names:
            path = folder / name
            try:
                if path.is_file() and CoverageConfig().from_file(str(path), lambda _: None, ours):
                    return path.resolve()
            except ConfigError as error:
                raise SettingsError(
                    f"{error}.", remedy="Correct the file; `coverage debug config` reads it too."
                ) from error
    return None


def installed() -> Path:
    """The package that rr came with."""
    spec = importlib.util.find_spec("coverage")
    if spec is None or not spec.submodule_search_locations:
        raise CoverageError("rr's own Python has no coverage.py.", remedy="Install rr again, or `coverage` beside it.")
    return Path(next(iter(spec.submodule_search_locations)))


def _oldest_python() -> list[int]:
    """That it runs in."""
    number = re.search(r">=\s*(\d+)\.(\d+)", importlib.metadata.metadata("coverage")["Requires-Python"])
    return [int(number[1]), int(number[2])] if number else [3, 8]
