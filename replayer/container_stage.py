"""Where an app in containers runs at replay: beside an agent, in a namespace that has no network at all."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, Popen
from types import TracebackType
from typing import Any

from intercept.authority import new_authority
from intercept.certificates import Certificates
from intercept.clock import VARIABLE, ClockElsewhere
from intercept.containers.agent import CLOCK
from intercept.containers.app import ContainerApp, end
from intercept.containers.compose import SHELF
from intercept.containers.engine import told
from intercept.containers.frames import say
from intercept.containers.image import AGENT
from intercept.containers.target import Target
from intercept.launcher import Where
from intercept.sockdiag import Listener
from intercept.unmoved import static_program
from replayer.conversation import Answers
from replayer.coverage.kit import WRITABLE, Kit
from replayer.doorman import Doorman
from replayer.inlet import Inlet
from replayer.scene import Hermetic, Steps
from replayer.time_travel import TimeTravel
from testset.errors import ContainerError

_LIBRARY = "clock/clock.so"  # its place on the shelf
_READY = 30.0  # seconds that the agent may take
_LOG_LINES = 200
_LOOK = 0.02  # seconds between two looks at containers that are about to start


class ContainerStage(Hermetic):
    """The containers of one run of the app. Use as an asynchronous context manager."""

    def __init__(
        self,
        opened: Callable[[], ContainerApp],
        extra: Mapping[str, str],
        *,
        alone: bool = True,
        kit: Kit | None = None,
        travel: TimeTravel | None = None,
    ) -> None:
        """`opened` looks at what the user's command would start; `extra`: what the app gets in its environment. Not
        `alone`: what else the command starts runs as well. `kit`: to measure the app with."""
        self._kit = kit
        self._library: Path | None = None
        if travel is not None:
            self.clock, self._library = travel.elsewhere(self._move_clock)
        self._opened = opened
        self._alone = alone
        self._extra = extra
        self._authority = new_authority()
        self._codes: dict[str, int] = {}  # exit codes of the app's containers that have ended, by their names
        self._is_lost = False  # the agent has ended
        self._output: int | None = None
        self._inlet: Inlet | None = None
        self._app: ContainerApp | None = None
        self._is_stopped = False
        self._others: Popen[bytes] | None = None
        self.doorman = Doorman()

    async def __aenter__(self) -> ContainerStage:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, self._make)
            app = self._there
            pipe = await loop.run_in_executor(None, app.engine.attach, app.agent, [*AGENT, "serve"])
            self._inlet = Inlet(pipe, self.doorman, self._agent_ended)
            files = {**app.trust_files(self._authority), **self._brought()}
            order: dict[str, Any] = {
                "do": "replay",
                "where": Where.ALONE if self._alone else Where.AMONG,
                "several": len(app.targets) > 1,
                "files": {name: base64.b64encode(content).decode() for name, content in files.items()},
                "folders": [
                    f"{_place(one)}/{name}" for one in app.targets for name in WRITABLE if self._kit is not None
                ],
            }
            self._look_at_program()
            async with asyncio.timeout(_READY):
                await self._inlet.begin(order)
        except (OSError, TimeoutError) as error:
            await self.__aexit__(None, None, None)
            raise ContainerError(f"The agent beside the app cannot work: {error}.") from error
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    def _make(self) -> None:
        self._app = self._opened()
        if self._kit is not None:
            self._kit.hosts.extend(one for one in self._app.folders() if one not in self._kit.hosts)
        self.doorman.own_names = frozenset(name.lower() for name in self._app.names)
        self._app.make(alone=self._alone, memory=0, extra=self._environment)
        self._app.start_agent()

    def _environment(self, target: Target) -> Mapping[str, str]:
        """What a container of the app gets beside its own."""
        own = target.environment
        made = {name: value for name, value in self._extra.items() if name not in own}
        if self._kit is not None:
            made |= self._kit.environment(own, f"{SHELF}/{_place(target)}")
        if self._library is not None:
            library = f"{SHELF}/{_LIBRARY}"
            made["LD_PRELOAD"] = f"{library}:{own['LD_PRELOAD']}" if own.get("LD_PRELOAD") else library
            made[VARIABLE] = f"{SHELF}/{CLOCK}"
        return made

    def _brought(self) -> dict[str, bytes]:
        """Files for the app, by their places on the shelf."""
        files: dict[str, bytes] = {}
        if self._kit is not None:
            kit = self._kit.files()
            files = {f"{_place(one)}/{name}": kit[name] for one in self._there.targets for name in kit}
        if self._library is not None:
            files[_LIBRARY] = self._library.read_bytes()
            files[CLOCK] = self.clock.offset_ns.to_bytes(8, sys.byteorder, signed=True)
        return files

    def _look_at_program(self) -> None:
        """Whether the app's clock can be moved."""
        if isinstance(self.clock, ClockElsewhere):
            self.clock.unmoved = [found for one in self._there.targets for found in static_program(*one.program())]

    def _move_clock(self, offset_ns: int) -> None:
        if self._inlet is not None:
            self._inlet.tell(say({"clock": offset_ns}))

    def _take_measured(self) -> None:
        if self._kit is not None and self._app is not None and self._app.is_made:
            app, several = self._app, len(self._app.targets) > 1
            with contextlib.suppress(ContainerError), told("What was measured cannot be had"):
                for one in app.targets:
                    left = app.engine.folder(app.agent, f"{SHELF}/{_place(one)}/data")
                    self._kit.take(left, one.name if several else "")

    @property
    def _there(self) -> ContainerApp:
        assert self._app is not None, "the stage was not entered"
        return self._app

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None
        if self._others is not None:
            await asyncio.get_running_loop().run_in_executor(None, end, self._others)
            self._others = None
        if self._app is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._take_measured)
            await asyncio.get_running_loop().run_in_executor(None, self._app.close)
            self._app = None

    def serve(self, answers: Answers) -> None:
        """From now on, these are the mocks."""
        answers.certificates = Certificates(self._authority, self.clock.now_ns)
        answers.clock = self.clock
        self.doorman.serve(answers)

    # -- the app -------------------------------------------------------------------------------------------------

    def start(self, command: str, environment: Mapping[str, str], folder: str, output: int | None) -> None:
        """The containers have their own commands, environments and folders."""
        self._output = output
        waiting = self._start_those_that_can(self._there.targets)
        if not self._alone:
            self._others = self._there.spawn(self._there.foreground(), stdout=DEVNULL, stderr=DEVNULL)
        elif waiting:
            threading.Thread(target=self._start_rest, args=[waiting], daemon=True).start()
        for one in self._there.targets:
            threading.Thread(target=self._wait, args=[one], daemon=True).start()

    def _start_those_that_can(self, targets: Sequence[Target]) -> list[Target]:
        """Returns those that wait for others of the app."""
        known = {one.name: one for one in self._there.targets}
        waiting = []
        for one in targets:
            with told(f"{one.name} cannot be started"):
                if all(known[other].is_up(condition) for other, condition in one.after.items()):
                    one.container.start()
                else:
                    waiting.append(one)
        return waiting

    def _start_rest(self, waiting: Sequence[Target]) -> None:
        """In a thread of its own; what never starts does not listen, which `--delay` is for."""
        with contextlib.suppress(ContainerError):
            while waiting and not self._is_stopped:
                waiting = self._start_those_that_can(waiting)
                time.sleep(_LOOK)

    def exit_code(self) -> int | None:
        """One of several that fails is the end of the app; one that is done is not."""
        codes = list(self._codes.values())
        failed = next((code for code in codes if code), None)
        if failed is None and len(codes) == len(self._there.targets):
            return 0
        return -signal.SIGKILL if failed is None and self._is_lost else failed

    def stop(self, steps: Steps) -> int:
        """As natively: each signal to every process, so that workers behind a shell can write their files as well. A
        signal that a first process has no handler for is not sent to it: the kernel keeps it from the first process
        of a container."""
        self._is_stopped = True
        with contextlib.suppress(ContainerError), told("The container cannot be stopped"):
            running = [one for one in self._there.targets if one.is_up("service_started")]
            for number, patience in steps:
                running = [one for one in running if one.name not in self._codes]
                hear = [one for one in running if self._signal(one, number)]
                deadline = time.monotonic() + patience
                while any(one.name not in self._codes for one in hear) and time.monotonic() < deadline:
                    time.sleep(0.01)
        self._write_log()
        return self.exit_code() or 0

    def _signal(self, one: Target, number: int) -> bool:
        """Returns whether anybody there has heard it."""
        if number == signal.SIGKILL:
            one.container.kill(number)
            return True
        reaches = one.handles(number)
        others = one.signal_others(number)
        if reaches and one.name not in self._codes:
            one.container.kill(number)
        return reaches or others

    def listeners(self) -> frozenset[Listener]:
        if self._inlet is None:
            return frozenset()
        self.datagrams = self._inlet.datagrams
        return self._inlet.listeners

    async def connect(self, host: str, port: int) -> socket.socket:
        if self._inlet is None:
            raise ConnectionRefusedError
        return await self._inlet.connect(host, port)

    def _wait(self, one: Target) -> None:
        """In a thread of its own, until a container has ended."""
        with contextlib.suppress(ContainerError), told("The container cannot be waited for"):
            while not one.is_up("service_started"):
                time.sleep(_LOOK)
            code = int(one.container.wait()["StatusCode"])
            if code or len(self._codes) + 1 == len(self._there.targets):
                self._write_log()
            self._codes[one.name] = code

    def _write_log(self) -> None:
        """What the app has said, where the app's output belongs."""
        output, self._output = self._output, None
        if output is None:
            return
        targets = self._there.targets
        with contextlib.suppress(ContainerError, OSError), told("The container's output cannot be read"):
            for one in targets:
                said = one.container.logs(tail=_LOG_LINES)
                if len(targets) > 1:
                    said = b"".join(f"{one.name} | ".encode() + line for line in said.splitlines(keepends=True))
                os.write(output, said)

    def _agent_ended(self, why: str) -> None:
        self._is_lost = not self._is_stopped


def _place(target: Target) -> str:
    """Where its kit is on the shelf: each has its own, because their files have the same names."""
    return f"coverage/{target.number}"
