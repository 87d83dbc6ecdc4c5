"""The four apps that were made to be hard, recorded with what rr learns of them, and replayed two years later."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.apps.hard.traffic import NAMES, Hard, record, world
from tests.harness.company import Company
from tests.harness.later import later
from tests.harness.mysql_servers import MYSQL, mysql_server
from tests.system.precision import complaints, look, tables
from tests.system.precision_of_writes import complaints_of_writes, free_writes, look_at_writes

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("hard")]  # recorded once

WRITES = free_writes(Path(__file__).parent / "precision_of_writes.yml")
PRECISION = tables(Path(__file__).parent / "precision_of_hard.yml")
YEARS = timedelta(days=2 * 365)


@pytest.fixture(scope="session")
def hard(tmp_path_factory: pytest.TempPathFactory, company: Company) -> dict[str, Hard]:
    """All four as recorded. Nothing that they talked to is there any more."""
    folder = tmp_path_factory.mktemp("hard")
    with mysql_server(MYSQL) as database, world(folder, company, database) as around:
        return {name: record(name, folder / name, around) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_two_years_later_all_is_green_again_and_again(name: str, hard: dict[str, Hard], tmp_path: Path) -> None:
    app = hard[name].copy(tmp_path / "project")
    rr = app.rr.with_settings(**later(tmp_path, YEARS))
    for number in range(3):
        replay = rr.test()
        assert replay.code == 0, f"replay {number + 1}\n{replay.output}"
        assert "cannot be moved" not in replay.output


@pytest.mark.parametrize("name", NAMES)
def test_what_was_learned_leaves_every_other_field_compared(
    name: str, hard: dict[str, Hard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that rr knows of made-up values and noise, another value is red where the table says so."""
    for variable in ("HOME", "XDG_DATA_HOME"):  # where the key is that the secrets were sealed with
        monkeypatch.setenv(variable, hard[name].rr.env[variable])
    test_set = hard[name].rr.keploy / "test-set-0"
    assert complaints(PRECISION[name], look(test_set)) == []
    assert complaints_of_writes(WRITES[name], look_at_writes(test_set)) == []


class Bug(NamedTuple):
    """`old` becomes `new` in the app; `words` are in what is said of a test of `line`."""

    app: str
    name: str
    old: str
    new: str
    line: str
    words: tuple[str, ...]


LOGIN, ORDER, SHOW, EVERY = "POST /login", "POST /orders", "GET /orders/ID", "GET /orders"
BUGS = [
    Bug(
        "nonces",
        "an id is a constant",
        '        "id": number,',
        '        "id": "0b5f1c6e-3a52-4f0e-9d1c-7a4e6b2d8f10",',
        ORDER,
        ("body.id",),
    ),
    Bug(
        "nonces",
        "another order is shown",
        "made = ORDERS[asked.rest]\n    price",
        "made = list(ORDERS.values())[-1]\n    price",
        SHOW,
        ("/status/200", "nearest is test-"),
    ),
    Bug(
        "nonces",
        "a link to another order",
        "f\"/orders/{made['id']}\"",
        'f"/orders/{uuid.uuid4()}"',
        SHOW,
        ("body.links.self",),
    ),
    Bug(
        "nonces",
        "the place of another order",
        'Location=f"/orders/{number}"',
        'Location=f"/orders/{uuid.uuid4()}"',
        ORDER,
        ("header.Location",),
    ),
    Bug(
        "nonces",
        "not what was stored",
        '"stored": stored["id"]',
        '"stored": str(uuid.uuid4())',
        ORDER,
        ("body.stored",),
    ),
    Bug(
        "nonces", "the token is not passed on", '"token": token, "what"', '"token": "", "what"', ORDER, ("body.token",)
    ),
    Bug("nonces", "no nonce", '"nonce": nonce', '"nonce": ""', LOGIN, ("body.nonce",)),
    Bug("nonces", "the spark is a word", "random.random()", '"bright"', LOGIN, ("body.spark",)),
    Bug("nonces", "the short one is shorter", "token_hex(4)", "token_hex(2)", LOGIN, ("body.short",)),
    Bug("nonces", "the short one is a constant", "secrets.token_hex(4)", '"constant"', LOGIN, ("body.short",)),
    Bug(
        "nonces",
        "no request id",
        '"X-Request-Id": str(uuid.uuid4())',
        '"X-Request-Id": ""',
        LOGIN,
        ("header.X-Request-Id",),
    ),
    Bug("nonces", "no trace", '"X-Trace": trace, ', "", LOGIN, ("header.X-Trace",)),
    Bug(
        "nonces",
        "the amount",
        '"amount": asked.body["amount"]',
        '"amount": asked.body["amount"] + 1',
        ORDER,
        ("body.amount",),
    ),
    Bug("nonces", "whose it is", '"by": TOKENS[token]', '"by": "bob"', ORDER, ("body.by",)),
    Bug("nonces", "a scope too many", '"read", "write"', '"read", "write", "admin"', LOGIN, ("body.scopes[2]",)),
    Bug("nonces", "only one of them", "for one in ORDERS]", "for one in [*ORDERS][:1]]", EVERY, ("body.orders[1]",)),
    Bug("nonces", "the wrong one first", "for one in ORDERS]", "for one in reversed(ORDERS)]", EVERY, ("body.orders",)),
    Bug(
        "nonces",
        "another reference is cancelled",
        '{"reference": made["reference"]}',
        '{"reference": "ORD-1"}',
        "DELETE /orders/ID",
        ("body.reference",),
    ),
    Bug(
        "now",
        "a time off by a day",
        '"at": now.isoformat(), "unix"',
        '"at": (now + DAY).isoformat(), "unix"',
        "POST /visits",
        ("body.at",),
    ),
    Bug(
        "now",
        "seconds for milliseconds",
        "time.time_ns() // 1_000_000",
        "time.time_ns() // 1_000_000_000",
        "POST /visits",
        ("body.ms",),
    ),
    Bug(
        "now",
        "a header off by a day",
        '"Expires": format_datetime(now + DAY',
        '"Expires": format_datetime(now + 2 * DAY',
        "GET /today",
        ("header.Expires",),
    ),
    Bug(
        "now",
        "modified now",
        "format_datetime(now - DAY,",
        "format_datetime(now,",
        "GET /today",
        ("header.Last-Modified",),
    ),
    Bug("now", "yesterday", 'str(day), "weekday"', 'str(day - DAY), "weekday"', "GET /today", ("body.day",)),
    Bug("now", "tomorrow", 'str(day), "weekday"', 'str(day + DAY), "weekday"', "GET /today", ("body.day",)),
    Bug("now", "kept for a week", "now + 30 * DAY", "now + 7 * DAY", "POST /visits", ("INSERT INTO visits",)),
    Bug(
        "now",
        "an offer for two days",
        '"until": (now + DAY).isoformat(timespec',
        '"until": (now + 2 * DAY).isoformat(timespec',
        "GET /quotes/tea",
        ("body.until",),
    ),
    Bug(
        "sessions",
        "no token in the form",
        '"csrf": mine["csrf"]}, headers',
        '"csrf": ""}, headers',
        LOGIN,
        ("body.csrf",),
    ),
    Bug(
        "sessions",
        "another customer",
        '"customer": mine["number"], "lines"',
        '"customer": str(uuid.uuid4()), "lines"',
        "POST /checkout",
        ("body.customer",),
    ),
    Bug(
        "sessions",
        "no line of the order",
        '[one["line"] for one in mine["cart"]]}',
        "[]}",
        "POST /checkout",
        ("body.lines",),
    ),
    Bug(
        "sessions",
        "another order is told of",
        '{"order": order["order"], "lines"',
        '{"order": str(uuid.uuid4()), "lines"',
        "POST /checkout",
        ("body.order",),
    ),
    Bug("sessions", "scripts may read the cookie", "; HttpOnly", "", LOGIN, ("header.Set-Cookie",)),
    Bug(
        "sessions",
        "everybody's cart",
        '"cart": mine["cart"], "customer"',
        '"cart": [], "customer"',
        "GET /cart",
        ("body.cart",),
    ),
    Bug(
        "parallel",
        "a reservation less",
        'for item in asked.body["items"]:',
        'for item in asked.body["items"][1:]:',
        "POST /baskets",
        ("/echo/reserve",),
    ),
    Bug(
        "parallel",
        "another basket",
        'echo/baskets/{number}"',
        'echo/baskets/{uuid.uuid4()}"',
        "POST /baskets",
        ("/echo/baskets/",),
    ),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.app}: {bug.name}")
def test_a_bug_in_what_is_noisy_is_red_and_named(bug: Bug, hard: dict[str, Hard], tmp_path: Path) -> None:
    app = hard[bug.app].copy(tmp_path / "project")
    source = app.source.read_text("utf-8")
    assert bug.old in source, f"the app no longer has {bug.old!r}"
    app.source.write_text(source.replace(bug.old, bug.new, 1), "utf-8")
    replay = app.rr.test()
    assert replay.code == 1, replay.output
    blocks = re.split(r"^(?=[✓✗!] test-)", replay.stdout, flags=re.MULTILINE)
    told = "".join(one for one in blocks if one[2:].split()[:1] and one[2:].split()[0] in app.tests[bug.line])
    for word in bug.words:
        assert word in told, f"it is not said that it is {word!r}\n{replay.output}"
