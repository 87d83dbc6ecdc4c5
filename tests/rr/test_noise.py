"""`rr noise`: what replays of an unchanged app said, as it is written into the tests and told."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import rr.noise
from replayer.compare.finding import Finding, Kind
from replayer.loading import LoadedSet
from replayer.plan import Outcome, Plan
from replayer.report.verdict import Effect, Miss, SetStatus, TestResult, Verdict
from rr.console import Console
from rr.noise import Options, learn_of, noise
from rr.settings import load_settings
from testset.errors import NoTestSetError
from testset.store import TestSetStore

RECORDED = """\
version: api.keploy.io/v1beta1
kind: Http
name: {name}
spec:
  req: {{method: GET, url: 'http://localhost:8080/orders', timestamp: '2026-11-21T04:44:45.357Z'}}
  resp: {{status_code: 200, body: 'as it was', timestamp: '2026-11-21T04:44:45.358Z'}}
  # a reviewer's own words
"""
NONCES = ("3f2a9c1de07b4856", "b81e44f09a7d2c35", "0c9d7ae1f4b26830")

Replays = list[Sequence[TestResult] | Outcome]


def red(name: str, *findings: Finding, misses: tuple[Miss, ...] = (), effects: tuple[Effect, ...] = ()) -> TestResult:
    return TestResult(
        name=name, set="test-set-0", verdict=Verdict.FAILED, findings=findings, misses=misses, effects=effects
    )


def green(name: str) -> TestResult:
    return TestResult(name=name, set="test-set-0", verdict=Verdict.PASSED)


def differs(place: str, recorded: object, now: object) -> Finding:
    return Finding(place, Kind.VALUE, json.dumps(recorded), json.dumps(now))


@dataclass
class Project:
    """Two tests on disk; an app whose replays go as they are told."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    replays: int = 0

    @property
    def store(self) -> TestSetStore:
        return TestSetStore(self.folder / "keploy")

    def spec(self, name: str) -> Any:
        return yaml.safe_load(self.path(name).read_text("utf-8"))["spec"]

    def path(self, name: str) -> Path:
        return self.folder / "keploy" / "test-set-0" / "tests" / f"{name}.yml"

    def goes(self, *replays: Sequence[TestResult] | Outcome) -> None:
        """The replays, one after the other; more would be too many."""
        waiting = iter(replays)
        project = self

        class Told:
            def __init__(
                self, loaded: LoadedSet, plan: Plan, on_test: Callable[[TestResult], None], stopped: Callable[[], bool]
            ) -> None:
                assert plan.outbound_fails, "what is sent is a part of the story"
                self.on_test = on_test

            async def run(self) -> Outcome:
                project.replays += 1
                told = next(waiting)
                if isinstance(told, Outcome):
                    return told
                for result in told:
                    self.on_test(result)
                return Outcome()

        self.monkeypatch.setattr(rr.noise, "SetRun", Told)

    def learn(self) -> tuple[bool, str]:
        """Whether it could be done, and what was said."""
        said = io.StringIO()
        settings = load_settings(self.folder, {"command": "python app.py"}, environ={})
        console = Console(out=said, err=said, environ={"NO_COLOR": "1"})
        done = learn_of(self.store.get("test-set-0"), settings, self.store, console, lambda: False)
        return done, said.getvalue()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    for name in ("test-1", "test-2"):
        made.path(name).parent.mkdir(parents=True, exist_ok=True)
        made.path(name).write_text(RECORDED.format(name=name), "utf-8")
    return made


def nonce(turn: int) -> Finding:
    return differs("body.nonce", NONCES[0], NONCES[turn])


def test_noise_is_written_with_its_evidence_and_the_rest_stays(project: Project) -> None:
    project.goes([red("test-1", nonce(1)), green("test-2")], [red("test-1", nonce(2)), green("test-2")])
    done, said = project.learn()
    assert done
    spec = project.spec("test-1")
    assert spec["assertions"]["noise"] == {"body.nonce": ["^[0-9a-f]{16}$"]}
    assert spec["rr"]["learned"]["body.nonce"].startswith("recorded 3f2a9… (16 characters), replayed b81e4…")
    assert "# a reviewer's own words" in project.path("test-1").read_text("utf-8")
    assert project.path("test-2").read_text("utf-8") == RECORDED.format(name="test-2")
    assert "test-1: body.nonce differs each time and looks generated: noted as noise (recorded 3f2a9…" in said
    assert NONCES[0] not in said


def test_noise_that_is_known_stays_beside_what_is_learned(project: Project) -> None:
    known = "  assertions: {noise: {header.Date: []}}\n"
    project.path("test-1").write_text(RECORDED.format(name="test-1") + known, "utf-8")
    project.goes([red("test-1", nonce(1))], [red("test-1", nonce(2))])
    project.learn()
    assert project.spec("test-1")["assertions"]["noise"] == {"header.Date": [], "body.nonce": ["^[0-9a-f]{16}$"]}


def test_what_is_unstable_is_told_and_nothing_is_written(project: Project) -> None:
    project.goes(
        [red("test-1", differs("body.count", 12, 13)), green("test-2")],
        [red("test-1", differs("body.count", 12, 15)), green("test-2")],
    )
    done, said = project.learn()
    assert done
    assert "warning test-1: body.count is unstable: recorded 12, replayed 13 and 15" in said
    assert "1 place will fail again. Is it the app's own doing? Else say so in the test: assertions.noise." in said
    assert project.path("test-1").read_text("utf-8") == RECORDED.format(name="test-1")


def test_a_long_text_that_is_unstable_is_shown_where_it_differs(project: Project) -> None:
    page = "<html>" + "same " * 400
    replays = [Finding("body", Kind.TEXT, page + "one", page + now) for now in ("two", "three")]
    project.goes([red("test-1", replays[0])], [red("test-1", replays[1])])
    _, said = project.learn()
    [line] = [line for line in said.splitlines() if "unstable" in line]
    assert "same one" in line
    assert "same two" in line
    assert len(line) < 500


def test_where_all_is_as_recorded_one_replay_is_enough(project: Project) -> None:
    project.goes([green("test-1"), green("test-2")])
    assert project.learn() == (True, "Replayed as recorded: 2 tests.\n")
    assert project.replays == 1


MISS = Miss("GET http://localhost:81/price?lot=47", "test-1.1", "query.lot: recorded '81', now '47'")
EXTRA = Effect("changed", "POST http://localhost:81/log", "POST http://localhost:81/log: body.lot: recorded 81, now 47")


@pytest.mark.parametrize("other", [red("test-1", misses=(MISS,)), red("test-1", effects=(EXTRA,))])
def test_an_app_that_does_not_send_the_same_is_told_so_once_and_not_replayed_again(
    project: Project, other: TestResult
) -> None:
    project.goes([other, green("test-2")])
    done, said = project.learn()
    assert done
    assert "warning test-1 is not green, although nothing has changed: " in said
    assert "recorded" in said
    assert said.count("The app does not send the same each time.") == 1
    assert "Replayed as recorded" not in said
    assert project.replays == 1


def test_noise_is_learned_beside_a_call_that_is_not_the_same(project: Project) -> None:
    project.goes(*([red("test-1", nonce(turn), effects=(EXTRA,)), green("test-2")] for turn in (1, 2)))
    _, said = project.learn()
    assert "body.nonce" in project.spec("test-1")["assertions"]["noise"]
    assert "test-1 is not green, although nothing has changed: POST http://localhost:81/log: body.lot" in said


def test_an_answer_to_what_no_mock_answered_teaches_nothing(project: Project) -> None:
    """Its error has something generated in it; that is no noise of the page that was recorded."""
    project.goes(*([red("test-1", nonce(turn), misses=(MISS,)), green("test-2")] for turn in (1, 2)))
    _, said = project.learn()
    assert project.path("test-1").read_text("utf-8") == RECORDED.format(name="test-1")
    assert "noted as noise" not in said
    assert "unstable" not in said
    assert "test-1 is not green" in said


def test_a_set_that_cannot_be_replayed_is_left_as_it_is(project: Project) -> None:
    ended = Outcome(status=SetStatus.APP_HALTED, reason="The app ended with exit code 1.", log="no database")
    project.goes(ended)
    done, said = project.learn()
    assert not done
    assert said.splitlines() == [
        "    no database",
        "warning What differs by itself could not be learned: The app ended with exit code 1.",
        "  `rr noise` learns it when that is mended.",
    ]


def test_a_set_of_a_newer_rr_is_not_replayed(project: Project) -> None:
    (project.folder / "keploy" / "test-set-0" / "config.yml").write_text("recorded_by: '99.0.0'\n", "utf-8")
    project.goes()
    done, said = project.learn()
    assert not done
    assert "this test set was recorded by rr 99.0.0" in said
    assert "\n  Install rr 99.0.0 or newer, or record again.\n" in said


def test_hooks_run_around_each_replay(project: Project) -> None:
    (project.folder / "rr.yml").write_text("hooks: {pre: echo pre >> ran, post: echo post >> ran}\n", "utf-8")
    project.goes([red("test-1", nonce(1))], [red("test-1", nonce(2))])
    assert project.learn()[0]
    assert (project.folder / "ran").read_text("utf-8").split() == ["pre", "post"] * 2


def test_a_hook_that_fails_is_told_with_what_it_said(project: Project) -> None:
    (project.folder / "rr.yml").write_text("hooks: {pre: echo no migration; exit 3}\n", "utf-8")
    project.goes()
    done, said = project.learn()
    assert not done
    assert "hooks.pre of test-set-0 ended with exit code 3" in said
    assert "\n    no migration\n" in said


def test_the_second_replay_may_fail_as_well(project: Project) -> None:
    project.goes([red("test-1", nonce(1))], Outcome(status=SetStatus.APP_HALTED, reason="The app ended."))
    done, _ = project.learn()
    assert not done
    assert project.path("test-1").read_text("utf-8") == RECORDED.format(name="test-1")


def test_the_command_says_by_its_exit_code_whether_it_could(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(flags={"command": "python app.py"}, config_folder=project.folder, debug=False)
    project.goes([green("test-1"), green("test-2")])
    assert noise(options) == 0
    project.goes(Outcome(status=SetStatus.APP_HALTED, reason="The app ended."))
    assert noise(options) == 2
    assert "The app ended." in capsys.readouterr().err


def test_without_tests_there_is_nothing_to_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.makedirs(tmp_path / "keploy" / "test-set-0")
    with pytest.raises(NoTestSetError, match="no test set with tests"):
        noise(Options(flags={}, config_folder=tmp_path, debug=False))
