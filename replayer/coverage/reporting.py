"""The process that makes the reports of coverage: a program of its own, because coverage.py names files relative to the
folder that its process is in, and because rr itself may be measured.

It reads its task from standard input and writes to standard output what came of it, both as JSON:

    task      parts: of each container, or of all: the files of its processes, and what is `moved`, pairs of folders, as
              measured and as they are here · out: the folder for the reports · config: the project's, or null
              projects: the folders that count
    outcome   warnings, and `empty`: why there is nothing to report
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from coverage import Coverage, CoverageData
from coverage.exceptions import CoverageException, NoDataError

from replayer.coverage.measured import HTML, JSON, XML

COMBINED = "lines.db"
# Of a project that does not say itself what is to be measured.
_NO_PART_OF_IT = (
    "*/site-packages/*", "*/dist-packages/*", "*/.venv/*", "*/venv/*", "*/node_modules/*",
    "*/tests/*", "*/test/*", "*/test_*.py", "*/*_test.py", "*/conftest.py",
)  # fmt: skip


def main() -> None:
    json.dump(report(json.load(sys.stdin)), sys.stdout)


def report(task: Mapping[str, Any]) -> dict[str, Any]:
    """Combine the data and write the reports."""
    out = task["out"]
    combined = os.path.join(out, COMBINED)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            cov = Coverage(data_file=combined, config_file=task["config"] or False, messages=False)
            cov.set_option("run:relative_files", False)
            cov.set_option("run:plugins", [])
            cov.set_option("run:concurrency", ["thread"])
            cov.set_option("run:patch", [])
            here = [
                path
                for number, part in enumerate(task["parts"])
                for path in _here(part["files"], part["moved"], os.path.join(out, f"renamed.{number}"))
            ]
            cov.combine(here, strict=True)
            cov.save()
            chosen = _chosen(cov, task["projects"])
            cov.json_report(outfile=os.path.join(out, JSON), ignore_errors=True, **chosen)
            cov.xml_report(outfile=os.path.join(out, XML), ignore_errors=True, **chosen)
            cov.html_report(directory=os.path.join(out, HTML), ignore_errors=True, **chosen)
            empty = ""
        except NoDataError as error:
            empty = str(error)
        except CoverageException as error:
            empty = f"coverage.py says: {error}"
        finally:
            if os.path.exists(combined):
                os.unlink(combined)
    return {"empty": empty, "warnings": [str(each.message) for each in told]}


def _here(files: Sequence[str], moved: Sequence[tuple[str, str]], fresh_name: str) -> list[str]:
    """The data with the names that the files have here."""
    if not moved:
        return list(files)

    def name(path: str) -> str:
        for there, here in moved:
            if path == there or path.startswith(there.rstrip("/") + "/"):
                return os.path.join(here, os.path.relpath(path, there))
        return path

    renamed = []
    for number, path in enumerate(files):
        data = CoverageData(basename=path)
        data.read()
        fresh = CoverageData(basename=f"{fresh_name}.{number}")
        fresh.update(data, map_path=name)
        fresh.write()
        data.close()
        fresh.close()
        renamed.append(fresh.data_filename())
    return renamed


def _chosen(cov: Coverage, projects: Sequence[str]) -> dict[str, Any]:
    """What counts, unless the project has said so itself."""
    said = any(
        cov.get_option(option)
        for option in (
            "run:source", "run:source_pkgs", "run:source_dirs", "run:include", "run:omit",
            "report:include", "report:omit",
        )
    )  # fmt: skip
    if said:
        return {}
    return {"include": [os.path.join(project, "*") for project in projects], "omit": list(_NO_PART_OF_IT)}
