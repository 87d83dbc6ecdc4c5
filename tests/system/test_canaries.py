"""Secrets of every kind through every place of HTTP: none is found in any file that rr leaves, and the replay is green.

In clear and in TLS, on both sides of the app.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import signal
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from intercept.authority import Authority, certificate_of, new_authority
from tests.apps.dependency import Dependency
from tests.harness.canaries import Canaries, Recorded, ground
from tests.harness.crash import family, gone
from tests.harness.mounts import SHARED_MEMORY
from tests.harness.network import free_port
from tests.harness.tls_server import Page, Request, TlsServer
from tests.harness.waiting import eventually

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "canaries" / "http_app.py"

CANARIES = Canaries({
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
    "unknown coding": "Unkn0wnC0dingPa55",
    "header of a response": "R3sponseHead3r",
    "redirect": "Red1rectT0ken00",
    "digest": "D1gestN0nceResp0",
    "hexadecimal": "H3xadec1malPa55",
    "encoded in an address": "Addr3ss1nAddress",
    "encoded twice": "Tw1ceEnc0ded/+ 7",
    "short": "k1ttyz",
})  # fmt: skip
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
    odd = (*data, ("Content-Encoding", "x-odd"))
    yield Call("/back", as_json({"password": C["unknown coding"]}), odd)
    answered = f"X-Api-Key: {C['header of a response']}\nLocation: /next?access_token={C['redirect']}&page=2"
    yield Call("/answer", answered.encode(), text)
    yield Call("/in", headers=(("Authorization", f'Digest username="bob", response="{C["digest"]}"'),))
    yield Call("/in", f"in a log: {C['hexadecimal'].encode().hex()}".encode(), text)
    yield Call("/in", as_json({"password": C["hexadecimal"]}), data)
    inner = quote(f"https://host/login?token={C['encoded in an address']}&page=2", "")
    yield Call(f"/in?next={inner}&page=3")
    yield Call("/in", as_json({"password": C["encoded twice"]}), data)
    yield Call(f"/in?next={quote('/login/' + quote(C['encoded twice'], ''), '')}")
    yield Call("/in", as_json({"password": C["short"]}), data)
    yield Call("/in", f"my password is {C['short']}, dear friend".encode(), text)
    yield Call("/own")  # the partner's answer holds them
    yield Call("/wrong", b"the right one", text, needs_key=False)


ANYBODY = ssl._create_unverified_context()


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """The answer itself is wanted."""


CLIENT = urllib.request.build_opener(NoRedirects, urllib.request.HTTPSHandler(context=ANYBODY))


def send(base: str, call: Call) -> bytes:
    request = urllib.request.Request(
        base + call.target,
        data=call.body or None,
        headers=dict(call.headers),
        method="POST" if call.body else "GET",
    )
    try:
        with CLIENT.open(request, timeout=10) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as answer:
        return bytes(answer.read())


def echo(request: Request) -> Page:
    return Page(request.body, {"Content-Type": request.headers.get("content-type", "text/plain")})


@pytest.fixture(scope="module", params=["http", "https"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    scheme: str = request.param
    tmp = tmp_path_factory.mktemp("canaries")
    port = free_port()
    settings = {"PARTNER_SECRET": C["environment"]}
    with ExitStack() as stack:
        place = stack.enter_context(ground(tmp))
        shutil.copy(APP, place.rr.folder)
        if scheme == "https":
            authority = new_authority()
            (tmp / "roots.pem").write_bytes(certificate_of(authority))
            (tmp / "server.pem").write_bytes(Authority.of(authority).leaf("localhost", datetime.now(UTC)))
            settings |= {"SSL_CERT_FILE": str(tmp / "roots.pem"), "CERTIFICATE": str(tmp / "server.pem")}
            partner = stack.enter_context(TlsServer(tmp / "server.pem", echo, ("http/1.1",))).url
        else:
            partner = stack.enter_context(Dependency()).url
        command = f"{sys.executable} {APP.name} {port} {partner} --api-key {C['command line']}"
        rr = place.rr.with_settings(**settings)
        base = f"{scheme}://localhost:{port}"
        needing = set()
        with rr.record(command, port=port) as running:
            for number, call in enumerate(calls(), 1):
                assert send(base, call), call.target
                if call.needs_key:
                    needing.add(f"test-{number}")
            token = json.loads(send(base, Call("/login")))["token"]
            assert b"true" in send(base, Call("/me", headers=(("Authorization", f"Bearer {token}"),)))
            running.interrupt()
            assert running.wait() == 0, running.output
        yield Recorded(
            place, CANARIES, running.output, frozenset(needing), settings=settings,
            broken=[
                ("def checksum(*parts: bytes) -> int:", "def checksum(*parts: bytes) -> str:"),
                ('return zlib.crc32(b"\\0".join(parts)) % 997', "return repr(parts)"),
            ],
        )  # fmt: skip


def test_no_file_and_no_line_holds_one(recorded: Recorded) -> None:
    assert len(CANARIES) >= 30
    recorded.is_clean(output=recorded.output)
    recorded.is_listed_without_values()


def test_each_of_them_went_through(recorded: Recorded) -> None:
    recorded.each_was_sealed()


def test_its_owner_replays_it_green(recorded: Recorded, tmp_path: Path) -> None:
    recorded.replays_green(tmp_path, XDG_DATA_HOME=str(recorded.rr.home / "data"), TALKATIVE="1")


def test_a_clone_with_the_key_is_green(recorded: Recorded, tmp_path: Path) -> None:
    recorded.replays_green(tmp_path, RR_KEY=recorded.key)


def test_a_broken_app_s_report_holds_none(recorded: Recorded, tmp_path: Path) -> None:
    recorded.fails_without_telling(tmp_path, APP.name, TALKATIVE="1")


def test_the_output_of_an_app_that_dies_holds_none(recorded: Recorded, tmp_path: Path) -> None:
    """It goes into the report."""
    rr = recorded.clone(tmp_path, RR_KEY=recorded.key, TALKATIVE="1")
    app = rr.folder / APP.name
    wrong = 'elif page == "/wrong":'
    app.write_text(app.read_text().replace(wrong, f'{wrong}\n            os._exit(3)\n        elif page == "/right":'))
    done = rr.test("--junit", rr.folder / "junit.xml")
    assert done.code == 2, done.output
    assert "answered 200" in (rr.keploy / "reports" / "test-run-0" / "report.yml").read_text()
    recorded.is_clean(tmp_path, output=done.output)


def test_in_a_clone_without_it_exactly_those_are_errored_that_need_an_unborn_secret(
    recorded: Recorded, tmp_path: Path
) -> None:
    recorded.names_what_it_cannot_replay(tmp_path)


def test_what_is_recovered_holds_none(tmp_path: Path) -> None:
    """What was captured stands in memory as it was, until it is recovered; never on a disk."""
    port = free_port()
    with Dependency() as partner, ground(tmp_path, PARTNER_SECRET=C["environment"]) as place:
        shutil.copy(APP, place.rr.folder)
        command = f"{sys.executable} {APP.name} {port} {partner.url} --api-key {C['command line']}"
        with place.rr.record(command, port=port) as running:
            for call in calls():
                send(f"http://127.0.0.1:{port}", call)
            processes = family(running.process.pid)
            os.kill(processes.rr.pid, signal.SIGKILL)
            running.process.wait(10)
        eventually(lambda: gone([*processes.own, *processes.app]), "nothing of the app is left", 15)
        on_disk = [each for each in place.places if each != place.mounts.seen(SHARED_MEMORY)]
        # what was written last is not gone over yet for what was known late
        late = {"seen before it is known", "large body, before it is known", "cookie of a response", "hexadecimal"}
        assert {name for names in CANARIES.leaks(*on_disk).values() for name in names} <= late
        recovered = place.rr.run("recover")
        assert recovered.code == 0, recovered.output
        assert CANARIES.leaks(*place.places) == {}
        assert CANARIES.found_in(recovered.output) == []
