"""Secrets of every kind through every place: none is found in any file that rr leaves, and the replay is green.

A canary is a value that is looked for afterwards, in clear and in base64, in every file of the project, of the home, of
the temporary folder, and of the memory file system.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.apps.dependency import Dependency
from tests.harness.mounts import SHARED_MEMORY, own_mounts
from tests.harness.network import free_port
from tests.harness.rr_command import RR, Finished
from testset.secrets import Vault

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "canaries" / "http_app.py"

CANARIES = {
    "query": "Qu3ryT0ken4711",
    "userinfo": "Us3r1nf0Pa55",
    "path": "9f8e7d6c5b4a3f2e1d0c",
    "signed address": "S1gn3dAddr3ss%2Bx%3D",
    "bearer": "B3ar3rOpaque0815",
    "basic": "B4s1cPa55w0rd",
    "key header": "H3ad3rK3y9999",
    "cookie": "C00k1eS3ss10n",
    "cookie of a response": "R3sponseC00k1e",
    "form": "F0rmPa55w0rd77",
    "form, encoded": "F0rm+%26+3nc0ded%3D77",
    "json": "Js0nPa55w0rd88",
    "json number": "4929173355",
    "json list": "Js0nL1stT0ken",
    "json in json": "N3st3dT0ken66",
    "multipart": "Mult1partS3cret",
    "xml": "XmlPa55w0rd55",
    "xml attribute": "Attr1buteT0ken",
    "html": "Csrf1nH1ddenF13ld",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.dGhpcyBpcyBhIGNhbmFyeQ",
    "aws key": "AKIAIOSFODNN7CANARYX",
    "aws secret": "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",
    "aws session": "FwoGZXIvYXdzEBYaDCANARYsess10n",
    "pem": "MIIEpAIBAAKCAQEAcanary0123456789",
    "github": "ghp_" + "a1B2c3D4e" * 4,
    "slack": "xoxb-" + "123456789012-canary",
    "stripe": "sk_live_" + "4eC39HqLyjWDcanary",
    "google": "AIza" + "SyCanary0" * 4,
    "openai": "sk-proj-" + "CanaryT3BlbkFJ012345",
    "connection string": "C0nn3ct10nPa55",
    "environment": "Env1r0nm3ntS3cret",
    "command line": "C0mmandL1neK3y",
    "outbound header": "0utb0undH3ad3r",
    "outbound query": "0utb0undQu3ry1",
    "outbound number": "7310046582",
    "outbound path": "0utb0undP4thK3y",
    "outbound answer": "0utb0undR3fr3sh",
    "compressed": "Gz1ppedPa55w0rd",
    "binary": "B1naryPa55w0rd",
    "large body": "LargeB0dyPa55w0rd",
    "seen before it is known": "Lat3Kn0wnPa55",
    "large body, before it is known": "Larg3AndLat3Pa55",
    "sqs": "Sqs0rd3rT0ken12",
}
C = CANARIES
PEM = f"-----BEGIN PRIVATE KEY-----\n{C['pem']}\n-----END PRIVATE KEY-----"


class Call(NamedTuple):
    """A request to the app. `needs_key`: it, or what the app is answered, holds a secret that no replay makes anew."""

    target: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    needs_key: bool = True


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def calls() -> Iterator[Call]:
    form = (("Content-Type", "application/x-www-form-urlencoded"),)
    data = (("Content-Type", "application/json"),)
    text = (("Content-Type", "text/plain"),)
    yield Call("/plain", needs_key=False)
    yield Call("/say", f"an innocent text about {C['seen before it is known']}".encode(), text)
    yield Call(f"/in?access_token={C['query']}&page=2")
    yield Call(f"/password-reset/{C['path']}")
    yield Call("/in", as_json({"callback": f"https://bob:{C['userinfo']}@host/x"}), data)
    yield Call("/in", f"http://files/x.pdf?se=2030&sig={C['signed address']}".encode(), text)
    yield Call("/in", headers=(("Authorization", f"Bearer {C['bearer']}"),))
    basic = base64.b64encode(f"app:{C['basic']}".encode()).decode()
    yield Call("/in", headers=(("Authorization", f"Basic {basic}"),))
    yield Call("/in", f"they said {C['basic']}.".encode(), text)
    yield Call("/in", headers=(("X-Api-Key", C["key header"]), ("X-Amz-Security-Token", C["aws session"])))
    yield Call("/in", headers=(("Cookie", f"theme=dark; sid={C['cookie']}"),))
    yield Call("/in", f"user=bob&password={C['form']}&pwd={C['form, encoded']}".encode(), form)
    yield Call("/in", as_json({"password": C["json"], "otp": int(C["json number"]), "tokens": 2}), data)
    yield Call("/in", as_json({"form": {"token": [C["json list"]]}}), data)
    yield Call("/in", as_json({"Message": json.dumps({"token": C["json in json"]})}), data)
    part = f'--b\r\nContent-Disposition: form-data; name="client_secret"\r\n\r\n{C["multipart"]}\r\n--b--\r\n'
    yield Call("/in", part.encode(), (("Content-Type", "multipart/form-data; boundary=b"),))
    xml = f'<login token="{C["xml attribute"]}"><ns:Password>{C["xml"]}</ns:Password></login>'
    yield Call("/in", xml.encode(), (("Content-Type", "text/xml"),))
    html = f'<form><input type="hidden" name="csrf_token" value="{C["html"]}"></form>'
    yield Call("/back", html.encode(), (("Content-Type", "text/html"),))
    yield Call("/in", as_json({"AWS_SECRET_ACCESS_KEY": C["aws secret"], "note": C["aws key"]}), data)
    shapes = " ".join(C[kind] for kind in ("jwt", "github", "slack", "stripe", "google", "openai"))
    yield Call("/in", f"a note: {shapes}\n{PEM}\n".encode(), text)
    yield Call("/in", f"orders:{C['connection string']}@tcp(db:3306)/orders".encode(), text)
    packed = gzip.compress(as_json({"password": C["compressed"]}), mtime=0)
    yield Call("/back", packed, (*data, ("Content-Encoding", "gzip")))
    yield Call(
        "/back",
        b"\x00\xff\x01 password=" + C["binary"].encode() + b"&\xfe\x00",
        (("Content-Type", "application/octet-stream"),),
    )
    large = as_json({"rows": ["a row of a large body"] * 60_000, "password": C["large body"]})
    yield Call("/back", large, data)
    yield Call("/back", b"a row of a large body\n" * 60_000 + C["large body, before it is known"].encode(), text)
    yield Call("/in", as_json({"password": C["large body, before it is known"]}), data)
    yield Call("/in", as_json({"password": C["seen before it is known"]}), data)
    yield Call("/in", f"password={C['cookie of a response']}".encode(), form)
    yield Call("/back", f"<a>{C['cookie of a response']}</a>".encode(), text)
    sent = as_json({"MessageBody": json.dumps({"order": 7, "token": C["sqs"]}), "QueueUrl": "http://sqs/1/orders"})
    target = "X-Amz-Target: AmazonSQS.SendMessage"
    yield Call("/partner", f"/echo\n{target}\n".encode() + sent, text)
    yield Call("/partner", f"/echo\nAuthorization: Bearer {C['outbound header']}\nhello".encode(), text)
    yield Call("/partner", f"/echo?api_key={C['outbound query']}\n\nhello".encode(), text)
    yield Call("/partner", b"/echo\n\n" + as_json({"refresh_token": C["outbound answer"]}), text)
    yield Call("/partner", b"/echo\n\n" + as_json({"otp": int(C["outbound number"])}), text)
    yield Call("/partner", f"/echo/token/{C['outbound path']}0\n\nhello".encode(), text)
    yield Call("/own")  # the partner's answer holds them
    yield Call("/wrong", b"the right one", text, needs_key=False)


def send(port: int, call: Call) -> bytes:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{call.target}",
        data=call.body or None,
        headers=dict(call.headers),
        method="POST" if call.body else "GET",
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as answer:
        return bytes(answer.read())


class Recorded(NamedTuple):
    rr: RR
    key: str
    needing: set[str]  # the tests that cannot be sent without the key
    files: dict[str, bytes]  # all that was left in memory, in the temporary folder and at home
    output: str


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    tmp = tmp_path_factory.mktemp("canaries")
    folder, home, temporary = tmp / "project", tmp / "home", tmp / "tmp"
    for each in (folder, home, temporary):
        each.mkdir()
    shutil.copy(APP, folder)
    port = free_port()
    needing = set()
    with Dependency() as partner, own_mounts(folder, tmp / "mounts.log") as mounts:
        command = f"{sys.executable} http_app.py {port} {partner.url} --api-key {C['command line']}"
        rr = RR(folder, home, mounts.prefix, {"PARTNER_SECRET": C["environment"], "TMPDIR": str(temporary)})
        with rr.record(command, port=port) as running:
            for number, call in enumerate(calls(), 1):
                assert send(port, call), call.target
                if call.needs_key:
                    needing.add(f"test-{number}")
            token = json.loads(send(port, Call("/login")))["token"]
            assert b"true" in send(port, Call("/me", headers=(("Authorization", f"Bearer {token}"),)))
            running.interrupt()
            assert running.wait() == 0, running.output
        files = {
            str(path): path.read_bytes()
            for place in (mounts.seen(SHARED_MEMORY), temporary, home)
            for path in place.rglob("*")
            if path.is_file()
        }
        yield Recorded(rr, (home / "data" / "rr" / "key").read_text().strip(), needing, files, running.output)


def found_in(text: bytes) -> list[str]:
    """The canaries that stand in it, as they are or in base64."""
    words = b"\n".join(part for part in re.findall(rb"[A-Za-z0-9+/]{24,}", text))
    found = []
    for name, value in CANARIES.items():
        plain = value.encode()
        inner = [base64.b64encode(b"x" * lead + plain)[4:-4].rstrip(b"=") for lead in range(3)]
        if plain in text or any(len(each) > 8 and each in words for each in inner):
            found.append(name)
    return found


def leaks(folder: Path) -> dict[str, list[str]]:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: found for name, data in files.items() if (found := found_in(data))}


def clone(recorded: Recorded, folder: Path, **settings: str) -> RR:
    """The project as version control has it, at somebody else's."""
    shutil.copytree(recorded.rr.folder, folder / "project", ignore=shutil.ignore_patterns("reports"))
    home = folder / "home"
    home.mkdir()
    return RR(
        folder / "project",
        home,
        [*recorded.rr.prefix[:-1], str(folder / "project")],
        {**recorded.rr.settings, **settings},
    )


def verdicts(done: Finished) -> dict[str, str]:
    return {test: mark for mark, test in re.findall(r"^([✓✗!]) (test-\d+) ", done.output, re.MULTILINE)}


def test_no_file_and_no_line_holds_one(recorded: Recorded) -> None:
    assert len(CANARIES) >= 30
    assert leaks(recorded.rr.folder) == {}
    assert {name: found for name, data in recorded.files.items() if (found := found_in(data))} == {}
    assert found_in(recorded.output.encode()) == []


def test_each_of_them_went_through(recorded: Recorded) -> None:
    """What is not in the recording cannot be found in it."""
    vault = Vault(recorded.rr.keploy / "secrets.yml", environ={"RR_KEY": recorded.key})
    known = "\n".join(vault.values()).encode()
    assert set(CANARIES) - set(found_in(known)) == set()


def test_its_owner_replays_it_green_and_the_report_holds_none(recorded: Recorded, tmp_path: Path) -> None:
    rr = clone(recorded, tmp_path, XDG_DATA_HOME=str(recorded.rr.home / "data"), TALKATIVE="1")
    done = rr.test("--junit", rr.folder / "junit.xml", "--json")
    assert done.code == 0, done.output
    assert leaks(rr.folder) == {}
    assert found_in(done.output.encode()) == []


def test_a_broken_app_s_report_holds_none(recorded: Recorded, tmp_path: Path) -> None:
    """Every answer is wrong, and the app dies in the end: its output goes into the report."""
    rr = clone(recorded, tmp_path, RR_KEY=recorded.key, TALKATIVE="1", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    app = rr.folder / "http_app.py"
    source = app.read_text()
    source = source.replace("def checksum(*parts: bytes) -> int:", "def checksum(*parts: bytes) -> str:")
    source = source.replace('return zlib.crc32(b"\\0".join(parts)) % 997', "return repr(parts)")
    source = source.replace(
        'elif page == "/wrong":', 'elif page == "/wrong":\n            os._exit(3)\n        elif page == "/right":'
    )
    app.write_text(source)
    done = rr.test("--junit", rr.folder / "junit.xml")
    assert done.code in (1, 2), done.output
    assert "✗" in done.output
    assert leaks(rr.folder) == {}
    assert found_in(done.output.encode()) == []
    assert found_in((tmp_path / "summary.md").read_bytes()) == []


def test_a_clone_with_the_key_is_green(recorded: Recorded, tmp_path: Path) -> None:
    done = clone(recorded, tmp_path, RR_KEY=recorded.key).test()
    assert done.code == 0, done.output


def test_in_a_clone_without_it_exactly_those_are_errored_that_need_an_unborn_secret(
    recorded: Recorded, tmp_path: Path
) -> None:
    rr = clone(recorded, tmp_path)
    done = rr.test()
    assert done.code == 2, done.output
    errored = {test for test, mark in verdicts(done).items() if mark == "!"}
    assert errored == recorded.needing, done.output
    assert "✗" not in done.output, done.output
    named = re.findall(r'\{\{secret "[a-z0-9-]+"\}\}(?:: .* was made with| of the command) ', done.output)
    assert len(named) >= len(errored), done.output
    assert leaks(rr.folder) == {}
