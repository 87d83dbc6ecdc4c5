"""How a set is to be replayed, and what came of it: what goes into a run, and what comes out beside its tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from intercept.clock_library import Library
from replayer.compare import NO_NOISE, Noise
from replayer.coverage.kit import Kit
from replayer.report.verdict import SetStatus
from replayer.scene import Scene
from testset.named import Recorded

if TYPE_CHECKING:
    from intercept.containers.app import ContainerApp


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to replay a set."""

    command: str
    folder: str
    environment: Mapping[str, str]
    delay: float
    health_url: str | None
    api_timeout: float
    noise: Noise = NO_NOISE
    outbound_fails: bool = True
    host: str | None = None
    port: int | None = None
    only: frozenset[str] = frozenset()  # names of tests; empty: all
    without: frozenset[str] = frozenset()  # names of tests that are left out
    fail_fast: bool = False
    told: Callable[[str], None] = lambda _text: None  # what a person may want to know meanwhile
    allowed_sockets: Sequence[str] = ()
    show_output: bool = False
    base_path: str | None = None  # where the app runs already
    mocking: bool = True
    library: Library | None = None  # which moves the app's clock to when the recording was made
    kit: Kit | None = None  # which the app is to be measured with
    container: Callable[[], ContainerApp] | None = None  # opens the app that the command starts, if in a container
    with_deps: bool = False  # what else the command starts runs as well
    scene: Scene | None = None  # where the app runs, if not where the other settings say
    pauses: Mapping[str, float] = field(default_factory=dict)  # seconds to wait after a test, by its name
    keep_alive: bool = False  # after the tests the app stays, until it is stopped by hand

    @property
    def app_environment(self) -> Mapping[str, str]:
        """With what rr adds: no values of the user's, and so nothing that a recording could speak of."""
        return self.environment if self.kit is None else {**self.environment, **self.kit.environment(self.environment)}

    @property
    def is_mocked(self) -> bool:
        return self.mocking and self.base_path is None and self.scene is None


@dataclass(slots=True)
class Outcome:
    """What came of a set, beside its tests."""

    status: SetStatus | None = None
    reason: str = ""
    log: str = ""
    warnings: list[str] = field(default_factory=list)
    unused: tuple[str, ...] = ()
    names: Mapping[str, Recorded] = field(default_factory=dict)  # what values that a person has named were called
    leaks_tried: int = 0  # connections that found no mock
