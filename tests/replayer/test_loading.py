"""A test set as a replay sees it: tests that cannot be sent set aside, secrets sealed, names resolved."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from replayer.loading import LoadedSet, Names
from testset.errors import SecretError
from testset.model import FileBody, Server
from testset.secrets import Vault
from testset.store import TestSet

TEST = """\
version: api.keploy.io/v1beta1
kind: Http
name: {name}
spec:
  req:
    method: {method}
    url: http://localhost:8000/me
    header: {{Authorization: 'Bearer {{{{secret "token-1"}}}}'}}
    timestamp: 2026-01-01T10:00:00Z
  resp:
    status_code: 200
    body: '{{"token": "{{{{secret "token-1"}}}}"}}'
    timestamp: 2026-01-01T10:00:01Z
"""

MOCK = """\
version: api.keploy.io/v1beta1
kind: Http
name: {name}
spec:
  metadata: {{type: {kind}}}
  req: {{method: GET, url: 'http://users:8080/users/7'}}
  resp: {{status_code: 200}}
  reqTimestampMock: {time}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("RR_KEY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "set" / "tests").mkdir(parents=True)
    return tmp_path / "set"


def loaded(folder: Path, vault: Vault | None = None, **tests: str) -> LoadedSet:
    for name, method in (tests or {"test-1": "GET"}).items():
        (folder / "tests" / f"{name}.yml").write_text(TEST.format(name=name.replace("_", "-"), method=method))
    return LoadedSet(TestSet(folder), vault or Vault(folder / "secrets.yml"))


def nothing(placeholder: str) -> str | None:
    """The run has given birth to no secret."""
    return None


def test_a_secret_is_unsealed_only_for_the_wire(folder: Path) -> None:
    vault = Vault(folder / "secrets.yml")
    assert vault.seal("s3cr3t-of-the-recording", "token") == '{{secret "token-1"}}'
    here = loaded(folder, vault)
    (test,) = here.tests
    assert "s3cr3t" not in repr(test)
    assert dict(here.request(test, nothing).headers)["Authorization"] == "Bearer s3cr3t-of-the-recording"
    assert here.response(test, nothing).body == b'{"token": "s3cr3t-of-the-recording"}'


def test_what_the_run_gave_birth_to_goes_before_and_needs_no_key(folder: Path) -> None:
    here = loaded(folder)
    (test,) = here.tests
    anew = {'{{secret "token-1"}}': "born-in-this-run"}.get
    assert dict(here.request(test, anew).headers)["Authorization"] == "Bearer born-in-this-run"
    assert here.response(test, anew).body == b'{"token": "born-in-this-run"}'


def test_a_secret_that_cannot_be_had_cannot_be_sent_and_is_named(folder: Path) -> None:
    here = loaded(folder)
    (test,) = here.tests
    with pytest.raises(SecretError, match="token-1"):
        here.request(test, nothing)
    assert here.response(test, nothing).body == b'{"token": "{{secret "token-1"}}"}'


@pytest.mark.parametrize(
    ("secret", "with_key", "without"),
    [
        (
            "plain-word-key",
            "/echo/plain-word-key?token={{secret \"token-1\"}}",
            "/echo/{{secret \"token-1\"}}?token={{secret \"token-1\"}}",
        ),
        (
            "1f0e3dad99908345f7439f8ffabdffc4",  # another one each time
            "/echo/{{secret \"token-1\"}}?token={{secret \"token-1\"}}",
            "/echo/{{secret \"token-1\"}}?token={{secret \"token-1\"}}",
        ),
    ],
)  # fmt: skip
def test_a_secret_in_a_path_is_looked_up_as_it_was(folder: Path, secret: str, with_key: str, without: str) -> None:
    vault = Vault(folder / "secrets.yml")
    vault.seal(secret, "token")
    url = """'http://users:8080/echo/{{secret "token-1"}}?token={{secret "token-1"}}'"""
    mock = MOCK.format(name="test-1.1", kind="mocks", time="2026-01-01T10:00:00Z")
    (folder / "mocks.yml").write_text(mock.replace("'http://users:8080/users/7'", url))
    (found,) = loaded(folder, vault).mocks()
    assert found.exchange.request.target == with_key
    here = loaded(folder)
    (found,) = here.mocks()
    assert found.exchange.request.target == without
    here.stand_ins = frozenset({"token-1"})  # its name went to the app instead
    (found,) = here.mocks()
    assert found.exchange.request.target == '/echo/token-1?token={{secret "token-1"}}'


def test_a_number_in_sql_is_looked_up_as_it_was(folder: Path) -> None:
    vault = Vault(folder / "secrets.yml")
    vault.seal("123456", "token")
    query = """SELECT 1 FROM u WHERE otp = {{secret "token-1"}} AND name = '{{secret "token-1"}}'"""
    message = f"message: {{query: {json.dumps(query)}}}"
    spec = f"{{metadata: {{requestOperation: COM_QUERY, server: db:3306}}, requests: [{{{message}}}], responses: []}}"
    (folder / "mocks.yml").write_text(f"version: api.keploy.io/v1beta1\nkind: MySQL\nname: test-1.1\nspec: {spec}\n")
    (found,) = loaded(folder, vault).mocks()
    assert found.exchange.request.query == query.replace('{{secret "token-1"}} AND', "123456 AND")
    (found,) = loaded(folder).mocks()  # without the key it may have been any
    assert found.exchange.request.query == query.replace('{{secret "token-1"}} AND', """'{{secret "token-1"}}' AND""")


def test_a_side_file_goes_over_the_wire_with_its_secrets(folder: Path) -> None:
    vault = Vault(folder / "secrets.yml")
    vault.seal("s3cr3t", "token")
    (folder / "assets").mkdir()
    (folder / "assets" / "a.bin").write_bytes(b'\xff{{"{{"}}' * 200_000 + b'{{secret "token-1"}}')
    here = loaded(folder, vault)
    text = TEST.format(name="test-1", method="POST").replace(
        "    timestamp", "    body_ref: {path: assets/a.bin, size: 1}\n    timestamp", 1
    )
    (folder / "tests" / "test-1.yml").write_text(text)
    here = LoadedSet(TestSet(folder), vault)
    body = here.request(here.tests[0], nothing).body
    assert isinstance(body, FileBody)
    whole = b"\xff{{" * 200_000 + b"s3cr3t"
    assert body.path.read_bytes() == whole
    assert (body.size, body.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())


def test_a_test_that_cannot_be_sent_is_set_aside(folder: Path) -> None:
    here = loaded(folder, test_1="GET", test_2="GE T", test_3="PUT")
    assert [test.name for test in here.tests] == ["test-1", "test-3"]
    assert list(here.unreadable) == ["test-2"]
    assert "test_2.yml:1: test-2: req.method: not a method of HTTP: 'GE T'" in str(here.unreadable["test-2"])


@pytest.mark.parametrize(
    ("name", "kind", "time", "owner"),
    [
        ("test-4.2", "mocks", "2026-01-01T10:00:00.500Z", "test-4"),
        ("test-3+test-4.1", "mocks", "2026-01-01T10:00:00.500Z", "test-3+test-4"),
        ("startup.1", "mocks", "2026-01-01T10:00:00.500Z", "startup"),
        ("mock-0", "HTTP_CLIENT", "2026-01-01T10:00:00.500Z", "test-1"),
        ("mock-0", "HTTP_CLIENT", "2026-01-01T10:00:09Z", "background"),
        ("mock-0", "config", "2026-01-01T10:00:00.500Z", "startup"),
        ("mock-0", "connection", "2026-01-01T10:00:00.500Z", "background"),
    ],
)
def test_whose_a_mock_is(name: str, kind: str, time: str, owner: str, folder: Path) -> None:
    (folder / "mocks.yml").write_text(MOCK.format(name=name, kind=kind, time=time))
    assert [mock.owner for mock in loaded(folder).mocks()] == [owner]


def test_names_stand_for_addresses() -> None:
    names = Names()
    address = names.make("users")
    assert names.make("users") == address
    assert names.server(address, 8080) == Server("users", 8080)
    assert names.make("stock") != address
    assert names.server("127.0.0.1", 80) == names.server("::1", 80) == Server("localhost", 80)
    assert names.server("192.0.2.7", 80) == Server("192.0.2.7", 80)


def test_what_a_resolver_tries_on_the_way_is_no_name_of_the_app_s() -> None:
    names = Names()
    names.make("users")
    assert names.is_search("users.example.org")
    assert not names.is_search("usersx.example.org")
    assert not names.is_search("elsewhere.example.org")


# -- names that a person has given to values -----------------------------------------------------------------------

NAMING = """\
version: api.keploy.io/v1beta1
kind: Http
name: {name}
spec:
  req: {{method: GET, url: 'http://localhost:8000{path}'}}
  resp:
    status_code: 200
    header: {{Content-Type: application/json}}
    body: '{body}'
"""


def naming(folder: Path, template: str, **tests: tuple[str, str]) -> LoadedSet:
    """Tests by their path and the body of their answer."""
    for name, (path, body) in tests.items():
        text = NAMING.format(name=name, path=path, body=body)
        (folder / "tests" / f"{name}.yml").write_text(text)
    (folder / "config.yml").write_text(template)
    return LoadedSet(TestSet(folder), Vault(folder / "secrets.yml"))


def test_names_stand_for_what_was_recorded_until_they_are_heard(folder: Path) -> None:
    tests = {"a": ("/", '{"id": "{{order}}"}'), "b": ("/orders/{{order}}", "{}"), "c": ("/", "{}")}
    each = naming(folder, "template: {order: A-17, unused: 1}\n", **tests)
    first, second, third = each.tests
    assert each.response(first, nothing).body == b'{"id": "A-17"}'
    assert second.exchange.request.target == "/orders/A-17"
    now = each.in_words_of(second, {"order": "A/18"})
    assert now.exchange.request.target == "/orders/A%2F18"
    assert now.document is not None
    assert now.document.spec["req"]["url"] == "http://localhost:8000/orders/A%2F18", "which the report shows"
    assert each.in_words_of(third, {"order": "A-18"}) is third
    assert each.named_values == {"A-17"}
    assert each.named_by({"b"}) == {"a"}
    assert each.named_by({"c"}) == set()


def test_a_name_without_a_value_is_said_with_its_line(folder: Path) -> None:
    each = naming(folder, "template: {order: A-17}\n", a=("/", '{"id": "{{other}}"}'), b=("/{{order}}", "{}"))
    assert [test.name for test in each.tests] == ["b"], "the others run"
    error = each.unreadable["a"]
    assert str(error).endswith("tests/a.yml:9: a: nothing says what {{other}} stood for")
    assert "config.yml (template: {other: …})" in error.remedy


def test_without_a_template_braces_are_text(folder: Path) -> None:
    each = naming(folder, "{}\n", a=("/", "<h1>{{title}}</h1>"))
    assert each.response(each.tests[0], nothing).body == b"<h1>{{title}}</h1>"
    assert each.named_values == frozenset()
