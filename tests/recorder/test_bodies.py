"""Bodies while they arrive: small ones in memory, large ones in a hidden file; never in clear, never half."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from recorder.bodies import LARGE, arriving_in, drop, sweep
from tests.harness.limits import file_size_limit
from testset.errors import StorageError
from testset.model import Ending, Exchange, ExchangeId, FileBody, Server
from testset.redaction import Redactor
from testset.secret_rules import Rules
from testset.secrets import Vault

PIECE = bytes(range(256)) * 64
SECRET = b"ghp_" + b"Zk3Jw9Qx7Lm2Vb5Nc8Rt1Yp4Hs6Df0Ga3Ke7"


@pytest.fixture
def redactor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Redactor:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return Redactor(Vault(tmp_path / "secrets.yml"), Rules())


def test_a_small_body_stays_in_memory(tmp_path: Path, redactor: Redactor) -> None:
    body = arriving_in(tmp_path, redactor)()
    for piece in (b"one ", b"two"):
        body.write(piece)
    assert body.finish() == b"one two"
    assert not (tmp_path / "assets").exists()


def test_a_large_body_is_a_hidden_file_until_its_document_is_written(tmp_path: Path, redactor: Redactor) -> None:
    body = arriving_in(tmp_path, redactor)()
    pieces = [PIECE] * (LARGE // len(PIECE) + 10)
    for piece in pieces:
        body.write(piece)
    whole = b"".join(pieces)
    done = body.finish()
    assert isinstance(done, FileBody)
    assert done.path.name.startswith(".rr-")
    assert done.path.read_bytes() == whole
    assert (done.size, done.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())


def test_a_secret_in_a_large_body_never_touches_the_disk(tmp_path: Path, redactor: Redactor) -> None:
    """Also when it is cut in two by the pieces."""
    body = arriving_in(tmp_path, redactor)()
    filling = b"nothing to see here. " * 100
    for _ in range(LARGE // len(filling) + 20):
        body.write(filling)
        body.write(SECRET[:11])
        body.write(SECRET[11:] + b" ")
        found = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET in path.read_bytes()]
        assert not found
    done = body.finish()
    assert isinstance(done, FileBody)
    text = done.path.read_bytes()
    assert SECRET not in text
    assert b"{{secret " in text


def test_a_body_that_is_not_wanted_leaves_nothing(tmp_path: Path, redactor: Redactor) -> None:
    body = arriving_in(tmp_path, redactor)()
    for _ in range(LARGE // len(PIECE) + 10):
        body.write(PIECE)
    body.discard()
    assert list((tmp_path / "assets").iterdir()) == []


def test_an_exchange_that_is_not_kept_drops_its_files(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"x")

    class Message:
        body = FileBody(path, 1, "")

    exchange: Exchange[Message, Message] = Exchange(
        id=ExchangeId(1, 0), protocol="http", inbound=True, server=Server("localhost", 80), request=Message(),
        response=None, ending=Ending.ANSWERED, started_ns=0, ended_ns=0,
    )  # fmt: skip
    drop(exchange)
    assert not path.exists()


def test_a_full_disk_is_a_storage_error_and_the_half_file_is_gone(tmp_path: Path, redactor: Redactor) -> None:
    body = arriving_in(tmp_path, redactor)()
    body.write(PIECE)
    with file_size_limit(LARGE // 2), pytest.raises(StorageError, match="cannot be written"):
        body.write(bytes(2 * LARGE))
    assert list((tmp_path / "assets").iterdir()) == []


def test_a_recovery_sweeps_what_a_crash_left(tmp_path: Path) -> None:
    for part in ("", "assets", "tests"):
        folder = tmp_path / part
        folder.mkdir(exist_ok=True)
        (folder / ".rr-0123.tmp").touch()
        (folder / "whole").touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["whole"] * 3
