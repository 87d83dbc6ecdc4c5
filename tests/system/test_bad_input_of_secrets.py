"""A wrong key and a file of secrets that somebody has changed: one sentence, what to do, and nothing lost."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.rr_command import RR, Finished
from testset.secrets import Vault

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "small_app.py"
COMMAND = "python small_app.py"
SECRET = "kT7-mango-of-the-recording"
TEST = """\
version: api.keploy.io/v1beta1
kind: Http
name: {name}
spec:
  req:
    method: POST
    url: http://localhost:{port}/{page}
    header: {{Content-Type: text/plain}}
    body: '{body}'
    timestamp: 2026-11-21T04:44:45.357Z
  resp:
    status_code: 200
    header: {{Content-Type: application/json}}
    body: '{{"page": "/{page}", "sent": "{body}"}}'
    timestamp: 2026-11-21T04:44:45.358Z
"""


@pytest.fixture
def project(rr: RR, port: int) -> RR:
    """Two tests; the second sends a secret."""
    shutil.copy(APP, rr.folder)
    tests = rr.keploy / "test-set-0" / "tests"
    tests.mkdir(parents=True)
    key = base64.b64encode(os.urandom(32)).decode()
    vault = Vault(rr.keploy / "secrets.yml", environ={"RR_KEY": key})
    bodies = {"one": "hello", "two": vault.seal(SECRET, "password")}
    vault.seal("another-mango-of-the-recording", "password")
    vault.save()
    for number, (page, body) in enumerate(bodies.items(), 1):
        (tests / f"test-{number}.yml").write_text(TEST.format(name=f"test-{number}", port=port, page=page, body=body))
    return rr.with_settings(PORT=str(port), RR_KEY=key)


def test_they_are_green_as_they_are(project: RR) -> None:
    done = project.test("-c", COMMAND)
    assert done.code == 0, done.output


def swapped(text: str) -> str:
    """Each is sealed well, under the other's name."""
    return text.replace("word-1", "word-3").replace("word-2", "word-1").replace("word-3", "word-2")


def one_letter(text: str) -> str:
    start = text.index("password-1: '") + 40
    return text[:start] + ("A" if text[start] != "A" else "B") + text[start + 1 :]


CHANGED = "was changed since it was sealed"
CHANGES: dict[str, tuple[Callable[[str], str], tuple[str, str]]] = {
    "swapped": (swapped, (CHANGED, "Restore secrets.yml from version control")),
    "one letter": (one_letter, (CHANGED, "Restore secrets.yml from version control")),
    "no YAML": (lambda text: text + "  - [\n", ("this is not YAML", "Correct the document, or restore it")),
    "another kind": (lambda text: "- a list\n", ("expected a document", "Correct the document, or restore it")),
    "empty": (lambda text: "", ("expected one document, found 0", "Correct the document, or restore it")),
    "cut": (lambda text: text[: len(text) // 2], ("this is not YAML", "Correct the document, or restore it")),
}


def says(done: Finished, *words: str) -> None:
    assert done.code == 2, done.output
    assert "Traceback" not in done.output
    for word in words:
        assert word in done.output, done.output


def refused(project: RR, *words: str) -> None:
    """A recording does not begin, because what it has to seal could not be kept; and nothing is touched."""
    before = {path: path.read_bytes() for path in project.keploy.rglob("*") if path.is_file()}
    done = project.run("record", "-c", COMMAND)
    says(done, *words)
    assert len(done.stderr.strip().splitlines()) == 2, "a sentence, and what to do"
    assert {path: path.read_bytes() for path in project.keploy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("change", CHANGES)
def test_secrets_that_were_changed(change: str, project: RR) -> None:
    tamper, words = CHANGES[change]
    path = project.keploy / "secrets.yml"
    path.write_text(tamper(path.read_text()))
    done = project.test("-c", COMMAND)
    says(done, *words[: 1 if words[0] is CHANGED else 2])
    if words[0] is CHANGED:
        assert "1 passed, 1 errored" in done.output, done.output
    refused(project, *words)


@pytest.mark.parametrize(
    ("key", "words"),
    [("hello", ("RR_KEY is no key",)), (base64.b64encode(b"k" * 32).decode(), ("was made with the key", "RR_KEY"))],
    ids=["no key", "another key"],
)
def test_a_wrong_key(key: str, words: tuple[str, ...], project: RR) -> None:
    project = project.with_settings(RR_KEY=key)
    done = project.test("-c", COMMAND)
    says(done, words[0], "1 passed, 1 errored")
    assert "! test-2" in done.output
    refused(project, *words)
