"""A bank in miniature, for bugs to be seeded into: every line that a bug changes stands by itself.

It asks a ledger (reads and writes) and tells an audit service (writes), makes up ids, tokens and times, and does one
thing after it has answered. `python bank_app.py`, with PORT, LEDGER_URL and AUDIT_URL.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

LEDGER = os.environ["LEDGER_URL"]
AUDIT = os.environ["AUDIT_URL"]
SESSIONS: dict[str, str] = {}
TRANSFERS: list[str] = []

TERMS = "Terms of the northern bank\n\nInterest is 2.5 % a year, and paid in arrears.\n"
PAGE = "<!doctype html>\n<title>Statement</title>\n<ul class='entries'>\n<li>{name}</li>\n<li>{price}</li>\n</ul>\n"
LOGO = bytes(range(256)) * 4


class Failed(Exception):
    """A dependency did not do what it was asked to."""


def call(method: str, base: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    url = urlsplit(base)
    connection = HTTPConnection(url.hostname or "", url.port or 80, timeout=3)
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise Failed(f"{method} {path}: {answer.status}")
        return json.loads(text) if text else None
    except OSError as error:
        raise Failed(f"{method} {path}: {error}") from error
    finally:
        connection.close()


class Bank(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    # -- reading ---------------------------------------------------------------------------------------------

    def account(self, account: str) -> None:
        holder = call("GET", LEDGER, f"/users/{account}?fields=name&limit=3")
        stock = call("GET", LEDGER, f"/stock/{account}")
        answer = {
            "id": account,
            "holder": holder["name"],
            "balance": stock["quantity"],
            "rate": 2.5,
            "active": True,
            "closed": None,
            "currencies": ["EUR", "USD", "GBP"],
            "limits": {"daily": 500, "monthly": 2000},
        }
        self.json(200, answer, {"X-Bank": "north", "Cache-Control": "no-store"})

    def statement(self, account: str) -> None:
        holder = call("GET", LEDGER, f"/users/{account}")
        price = call("GET", LEDGER, f"/prices/{account}")
        page = PAGE.format(name=holder["name"], price=price["amount"])
        self.reply(200, page.encode(), "text/html; charset=utf-8")

    def terms(self) -> None:
        self.reply(200, TERMS.encode(), "text/plain; charset=utf-8")

    def logo(self) -> None:
        self.reply(200, LOGO, "image/png")

    # -- transfers -------------------------------------------------------------------------------------------

    def transfer(self, wanted: dict[str, Any]) -> None:
        transfer = str(uuid.uuid4())
        stored = transfer
        now = datetime.now(UTC)
        TRANSFERS.append(transfer)
        order = {"id": stored, "from": wanted["from"], "to": wanted["to"], "amount": wanted["amount"]}
        call("GET", LEDGER, f"/users/{wanted['from']}")
        call("POST", LEDGER, "/echo/transfers", order, {"X-Channel": "web"})
        call("POST", AUDIT, "/echo/audit", {"transfer": stored, "what": ["debit", "credit"]})
        answer = {"id": transfer, "status": "BOOKED", "at": now.isoformat(), "entries": [wanted["from"], wanted["to"]]}
        self.json(201, answer, {"Location": f"/transfers/{transfer}"})
        notice = {"transfer": transfer, "sent": True}
        threading.Thread(target=call, args=("POST", AUDIT, "/echo/notices", notice)).start()

    def get_transfer(self, transfer: str) -> None:
        known = transfer in TRANSFERS
        price = call("GET", LEDGER, f"/prices/{transfer}")
        self.json(200, {"id": transfer, "known": known, "fee": price["amount"]})

    def cancel(self, transfer: str) -> None:
        call("PUT", LEDGER, f"/echo/transfers/{transfer}", {"status": "CANCELLED"})
        call("DELETE", AUDIT, f"/echo/holds/{transfer}")
        self.reply(204, b"", "text/plain")

    def job(self, wanted: dict[str, Any]) -> None:
        """Three calls, the first of which takes a while: many of these run at the same time."""
        job = str(uuid.uuid4())
        call("GET", LEDGER, "/slow?ms=60")
        holder = call("GET", LEDGER, f"/users/{wanted['user']}")
        call("POST", LEDGER, "/echo/jobs", {"id": job, "user": wanted["user"]})
        self.json(201, {"id": job, "holder": holder["name"]})

    # -- sessions --------------------------------------------------------------------------------------------

    def log_in(self, wanted: dict[str, Any]) -> None:
        token = secrets.token_hex(16)
        SESSIONS[token] = wanted["user"]
        call("POST", AUDIT, "/echo/logins", {"user": wanted["user"]})
        self.json(200, {"token": token})

    def who(self) -> None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in SESSIONS:
            self.json(401, {"error": "log in first"})
            return
        self.json(200, {"user": SESSIONS[token]})

    # -- HTTP ------------------------------------------------------------------------------------------------

    def handle_request(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        sent = json.loads(text) if text else {}
        try:
            match [self.command, *urlsplit(self.path).path.strip("/").split("/")]:
                case ["GET", "accounts", account]:
                    self.account(account)
                case ["GET", "accounts", account, "statement"]:
                    self.statement(account)
                case ["GET", "terms"]:
                    self.terms()
                case ["GET", "logo"]:
                    self.logo()
                case ["POST", "transfers"]:
                    self.transfer(sent)
                case ["GET", "transfers", transfer]:
                    self.get_transfer(transfer)
                case ["POST", "transfers", transfer, "cancel"]:
                    self.cancel(transfer)
                case ["POST", "jobs"]:
                    self.job(sent)
                case ["POST", "sessions"]:
                    self.log_in(sent)
                case ["GET", "me"]:
                    self.who()
                case _:
                    self.json(404, {"error": "no such page"})
        except Failed as error:
            self.json(502, {"error": str(error)})

    do_GET = do_POST = handle_request

    def json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        self.reply(status, json.dumps(value).encode(), "application/json", headers)

    def reply(self, status: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    try:
        Server(("127.0.0.1", int(os.environ["PORT"])), Bank).serve_forever(0.05)
    except KeyboardInterrupt:
        pass
