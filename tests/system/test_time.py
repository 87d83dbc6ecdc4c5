"""What was recorded replays years later at the moment that it was recorded: nothing has expired, and `now` is then."""

from __future__ import annotations

import json
import re
import shutil
import sys
import urllib.request
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apps.dependency import Dependency
from tests.apps.token_app import signed
from tests.harness.company import Company
from tests.harness.later import later
from tests.harness.network import free_port
from tests.harness.rr_command import RR
from tests.harness.tls_server import Page, TlsServer

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "token_app.py"
YEARS = timedelta(days=2 * 365)


def ask(port: int, path: str, body: Any = None, token: str = "") -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        got: dict[str, Any] = json.load(answer)
        return got


@dataclass(frozen=True, slots=True)
class Recorded:
    rr: RR
    started: datetime
    said: dict[str, dict[str, Any]]

    def again(self, folder: Path, by: timedelta = YEARS) -> RR:
        """rr, on a machine on which so much time has passed."""
        return self.rr.with_settings(**later(folder, by))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """An app with short-lived tokens, recorded today, and everything that it talked to is gone."""
    folder = tmp_path_factory.mktemp("tokens")
    company = Company.founded()
    root = folder / "company.pem"
    root.write_bytes(company.root)
    for name in ("project", "home"):
        (folder / name).mkdir()
    rr = RR(folder / "project", folder / "home", settings={"SSL_CERT_FILE": str(root), "TZ": "Pacific/Chatham"})
    port = free_port()
    with Dependency() as near, TlsServer(company.server(folder), lambda _request: Page(b"from far away")) as far:
        started = datetime.now(UTC)
        with rr.record(f"{sys.executable} {APP} {port} {near.url} {far.url}", port=port) as recording:
            partner = signed("partner", datetime.now(UTC))
            own = ask(port, "/login", {"user": "ada"})["token"]
            said = {
                "/me": ask(port, "/me", token=own),
                "/me, a partner's": ask(port, "/me", token=partner),
                **{path: ask(port, path) for path in ("/today", "/secure", "/started", "/wait")},
            }
            recording.interrupt()
            assert recording.wait() == 0, recording.output
    return Recorded(rr, started, said)


@pytest.fixture
def recorded(recording: Recorded, tmp_path: Path) -> Recorded:
    """A copy of it."""
    shutil.copytree(recording.rr.folder, tmp_path / "copy")
    return replace(recording, rr=replace(recording.rr, folder=tmp_path / "copy"))


def file_of(rr: RR, path: str) -> Path:
    """The file of the test that asked for this page."""
    return next(file for file in (rr.keploy / "test-set-0" / "tests").iterdir() if f"{path}\n" in file.read_text())


def test_two_years_later_everything_is_green(recorded: Recorded, tmp_path: Path) -> None:
    replay = recorded.again(tmp_path).test()
    assert replay.code == 0, replay.output
    assert "7 passed" in replay.output
    assert "⚠" not in replay.output
    assert "warning" not in replay.output
    assert not [path for path in recorded.rr.keploy.rglob("test-*.yml") if "noise" in path.read_text()]


def test_without_time_travel_the_token_of_somebody_else_has_expired_and_rr_says_why(
    recorded: Recorded, tmp_path: Path
) -> None:
    replay = recorded.again(tmp_path).test("--no-time-travel")
    assert replay.code == 1, replay.output
    assert "the token has expired" in replay.output
    assert "the app ran at today's time, 2 years after the recording" in replay.output
    assert "5 passed" in replay.output, (
        "what the app gives out itself, and times as distances, do not depend on the year"
    )


def test_the_clock_is_that_of_the_recording(recorded: Recorded, tmp_path: Path) -> None:
    """Not only as far from it: the very day, and the very second within a few."""
    config = yaml.safe_load((recorded.rr.keploy / "test-set-0" / "config.yml").read_text())
    assert abs(datetime.fromisoformat(str(config["clock"])) - recorded.started) < timedelta(seconds=5)
    assert config["time_zone"] == "Pacific/Chatham"
    test = file_of(recorded.rr, "/started")
    day = timedelta(days=1)
    wrong = (datetime.fromisoformat(recorded.said["/started"]["started"]) + day).isoformat()
    test.write_text(test.read_text().replace(recorded.said["/started"]["started"], wrong))
    replay = recorded.again(tmp_path).test("--tests", test.stem)
    assert replay.code == 1, "a day is no small thing: " + replay.output
    found = re.search(r'\+ body.started: "([^"]+)"', replay.output)
    assert found is not None, replay.output
    assert abs(datetime.fromisoformat(found[1]) - recorded.started) < timedelta(seconds=5)


def test_a_recording_of_two_years_ago_replays_today(recorded: Recorded) -> None:
    """The same the other way round: all times in the files are put back; the partner's token is one of that time."""
    folder = recorded.rr.keploy / "test-set-0"
    for path in folder.rglob("*.yml"):
        path.write_text(put_back(path.read_text()))
    replay = recorded.rr.test()
    failed = re.findall(r"✗ (test-\d+)", replay.output)
    # What was not put back is of another time: the partner's token, which is sealed, and the day in words.
    titles = {name: path.read_text() for path in (folder / "tests").iterdir() if (name := path.stem) in failed}
    assert sorted(re.findall(r"url: \S+?(/\w+)$", "\n".join(titles.values()), re.MULTILINE)) == ["/me", "/today"]
    assert "the token has expired" in replay.output, "that it is not yet valid, more exactly"


def test_a_bug_of_a_day_is_red_at_any_time(recorded: Recorded, tmp_path: Path) -> None:
    test = file_of(recorded.rr, "/today")
    offer = recorded.said["/today"]["offer"]
    test.write_text(test.read_text().replace(f'"offer": {offer}', f'"offer": {offer + 1}'))
    replay = recorded.again(tmp_path).test()
    assert replay.code == 1, replay.output
    assert "6 passed" in replay.output


def put_back(text: str) -> str:
    """Every time in a text, two years earlier."""

    def iso(found: re.Match[str]) -> str:
        return (datetime.fromisoformat(found[0]) - YEARS).strftime("%Y-%m-%d")

    def epoch(found: re.Match[str]) -> str:
        unit = 10 ** (len(found[0]) - 10)
        return str(int(found[0]) - int(YEARS.total_seconds()) * unit)

    def mail(found: re.Match[str]) -> str:
        return format_datetime(parsedate_to_datetime(found[0]) - YEARS, usegmt=True)

    text = re.sub(r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d GMT", mail, text)
    text = re.sub(r"\b20\d\d-\d\d-\d\d(?=[T ])", iso, text)
    return re.sub(r"\b1[789]\d{8}(?:\d{3})?\b", epoch, text)


# -- what cannot be led ----------------------------------------------------------------------------------------------


def test_a_static_binary_is_named_once_and_tested_all_the_same(
    rr: RR, static_server: Path, dependency: Dependency, port: int, tmp_path: Path
) -> None:
    rr = rr.with_settings(PORT=str(port), USERS_PORT=str(dependency.port))
    with rr.record(str(static_server), port=port) as recording:
        for number in (1, 2):
            ask(port, f"/orders/o-{number}")
        recording.interrupt()
        assert recording.wait() == 0, recording.output
    dependency.stop()
    replay = rr.with_settings(**later(tmp_path, YEARS)).test()
    assert replay.code == 0, replay.output
    assert replay.output.count("static_server (statically linked, as Go's programs are)") == 1
    assert "the clock cannot be moved for" in replay.output
    quiet = rr.test("--no-time-travel")
    assert quiet.code == 0, quiet.output
    assert "the clock cannot be moved" not in quiet.output


def test_without_a_compiler_rr_says_once_that_it_is_today(recorded: Recorded, tmp_path: Path) -> None:
    shutil.copytree(recorded.rr.keploy / "test-set-0", recorded.rr.keploy / "test-set-1")
    nowhere = tmp_path / "a file"
    nowhere.touch()
    replay = recorded.rr.with_settings(XDG_CACHE_HOME=str(nowhere)).test()
    assert replay.code == 0, replay.output  # it was recorded a moment ago
    assert replay.output.count("The app's clock cannot be moved: ") == 1
    assert f"{nowhere}/rr cannot be written" in replay.output
    doctor = recorded.rr.with_settings(XDG_CACHE_HOME=str(nowhere)).run("doctor")
    assert "without time travel" in doctor.output
    assert "time travel, by rr's own library" in recorded.rr.run("doctor").output


def test_a_command_runs_when_its_mocks_were_recorded(rr: RR, dependency: Dependency, tmp_path: Path) -> None:
    client = (
        "import sys, time, urllib.request as u;"
        "u.urlopen(u.Request(sys.argv[1] + '/echo/' + time.strftime('%Y-%m-%d'), data=str(time.time()).encode()));"
        "print(time.strftime('%Y'))"
    )
    command = ("--", sys.executable, "-c", client, dependency.url)
    year = f"{datetime.now(UTC):%Y}"
    rr = rr.with_settings(TZ="UTC")
    assert rr.run("mock", "record", *command).code == 0
    dependency.stop()
    much_later = rr.with_settings(**later(tmp_path, YEARS))
    replay = much_later.run("mock", "replay", *command)
    assert (replay.code, replay.stdout.strip()) == (0, year), replay.output
    assert much_later.run("mock", "replay", "--no-time-travel", *command).code == 1
