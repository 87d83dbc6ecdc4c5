"""Each bug that is put into the bank makes the replay red, with words that name it; the unchanged bank is green."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.apps.bank_traffic import RecordedBank

pytestmark = pytest.mark.system


class Bug(NamedTuple):
    """`old` becomes `new` in the app; `words` must be in the report of `test`, the request that shows the bug."""

    name: str
    old: str
    new: str
    test: str
    words: tuple[str, ...]


ACCOUNT, STATEMENT, TERMS, LOGO = "GET /accounts/o-7", "GET /accounts/o-7/statement", "GET /terms", "GET /logo"
TRANSFER, LATER, CANCEL = "POST /transfers", "GET /transfers/ID", "POST /transfers/ID/cancel"
LOGIN, ME = "POST /sessions", "GET /me"

BUGS = [
    # -- what the app answers
    Bug("status", "self.json(201, answer", "self.json(200, answer", TRANSFER, ("- status: 201", "+ status: 200")),
    Bug("an error's status", "self.reply(204,", "self.reply(500,", CANCEL, ("- status: 204", "+ status: 500")),
    Bug("field missing", '            "holder": holder["name"],\n', "", ACCOUNT, ("body.holder", "missing now")),
    Bug("field too many", '"active": True,', '"active": True, "vip": False,',
        ACCOUNT, ("body.vip", "not in the recording")),
    Bug("field renamed", '"balance": stock', '"Balance": stock', ACCOUNT, ("body.balance", "body.Balance")),
    Bug("wrong number", 'stock["quantity"],', 'stock["quantity"] + 1,', ACCOUNT, ("body.balance",)),
    Bug("number rounded", '"rate": 2.5', '"rate": 2', ACCOUNT, ("- body.rate: 2.5", "+ body.rate: 2")),
    Bug("nested value", '"daily": 500', '"daily": 5000', ACCOUNT, ("body.limits.daily: 500",)),
    Bug("type", 'stock["quantity"],', 'str(stock["quantity"]),', ACCOUNT, ("body.balance", "string")),
    Bug("bool for a number", '"active": True', '"active": 1', ACCOUNT, ("body.active", "true")),
    Bug("null", '"closed": None', '"closed": ""', ACCOUNT, ("body.closed", "null")),
    Bug("array order", '"EUR", "USD", "GBP"', '"USD", "EUR", "GBP"', ACCOUNT, ("body.currencies", "order")),
    Bug("array shorter", '"EUR", "USD", "GBP"', '"EUR", "USD"', ACCOUNT, ("body.currencies[2]", "GBP")),
    Bug("header's value", '"X-Bank": "north"', '"X-Bank": "south"', ACCOUNT, ("header.X-Bank", "south")),
    Bug("header missing", ', "Cache-Control": "no-store"', "", ACCOUNT, ("header.Cache-Control", "missing now")),
    Bug("content type", '"text/plain; charset=utf-8"', '"text/html; charset=utf-8"', TERMS, ("header.Content-Type",)),
    Bug("text by one character", "and paid in arrears", "and payd in arrears", TERMS, ("payd in arrears",)),
    Bug("text by its last newline", "in arrears.\\n", "in arrears.", TERMS, ("body",)),
    Bug("HTML by one character", "<ul class='entries'>", "<ol class='entries'>", STATEMENT, ("<ol class",)),
    Bug("HTML's value", 'price["amount"])', 'price["amount"] + "0")', STATEMENT, ("<li>",)),
    Bug("binary by one byte", "bytes(range(256)) * 4", "bytes(range(256)) * 3 + bytes([1, *range(1, 256)])",
        LOGO, ("byte 768",)),
    Bug("binary cut short", "bytes(range(256)) * 4", "(bytes(range(256)) * 4)[:-1]", LOGO, ("1023",)),
    # -- what it asks of its dependencies
    Bug("read of another record", '"/stock/{account}"', '"/stock/{account}0"',
        ACCOUNT, ("/stock/o-70", "nearest is test-1.2")),
    Bug("another query string", "fields=name&limit=3", "fields=name&limit=4", ACCOUNT, ("query.limit", "'4'")),
    Bug("another path", '"/prices/{account}"', '"/price/{account}"', STATEMENT, ("/price/o-7",)),
    Bug("another host", 'call("POST", LEDGER, "/echo/transfers"', 'call("POST", AUDIT, "/echo/transfers"',
        TRANSFER, (
            "missing",
            "POST http://localhost:{LEDGER}/echo/transfers",
            "no mock for POST http://localhost:{AUDIT}/echo/transfers",
        )),
    Bug("a host never heard of",
        'holder = call("GET", LEDGER, f"/users/{account}?',
        'holder = call("GET", "http://elsewhere.test", f"/users/{account}?',
        ACCOUNT, ("no mock for GET http://elsewhere.test/users/o-7", "nearest is test-1.1 (host: ")),
    Bug("write left out", '        call("POST", AUDIT, "/echo/audit"', '        print("POST", AUDIT, "/echo/audit"',
        TRANSFER, ("POST http://localhost:{AUDIT}/echo/audit", "not made now")),
    Bug("write made twice",
        'call("PUT", LEDGER', 'for _ in (1, 2): call("PUT", LEDGER',
        CANCEL, ("made once more than recorded", "PUT http://localhost:{LEDGER}")),
    Bug("delete left out", '        call("DELETE", AUDIT', '        print("DELETE", AUDIT',
        CANCEL, ("DELETE http://localhost:{AUDIT}/echo/holds/", "not made now")),
    Bug("write with another value", '"amount": wanted["amount"]}', '"amount": wanted["amount"] + 1}',
        TRANSFER, ("body.amount: recorded 125, now 126",)),
    Bug("write with values exchanged",
        '"from": wanted["from"], "to": wanted["to"]', '"from": wanted["to"], "to": wanted["from"]',
        TRANSFER, ("body.from: recorded 'o-7', now 'o-8'",)),
    Bug("write in another order", '["debit", "credit"]', '["credit", "debit"]',
        TRANSFER, ("body.what[0]: recorded 'debit', now 'credit'",)),
    Bug("write of another type", '"sent": True', '"sent": "true"',
        TRANSFER, ("body.sent: recorded True, now 'true'",)),
    Bug("another method", 'call("PUT", LEDGER', 'call("PATCH", LEDGER', CANCEL, ("PATCH",)),
    # -- ids that the app makes up
    Bug("returned but not stored", "stored = transfer", "stored = str(uuid.uuid4())",
        TRANSFER, ("body.id", "made up")),
    Bug("no id made up", "transfer = str(uuid.uuid4())", 'transfer = wanted["from"]',
        TRANSFER, ("body.id: recorded", "now 'o-7'")),
    Bug("the same id twice",
        "transfer = str(uuid.uuid4())", "transfer = TRANSFERS[0] if TRANSFERS else str(uuid.uuid4())",
        "POST /transfers#2", ("body.id: recorded", "the same as at test-5.2")),
    Bug("a later use of another id",
        'call("GET", LEDGER, f"/prices/{transfer}")', 'call("GET", LEDGER, f"/prices/{uuid.uuid4()}")',
        LATER, ("no mock for GET", "/prices/")),
    Bug("another record's id",
        'f"/echo/transfers/{transfer}", {"status"', 'f"/echo/transfers/{TRANSFERS[-1]}", {"status"',
        CANCEL, ("made up; in this run it is",)),
    Bug("another record's id in a read",
        'call("GET", LEDGER, f"/prices/{transfer}")', 'call("GET", LEDGER, f"/prices/{TRANSFERS[-1]}")',
        LATER, ("/prices/",)),
    Bug("a header that does not follow",
        '{"Location": f"/transfers/{transfer}"}', '{"Location": f"/transfers/{uuid.uuid4()}"}',
        TRANSFER, ("header.Location", "made up")),
    Bug("a time an hour off",
        "now = datetime.now(UTC)", "now = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 3600, UTC)",
        TRANSFER, ("body.at",)),
    Bug("token that does not open", "SESSIONS[token] = wanted", "SESSIONS[token[::-1]] = wanted",
        ME, ("- status: 200", "+ status: 401")),
    # -- after the response
    Bug("background write left out",
        "(\"POST\", AUDIT, \"/echo/notices\", notice)).start()", "(\"POST\", AUDIT, \"/echo/notices\", notice))",
        TRANSFER, ("POST http://localhost:{AUDIT}/echo/notices", "not made now")),
    Bug("background write of another id", 'notice = {"transfer": transfer,', 'notice = {"transfer": TRANSFERS[0],',
        "POST /transfers#2", ("/echo/notices", "body.transfer")),
]  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_red_and_named(bug: Bug, bank: RecordedBank, tmp_path: Path) -> None:
    rr = bank.copy(tmp_path / "project")
    app = rr.folder / "bank_app.py"
    source = app.read_text("utf-8")
    assert bug.old in source, f"the app no longer has {bug.old!r}"
    app.write_text(source.replace(bug.old, bug.new, 1), "utf-8")

    replay = rr.test()

    assert replay.code == 1, replay.output
    line, _, number = bug.test.partition("#")
    test = bank.tests[line][int(number or 1) - 1]
    reason = _told_of(test, replay.stdout)
    assert reason.startswith("✗"), f"{test} is not red\n{replay.output}"
    for word in bug.words:
        wanted = word.format_map(bank.ports) if "{LEDGER}" in word or "{AUDIT}" in word else word
        assert wanted in reason, f"the reason does not say {wanted!r}\n{reason}"


def _told_of(test: str, output: str) -> str:
    """The lines of the output that are about one test."""
    blocks = re.split(r"^(?=[✓✗!] test-)", output, flags=re.MULTILINE)
    return next((block for block in blocks if block[2:].split()[0] == test), "")


def test_the_unchanged_app_is_green_again_and_again(bank: RecordedBank, tmp_path: Path) -> None:
    rr = bank.copy(tmp_path / "project")
    for number in range(3):
        replay = rr.test()
        assert replay.code == 0, f"replay {number + 1}\n{replay.output}"


@pytest.mark.gate
def test_the_unchanged_app_is_green_20_times(bank: RecordedBank, tmp_path: Path) -> None:
    rr = bank.copy(tmp_path / "project")
    for number in range(20):
        replay = rr.test()
        assert replay.code == 0, f"replay {number + 1} of 20\n{replay.output}"
