"""`--on-miss record`: adds to a test set what a replay had no mock for, under the name of the test that asked."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from protocols.registry import room_named
from recorder import bodies
from recorder.attribution import Names
from testset.model import Document, Exchange
from testset.redaction import Redactor
from testset.secrets import Vault
from testset.store import TestSet, TestSetStore, TestSetWriter


class Keeper:
    """Appends mocks to a set. Use as a context manager."""

    def __init__(self, store: TestSetStore, test_set: TestSet, redactor: Redactor, vault: Vault) -> None:
        self._store = store
        self._set = test_set
        self._redactor = redactor
        self._vault = vault
        self._names: Names | None = None
        self._writer: TestSetWriter | None = None
        self.count = 0

    def keep(self, owner: str, exchange: Exchange[Any, Any]) -> None:
        """One more mock of `owner`."""
        writer = self._writer = self._writer or self._store.open(self._set.name, self._vault)
        if self._names is None:
            self._names = Names()
            for _, document in self._set.mocks():
                if document.name.rpartition(".")[2].isdigit():
                    self._names.seen(document.name)
        room = room_named(exchange.protocol)
        spec = room.to_spec(exchange)
        bodies.settle(exchange, spec, writer.path)
        document = Document(kind=room.kinds[0], name=self._names.next(owner), spec=spec)
        writer.append_mock(self._redactor.redact(document, outbound=True))
        self.count += 1

    def __enter__(self) -> Keeper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
