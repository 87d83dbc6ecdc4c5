"""`rr secrets`, as a person runs it on a project that was recorded before."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rr.cli import run
from testset.keys import NewKey, find_key, key_path, own_key
from testset.model import Document
from testset.redaction import Redactor
from testset.store import TestSetStore

BODY = '{"user": "bob", "password": "demo-pass-1", "session": "s-123456"}'
SETTINGS = '# ours\ncommand: TOKEN={{secret "token-1"}} python app.py  # with a token\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("RR_KEY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    store = TestSetStore(folder / "keploy")
    vault = store.vault()
    redactor = Redactor(vault)
    redactor.redact_command("TOKEN=cmd-4711-x python app.py")
    with store.create("test-set-0", vault) as writer:
        for number in (1, 2):
            spec = {"req": {"url": "http://localhost/", "body": BODY, "note": "demo-pass-1"}}
            writer.write_test(redactor.redact(Document(kind="Http", name=f"test-{number}", spec=spec)))
        writer.append_mock(redactor.redact(Document(kind="Http", name="test-1.1", spec={"req": {"body": BODY}})))
    (folder / "rr.yml").write_text(SETTINGS)
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert run(["secrets", *words]) == code
    out = capsys.readouterr()
    return out.out + out.err


def texts(project: Path) -> str:
    return "".join(path.read_text() for path in sorted((project / "keploy" / "test-set-0").rglob("*.yml")))


# -- list and show ------------------------------------------------------------------------------------------------


def test_the_list_says_where_each_stands_and_no_value(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "list")
    assert "3 secrets in keploy/secrets.yml" in text
    assert "password-1  5 places: keploy/test-set-0/tests/test-1.yml:7 test-1" in text
    assert "token-1     1 place: rr.yml:2" in text
    assert "demo-pass-1" not in text
    data = json.loads(said(capsys, "list", "--json"))
    assert {one["name"]: (one["kind"], one["state"], len(one["places"])) for one in data["secrets"]} == {
        "password-1": ("password", "unsealed", 5),
        "session-1": ("session", "unsealed", 3),
        "token-1": ("token", "unsealed", 1),
    }
    assert data["secrets"][1]["places"][-1] == {
        "file": "keploy/test-set-0/mocks.yml", "line": 6, "test_set": "test-set-0", "document": "test-1.1",
    }  # fmt: skip


def test_the_list_without_a_key(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(project.parent / "elsewhere"))
    text = said(capsys, "list")
    assert "password-1: sealed with the key " in text
    assert "RR_KEY" in text


def test_a_placeholder_of_nothing_is_listed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "keploy/test-set-0/tests/test-1.yml"
    path.write_text(path.read_text().replace("session-1", "session-9"))
    assert "session-9: not in secrets.yml" in said(capsys, "list")


def test_a_tampered_secret_is_listed_as_such(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "keploy/secrets.yml"
    path.write_text(path.read_text().replace("session-1:", "session-2:"))
    assert "session-2: changed since it was sealed" in said(capsys, "list")


def test_show(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = said(capsys, "show", "password-1", code=2)
    assert "could be a log" in refused
    assert "demo-pass-1" not in refused
    assert said(capsys, "show", "password-1", "--yes") == "demo-pass-1\n"
    assert "There are: password-1, session-1, token-1." in said(capsys, "show", "jwt-7", "--yes", code=2)


# -- exempt -------------------------------------------------------------------------------------------------------


def test_a_demo_s_password_is_no_secret(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "exempt", "password-1")
    assert "3 documents changed: test-set-0/test-1, test-set-0/test-2, test-set-0/test-1.1" in text
    assert (project / "rr.yml").read_text() == SETTINGS + "redact:\n  exempt: [demo-pass-1]\n"
    assert texts(project).count("demo-pass-1") == 5
    assert "password-1" not in (project / "keploy/secrets.yml").read_text()
    vault = TestSetStore(project / "keploy").vault()
    assert set(vault.values()) == {"s-123456", "cmd-4711-x"}


def test_a_name_is_no_secret(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "exempt", "--name", "session")
    assert "session-1 is no secret any more" in text
    assert "password-1" not in text, "what has other names stays one"
    assert '"session": "s-123456"' in texts(project)
    assert "demo-pass-1" not in texts(project)


def test_a_value_that_is_a_name_as_well(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The password `secret`: not every value of the name `secret` is exempt with it."""
    store = TestSetStore(project / "keploy")
    vault = store.vault()
    with store.open("test-set-0", vault) as writer:
        spec = {"req": {"body": '{"password": "secret", "secret": "another"}'}}
        writer.append_mock(Redactor(vault).redact(Document(kind="Http", name="test-1.2", spec=spec)))
    said(capsys, "exempt", "password-2")
    assert "exempt: [/secret/]" in (project / "rr.yml").read_text()
    assert '{"password": "secret", "secret": "{{secret "secret-1"}}"}' in texts(project)


def test_the_command_s_token_is_no_secret(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 other file changed: rr.yml" in said(capsys, "exempt", "token-1")
    assert "command: TOKEN=cmd-4711-x python app.py  # with a token\n" in (project / "rr.yml").read_text()


def test_the_last_secret_takes_the_file_with_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "exempt", "password-1", "session-1", "token-1")
    assert not (project / "keploy/secrets.yml").exists()
    assert "There is no secret in keploy" in said(capsys, "list")


def test_nothing_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "RR100" in said(capsys, "exempt", code=2)


# -- rotate -------------------------------------------------------------------------------------------------------


def test_a_new_key(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sealed = (project / "keploy/secrets.yml").read_bytes()
    before = key_path(os.environ).read_text()
    text = said(capsys, "rotate")
    now = key_path(os.environ).read_text()
    assert now != before
    assert now.strip() not in text, "standard output is no terminal: it could be a log"
    vault = TestSetStore(project / "keploy").vault()
    assert set(vault.values()) == {"demo-pass-1", "s-123456", "cmd-4711-x"}
    assert not set(sealed.splitlines()[7:]) & set((project / "keploy/secrets.yml").read_bytes().splitlines())
    # an older commit, or another project: sealed with the key before, which is found by itself
    (project / "keploy/secrets.yml").write_bytes(sealed)
    assert set(TestSetStore(project / "keploy").vault().values()) == {"demo-pass-1", "s-123456", "cmd-4711-x"}


def test_both_keys_in_the_environment(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key_path(os.environ).read_text().strip()
    said(capsys, "rotate")
    now = key_path(os.environ).read_text().strip()
    monkeypatch.setenv("XDG_DATA_HOME", str(project.parent / "elsewhere"))
    monkeypatch.setenv("RR_KEY", f"{before},{now}")
    assert "demo-pass-1" in TestSetStore(project / "keploy").vault().values()


def test_a_secret_that_cannot_be_unsealed_stops_it_before_anything_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "keploy/secrets.yml"
    path.write_text(path.read_text().replace("session-1:", "session-2:"))
    content, key = path.read_bytes(), key_path(os.environ).read_bytes()
    assert "RR203" in said(capsys, "rotate", code=2)
    assert (path.read_bytes(), key_path(os.environ).read_bytes()) == (content, key)


def test_a_rotation_that_is_cut_off_loses_no_key(tmp_path: Path) -> None:
    environ = {"XDG_DATA_HOME": str(tmp_path)}
    old = own_key(environ)
    new = NewKey(environ)
    older = new.keep()
    assert older is not None

    def found(key: str) -> bool:
        at_hand = find_key(environ, key)
        return at_hand is not None and at_hand.id == key

    assert [found(old.id), found(new.id)] == [True, True], "before the new one has taken over"
    new.take_over()
    assert [found(old.id), found(new.id)] == [True, True], "and after it"
    assert own_key(environ).id == new.id
    assert [path.stat().st_mode & 0o777 for path in (key_path(environ), older)] == [0o600, 0o600]
