"""Replays one test set: start the app on a stage, send each test, compare, and say what came of it.

The order of a test: its request goes out with the values that this run calls otherwise; the app's calls meet the mocks;
the response is compared under the renaming that the story knows; effects still owed are waited for; the verdict is made
of all three.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from protocols.furniture import Value
from protocols.http import ROOM as HTTP
from protocols.http.wire import HttpResponse
from replayer import given_up
from replayer.compare import Rules, compare
from replayer.conversation import Answers, WayOut
from replayer.faults import note_faults
from replayer.hearing import Hearing
from replayer.loading import LoadedSet, room_of
from replayer.plan import Outcome, Plan
from replayer.readiness import check_alive, until_ready
from replayer.report.curl import curl
from replayer.report.verdict import Effect, Miss, SetStatus, TestResult, Verdict
from replayer.scene import Elsewhere, Hermetic, OnHost, Scene
from replayer.sending import Received, as_spec, renamed, send_to_app
from replayer.stage import Stage, memory_file
from replayer.story import Effects, Kind, Options, Replay, Story
from replayer.time_travel import TimeTravel
from testset.errors import AppDiedError, AppNotReadyError, DocumentError, SecretError
from testset.model import Ending, Exchange, TestCase

_POLL = 0.005  # seconds between two looks whether the app has ended
_SHORTEST_GAP, _LONGEST_GAP = 1.0, 10.0  # seconds that an effect after the response is waited for
_MOMENT = 0.05  # seconds for one that came before it
_LOG_LINES = 25
_SLOWER = 2  # times as long as it took when it was recorded, a test may take
_LAST_BREATH = 0.25  # seconds that an app which hung up may take to end
STOP = ((signal.SIGINT, 5.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


class SetRun:
    """One test set on one stage."""

    def __init__(
        self,
        loaded: LoadedSet,
        plan: Plan,
        on_test: Callable[[TestResult], None],
        stopped: Callable[[], bool],
        way_out: WayOut | None = None,
    ) -> None:
        """`way_out`: where requests without a mock go, if they may go anywhere."""
        self._way_out = way_out
        self._loaded = loaded
        self._plan = plan
        self._on_test = on_test
        self._stopped = stopped
        self._name = loaded.test_set.name
        self._log = memory_file("rr-app-output")
        self._setup: set[str] = set()  # tests that run because the chosen ones need their values
        self._addresses: dict[int, str] = {}  # where the app listens, by port, once it was seen
        self._began = False  # the app was ready
        self._complete = False  # every test had its turn
        self._red = False  # a test did not pass
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        """Run it all. Every test that had its turn has been told of by `on_test`, whatever happened."""
        loaded, plan, outcome = self._loaded, self._plan, self.outcome
        chosen = [one for one in loaded.tests if self._is_chosen(one.name)]
        for name, error in loaded.unreadable.items():
            if self._is_chosen(name):
                self._tell_unreadable(name, error)
        if not chosen:
            if not any(map(self._is_chosen, loaded.unreadable)):
                outcome.status = SetStatus.NO_TESTS_TO_RUN
                outcome.reason = "no test of the set was chosen" if loaded.tests else "the set has no tests"
            return outcome
        mocks = loaded.mocks() if plan.is_mocked else ()
        story = Story(loaded.tests, mocks, room_of, Options(recall=loaded.recall, named=loaded.named_values))
        replay = Replay(story)
        self._hearing = Hearing(loaded, replay)
        outcome.names = self._hearing.values
        self._travel = TimeTravel(story, loaded.config.clock, plan.library, plan.delay)
        names = {one.name for one in chosen}
        self._setup = _needed(names, story, loaded)
        chosen = [one for one in loaded.tests if one.name in names or one.name in self._setup]
        replay.given(_environment_values(plan.environment))
        answers = Answers(loaded, replay, outcome.warnings.append, self._way_out)
        note_faults(answers.faults)
        try:
            async with self._scene(answers) as stage:
                self._travel.depart(stage, replay)
                stage.start(plan.command, plan.app_environment, plan.folder, None if plan.show_output else self._log)
                try:
                    await until_ready(stage, plan, map(self._port, chosen), self._stopped)
                    outcome.warnings.extend(self._travel.arrive(stage, replay))
                    await self._tests(stage, replay, answers, chosen)
                    await self._linger(stage)
                except (AppNotReadyError, AppDiedError):
                    outcome.log = self._last_output()  # before it is stopped, which it may have its own words for
                    raise
                finally:
                    await self._stop(stage)
                    self._tell(stage, replay, answers)
        except (AppNotReadyError, AppDiedError) as error:
            if answers.misses and not self._began:  # it asked for something new when it started: that is a change
                _title, miss = answers.misses[0]
                outcome.status = SetStatus.FAILED
                outcome.reason = f"{miss.text.removeprefix('rr: ')} That was at the app's start. {error}"
            else:
                halted = isinstance(error, AppDiedError)
                outcome.status = SetStatus.APP_HALTED if halted else SetStatus.APP_FAULT
                outcome.reason = f"{error} {error.remedy}"
        finally:
            os.close(self._log)
        if self._stopped() and outcome.status is None and not self._complete:
            outcome.status, outcome.reason = SetStatus.USER_ABORT, "the run was stopped"
        return outcome

    def _scene(self, answers: Answers) -> Scene:
        plan = self._plan
        if plan.scene is not None:
            return plan.scene
        if plan.base_path:
            return Elsewhere(plan.base_path)
        if not plan.mocking:
            return OnHost()
        if plan.container is not None:
            from replayer.container_stage import ContainerStage

            beside = ContainerStage(
                plan.container,
                _pinned(plan.environment),
                alone=not plan.with_deps,
                kit=plan.kit,
                travel=self._travel,
            )
            beside.serve(answers)
            return beside
        stage = Stage(self._loaded.unix_sockets(), plan.allowed_sockets, self._travel.clock)
        stage.serve(answers)
        return stage

    def _is_chosen(self, name: str) -> bool:
        return (not self._plan.only or name in self._plan.only) and name not in self._plan.without

    def _tell_unreadable(self, name: str, error: DocumentError) -> None:
        path = str(error.path) if error.path is not None else ""
        reasons = (f"{error} {error.remedy}",)
        self._on_test(TestResult(name=name, set=self._name, verdict=Verdict.ERRORED, path=path, reasons=reasons))

    # -- the app -------------------------------------------------------------------------------------------------

    async def _stop(self, stage: Scene) -> None:
        """Gently, so that the app can write its own files; the mocks go on answering meanwhile."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, stage.stop, STOP)

    def _last_output(self) -> str:
        size = os.fstat(self._log).st_size
        text = os.pread(self._log, 64 << 10, max(0, size - (64 << 10))).decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-_LOG_LINES:])

    # -- the tests -----------------------------------------------------------------------------------------------

    async def _tests(self, stage: Scene, replay: Replay, answers: Answers, chosen: Sequence[TestCase]) -> None:
        self._began = True
        for test in chosen:
            if self._stopped():
                return
            check_alive(stage)
            result = await self._test(stage, replay, answers, test)
            self._on_test(result)
            await asyncio.sleep(self._plan.pauses.get(test.name, 0))
            self._red = self._red or result.verdict is not Verdict.PASSED
            if self._plan.fail_fast and result.verdict is not Verdict.PASSED:
                self.outcome.warnings.append(f"stopped after {result.name}: --fail-fast")
                return
        self._complete = True

    async def _linger(self, stage: Scene) -> None:
        """For a look at the app as the tests have left it; its mocks go on answering."""
        if self._plan.keep_alive and not self._stopped():
            self._plan.told("The app stays as the tests have left it, its mocks too; Ctrl-C ends it.")
            while not self._stopped() and stage.exit_code() is None:
                await asyncio.sleep(0.1)

    async def _test(self, stage: Scene, replay: Replay, answers: Answers, case: TestCase) -> TestResult:
        case = self._hearing.asked(case)
        recorded = case.exchange
        started = time.time()
        facts: dict[str, Any] = {
            "name": case.name,
            "set": self._name,
            "title": f"{recorded.request.method} {recorded.request.target}",
            "started": started,
            "setup": case.name in self._setup,
            "path": str(case.document.path) if case.document is not None and case.document.path else "",
            "request": case.document.spec.get("req") if case.document is not None else None,
            "expected": case.document.spec.get("resp") if case.document is not None else None,
        }
        answers.misses.clear()
        answers.warnings.clear()
        answers.faults.clear()
        answers.sealed.clear()
        began_ns, odd = self._travel.begin(stage, replay, recorded.started_ns)
        answers.warnings.extend(odd)
        replay.begin_test(case.name, began_ns)
        try:  # a token that this run has given birth to goes before the recorded one
            request = renamed(self._loaded.request(case, replay.bindings.actual), replay.rename_request)
        except SecretError as error:
            return TestResult(verdict=Verdict.ERRORED, reasons=(str(error),), **facts)
        replay.given(HTTP.values(request))
        authority = stage.authority()
        if authority is not None:
            headers = tuple((name, authority if name.lower() == "host" else value) for name, value in request.headers)
            request = replace(request, headers=headers)
        try:
            sock = await stage.connect(self._host(stage, case), self._port(case))
            got = await send_to_app(sock, request, self._ceiling(recorded), self._enough(case, replay))
        except OSError as error:
            self._addresses.clear()
            got = Received(None, f"the app cannot be reached: {error.strerror}", began_ns, time.time_ns())
        if got.response is None:
            facts["curl"] = curl(recorded.request)
            await self._perhaps_dead(stage)
            effects = self._without_passed(replay.end_test(time.time_ns()), answers)
            took = time.time() - started
            sealed = tuple(dict.fromkeys(answers.sealed))  # what the app was told was not what it was told before
            verdict = Verdict.FAILED if stage.exit_code() is None and not sealed else Verdict.ERRORED
            reasons = (*sealed, got.problem or "")
            return TestResult(verdict=verdict, reasons=reasons, took=took, **facts, **self._said(effects, answers))
        response: HttpResponse = got.response
        case = self._hearing.answered(case, response)
        recorded = case.exchange
        if case.document is not None:
            facts["expected"] = case.document.spec.get("resp")
        answer = replay.response(HTTP.response_values(recorded.response), HTTP.response_values(response))
        expected: HttpResponse = self._loaded.response(case, replay.bindings.actual) or HttpResponse(status=0)
        if recorded.ending is Ending.GIVEN_UP:
            expected, response = given_up.seen(expected, response)
        findings = compare(
            expected,
            response,
            Rules.of(case.assertions, self._plan.noise),
            renaming=answer.names,
            forgive=answer.forgive,
        )
        await self._wait_for_effects(replay)
        effects = self._without_passed(replay.end_test(time.time_ns()), answers)
        said = self._said(effects, answers)
        reasons = _about_the_end(recorded.ending, got)
        bad = bool(findings or reasons or (effects.findings and self._plan.outbound_fails))
        trouble = [*answers.faults, *(dict.fromkeys(answers.sealed) if bad else ())]
        verdict = Verdict.ERRORED if trouble else Verdict.FAILED if bad else Verdict.PASSED
        if verdict is not Verdict.PASSED:
            facts |= {"response": as_spec(response, recorded.request, got), "curl": curl(recorded.request)}
        return TestResult(
            verdict=verdict,
            reasons=(*trouble, *reasons),
            findings=findings,
            took=(got.ended_ns - got.started_ns) / 1e9,
            **facts,
            **said,
        )

    def _ceiling(self, recorded: Exchange[Any, Any]) -> float:
        """A test that was slow when it was recorded (a report, a stream of events) may be slow again."""
        return max(self._plan.api_timeout, _SLOWER * (recorded.ended_ns - recorded.started_ns) / 1e9)

    def _enough(self, case: TestCase, replay: Replay) -> int | None:
        """How much of a body is waited for; None: for all of it."""
        if case.exchange.ending is not Ending.GIVEN_UP:
            return None
        recorded = self._loaded.response(case, replay.bindings.actual)
        return None if recorded is None else given_up.enough(recorded)

    async def _perhaps_dead(self, stage: Scene) -> None:
        """An app that hangs up without a word may be about to end: a moment shows whether this test was its last."""
        deadline = time.monotonic() + _LAST_BREATH
        while stage.exit_code() is None and time.monotonic() < deadline and not self._stopped():
            await asyncio.sleep(_POLL)

    def _without_passed(self, effects: Effects, answers: Answers) -> Effects:
        """What was let out to the real server has an answer: that it had no mock is a warning."""
        if self._way_out is None:
            return effects
        missed = {title for title, _ in answers.misses}
        return replace(effects, missed=tuple(one for one in effects.missed if one.title in missed))

    async def _wait_for_effects(self, replay: Replay) -> None:
        """A test stays open while recorded effects are outstanding: twice the recorded gap at most, and a second at
        least of what came after the response, because a machine may be busier now. A green test never waits so long."""
        began = time.monotonic()
        while owed := replay.outstanding():
            gap = max(one.after_ns for one in owed) / 1e9
            ceiling = min(max(2 * gap, _SHORTEST_GAP), _LONGEST_GAP) if gap > 0 else _MOMENT
            if time.monotonic() - began > ceiling or self._stopped():
                return
            await asyncio.sleep(0.002)

    def _said(self, effects: Effects, answers: Answers) -> dict[str, Any]:
        misses = tuple(
            Miss(title, miss.nearest, str(miss.difference) if miss.difference else None, miss.remedy)
            for title, miss in answers.misses
        )
        missed = {miss.asked for miss in misses}
        told = tuple(
            Effect.of(finding)
            for finding in effects.findings
            if not (finding.kind is Kind.MISSED and finding.title in missed)
        )
        warnings = tuple(dict.fromkeys((*effects.warnings, *answers.warnings)))
        if not self._plan.outbound_fails:
            return {"warnings": (*warnings, *map(str, told), *map(str, misses))}
        return {"effects": told, "misses": misses, "warnings": warnings}

    def _tell(self, stage: Scene, replay: Replay, answers: Answers) -> None:
        warnings = self.outcome.warnings
        if self._complete:
            self.outcome.unused = replay.unused()
        if self._plan.scene is not None:
            return
        if not isinstance(stage, Hermetic):
            warnings.append("no mocks were served and no calls looked at: only the responses were compared")
            return
        for name in sorted(stage.doorman.unknown_names):
            warnings.append(f"the app looked up {name}, which the recording does not know")
        if stage.datagrams:
            warnings.append(f"{stage.datagrams} UDP datagrams of the app were dropped")
        if self._red:
            warnings.extend(self._travel.afterwards(stage))
        if self._began:  # else what it did not do follows from its end
            warnings.extend(finding.text for finding in replay.startup().findings)

    # -- where the app is ----------------------------------------------------------------------------------------

    def _port(self, test: TestCase) -> int:
        return self._plan.port or test.exchange.server.port or 80

    def _host(self, stage: Scene, test: TestCase) -> str:
        if self._plan.host:
            return self._plan.host
        port = self._port(test)
        if port not in self._addresses:
            self._addresses[port] = stage.address(port)
        return self._addresses[port]


def _pinned(environment: Mapping[str, str]) -> dict[str, str]:
    """What of rr's own environment an app in a container gets as well."""
    return {name: environment[name] for name in ("PYTHONHASHSEED",) if name in environment}


def _about_the_end(recorded: Ending, got: Received) -> tuple[str, ...]:
    """An answer that broke off when it was recorded is to break off again; one of which the client had enough, not."""
    if recorded is Ending.GIVEN_UP and got.ending is Ending.ANSWERED:
        recorded = Ending.ANSWERED
    if got.ending is recorded:
        return (got.problem,) if got.problem and recorded is Ending.ANSWERED else ()
    return (got.problem or f"the answer is complete; when it was recorded, it ended: {recorded}",)


def _needed(names: set[str], story: Story, loaded: LoadedSet) -> set[str]:
    """The tests that must run before these, because they make what these speak of."""
    found = set(names)
    while fresh := (story.needed(found) | loaded.named_by(found)) - found:
        found |= fresh
    return found - names


def _environment_values(environment: Mapping[str, str]) -> list[Value]:
    return [Value(f"environment.{name}", value) for name, value in environment.items()]
