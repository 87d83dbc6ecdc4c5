"""A MySQL document goes to disk without its secrets; sealed it can be matched, unsealed it is what was recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from protocols.mysql.messages import (
    Column,
    Err,
    Greeting,
    MysqlRequest,
    MysqlResponse,
    Ok,
    Operation,
    Result,
    ResultSet,
    Session,
)
from protocols.mysql.statement import parse
from protocols.mysql.terms import Type
from protocols.mysql.yaml import MysqlExchange, from_spec, to_spec
from testset.emit import dump
from testset.model import Document, Exchange, ExchangeId, Server
from testset.redaction import Redactor
from testset.secrets import Vault
from testset.text import load

CANARY = "correct-horse"
NAME = Column(
    name="name", type=Type.VAR_STRING, length=80, charset=255, table="users", org_table="users", org_name="name"
)
HASH = Column(name="password", type=Type.BLOB, length=80, table="users", org_table="users", org_name="password")


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("RR_KEY", raising=False)
    return Vault(tmp_path / "secrets.yml")


def exchange(query: str, *results: Result, parameters: tuple[str | bytes, ...] | None = None) -> MysqlExchange:
    operation = Operation.QUERY if parameters is None else Operation.EXECUTE
    return Exchange(
        id=ExchangeId(0, 0),
        protocol="mysql",
        inbound=False,
        server=Server("db", 3306),
        request=MysqlRequest(
            operation=operation, query=query, parameters=parameters, session=Session(settings=(("time_zone", "'UTC'"),))
        ),
        response=MysqlResponse(results=results),
        started_ns=0,
        ended_ns=0,
    )


def redacted(vault: Vault, given: MysqlExchange) -> str:
    document = Document(kind="MySQL", name="test-1.1", spec=to_spec(given))
    return dump(Redactor(vault).redact(document, outbound=True).document.spec)


def test_passwords_are_sealed_and_the_rest_stays(vault: Vault) -> None:
    rows = (("ann", CANARY.encode()), ("bob", b"\xff\x00"), (None, None))
    selected = exchange("SELECT name, password FROM users", ResultSet(columns=(NAME, HASH), rows=rows))
    lines = """
      rows:
        - [ann, '{{secret "password-1"}}']
        -
          - bob
          - {base64: '{{secret "password-2"}}'}
        - [null, null]
"""
    assert lines in redacted(vault, selected)
    written = exchange(f"UPDATE users SET password = '{CANARY}' WHERE name = 'ann'", Ok(affected_rows=1))
    assert "SET password = '{{secret \"password-1\"}}' WHERE name = 'ann'" in query(redacted(vault, written))
    bound = exchange("INSERT INTO users (name, password) VALUES (?, ?)", Ok(), parameters=("ann", CANARY))
    assert """parameters: [ann, '{{secret "password-1"}}']\n""" in redacted(vault, bound)


def query(document: str) -> str:
    return str(load(document)["requests"][0]["message"]["query"])


def test_sealed_it_can_be_read_and_unsealed_it_is_what_was_recorded(vault: Vault) -> None:
    rows = (("ann", CANARY.encode()), ("bob", b"\xff\x00"))
    given = exchange(f"SELECT 1 FROM users WHERE password = '{CANARY}'", ResultSet(columns=(NAME, HASH), rows=rows))
    spec = load(redacted(vault, given))
    sealed = from_spec("MySQL", spec)
    assert parse(sealed.request.query).skeleton == parse(given.request.query).skeleton
    unsealed = from_spec("MySQL", vault.unseal_tree(spec))
    assert unsealed.request == given.request
    assert unsealed.response is not None
    (result,) = unsealed.response.results
    assert isinstance(result, ResultSet)
    assert result.rows == (("ann", CANARY), ("bob", b"\xff\x00")), "text in a binary column may come back as text"


@pytest.mark.parametrize(
    "said",
    [
        "Access denied for user 'app'@'localhost' (using password: YES)",
        "Unknown column 'password' in 'field list'",
        "Duplicate entry 'ann' for key 'users.name'",
    ],
)
def test_what_a_server_says_of_passwords_is_no_secret(vault: Vault, said: str) -> None:
    given = exchange("SELECT 1", Err(code=1045, sqlstate="28000", message=said))
    assert load(redacted(vault, given))["responses"][0]["message"]["error_message"] == said


def test_a_login_has_nothing_to_seal(vault: Vault) -> None:
    request = MysqlRequest(
        operation=Operation.CONNECT,
        user="app",
        plugin="mysql_clear_password",
        tls=True,
        session=Session(database="shop"),
    )
    greeting = Greeting(server_version="8.4.1", capabilities=0xDFFFFFFF, plugin="caching_sha2_password")
    given = replace(exchange("", Ok()), request=request, response=MysqlResponse(greeting=greeting, results=(Ok(),)))
    assert redacted(vault, given) == dump(to_spec(given))
    assert from_spec("MySQL", load(redacted(vault, given))) == given
