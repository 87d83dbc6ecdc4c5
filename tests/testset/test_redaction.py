"""What counts as a secret, where, and that nothing of it stays in a document that the store would take."""

# ruff: noqa: E501 - a case a line
from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testset.emit import dump
from testset.model import Document
from testset.redaction import RedactedDocument, Redactor
from testset.secret_rules import Rules
from testset.secrets import Vault

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc\n-----END RSA PRIVATE KEY-----"
SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"


def redacted(redactor: Redactor, spec: dict[str, Any], **options: bool) -> dict[str, Any]:
    return dict(redactor.redact(Document(kind="Http", name="test-1", spec=spec), **options).document.spec)


def header(redactor: Redactor, name: str, value: str) -> str:
    return str(redacted(redactor, {"req": {"header": {name: value}}})["req"]["header"][name])


def body(redactor: Redactor, text: str) -> str:
    return str(redacted(redactor, {"body": text})["body"])


def test_nothing_but_a_redactor_makes_a_redacted_document() -> None:
    with pytest.raises(TypeError, match=r"made by Redactor\.redact"):
        RedactedDocument(Document(kind="Http", name="a", spec={}), object())


# -- by place ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Authorization", f"Bearer {JWT}", 'Bearer {{secret "jwt-1"}}'),
        ("authorization", "Bearer abc", 'Bearer {{secret "bearer-1"}}'),
        ("Authorization", "Basic dXNlcjpwYXNz", 'Basic {{secret "basic-1"}}'),
        ("Proxy-Authorization", "opaque", '{{secret "credential-1"}}'),
        (
            "Authorization",
            f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20250904/us-east-1/sqs/aws4_request, SignedHeaders=host, "
            f"Signature={SIGNATURE}",
            'AWS4-HMAC-SHA256 Credential={{secret "aws-key-1"}}/20250904/us-east-1/sqs/aws4_request, SignedHeaders=host, '
            'Signature={{secret "signature-1"}}',
        ),
        ("Cookie", "a=1; sid=x=y; a=1", 'a={{secret "cookie-1"}}; sid={{secret "cookie-2"}}; a={{secret "cookie-1"}}'),
        ("Set-Cookie", "sid=xyz; Path=/a; HttpOnly; Max-Age=5", 'sid={{secret "cookie-1"}}; Path=/a; HttpOnly; Max-Age=5'),
        ("X-Api-Key", "k", '{{secret "api-key-1"}}'),
        ("X-CSRF-Token", "t", '{{secret "token-1"}}'),
        ("Content-Type", "application/json", "application/json"),
        ("Location", "http://u:pw@h/?access_token=a&b=c#d", 'http://u:{{secret "password-1"}}@h/?access_token={{secret "token-1"}}&b=c#d'),
    ],
)  # fmt: skip
def test_headers(redactor: Redactor, name: str, value: str, expected: str) -> None:
    assert header(redactor, name, value) == expected


def test_a_header_that_is_there_twice(redactor: Redactor) -> None:
    spec = {"resp": {"header": {"Set-Cookie": ["a=1; Path=/", "b=2"], "Vary": ["Accept", "Origin"]}}}
    assert redacted(redactor, spec)["resp"]["header"] == {
        "Set-Cookie": ['a={{secret "cookie-1"}}; Path=/', 'b={{secret "cookie-2"}}'],
        "Vary": ["Accept", "Origin"],
    }


def test_what_only_signs_an_outbound_request_is_not_kept(redactor: Redactor, vault: Vault) -> None:
    value = f"AWS4-HMAC-SHA256 Credential=local/20250904/us-east-1/sqs/aws4_request, Signature={SIGNATURE}"
    spec = {"req": {"header": {"Authorization": value, "X-Amz-Security-Token": "FwoG"}}}
    assert redacted(redactor, spec, outbound=True)["req"]["header"] == {
        "Authorization": 'AWS4-HMAC-SHA256 Credential={{redacted "aws-key"}}/20250904/us-east-1/sqs/aws4_request, '
        'Signature={{redacted "signature"}}',
        "X-Amz-Security-Token": '{{redacted "aws-session-token"}}',
    }
    assert list(vault.values()) == []


# -- by name ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1,  "password" : "p\\"w" }', '{"a": 1,  "password" : "{{secret "password-1"}}" }'),
        ('{"pin": 1, "password": 12345, "token": 5}', '{"pin": 1, "password": {{secret "password-1"}}, "token": 5}'),
        ('{"password": "", "token": null, "secret": "***"}', '{"password": "", "token": null, "secret": "***"}'),
        ('{"Message": "{\\"token\\": \\"abc\\"}"}', '{"Message": "{\\"token\\": \\"{{secret "token-1"}}\\"}"}'),
        ("user=a&password=b%20c&x=1", 'user=a&password={{secret "password-1"}}&x=1'),
        ("<login><password>pw</password></login>", '<login><password>{{secret "password-1"}}</password></login>'),
        (
            '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\npw\r\n--b--',
            '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{{secret "password-1"}}\r\n--b--',
        ),
        ("GET / HTTP/1.1\r\nAuthorization: Bearer abc\r\n\r\n", 'GET / HTTP/1.1\r\nAuthorization: Bearer {{secret "bearer-1"}}\r\n\r\n'),
        ("mysql://root:pw@db:3306/orders", 'mysql://root:{{secret "password-1"}}@db:3306/orders'),
        ("root:pw@tcp(db:3306)/orders", 'root:{{secret "password-1"}}@tcp(db:3306)/orders'),
        ("Server=db;User Id=sa;Password=pw;Database=x", 'Server=db;User Id=sa;Password={{secret "password-1"}};Database=x'),
        ('{"form": {"password": ["a", "b"]}}', '{"form": {"password": ["{{secret "password-1"}}", "{{secret "password-2"}}"]}}'),
        ('{"db_pass": "a", "day_pass": "b"}', '{"db_pass": "{{secret "password-1"}}", "day_pass": "b"}'),
        ('<login password="pw"/>', '<login password="{{secret "password-1"}}"/>'),
        ("<Password><![CDATA[pw]]></Password>", '<Password><![CDATA[{{secret "password-1"}}]]></Password>'),
        ("<input type='hidden' name='csrf_token' value='t'>", "<input type='hidden' name='csrf_token' value='{{secret \"token-1\"}}'>"),
        ("db:\n  - db_password: pw\n", 'db:\n  - db_password: {{secret "password-1"}}\n'),
        ("GET /reset/8c1f0a77b2e94d0c HTTP/1.1", 'GET /reset/{{secret "token-1"}} HTTP/1.1'),
        ("GET /token/introspection-endpoint HTTP/1.1", "GET /token/introspection-endpoint HTTP/1.1"),
        ("http://files/a.pdf?se=2030&sig=8c1f0a77b2e94d0c%3D", 'http://files/a.pdf?se=2030&sig={{secret "signature-1"}}'),
        ("https://hooks.slack.com/services/T00000000/B00000000/abcdefgh", 'https://hooks.slack.com/services/{{secret "slack-webhook-1"}}'),
        ("next=%2Flogin%3Ftoken%3Da%2Fb%26page%3D2&n=1", 'next=%2Flogin%3Ftoken%3D{{secret "token-1"}}%26page%3D2&n=1'),
        ('{"Body": "{\\"Type\\": \\"N\\", \\"Message\\": \\"{\\\\\\"password\\\\\\": [\\\\\\"vAlue\\\\\\"]}\\"}"}', '{"Body": "{\\"Type\\": \\"N\\", \\"Message\\": \\"{\\\\\\"password\\\\\\": [\\\\\\"{{secret "password-1"}}\\\\\\"]}\\"}"}'),
        ('{"api_key": {"DataType": "String", "StringValue": "vAlue"}, "kind": {"StringValue": "new"}}', '{"api_key": {"DataType": "String", "StringValue": "{{secret "api-key-1"}}"}, "kind": {"StringValue": "new"}}'),
        ('{"Item": {"token": {"S": "vAlue"}}}', '{"Item": {"token": {"S": "{{secret "token-1"}}"}}}'),
        ('A=Send&MessageBody=%7B%22password%22%3A+%22vAlue%22%7D&x=1', 'A=Send&MessageBody=%7B%22password%22%3A+%22{{secret "password-1"}}%22%7D&x=1'),
        ('A.1.Name=api_key&A.1.Value.DataType=String&A.1.Value.StringValue=vAlue&A.2.Name=kind&A.2.Value.StringValue=new', 'A.1.Name=api_key&A.1.Value.DataType=String&A.1.Value.StringValue={{secret "api-key-1"}}&A.2.Name=kind&A.2.Value.StringValue=new'),
        ('Tag.1.Key=api_key&Tag.1.Value=vAlue&Tag.2.Key=team&Tag.2.Value=shop', 'Tag.1.Key=api_key&Tag.1.Value={{secret "api-key-1"}}&Tag.2.Key=team&Tag.2.Value=shop'),
        ('{"body": "eyJ0b2tlbiI6ICJhLXRva2VuLW9mLWEtdXNlciJ9", "id": 1}', '{"body": "{{secret "base64-1"}}", "id": 1}'),
        ('{"body": "aGVsbG8gdGhlcmUsIHRoaXMgaXMgbm8gc2VjcmV0"}', '{"body": "aGVsbG8gdGhlcmUsIHRoaXMgaXMgbm8gc2VjcmV0"}'),
        ('AUTH vAlue\r\nPING\r\n', 'AUTH {{secret "password-1"}}\r\nPING\r\n'),
        ('AUTH app vAlue\r\n', 'AUTH app {{secret "password-1"}}\r\n'),
        ('AUTH PLAIN vAlue\r\n', 'AUTH PLAIN {{secret "password-1"}}\r\n'),
        ('USER app\r\nPASS vAlue\r\n', 'USER app\r\nPASS {{secret "password-1"}}\r\n'),
        ('*2\r\n$4\r\nAUTH\r\n$5\r\nvAlue\r\n', '*2\r\n$4\r\nAUTH\r\n$5\r\n{{secret "password-1"}}\r\n'),
        ('*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$5\r\nvAlue\r\n', '*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$5\r\n{{secret "password-1"}}\r\n'),
        ('\n\x10password=vAlue&\x00', '\n\x10password={{secret "password-1"}}&\x00'),
        ('AUTH LOGIN\r\nan author passes by\r\n', 'AUTH LOGIN\r\nan author passes by\r\n'),
    ],
)  # fmt: skip
def test_texts(redactor: Redactor, vault: Vault, text: str, expected: str) -> None:
    assert body(redactor, text) == expected
    assert vault.unseal(expected) == text


def test_keys_of_a_document(redactor: Redactor) -> None:
    spec = {
        "login": {"user": "a", "password": "b", "tokens": ["x"], "token": ["y"]},
        "form": [{"key": "password", "values": ["c"]}, {"key": "q", "values": ["d"]}],
    }
    assert redacted(redactor, spec) == {
        "login": {
            "user": "a",
            "password": '{{secret "password-1"}}',
            "tokens": ["x"],
            "token": ['{{secret "token-1"}}'],
        },
        "form": [{"key": "password", "values": ['{{secret "password-2"}}']}, {"key": "q", "values": ["d"]}],
    }


def test_what_rr_says_about_places_is_left_alone(redactor: Redactor) -> None:
    spec = {"assertions": {"noise": {"body.token": ["^.*$"]}}, "rr": {"made_up": {"token": "resp.body.token"}}}
    assert redacted(redactor, spec) == spec


def test_result_sets_and_statements(redactor: Redactor) -> None:
    spec = {
        "requests": [
            {"message": {"query": "INSERT INTO users (id, password) VALUES (1, 'pw one'), (?, ?)", "parameters": [2, "pw two"]}},
            {"message": {"query": "SELECT * FROM users WHERE name = ? AND token = ?", "parameters": [{"value": "a"}, {"value": "t1"}]}},
        ],
        "responses": [
            {"message": {"columns": [{"name": "id"}, {"name": "password_hash"}], "rows": [[1, "h1"], [2, None]]}},
            {"message": {"columns": [{"name": "token"}], "rows": [{"values": [{"name": "token", "value": "t1"}]}]}},
        ],
    }  # fmt: skip
    assert redacted(redactor, spec) == {
        "requests": [
            {
                "message": {
                    "query": "INSERT INTO users (id, password) VALUES (1, '{{secret \"password-1\"}}'), (?, ?)",
                    "parameters": [2, '{{secret "password-2"}}'],
                }
            },
            {
                "message": {
                    "query": "SELECT * FROM users WHERE name = ? AND token = ?",
                    "parameters": [{"value": "a"}, {"value": '{{secret "token-1"}}'}],
                }
            },
        ],
        "responses": [
            {
                "message": {
                    "columns": [{"name": "id"}, {"name": "password_hash"}],
                    "rows": [[1, '{{secret "password-3"}}'], [2, None]],
                }
            },
            {
                "message": {
                    "columns": [{"name": "token"}],
                    "rows": [{"values": [{"name": "token", "value": '{{secret "token-1"}}'}]}],
                }
            },
        ],
    }


@pytest.mark.parametrize(
    ("statement", "secrets"),
    [
        ("SELECT id FROM users WHERE password = SHA2('pw', 256)", ["pw"]),
        ("UPDATE users SET password = AES_ENCRYPT(CONCAT('a', 'pw'), 'k'), name = 'b'", ["a", "pw", "k"]),
        ("SELECT 1 FROM sessions WHERE token IN ('a', 'b') AND name = 'c'", ["a", "b"]),
        ("CREATE USER app IDENTIFIED BY 'pw'", ["pw"]),
        ("SET PASSWORD FOR app = 'pw'", ["pw"]),
        ("SELECT PASSWORD('pw')", ["pw"]),
        ("INSERT INTO users (name, password) VALUES (UPPER('b'), MD5('pw'))", ["pw"]),
        ("SELECT 1 FROM u WHERE otp = 123456 AND cvv = 987 AND token = 12345", ["123456", "987"]),
        ("INSERT INTO cards (id, cvv) VALUES (4711, 987)", ["987"]),
        ("SELECT name FROM a WHERE (name = 'b') AND (b.password = ('pw'))", ["pw"]),
        (
            "SELECT 1 FROM u WHERE token NOT IN ('a', 'b') AND otp NOT IN (123456, 234567) AND n NOT IN (345678)",
            ["a", "b", "123456", "234567"],
        ),
        ("SELECT 1 FROM u WHERE token NOT LIKE 'a%' OR token = BINARY 'b' OR token RLIKE 'c'", ["a%", "b", "c"]),
        ("SELECT AES_DECRYPT(data, 'k'), AES_ENCRYPT('text', 'l')", ["k", "l"]),
        ("UPDATE u SET doc = JSON_OBJECT('n', 'a', 'password', 'pw', 'm', 'b')", ["pw"]),
        ("UPDATE u SET doc = JSON_SET(doc, '$.a', 'b', '$.user.\"api-key\"', 'k')", ["k"]),
    ],
)
def test_literals_of_statements(redactor: Redactor, vault: Vault, statement: str, secrets: list[str]) -> None:
    redacted(redactor, {"query": statement})
    assert list(vault.values()) == secrets


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE users SET password = _binary'pw'", """UPDATE users SET password = _binary'{{secret "password-1"}}'"""),
        ("UPDATE users SET password = x'ff00'", """UPDATE users SET password = '{{secret "password-1"}}'"""),
        ("UPDATE users SET photo = x'ff00', n = N'a'", "UPDATE users SET photo = x'ff00', n = N'a'"),
    ],
)
def test_literals_with_a_mark_before_them(redactor: Redactor, statement: str, expected: str) -> None:
    assert redacted(redactor, {"query": statement})["query"] == expected


def test_values_of_a_result_set_that_are_no_texts(redactor: Redactor, vault: Vault) -> None:
    columns = [{"name": "id"}, {"name": "password"}, {"name": "p", "org_name": "password"}]
    rows = [[1, b"text", "alias"], [b"\xff", b"\xff\x00", 1234], [b"text", None, 0.5]]
    assert redacted(redactor, {"columns": columns, "rows": rows})["rows"] == [
        [1, '{{secret "password-1"}}', '{{secret "password-2"}}'],
        [b"\xff", {"base64": '{{secret "password-3"}}'}, {"number": '{{secret "password-4"}}'}],
        [b"text", None, {"number": '{{secret "password-5"}}'}],
    ]
    assert list(vault.values()) == ["text", "alias", "/wA=", "1234", "0.5"]


def test_bound_values_that_are_no_texts(redactor: Redactor) -> None:
    query = "INSERT INTO users (name, password, salt) VALUES (?, ?, ?)"
    parameters = redacted(redactor, {"query": query, "parameters": [b"app", b"pw", b"\xff\x00"]})["parameters"]
    assert parameters == [b"app", '{{secret "password-1"}}', b"\xff\x00"]


def test_bound_numbers(redactor: Redactor) -> None:
    query = "SELECT 1 FROM users WHERE otp = ? AND id = ? AND cvv <> ?"
    parameters = redacted(redactor, {"query": query, "parameters": [123456, 123456, 0]})["parameters"]
    assert parameters == [{"number": '{{secret "password-1"}}'}, 123456, 0]


def answered(redactor: Redactor, query: str, response: dict[str, Any]) -> dict[str, Any]:
    spec = {"requests": [{"message": {"query": query}}], "responses": [{"message": response}]}
    return dict(redacted(redactor, spec)["responses"][0]["message"])


@pytest.mark.parametrize(
    ("query", "hidden"),
    [
        ("SELECT CONCAT('<', token, '>') AS c FROM users", True),
        ("SELECT id, TRIM(u.password) c FROM users u", True),
        ("SELECT 1 UNION SELECT UPPER(api_key) AS c FROM users", True),
        ("SELECT UPPER(name) AS c FROM users WHERE token = UPPER('')", False),
        ("SELECT UPPER(token) AS d, UPPER(name) AS c FROM users", False),
    ],
)
def test_columns_that_are_made_of_secrets(redactor: Redactor, query: str, hidden: bool) -> None:
    told = answered(redactor, query, {"columns": [{"name": "c"}], "rows": [["made of it"], [7]]})
    assert (told["rows"] != [["made of it"], [7]]) is hidden
    assert told["rows"][1] == [7]


@pytest.mark.parametrize(
    ("query", "message", "expected"),
    [
        ("INSERT INTO a SELECT * FROM b", "Duplicate entry 'tok' for key 'users.token'", "Duplicate entry '{}' for key 'users.token'"),
        ("INSERT INTO a SELECT * FROM b", "Duplicate entry 'ann' for key 'name'", "Duplicate entry 'ann' for key 'name'"),
        ("CALL p()", "Incorrect integer value: 'tok' for column 'otp' at row 1", "Incorrect integer value: '{}' for column 'otp' at row 1"),
        ("CALL p()", "Incorrect integer value: 'tok' for column `shop`.`a`.`otp` at row 1", "Incorrect integer value: '{}' for column `shop`.`a`.`otp` at row 1"),
        ("UPDATE a SET n = password", "Incorrect integer value: 'tok' for column 'n' at row 1", "Incorrect integer value: '{}' for column 'n' at row 1"),
        ("UPDATE a SET n = password", "Truncated incorrect DOUBLE value: 'tok'", "Truncated incorrect DOUBLE value: '{}'"),
        ("UPDATE a SET n = name", "Incorrect integer value: 'ann' for column 'n' at row 1", "Incorrect integer value: 'ann' for column 'n' at row 1"),
    ],
)  # fmt: skip
def test_values_that_an_error_quotes(redactor: Redactor, vault: Vault, query: str, message: str, expected: str) -> None:
    told = answered(redactor, query, {"error_message": message})["error_message"]
    assert told == expected.format(*(f'{{{{secret "{name}"}}}}' for name in vault.names()))


def test_bytes_with_a_secret_in_them_are_sealed_whole(redactor: Redactor, vault: Vault) -> None:
    packet = b"\xff\x91\n" + JWT.encode()
    assert redacted(redactor, {"packets": [packet, b"\x00\x01"]})["packets"] == [
        {"base64": '{{secret "base64-1"}}'},
        b"\x00\x01",
    ]
    assert base64.b64decode(next(iter(vault.values()))) == packet


# -- by shape ---------------------------------------------------------------------------------------------------

SHAPES = {
    "jwt": JWT,
    "private-key": PEM,
    "aws-key": "AKIAIOSFODNN7EXAMPLE",
    "github-token": "ghp_" + "a1B2" * 9,
    "gitlab-token": "glpat-" + "x" * 20,
    "slack-token": "xoxb-123456789012-abcdef",
    "stripe-key": "sk_live_" + "4eC39HqLyjWDarjtT1",
    "google-key": "AIza" + "S" * 35,
    "sendgrid-key": "SG." + "a" * 22 + "." + "b" * 43,
    "npm-token": "npm_" + "z" * 36,
    "password-hash": "$2b$12$" + "R" * 53,
    "api-key": "sk-proj-" + "T3BlbkFJ" * 4,
    "telegram-token": "123456789:AA" + "x" * 33,
    "pypi-token": "pypi-" + "A" * 60,
}


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_anywhere(redactor: Redactor, kind: str) -> None:
    assert body(redactor, f"see {SHAPES[kind]}, thanks") == f'see {{{{secret "{kind}-1"}}}}, thanks'


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_in_base64(redactor: Redactor, vault: Vault, kind: str) -> None:
    encoded = base64.b64encode(b"\x00\x01 " + SHAPES[kind].encode() + b" \xff").decode()
    assert body(redactor, encoded) == '{{secret "base64-1"}}'
    assert vault.unseal('{{secret "base64-1"}}') == encoded


def test_base64_without_a_secret_stays(redactor: Redactor) -> None:
    encoded = base64.b64encode(bytes(range(256))).decode()
    assert body(redactor, encoded) == encoded


# -- once found, found everywhere -------------------------------------------------------------------------------


def test_a_secret_is_found_again_where_nothing_else_tells_it(redactor: Redactor, vault: Vault) -> None:
    secret = "9f/8a+7b6c5d4e=="
    body(redactor, json.dumps({"token": secret}))
    vault.save()
    later = Redactor(Vault(vault.path, environ=vault._environ))
    for where in (redactor, later):
        assert body(where, f"SELECT 1 /* {secret} */") == 'SELECT 1 /* {{secret "token-1"}} */'
        assert where.redact_text(f"the app said {secret}") == 'the app said {{secret "token-1"}}'


@pytest.mark.parametrize(
    "around",
    [
        "wrong password {}.", "id3{}", "{}and more", "a%3D{}%26", "line\\n{}\\n", "<b>{}</b>", "$14\r\n{}\r\n", "({})", "_{}_", "{}",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "value", ["hunter2hunter2", "a-b-c-d-e-f", "8f14e45f-ceea-467f-a0e6-5bd1d7a2c1b3", "p@ss w0rd/ü!"]
)
def test_what_is_known_is_found_whatever_is_around_it(redactor: Redactor, value: str, around: str) -> None:
    body(redactor, json.dumps({"password": value}, ensure_ascii=False))
    assert body(redactor, around.format(value)) == around.format('{{secret "password-1"}}')


@pytest.mark.parametrize(
    "form",
    [
        "p%40ss%20w0rd%2F%22x%22", "p%40ss+w0rd%2F%22x%22", 'p@ss w0rd/\\"x\\"', "p@ss w0rd/&quot;x&quot;", "cEBzcyB3MHJkLyJ4Ig",
        "7040737320773072642f227822", "p%2540ss%2520w0rd%252F%2522x%2522", "7040737320773072642F227822",
    ],
)  # fmt: skip
def test_what_is_known_is_found_in_other_writings(redactor: Redactor, vault: Vault, form: str) -> None:
    header(redactor, "Authorization", "Basic " + base64.b64encode(b'app:p@ss w0rd/"x"').decode())
    hidden = body(redactor, f"it was {form} then")
    assert hidden == 'it was {{secret "password-1"}} then'
    assert vault.unseal(hidden) == f"it was {form} then"


def test_what_is_known_from_sql_is_found_without_sql_s_escapes(redactor: Redactor) -> None:
    redacted(redactor, {"query": r"""UPDATE users SET password = 'it\'s a "pass\"', token = 'it''s a token'"""})
    assert body(redactor, """<it's a "pass"> <it's a token>""") == '<{{secret "password-2"}}> <{{secret "token-2"}}>'


def test_what_can_be_read_of_sealed_bytes_is_found(redactor: Redactor) -> None:
    redacted(redactor, {"columns": [{"name": "secret_key"}], "rows": [[b"\x00\xffreadable-key\x00"]]})
    assert redactor.redact_text(r"b'\x00\xffreadable-key\x00'") == r"""b'\x00\xff{{redacted "secret"}}\x00'"""


@pytest.mark.parametrize("value", ["hunt3r2", "p@ss12", "s3cr3t"])
def test_a_short_secret_is_found_where_it_is_a_word_of_its_own(redactor: Redactor, value: str) -> None:
    body(redactor, json.dumps({"password": value}))
    hidden = '{{secret "password-1"}}'
    for around in ("it is {}.", "a\\n{}\\n", "{}", "({})", "_{}_"):
        assert body(redactor, around.format(value)) == around.format(hidden)
    for around in ("un{}", "{}s", "7{}7"):
        assert body(redactor, around.format(value)) == around.format(value)


@pytest.mark.parametrize("value", ["secret", "123456", "a1b2c"])
def test_a_short_secret_that_may_be_anything_is_not_looked_for(redactor: Redactor, value: str) -> None:
    body(redactor, json.dumps({"password": value}))
    assert body(redactor, f"it is {value}.") == f"it is {value}."


def test_the_app_s_environment_is_known(redactor: Redactor) -> None:
    redactor.expect(
        {
            "PAYMENT_TOKEN": "env-canary-1", "DATABASE_URL": "mysql://app:url-canary-2@db/x", "SESSION_KEY": "development",
            "TLS_PRIVATE_KEY": "/etc/ssl/app.key", "LANG": "en_GB.UTF-8",
        },
        "SMTP_PASSWORD=line-canary-3 python app.py --port 80",
    )  # fmt: skip
    assert body(redactor, "env-canary-1 url-canary-2 line-canary-3 development /etc/ssl/app.key en_GB.UTF-8") == (
        '{{secret "token-1"}} {{secret "password-1"}} {{secret "password-2"}} development /etc/ssl/app.key en_GB.UTF-8'
    )


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("TOKEN=abc python app.py", 'TOKEN={{secret "token-1"}} python app.py'),
        ("DB_PASSWORD='a b' ./app", "DB_PASSWORD='{{secret \"password-1\"}}' ./app"),
        ('DB_PASSWORD="a b" ./app', 'DB_PASSWORD="{{secret "password-1"}}" ./app'),
        ("./app --api-key abc --port 80", './app --api-key {{secret "api-key-1"}} --port 80'),
        ("./app --api-key=abc --token $TOKEN", './app --api-key={{secret "api-key-1"}} --token $TOKEN'),
        ("./app --private-key /etc/key.pem", "./app --private-key /etc/key.pem"),
        ("DSN=mysql://a:b@c/d ./app", 'DSN=mysql://a:{{secret "password-1"}}@c/d ./app'),
        ("""curl -H "X-Api-Key: abc" http://x""", """curl -H "X-Api-Key: {{secret "api-key-1"}}" http://x"""),
        ("./app --password && echo done", "./app --password && echo done"),
        ("python app.py 8080", "python app.py 8080"),
    ],
)
def test_commands(redactor: Redactor, vault: Vault, command: str, expected: str) -> None:
    assert redactor.redact_command(command) == expected
    assert vault.unseal(expected) == command


def test_a_report_about_what_is_sealed(redactor: Redactor, vault: Vault) -> None:
    token = vault.seal("abcdefgh1", "token")
    text = f'GET /a?token={token}&password=pw {{"token": "{token}"}}'
    assert redactor.redact_text(text) == text.replace("=pw", '={{redacted "password"}}')


def test_a_report_shows_no_secret_in_base64_either(redactor: Redactor) -> None:
    body(redactor, json.dumps({"token": "a-known-token"}))
    for text in (b"xx <a-known-token>", b'{"password": "unknown"}'):
        for lead in ("", "body: "):
            shown = redactor.redact_text(lead + base64.b64encode(text).decode())
            assert shown == lead + '{{redacted "base64"}}'


def test_reports_seal_nothing(redactor: Redactor, vault: Vault) -> None:
    assert redactor.redact_text(f"got {JWT}") == 'got {{redacted "jwt"}}'
    assert list(vault.values()) == []


def test_a_text_that_looks_like_a_placeholder(redactor: Redactor, vault: Vault) -> None:
    text = 'write {{secret "jwt-1"}} for {"token": "abc"}'
    stored = body(redactor, text)
    assert stored == 'write {{"{{"}}secret "jwt-1"}} for {"token": "{{secret "token-1"}}"}'
    assert vault.unseal(stored) == text


@given(st.integers(0, 40_000), st.lists(st.integers(1, 30_000), max_size=4))
def test_what_is_known_late_is_sealed_in_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, lead: int, sizes: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("vault")
    redactor = Redactor(Vault(folder / "secrets.yml", environ={"XDG_DATA_HOME": str(folder)}))
    body(redactor, json.dumps({"password": "known-late-1", "token": "another-late-2"}))
    text = "-" * lead + 'known-late-1known-late-1{{secret "cookie-7"}} another-late-2 ' * 900
    cuts = [0, *sorted(at for at in sizes if at < len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(cuts)]
    now = "".join(map(redactor.redact_stored, redactor.uncut(pieces)))
    assert now == redactor.redact_stored(text)
    assert "late" not in now
    assert now.count('{{secret "cookie-7"}}') == 900


def test_a_stored_document_stays_as_it_is(redactor: Redactor) -> None:
    header = {"Authorization": f"Bearer {JWT}", "Cookie": "a=b", "X-Api-Key": "k"}
    spec = redacted(redactor, {"req": {"header": header, "password": "p"}, "body": '{{secret "x"}} {"token": "t"}'})
    assert redacted(redactor, spec, stored=True) == spec


def test_a_new_secret_in_a_stored_document_is_sealed(redactor: Redactor, vault: Vault) -> None:
    cookie, token = vault.seal("old", "cookie"), vault.seal("older", "token")
    spec = {"header": {"Cookie": f"a={cookie}; b=new"}, "body": f"token={token}&password=newer too"}
    assert redacted(redactor, spec, stored=True) == {
        "header": {"Cookie": 'a={{secret "cookie-1"}}; b={{secret "cookie-2"}}'},
        "body": 'token={{secret "token-1"}}&password={{secret "password-1"}} too',
    }


# -- the project's say ------------------------------------------------------------------------------------------


def test_settings_add_and_exempt(vault: Vault) -> None:
    rules = Rules(names=("iban",), patterns=(r"CUST-(?P<secret>\d{6})",), exempt=("session", "demo123", "/test_.*/"))
    text = '{"iban": "DE1", "note": "CUST-123456", "session": "s", "password": "demo123", "token": "test_1", "secret": "x"}'
    assert body(Redactor(vault, rules), text) == (
        '{"iban": "{{secret "secret-1"}}", "note": "CUST-{{secret "secret-2"}}", "session": "s", "password": "demo123", '
        '"token": "test_1", "secret": "{{secret "secret-3"}}"}'
    )


def test_redaction_can_be_off(vault: Vault) -> None:
    spec = {"req": {"header": {"Authorization": f"Bearer {JWT}"}, "password": "x", "query": "SET password = 'a'"}}
    assert redacted(Redactor(vault, Rules(enabled=False)), spec) == spec


# -- nothing is lost, nothing stays -----------------------------------------------------------------------------

words = st.sampled_from(
    [
        "password",
        "token",
        "header",
        "Authorization",
        "Cookie",
        "body",
        "query",
        "columns",
        "rows",
        "name",
        "value",
        "x",
        "parameters",
    ]
)
values = st.sampled_from(
    [JWT, PEM, "Bearer abc", "a=b; c=d", '{"password":"x"}', '{{secret "x"}}', '{{"{{"}}', "a=1&token=b", "password = 'x'", "é\n", "",
     "http://a:b@c/?secret=d", "INSERT INTO t (a, password) VALUES ('x', 'y')"]
)  # fmt: skip
specs = st.recursive(
    values | st.integers() | st.none() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, specs, max_size=5))
def test_unsealing_gives_back_what_was_recorded(tmp_path_factory: pytest.TempPathFactory, spec: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("any")
    vault = Vault(folder / "secrets.yml", environ={"XDG_DATA_HOME": str(folder)})
    out = redacted(Redactor(vault), spec)
    assert vault.unseal_tree(out) == spec
    assert JWT not in dump(out)
    assert "MIIEpAIBAAKCAQEA" not in dump(out)


@given(st.lists(st.integers(0, 60_000), max_size=6), st.integers(0, 40_000))
def test_a_stream_is_redacted_wherever_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], offset: int
) -> None:
    folder = tmp_path_factory.mktemp("stream")
    vault = Vault(folder / "secrets.yml", environ={"XDG_DATA_HOME": str(folder)})
    filler = b"\xff\x00 {{ some {{secret words "
    data = (
        (filler * 4000)[:offset]
        + f'{{"password": "hunter2hunter2"}} {JWT} {{{{secret "x"}}}} {PEM}'.encode()
        + filler * 1500
    )
    stream = Redactor(vault).stream()
    edges = [0, *sorted(cuts), len(data)]
    out = b"".join(stream.feed(data[a:b]) for a, b in pairwise(edges)) + stream.finish()
    for secret in (b"hunter2hunter2", JWT.encode(), b"MIIEpAIBAAKCAQEA"):
        assert secret not in out
    assert vault.unseal(out.decode("latin-1")).encode("latin-1") == data
