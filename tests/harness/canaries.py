"""Secrets of a test's own, and the search for them in all that rr left: each in every form that a reader could undo.

A test records with a `Ground` of its own: project, home, temporary folder, memory file system. `Recorded` is what it
then has; the checks that hold for every transport are its methods.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.harness.mounts import SHARED_MEMORY, Mounts, own_mounts
from tests.harness.rr_command import RR, Finished
from testset.secrets import Vault

_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{8,}")


class Canaries(dict[str, str]):
    """Values by the place that they went through."""

    def found_in(self, data: bytes | str) -> list[str]:
        """The places whose values stand in it, as they are or encoded."""
        if isinstance(data, str):
            data = data.encode()
        runs = b"\n".join(_BASE64_RUN.findall(data)).translate(bytes.maketrans(b"-_", b"+/"))
        small = data.lower()
        found = []
        for place, value in self.items():
            plain, in_base64, in_hexadecimal = _forms(value)
            if (
                any(form in data for form in plain)
                or any(form in runs for form in in_base64)
                or any(form in small for form in in_hexadecimal)
            ):
                found.append(place)
        return found

    def leaks(self, *folders: Path) -> dict[str, list[str]]:
        """File by file, its name included: what stands there and should not."""
        found = {}
        for folder in folders:
            for path in folder.rglob("*"):
                data = path.read_bytes() if path.is_file() else b""
                if places := self.found_in(str(path).encode() + b"\n" + data):
                    found[str(path)] = places
        return found


def _forms(value: str) -> tuple[list[bytes], list[bytes], list[bytes]]:
    raw = value.encode()
    plain = {
        value, quote(value, ""), quote_plus(value), json.dumps(value)[1:-1], json.dumps(json.dumps(value))[3:-3],
        html.escape(value), value.replace("'", "''"), value.replace("'", "\\'"),
        value.replace('"', '\\"').replace("'", "\\'"), value[::-1],
    }  # fmt: skip
    # in base64 a value looks differently at each of three offsets; what it shares with its neighbours is left out
    aligned = []
    for lead in range(3):
        whole = base64.b64encode(b"\0" * lead + raw)
        aligned.append(whole[4 if lead else 0 : len(whole) - 4 if (lead + len(raw)) % 3 else len(whole)])
    return [form.encode() for form in plain], [form for form in aligned if len(form) >= 6], [raw.hex().encode()]


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a recording is made, and everything that could be left behind."""

    folder: Path
    rr: RR
    mounts: Mounts

    @property
    def places(self) -> tuple[Path, ...]:
        """Project, home with the state and data folders in it, temporary folder, memory."""
        return self.rr.folder, self.rr.home, self.folder / "tmp", self.mounts.seen(SHARED_MEMORY)


@contextmanager
def ground(folder: Path, **settings: str) -> Iterator[Ground]:
    for name in ("project", "home", "tmp"):
        (folder / name).mkdir()
    project, home = folder / "project", folder / "home"
    with own_mounts(project, folder / "mounts.log") as mounts:
        own = {"TMPDIR": str(folder / "tmp"), "XDG_STATE_HOME": str(home / "state")}
        yield Ground(folder, RR(project, home, mounts.prefix, {**own, **settings}), mounts)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording of canaries."""

    ground: Ground
    canaries: Canaries
    output: str
    needing: frozenset[str]  # the tests that cannot be replayed without the key
    not_kept: frozenset[str] = frozenset()  # the places whose values rr needs for nothing
    settings: Mapping[str, str] = field(default_factory=dict)  # what the app needs besides
    broken: Sequence[tuple[str, str]] = ()  # what to replace in the app, so that every answer is another

    @property
    def rr(self) -> RR:
        return self.ground.rr.with_settings(**self.settings)

    @property
    def key(self) -> str:
        return (self.rr.home / "data" / "rr" / "key").read_text().strip()

    def clone(self, folder: Path, **settings: str) -> RR:
        """The project as version control has it, at somebody else's."""
        shutil.copytree(self.rr.folder, folder / "project", ignore=shutil.ignore_patterns("reports"))
        (folder / "home").mkdir()
        prefix = [*self.rr.prefix[:-1], str(folder / "project")]
        state = {"XDG_STATE_HOME": str(folder / "home" / "state")}
        return RR(folder / "project", folder / "home", prefix, {**self.rr.settings, **state, **settings})

    # -- what holds for every transport -----------------------------------------------------------------------------

    def is_clean(self, *folders: Path, output: str = "") -> None:
        leaks = self.canaries.leaks(*self.ground.places, *folders)
        assert not leaks, "\n".join(f"{name}: {', '.join(places)}" for name, places in leaks.items())
        assert self.canaries.found_in(output) == [], output

    def each_was_sealed(self) -> None:
        """What is not in the recording cannot be found in it."""
        vault = Vault(self.rr.keploy / "secrets.yml", environ={"RR_KEY": self.key})
        known = "\n".join(vault.values())
        missing = set(self.canaries) - set(self.canaries.found_in(known))
        assert missing == self.not_kept, f"sent, and not in the vault: {sorted(missing)}"

    def is_listed_without_values(self) -> None:
        listed = self.rr.run("secrets", "list"), self.rr.run("secrets", "list", "--json")
        for done in listed:
            assert done.code == 0, done.output
            assert self.canaries.found_in(done.output) == []

    def replays_green(self, folder: Path, **settings: str) -> None:
        rr = self.clone(folder, **settings)
        done = rr.test("--junit", rr.folder / "junit.xml", "--json")
        assert done.code == 0, done.output
        self.is_clean(folder, output=done.output)

    def fails_without_telling(self, folder: Path, app: str, **settings: str) -> None:
        """Every answer is another: the differences go to the screen and into each kind of report."""
        rr = self.clone(folder, RR_KEY=self.key, GITHUB_STEP_SUMMARY=str(folder / "summary.md"), **settings)
        source = (rr.folder / app).read_text()
        for old, new in self.broken:
            assert source.count(old) >= 1, f"{app} has no {old!r}"
            source = source.replace(old, new)
        (rr.folder / app).write_text(source)
        done = rr.test("--junit", rr.folder / "junit.xml")
        assert done.code == 1, done.output
        assert "✗" in done.output
        shown = [rr.run("report", "--full", "--format", format) for format in ("text", "junit", "json")]
        assert (folder / "summary.md").exists()
        self.is_clean(folder, output=done.output + "".join(each.output for each in shown))

    def names_what_it_cannot_replay(self, folder: Path) -> None:
        """Without the key: exactly those are errored that need a secret which no replay makes anew."""
        done = self.clone(folder).test()
        assert done.code == (2 if self.needing else 0), done.output
        marks = verdicts(done)
        assert {test for test, mark in marks.items() if mark == "!"} == self.needing, done.output
        assert "✗" not in done.output, done.output
        for test in self.needing:
            assert re.search(rf'^! {test} [^\n]*(?:\n(?![✓✗!]).*)*?\{{\{{secret "', done.output, re.M), (
                f"{test} does not say what is missing:\n{done.output}"
            )
        self.is_clean(folder, output=done.output)


def verdicts(done: Finished) -> dict[str, str]:
    return {test: mark for mark, test in re.findall(r"^([✓✗!]) (test-\d+) ", done.output, re.MULTILINE)}
