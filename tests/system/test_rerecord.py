"""`rr rerecord` of the apps that were made to be hard: nothing to commit without a change, few lines with one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.apps.hard.traffic import record, world
from tests.harness.company import Company
from tests.harness.mysql_servers import Servers
from tests.harness.rr_command import RR

pytestmark = pytest.mark.system

# A change of one field of an answer.
CHANGES = {
    "nonces": ('"state": "cancelled"', '"state": "gone"'),
    "now": ("{now:%A}", "{now:%a}"),
    "sessions": ('"state": "paid"', '"state": "settled"'),
    "parallel": ('"left": one["quantity"]', '"left": one["quantity"] + 1'),
}


def git(folder: Path, *arguments: str) -> str:
    name = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "keploy")
    git(folder, "commit", "-qm", "recorded")


def changed(rr: RR) -> str:
    return git(rr.folder, "diff", "-U0", "--", "keploy")


def changed_lines(rr: RR) -> list[str]:
    return [one for one in changed(rr).splitlines() if one[:1] in "+-" and one[:3] not in ("+++", "---")]


@pytest.mark.parametrize("name", CHANGES)
def test_the_diff_is_what_has_changed(name: str, company: Company, databases: Servers, tmp_path: Path) -> None:
    with world(tmp_path, company, databases["mysql"]) as around:
        app = record(name, tmp_path / name, around)
        commit(app.rr.folder)
        for _ in range(2):
            around.reset()
            done = app.rr.run("rerecord")
            assert done.code == 0, done.output
            assert changed(app.rr) == "", done.output
        old, new = CHANGES[name]
        source = app.source.read_text("utf-8")
        assert old in source
        app.source.write_text(source.replace(old, new), "utf-8")
        around.reset()
        done = app.rr.run("rerecord")
        assert done.code == 0, done.output
        lines = changed_lines(app.rr)
        print("\n".join(lines))
        assert 0 < len(lines) < 10, "\n".join(lines)
