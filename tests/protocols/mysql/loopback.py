"""A responder on a socket of this machine, for real clients: each question is answered by a function of the test."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from protocols.furniture import Act, Ask, Hang, Limits, Reply, Send
from protocols.mysql.messages import MysqlRequest, MysqlResponse, Operation, Result
from protocols.mysql.serve import MysqlResponder
from testset.model import Ending

LIMITS = Limits(head=1 << 16, message=64 << 20, messages=64, exchange=64 << 20)

Answers = Callable[[MysqlRequest], "tuple[Result, ...] | str | None"]  # a text: a miss. None: nothing was recorded


class Loopback:
    """Use as a context manager; `port` is where it listens. `asked` are all questions that were asked."""

    def __init__(self, answers: Answers, greeting: MysqlResponse | None = None) -> None:
        self._answers = answers
        self._greeting = greeting
        self.asked: list[MysqlRequest] = []
        self.failures: list[Exception] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Loopback:
        thread = threading.Thread(target=self._listen, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):  # most have ended by now
                connection.shutdown(socket.SHUT_RDWR)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "the responder is still at it"
        assert not self.failures, self.failures

    @property
    def queries(self) -> list[str]:
        return [request.query for request in self.asked if request.query]

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, connection: socket.socket) -> None:
        responder = MysqlResponder(LIMITS)
        try:
            with connection:
                going = self._do(connection, responder, responder.start())
                while going and (data := connection.recv(1 << 16)):
                    going = self._do(connection, responder, responder.feed(data))
        except ConnectionError:
            return  # the client has left without a word
        except Exception as error:  # of the responder: the test is to see it
            self.failures.append(error)

    def _do(self, connection: socket.socket, responder: MysqlResponder, acts: list[Act]) -> bool:
        while acts:
            act = acts.pop(0)
            if isinstance(act, Send):
                connection.sendall(act.data)
            elif isinstance(act, Ask):
                acts = self._answer(responder, act) + acts
            elif isinstance(act, Hang):
                return False
            else:
                raise AssertionError(f"not expected: {act}")
        return True

    def _answer(self, responder: MysqlResponder, ask: Ask) -> list[Act]:
        request: MysqlRequest = ask.request
        self.asked.append(request)
        found: Any = self._answers(request)
        if request.operation is Operation.GREETING and self._greeting is not None:
            return responder.answer(Reply(self._greeting, Ending.ANSWERED))
        if isinstance(found, tuple):
            return responder.answer(Reply(MysqlResponse(results=found), Ending.ANSWERED))
        if ask.otherwise is not None:
            return responder.answer(ask.otherwise)
        return responder.miss(found or "nothing was recorded", {})
