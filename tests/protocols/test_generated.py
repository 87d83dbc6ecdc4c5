"""Tables of what looks made up and what does not: the base of matching."""

from __future__ import annotations

import base64
import random
import string
import time
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.generated import generated_spans, looks_generated

YES: list[tuple[str | int | float, str]] = [
    ("44b0885e-e6e7-4e27-8ffe-97d87791b0b1", "uuid"),
    ("AFDC272E-D748-4108-A701-59802B93EA29", "uuid"),
    ("11111111-1111-4111-8111-111111111111", "uuid"),
    ("018f4e5c-7b3a-7cc1-9d57-0242ac120002", "uuid"),
    ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "ulid"),
    ("01h8xgjwbwbaq4zt8rk4b0m9fe", "ulid"),
    ("ord_01H8XGJWBWBAQ4ZT8RK4B0M9FE", "ulid"),
    ("1srOrx2ZWZBpBUvZwXKQmoEYga2", "token"),  # KSUID
    ("V1StGXR8_Z5jdHi6B-myT", "token"),  # nanoid
    ("cjld2cjxh0000qzrmn831i7rn", "token"),  # cuid
    ("sk_live_51HxKq2eZvKYlo2C", "token"),
    ("dGhpcyBpcyBhIHNlY3JldA3kd9fj3k2KD==", "token"),
    ("9+4tK7Xv1c/QmZr0dE2LhYw3uJbN8sPA6fGiTkVoRxM=", "token"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.abc-DEF_123", "token"),
    ("$2b$12$KIXQJ7rG5yq9mZ8v1nWc0uYp3sLd6tEf2hRk4jBx7aVgTn5oMw9Si", "token"),
    ("507f1f77bcf86cd799439011", "hex"),  # an ObjectId
    ("d41d8cd98f00b204e9800998ecf8427e", "hex"),
    ("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "hex"),
    ("ORD-8f3a9c21", "hex"),
    ("ORD-7X9K2M4P", "token"),
    ("ORD--7281930192837", "number"),
    ("ORD-7281930192837", "number"),
    ("-7281930192837123456", "number"),
    (7281930192837, "number"),
    (-728193019283, "number"),
    ("2025-09-04T11:30:48.753Z", "time"),
    ("2025-09-04T11:30:48.753123456+02:00", "time"),
    ("2025-09-04 11:30:48", "time"),
    ("2025-09-04 11:30:48.753000+00:00", "time"),
    ("20250904T113048Z", "time"),
    ("Thu, 04 Sep 2025 11:30:48 GMT", "time"),
    ("1756285237", "time"),
    (1756285237, "time"),
    (1756285237123, "time"),
    (1756285237123456789, "time"),
    (1756285237.123456, "time"),
]

NO: list[str | int | float | bool | None] = [
    "", "alice", "Zoë", "PENDING", "user123", "user@example.com", "jane.doe+test@example.co.uk", "a" * 40,
    "12.99", "1200.00", "5001", 5001, 12.99, 0.30000000000000004, 99999999, 1000000000000, True, None,
    "2025-09-04", "1985-04-12", "11:30", "+14155552671", "5551234567", "555-123-4567", 5551234567,
    "user-service", "order-service-prod-eu-west-1b", "internationalization", "OrderCreatedEventV2",
    "com.example.orders.OrderCreatedEvent", "getUserByIdAndEmailAddress2", "InternalServerErrorException",
    "ORDER_STATUS_CANCELLED_BY_USER", "ACCESS_TOKEN_EXPIRE_MINUTES30", "order_items_product_id_fkey",
    "application/json", "multipart/form-data", "text/html;charset=utf-8", "application/vnd.api+json;version=2",
    "python-requests/2.31.0", "Mozilla/5.0", "AppleWebKit/537.36", "2.0.0-beta.1", "v1.28.3+k3s1",
    "iPhone15ProMax256GB", "SKU-2024-000123-XL", "SKU-IPHONE15", "USB3TypeCCable2m", "user_image_1024x768.png",
    "ORD-12345", "INV-2024-001", "ORD-PENDING01", "DE89370400440532013000", "deadbeefdeadbeef",
    "192.168.100.200", "http://localhost:8080/api/v1/orders", "/api/v1/orders/status/list",
    "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/orders", "000000000000",
    "utf8mb4_0900_ai_ci", "mysql_native_password", "caching_sha2_password", "COM_STMT_PREPARE", "SQLSTATE42S02",
    "AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "AWS4-HMAC-SHA256", "X-Request-ID",
    "AmazonSQS.SendMessage", "gpt-4o-mini-2024-07-18", "00000000-0000-0000-0000-000000000000",
    "Order 44b0885e-e6e7-4e27-8ffe-97d87791b0b1 created",  # a text with an id in it: see the spans
    "/users/44b0885e-e6e7-4e27-8ffe-97d87791b0b1",
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), YES)
def test_made_up(value: str | float, kind: str) -> None:
    assert looks_generated(value) == kind


@pytest.mark.parametrize("value", NO)
def test_not_made_up(value: str | float | bool | None) -> None:
    assert looks_generated(value) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "/users/44b0885e-e6e7-4e27-8ffe-97d87791b0b1/cart?x=V1StGXR8_Z5jdHi6B-myT&page=2",
            [("44b0885e-e6e7-4e27-8ffe-97d87791b0b1", "uuid"), ("V1StGXR8_Z5jdHi6B-myT", "token")],
        ),
        (
            "SELECT * FROM orders WHERE id='ORD-8f3a9c21' AND created_at > '2025-09-04 11:30:48' LIMIT 100",
            [("8f3a9c21", "hex"), ("2025-09-04 11:30:48", "time")],
        ),
        ("ORD--7281930192837", [("-7281930192837", "number")]),
        ("ORD-7281930192837", [("7281930192837", "number")]),
        ("order 7281930192837, paid at 1756285237.", [("7281930192837", "number"), ("1756285237", "time")]),
        ('{"a":"01ARZ3NDEKTSV4RRFFQ69G5FAV","b":[12.5,"x"]}', [("01ARZ3NDEKTSV4RRFFQ69G5FAV", "ulid")]),
        ("INSERT INTO users (username, email) VALUES ('alice', 'alice@example.com')", []),
        (
            "SET session_data = 'e30:1xUlGu:9vMTGpaEk1dKZul14O2sIPHf_ZFjB6LFKQ9r2BuDqcQ'",
            [("1xUlGu:9vMTGpaEk1dKZul14O2sIPHf_ZFjB6LFKQ9r2BuDqcQ", "token")],
        ),
        ("kept at 12:34:56 by server:worker:first", []),
    ],
)
def test_where_they_stand_in_a_text(text: str, found: list[tuple[str, str]]) -> None:
    assert [(text[start:end], kind) for start, end, kind in generated_spans(text)] == found


SOURCE = random.Random(20250904)
LETTERS = string.ascii_letters + string.digits


@pytest.mark.parametrize(
    ("least", "make"),
    [
        (1.0, lambda: str(uuid.UUID(int=SOURCE.getrandbits(128)))),
        (0.99, lambda: f"{SOURCE.getrandbits(64):016x}"),
        (1.0, lambda: f"{SOURCE.getrandbits(256):064x}"),
        (0.94, lambda: "".join(SOURCE.choices(LETTERS + "_-", k=21))),
        (0.94, lambda: "".join(SOURCE.choices(LETTERS, k=16))),
        (0.97, lambda: base64.urlsafe_b64encode(SOURCE.randbytes(32)).decode().rstrip("=")),
        (0.97, lambda: base64.b64encode(SOURCE.randbytes(32)).decode()),
        (0.94, lambda: "ORD-" + f"{SOURCE.getrandbits(32):08x}"),
        (0.99, lambda: f"ORD-{SOURCE.randint(-(2**63), 2**63)}"),
    ],
)
def test_random_values_are_nearly_always_seen(least: float, make: Callable[[], str]) -> None:
    values = [make() for _ in range(1000)]
    missed = [value for value in values if looks_generated(value) is None]
    assert len(missed) <= (1 - least) * len(values), f"taken for typed by a person: {missed[:20]}"


@given(st.text(max_size=200))
def test_spans_lie_in_the_text_and_do_not_overlap(text: str) -> None:
    last = 0
    for start, end, kind in generated_spans(text):
        assert last <= start < end <= len(text)
        assert kind in ("uuid", "ulid", "hex", "token", "time", "number")
        last = end


@pytest.mark.parametrize("unit", ["0", "a", "A", "-", "/", "=", ".", "1-", "x_", "aA0", "a/b+", "eyJ", "2025-09-04T"])
def test_long_texts_take_no_long_time(unit: str) -> None:
    """What grows with the square of the length takes a minute here."""
    before = time.process_time()
    generated_spans(unit * 100_000)
    assert time.process_time() - before < 8, f"{unit!r} a hundred thousand times"
