from __future__ import annotations
from typing import Any
from testset.model import Exchange
STARTUP = "startup"
class Attribution:
    def __init__(self) -> None:
        self._windows: list[tuple[int, int, str]] = []
        self._waiting: list[Exchange[Any, Any]] = []
    def window(self, test: str, started_ns: int, ended_ns: int) -> None:
        self._windows.append((started_ns, ended_ns, test))
    def add_inbound(self, exchange: Exchange[Any, Any], test: str) -> None:
        self.window(test, exchange.started_ns, exchange.ended_ns)
    def add_outbound(self, exchange: Exchange[Any, Any]) -> None:
        self._waiting.append(exchange)
    def settle(self, open_since_ns: int | None, *, final: bool) -> list[tuple[Exchange[Any, Any], str]]:
        settled = []
        waiting = sorted(self._waiting, key=lambda exchange: exchange.started_ns)
        self._waiting = []
        for exchange in waiting:
            if not final and open_since_ns is not None and open_since_ns <= exchange.started_ns:
                self._waiting.append(exchange)
            else:
                settled.append((exchange, self._owner(exchange.started_ns)))
        return settled
    def _owner(self, moment_ns: int) -> str:
        inside = [test for began, ended, test in self._windows if began <= moment_ns <= ended]
        if inside:
            return "+".join(inside)
        before = [(ended, test) for began, ended, test in self._windows if began <= moment_ns]
        return max(before)[1] if before else STARTUP
class Names:
    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
    def next(self, owner: str) -> str:
        self._counts[owner] = self._counts.get(owner, 0) + 1
        return f"{owner}.{self._counts[owner]}"
    def seen(self, name: str) -> None:
        owner, _, number = name.rpartition(".")
        self._counts[owner] = max(self._counts.get(owner, 0), int(number))
