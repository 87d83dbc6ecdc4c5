"""Requests to AWS: what they ask for, without what signs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import pytest

from protocols.http import aws, match
from protocols.http.wire import HttpRequest
from testset.model import Server

AWS = Server("sqs.eu-west-1.amazonaws.com", 443)
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"


def signed(
    target: str = "", body: Any = None, *, path: str = "/", method: str = "POST", turn: int = 1, service: str = "sqs",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> HttpRequest:  # fmt: skip
    """A request as an SDK sends it; `turn` is for all that is new in each."""
    scope = f"AKIA{turn:016}/2026010{turn}/eu-west-1/{service}/aws4_request"
    fields = {
        "Host": "sqs.eu-west-1.amazonaws.com",
        "X-Amz-Date": f"2026010{turn}T000000Z",
        "X-Amz-Security-Token": f"token-{turn}",
        "X-Amz-Content-Sha256": f"{turn:064}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={turn:064x}",
        "amz-sdk-invocation-id": f"{turn}",
        "amz-sdk-request": f"attempt={turn}; max=3",
        "User-Agent": f"Boto3/{turn}",
        **({"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"} if target else {}),
        **headers,
    }
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return HttpRequest(method=method, target=path, headers=tuple(fields.items()), body=content, scheme="https")


def form(action: str, version: str = "2012-11-05", path: str = "/", **parameters: str) -> HttpRequest:
    body = urlencode({"Action": action, "Version": version, **parameters}).encode()
    return signed(body=body, path=path, headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})


@pytest.mark.parametrize(
    "ask",
    [
        lambda turn: signed("DynamoDB_20120810.GetItem", {"TableName": "orders", "Key": {"id": {"S": "7"}}}, turn=turn),
        lambda turn: signed(path="/bucket/key", method="PUT", body=b"content", turn=turn),
        lambda turn: signed(path=f"/bucket/key?X-Amz-Date={turn}&X-Amz-Signature={turn}&X-Amz-Credential={turn}"
                                 f"&X-Amz-Expires={turn}&versionId=3", method="GET", turn=turn),
        lambda turn: HttpRequest(
            method="GET", target=f"/k?AWSAccessKeyId=AKIA{turn}&Expires={turn}&Signature=s{turn}&versionId=3"
        ),
        lambda turn: HttpRequest(method="GET", target=f"/o?X-Goog-Signature={turn}&X-Goog-Date={turn}&alt=media"),
    ],
    ids=["operation", "path", "presigned", "presigned as of old", "presigned by Google"],
)  # fmt: skip
def test_what_signs_never_counts(ask: Any) -> None:
    one, two = ask(1), ask(2)
    assert match.route(AWS, one) == match.route(AWS, two)
    assert match.values(one) == match.values(two)
    assert match.difference(AWS, one, AWS, two) is None


def test_an_expiry_counts_where_nothing_is_signed() -> None:
    one, two = (HttpRequest(method="GET", target=f"/o?Expires={turn}") for turn in (1, 2))
    assert match.values(one) != match.values(two)


def test_an_object_s_metadata_is_part_of_what_is_asked_for() -> None:
    one, two = (signed(path="/b/k", method="PUT", headers={"x-amz-meta-owner": owner}) for owner in ("me", "you"))
    assert str(match.difference(AWS, one, AWS, two)) == 'header.X-Amz-Meta-Owner: recorded "me", now "you"'


def test_one_table_is_never_answered_for_another() -> None:
    one, two = (signed("DynamoDB_20120810.PutItem", {"TableName": name}) for name in ("orders", "users"))
    assert match.route(AWS, one) != match.route(AWS, two)


@pytest.mark.parametrize(
    ("request_", "title"),
    [
        (signed("AmazonSQS.SendMessage", {"QueueUrl": QUEUE}), "SQS SendMessage orders"),
        (signed("DynamoDB_20120810.GetItem", {"TableName": "orders"}), "DynamoDB GetItem orders"),
        (signed("secretsmanager.GetSecretValue", {"SecretId": "db"}), "secretsmanager GetSecretValue db"),
        (form("SendMessage", path="/123456789012/orders", MessageBody="x"), "SQS SendMessage orders"),
        (form("ReceiveMessage", QueueUrl=QUEUE), "SQS ReceiveMessage orders"),
        (form("Publish", "2010-03-31", TopicArn="arn:aws:sns:eu-west-1:1:news", Message="x"), "SQS Publish news"),
        (signed(path="/bucket/key", method="PUT"), "PUT https://sqs.eu-west-1.amazonaws.com/bucket/key"),
    ],
)
def test_titles_say_service_operation_and_what_it_is_about(request_: HttpRequest, title: str) -> None:
    assert match.title(AWS, request_) == title


@pytest.mark.parametrize(
    ("operation", "effect"),
    [
        *((name, False) for name in ("GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan", "ListQueues",
                                     "DescribeTable", "ReceiveMessage", "GetQueueUrl")),
        *((name, True) for name in ("PutItem", "SendMessage", "SendMessageBatch", "DeleteMessage", "Getaway",
                                    "ChangeMessageVisibility", "PurgeQueue", "UpdateItem")),
    ],
)  # fmt: skip
def test_an_operation_s_name_says_whether_it_changes_something(operation: str, effect: bool) -> None:
    assert match.is_effect(signed(f"Any_1.{operation}", {})) is effect
    assert match.is_effect(form(operation)) is effect


def test_a_form_with_a_list_in_it_is_a_tree() -> None:
    asked = aws.call(form("X", **{"Entry.1.Id": "a", "Entry.2.Id": "b", "Tag.Key": "k", "Entry.10.Id": "j"}))
    assert asked is not None
    assert asked.parameters == {"Entry": [{"Id": "a"}, {"Id": "b"}, {"Id": "j"}], "Tag": {"Key": "k"}}


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest(method="POST", target="/", body=b"Action=Go", headers=(("Content-Type", "text/plain"),)),
        form("Go", version="latest"),
        HttpRequest(method="GET", target="/?Action=Go"),
        HttpRequest(method="GET", target="/users/7"),
    ],
    ids=["no form", "no version", "no version in a query", "plain"],
)
def test_what_is_no_operation_of_aws(request_: HttpRequest) -> None:
    assert aws.call(request_) is None


def test_a_body_that_cannot_be_read_is_compared_as_it_stands() -> None:
    one, two = (signed("AmazonSQS.SendMessage", body) for body in (b"{broken 1", b"{broken 2"))
    assert match.difference(AWS, one, AWS, two) is not None


def test_a_secret_within_does_not_hide_the_rest() -> None:
    message = b'{\\"token\\": \\"{{secret "token-1"}}\\", \\"n\\": 1}'
    sealed = b'{"QueueUrl": "%b", "MessageBody": "%b"}' % (QUEUE.encode(), message)
    places = {value.place: value.value for value in match.values(signed("AmazonSQS.SendMessage", sealed))}
    assert places["body.MessageBody.token"] == '{{secret "token-1"}}'
    assert places["body.MessageBody.n"] == 1
