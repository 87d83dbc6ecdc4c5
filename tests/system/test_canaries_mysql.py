"""Secrets through MySQL: none is found in any file that rr leaves, and the replay is green.

In statements of the text protocol and in what is bound, in the login, in rows, and in what the server's errors quote.
"""

from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.harness.canaries import Canaries, Recorded, ground
from tests.harness.mysql_servers import DATABASE, Server, Servers
from tests.harness.network import free_port

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "canaries" / "mysql_app.py"

CANARIES = Canaries({
    "login": "L0g1nPa55word",
    "environment": "Env1r0nmentPa55",
    "insert": "1ns3rtPa55word",
    "insert, with a quote": "1ns3rt'quoted\"Pa55",
    "insert, in letters of its own": "Schlüssel-größer-7",
    "insert ... set": "S3tPa55word",
    "several rows, first": "F1rstR0wPa55",
    "several rows, last": "L4stR0wPa55",
    "many, first": "F1rst0fManyPa55",
    "many, last": "L4st0fManyPa55",
    "on duplicate key": "0nDupl1cateT0ken",
    "update": "Upd4teAp1Key",
    "where": "Wh3reT0ken77",
    "like": "L1keT0ken88",
    "in": "1nL1stT0ken1",
    "in, second": "1nL1stT0ken2",
    "number": "4802130977",
    "number in a list": "5913240866",
    "number in a list, second": "6024351755",
    "function": "H4shedPa55word",
    "cipher's key": "C1pherK3y4711",
    "cipher, text": "C1pherT3xt0815",
    "user": "Cr3at3dUserPa55",
    "user, altered": "Alt3r3dUserPa55",
    "variable": "V4r1ablePa55",
    "bytes": "Byt3sS3cretK3y",
    "hexadecimal": "H3xS3cretK3y00",
    "json": "Js0nC0lumnT0ken",
    "json function": "Js0nFunct10nPa55",
    "form in a text": "F0rm1nT3xtPa55",
    "several statements": "S3veralStm7T0ken",
    "comment": "C0mmentT0ken42",
    "known elsewhere": "1ns3rtPa55word2",
    "row": "R0wPa55word1",
    "row, another name": "Al1as3dPa55",
    "row, computed": "C0mput3dT0ken9",
    "row, number": "7310046582",
    "row, bytes": "R0wByt3sS3cret",
    "row, json": "R0wJs0nAp1Key",
    "row, shape": "ghp_" + "r0WsH4pe9" * 4,
    "error, duplicate": "Dupl1cateErr0rT0k",
    "error, value": "Err0rVa1uePa55",
    "error, syntax": "Synt4xErr0rPa55",
    "bound": "B0undPa55word",
    "bound, where": "B0undWh3reT0ken",
    "bound, in": "B0und1nT0ken1",
    "bound, in, second": "B0und1nT0ken2",
    "bound, number": "8421157693",
    "bound, bytes": "B0undByt3sK3y",
    "bound, json": "B0undJs0nT0ken",
    "bound, error": "B0undErr0rT0k",
    "bound, row": "B0undR0wS3cret",
    "large text": "L4rgeT3xtPa55",
    "large row": "L4rgeR0wPa55",
    "short": "hunt3r2",
})  # fmt: skip
C = CANARIES
NOT_KEPT = frozenset({"login", "large text"})  # of a literal that is large, a digest is kept

SCHEMA = (
    "CREATE TABLE users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50), password VARCHAR(200), token VARCHAR(200)"
    " UNIQUE, api_key VARCHAR(200), otp BIGINT, secret_key VARBINARY(200), password_hash VARCHAR(200), note LONGTEXT,"
    " document JSON, amount INT) CHARACTER SET utf8mb4",
    f"INSERT INTO users (name, password) VALUES ('row', '{C['row']}'), ('alias', '{C['row, another name']}')",
    "INSERT INTO users (name, note) VALUES"
    f" ('large', CONCAT(REPEAT('a row of a large result ', 60000), ' password={C['large row']}'))",
    f"INSERT INTO users (name, token) VALUES ('computed', '{C['row, computed']}')",
    f"INSERT INTO users (name, otp) VALUES ('number', {C['row, number']})",
    f"INSERT INTO users (name, secret_key) VALUES ('bytes', CONCAT(x'00ff', '{C['row, bytes']}'))",
    f"INSERT INTO users (name, document) VALUES ('json', '{{\"api_key\": \"{C['row, json']}\"}}')",
    f"INSERT INTO users (name, note) VALUES ('shape', 'as {C['row, shape']} says')",
    f"INSERT INTO users (name, password) VALUES ('value', '{C['error, value']}')",
    f"INSERT INTO users (name, token) VALUES ('taken', '{C['error, duplicate']}'), ('b', '{C['bound, error']}')",
    f"INSERT INTO users (name, password) VALUES ('bound', '{C['bound, row']}')",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A statement. `needs_key`: what the server answers holds a secret."""

    sql: str
    parameters: tuple[Any, ...] = ()
    driver: str = "pymysql"
    how: str = "one"
    needs_key: bool = False

    @property
    def data(self) -> dict[str, Any]:
        return {"driver": self.driver, "sql": self.sql, "parameters": self.parameters, "how": self.how}


def in_hexadecimal(text: str) -> dict[str, str]:
    return {"hex": text.encode().hex()}


def bound(sql: str, parameters: tuple[Any, ...], *, needs_key: bool = False) -> Step:
    """The same with a prepared statement."""
    return Step(sql, parameters, "connector", needs_key=needs_key)


def steps() -> Iterator[Step]:
    yield Step("SELECT 1")
    for name in ("insert", "insert, with a quote", "insert, in letters of its own", "known elsewhere"):
        yield Step("INSERT INTO users (name, password) VALUES ('ann', %s)", (C[name],))
    yield Step("INSERT INTO users SET name = 'bob', password = %s", (C["insert ... set"],))
    rows = (C["several rows, first"], "plain", C["several rows, last"])
    yield Step("INSERT INTO users (name, `password`) VALUES ('a', %s), ('b', %s), ('c', %s)", rows)
    yield Step("INSERT INTO users (password, name) VALUES (%s, %s)", ((C["many, first"], "d"), (C["many, last"], "e")),
               how="many")  # fmt: skip
    upsert = "INSERT INTO users (id, name) VALUES (1, 'row') ON DUPLICATE KEY UPDATE token = %s"
    yield Step(upsert, (C["on duplicate key"],))
    yield Step("UPDATE users SET api_key = %s, amount = amount + 1 WHERE name = 'ann'", (C["update"],))
    yield Step("SELECT id FROM users WHERE token = %s OR users.`api_key` <=> %s", (C["where"], C["update"]))
    yield Step("SELECT id FROM users WHERE token LIKE %s", (C["like"] + "%",))
    yield Step("SELECT id FROM users WHERE token IN (%s, %s)", (C["in"], C["in, second"]))
    yield Step(f"SELECT id FROM users WHERE otp = {C['number']}")
    numbers = f"{C['number in a list']}, {C['number in a list, second']}"
    yield Step(f"SELECT id FROM users WHERE name = 'x' AND otp NOT IN ({numbers})")
    yield Step("UPDATE users SET password_hash = SHA2(%s, 256) WHERE id = 1", (C["function"],))
    yield Step("SELECT LENGTH(AES_ENCRYPT(%s, %s))", ("a text", C["cipher's key"]))
    yield Step("UPDATE users SET password_hash = HEX(AES_ENCRYPT(%s, 'k')) WHERE id = 1", (C["cipher, text"],))
    yield Step("CREATE USER 'reader'@'%%' IDENTIFIED BY %s", (C["user"],))
    yield Step("ALTER USER 'reader'@'%%' IDENTIFIED BY %s", (C["user, altered"],))
    yield Step("DROP USER 'reader'@'%'")
    yield Step("SET @password = %s", (C["variable"],))
    yield Step("INSERT INTO users (secret_key) VALUES (%s)", (in_hexadecimal(C["bytes"]),))
    yield Step(f"INSERT INTO users (secret_key) VALUES (x'{C['hexadecimal'].encode().hex()}')")
    yield Step("INSERT INTO users (document) VALUES (%s)", (json.dumps({"a": [{"token": C["json"]}]}),))
    yield Step("UPDATE users SET document = JSON_OBJECT('n', 1, 'password', %s) WHERE id = 1", (C["json function"],))
    yield Step("INSERT INTO users (note) VALUES (%s)", (f"POST /login user=bob&password={C['form in a text']}&x=1",))
    several = "INSERT INTO users (name) VALUES ('f'); UPDATE users SET token = %s WHERE id = 2; SELECT 2"
    yield Step(several, (C["several statements"],))
    yield Step(f"SELECT /* session_id='{C['comment']}' */ 3")
    yield Step("INSERT INTO users (note) VALUES (%s)", (f"they say it is {C['known elsewhere']}.",))
    yield Step("INSERT INTO users (note) VALUES (%s)", (f"of the environment: {C['environment']}",))
    yield Step("SELECT name, password FROM users WHERE name = 'row'", needs_key=True)
    yield Step("SELECT password AS p FROM users WHERE name = 'alias'", needs_key=True)
    yield Step("SELECT token FROM users WHERE name = 'computed'", needs_key=True)
    yield Step("SELECT CONCAT('<', token, '>') FROM users WHERE name = 'computed'", needs_key=True)
    yield Step("SELECT otp FROM users WHERE name = 'number'", needs_key=True)
    yield Step("SELECT secret_key FROM users WHERE name = 'bytes'", needs_key=True)
    yield Step("SELECT document FROM users WHERE name = 'json'", needs_key=True)
    yield Step("SELECT note FROM users WHERE name = 'shape'", needs_key=True)
    yield Step("INSERT INTO users (name, token) SELECT 'x', token FROM users WHERE name = 'taken'", needs_key=True)
    yield Step("UPDATE users SET amount = password WHERE name = 'value'", needs_key=True)
    yield Step(f"SELECT id FRM users WHERE password = '{C['error, syntax']}'")
    yield bound("INSERT INTO users (name, password) VALUES (%s, %s)", ("gil", C["bound"]))
    yield bound("SELECT id FROM users WHERE name = %s AND token = %s", ("gil", C["bound, where"]))
    yield bound("SELECT id FROM users WHERE token IN (%s, %s)", (C["bound, in"], C["bound, in, second"]))
    yield bound("SELECT id FROM users WHERE otp = %s", (int(C["bound, number"]),))
    yield Step("INSERT INTO users (name, secret_key) VALUES (%s, %s)", ("hal", in_hexadecimal(C["bound, bytes"])))
    yield bound("INSERT INTO users (document) VALUES (%s)", (json.dumps({"token": C["bound, json"]}),))
    yield bound("INSERT INTO users (name, token) VALUES (%s, %s)", ("x", C["bound, error"]))
    yield bound("SELECT password, note FROM users WHERE name = %s", ("bound",), needs_key=True)
    large = "a text that is large " * 60_000
    yield Step("INSERT INTO users (note) VALUES (%s)", (f"{large} password={C['large text']}",))
    yield Step("SELECT note FROM users WHERE name = 'large'", needs_key=True)
    yield Step("UPDATE users SET password = %s WHERE id = 3", (C["short"],))
    yield Step("INSERT INTO users (note) VALUES (%s)", (f"Hello, my password is {C['short']}.",))


def prepared(server: Server) -> None:
    """The user and the tables, new."""
    server.sql(
        "DROP USER IF EXISTS 'canary'@'%', 'reader'@'%'",
        f"CREATE USER 'canary'@'%' IDENTIFIED BY '{C['login']}'",
        "GRANT ALL ON *.* TO 'canary'@'%'",
        f"USE {DATABASE}",
        "DROP TABLE IF EXISTS users",
        *SCHEMA,
    )


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, databases: Servers
) -> Iterator[Recorded]:
    """MySQL in TLS, MariaDB in clear."""
    flavour: str = request.param
    server = databases[flavour]
    prepared(server)
    tmp = tmp_path_factory.mktemp("canaries")
    port = free_port()
    (tmp / "steps.json").write_text(json.dumps([step.data for step in steps()]))
    settings = {
        "STEPS": str(tmp / "steps.json"), "PORT": str(port), "DB_PORT": str(server.port), "DB_USER": "canary",
        "DB_PASSWORD": C["login"], "DB_TLS": "01"[flavour == "mysql"], "AUDIT_PASSWORD": C["environment"],
    }  # fmt: skip
    with ground(tmp) as place:
        shutil.copy(APP, place.rr.folder)
        rr = place.rr.with_settings(**settings)
        with rr.record(f"{sys.executable} {APP.name}", port=port) as running:
            for number, _ in enumerate(steps()):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{number}", timeout=20) as answer:
                    assert answer.status == 200
            running.interrupt()
            assert running.wait() == 0, running.output
        needing = frozenset(f"test-{number}" for number, step in enumerate(steps(), 1) if step.needs_key)
        yield Recorded(
            place, CANARIES, running.output, needing, NOT_KEPT, settings,
            broken=[("return zlib.crc32(repr(rows).encode()) % 997", "return repr(rows)"), ("-> int", "-> str")],
        )  # fmt: skip
        server.sql("DROP USER 'canary'@'%'", f"DROP TABLE {DATABASE}.users")


def test_no_file_and_no_line_holds_one(recorded: Recorded) -> None:
    assert len(CANARIES) >= 30
    recorded.is_clean(output=recorded.output)


def test_each_of_them_went_through(recorded: Recorded) -> None:
    recorded.each_was_sealed()


def test_its_owner_replays_it_green(recorded: Recorded, tmp_path: Path) -> None:
    recorded.replays_green(tmp_path, XDG_DATA_HOME=str(recorded.rr.home / "data"))


def test_a_clone_with_the_key_is_green(recorded: Recorded, tmp_path: Path) -> None:
    recorded.replays_green(tmp_path, RR_KEY=recorded.key)


def test_a_broken_app_s_report_holds_none(recorded: Recorded, tmp_path: Path) -> None:
    recorded.fails_without_telling(tmp_path, APP.name)


def test_in_a_clone_without_it_exactly_those_are_errored_that_need_an_unborn_secret(
    recorded: Recorded, tmp_path: Path
) -> None:
    recorded.names_what_it_cannot_replay(tmp_path)
