"""An engine that refuses, or is none: a sentence and a remedy, whatever it says."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intercept.containers import engine
from intercept.containers.engine import Engine
from testset.errors import ContainerError

NOBODY = 65534


def answer(text: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[Callable[[bytes | None], str]]:
    """Listens where an engine would, and always says the same; None: nothing, and stays on the line."""
    listener = socket.socket(socket.AF_UNIX)
    said: list[bytes | None] = []
    held = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            held.append(client)
            if said[0] is not None:
                client.recv(65536)
                client.sendall(said[0])
                client.close()

    def listen(what: bytes | None) -> str:
        said.append(what)
        listener.bind(str(tmp_path / "engine.sock"))
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()
        return f"unix://{tmp_path / 'engine.sock'}"

    yield listen
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for client in held:
        client.close()


@pytest.mark.parametrize(
    "said",
    [
        b"", b"hello\r\n", answer("OK"), answer("[]"), answer("{}"), answer('{"ApiVersion": "1.1"}'),
        answer('{"ApiVersion": "new"}'), answer('{"message": "denied by policy"}', "403 Forbidden"),
        answer("<html>", "502 Bad Gateway"), b"\xff" * 4096,
    ],
)  # fmt: skip
def test_what_answers_is_no_engine(answers: Callable[[bytes | None], str], said: bytes) -> None:
    with pytest.raises(ContainerError, match="The Docker engine cannot be reached: ") as caught:
        Engine(answers(said))
    assert "docker info" in caught.value.remedy


def test_an_engine_that_forbids_says_why(answers: Callable[[bytes | None], str]) -> None:
    with pytest.raises(ContainerError, match="denied by policy"):
        Engine(answers(answer('{"message": "denied by policy"}', "403 Forbidden")))


def test_an_engine_that_hangs_is_not_waited_for(
    answers: Callable[[bytes | None], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_HELLO", 0.1)
    with pytest.raises(ContainerError, match=r"The Docker engine cannot be reached: .*timed out"):
        Engine(answers(None))


def test_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="No such file or directory"):
        Engine(f"unix://{tmp_path / 'none.sock'}")
    with pytest.raises(ContainerError, match="The Docker engine cannot be reached"):
        Engine("nonsense://x")


def test_a_user_who_may_not_use_it(answers: Callable[[bytes | None], str], tmp_path: Path) -> None:
    host = answers(b"")
    (tmp_path / "engine.sock").chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(ContainerError, match="Your user may not speak to the Docker engine at unix:") as caught:
            Engine(host)
    finally:
        if root:
            os.seteuid(0)
    assert "usermod -aG docker" in caught.value.remedy
