"""What a client asks of the bank app, and the bank as recorded: what the tests of `rr test` begin with."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.apps.dependency import Dependency
from tests.apps.traffic import JSON, Answer, Step, send
from tests.harness.network import free_port
from tests.harness.rr_command import RR
from tests.harness.waiting import eventually

APP = Path(__file__).parent / "bank_app.py"


@dataclass(frozen=True, slots=True)
class RecordedBank:
    """A project in which the bank was recorded. Its dependencies have gone since."""

    rr: RR
    tests: dict[str, list[str]]  # "POST /transfers" -> ["test-5", "test-6"]
    ports: dict[str, int]  # where the dependencies were: LEDGER, AUDIT

    def copy(self, folder: Path) -> RR:
        """The same project in another place, where it may be changed."""
        shutil.copytree(self.rr.folder, folder)
        return RR(folder, self.rr.home, self.rr.prefix, self.rr.settings)


def record_bank(folder: Path) -> RecordedBank:
    """Record all that the bank does, in a project of its own."""
    project, home = folder / "project", folder / "home"
    project.mkdir()
    home.mkdir()
    shutil.copy(APP, project)
    port = free_port()
    with Dependency() as ledger, Dependency() as audit:
        rr = RR(project, home).with_settings(PORT=str(port), LEDGER_URL=ledger.url, AUDIT_URL=audit.url)
        with rr.record("python bank_app.py", port=port):
            lines = play(port, audit)
    tests: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        tests.setdefault(line, []).append(f"test-{number}")
    return RecordedBank(rr, tests, {"LEDGER": ledger.port, "AUDIT": audit.port})


def play(port: int, audit: Dependency) -> list[str]:
    """Two transfers, of which the first is cancelled; a login; and the pages. Returns "METHOD /page" of each."""
    lines: list[str] = []

    def ask(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, line: str = "") -> Answer:
        sent = json.dumps(body).encode() if body is not None else None
        step = Step(method=method, path=path, send=sent, headers={**(JSON if sent else {}), **(headers or {})})
        answer = send(step, port)
        assert answer.status < 300, f"{method} {path}: {answer}"
        lines.append(line or f"{method} {path}")
        return answer

    def transfer(payer: str, payee: str, amount: int) -> str:
        told = notices(audit)
        answer = ask("POST", "/transfers", {"from": payer, "to": payee, "amount": amount})
        eventually(lambda: notices(audit) > told, "the notice that comes after the answer")
        identifier: str = json.loads(answer.body)["id"]
        return identifier

    ask("GET", "/accounts/o-7")
    ask("GET", "/accounts/o-7/statement")
    ask("GET", "/terms")
    ask("GET", "/logo")
    first = transfer("o-7", "o-8", 125)
    second = transfer("o-8", "o-9", 40)
    ask("GET", f"/transfers/{first}", line="GET /transfers/ID")
    ask("POST", f"/transfers/{first}/cancel", {}, line="POST /transfers/ID/cancel")
    ask("GET", f"/transfers/{second}", line="GET /transfers/ID")
    token = json.loads(ask("POST", "/sessions", {"user": "zoe"}).body)["token"]
    ask("GET", "/me", headers={"Authorization": f"Bearer {token}"})
    return lines


def notices(audit: Dependency) -> int:
    return sum(request.path == "/echo/notices" for request in audit.requests)
