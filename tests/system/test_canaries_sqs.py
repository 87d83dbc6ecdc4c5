"""Secrets through SQS, in bodies and attributes of messages that are sent and that are delivered: none is found in any
file that rr leaves, and the replay is green."""

from __future__ import annotations

import base64
import json
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.apps.sqs.queues import Queues
from tests.harness.canaries import Canaries, Recorded, ground
from tests.harness.network import free_port

pytestmark = pytest.mark.system

APP = Path(__file__).parent.parent / "apps" / "canaries" / "sqs_app.py"

CANARIES = Canaries({
    "access key": "AKIAIOSFODNN7CANARYX",
    "secret key": "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",
    "session": "FwoGZXIvYXdzEBYaDCANARYsess10n",
    "environment": "Env1r0nmentS3cret",
    "sent json": "S3ntJs0nT0ken",
    "sent json, inner": "S3ntInn3rPa55",
    "sent json, list": "S3ntL1stT0ken",
    "sent number": "4802130977",
    "sent form": "S3ntF0rmPa55",
    "sent xml": "S3ntXmlPa55w0rd",
    "sent base64": "S3ntB4se64T0ken",
    "sent shape": "ghp_" + "s3NtSh4pe" * 4,
    "sent address": "S3ntAddr3ssPa55",
    "sent attribute": "S3ntAttr1buteK3y",
    "sent binary attribute": "S3ntB1naryT0ken",
    "batch, first": "B4tchF1rstT0ken",
    "batch, last": "B4tchL4stT0ken",
    "batch, attribute": "B4tchAttr1buteK3y",
    "query protocol": "Qu3ryPr0t0c0lPa55",
    "query protocol, attribute": "Qu3ryAttr1buteK3y",
    "tag": "T4gAp1Key4711",
    "prose": "Pr0seKn0wnT0ken",
    "delivered json": "D3l1veredT0ken",
    "delivered notification": "N0t1f1cationPa55",
    "delivered form": "D3l1veredF0rmPa55",
    "delivered jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.dGhpcyBpcyBhIGNhbmFyeQ",
    "delivered attribute": "D3l1veredAttrK3y",
    "delivered binary attribute": "D3l1veredB1naryT0k",
    "delivered number": "5913240866",
    "delivered, known later": "Kn0wnL4terPa55",
    "short": "k1tty7",
})  # fmt: skip
C = CANARIES
NOT_KEPT = frozenset({"access key", "secret key", "session"})  # what only signs a request


@dataclass(frozen=True, slots=True)
class Step:
    """A call; of a receive, what is put into the queue before. `needs_key`: what is answered holds a secret."""

    operation: str
    arguments: dict[str, Any]
    delivered: dict[str, Any] = field(default_factory=dict)
    needs_key: bool = False


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def steps(orders: str, notes: str) -> Iterator[Step]:
    def send(body: object, **attributes: Any) -> Step:
        more = {"MessageAttributes": attributes} if attributes else {}
        sent = body if isinstance(body, str) else json.dumps(body)
        return Step("send_message", {"QueueUrl": orders, "MessageBody": sent, **more})

    def receive(body: object, needs_key: bool = True, **attributes: Any) -> Step:
        sent = body if isinstance(body, str) else json.dumps(body)
        return Step(
            "receive_message",
            {"QueueUrl": notes, "WaitTimeSeconds": 1, "MessageAttributeNames": ["All"]},
            {"MessageBody": sent, "MessageAttributes": attributes},
            needs_key,
        )

    yield send({"order": 7})
    yield receive("nothing of interest", needs_key=False)
    yield receive(f"they say it is {C['delivered, known later']}")
    yield send({"order": 7, "token": C["sent json"]})
    yield send({"detail": json.dumps({"user": {"password": C["sent json, inner"]}})})
    yield send({"headers": {"access_token": [C["sent json, list"]]}})
    yield send({"otp": int(C["sent number"])})
    yield send(f"user=bob&password={C['sent form']}")
    yield send(f"<login><password>{C['sent xml']}</password></login>")
    yield send(base64.b64encode(json.dumps({"token": C["sent base64"]}).encode()).decode())
    yield send(f"as {C['sent shape']} says")
    yield send(f"amqp://bob:{C['sent address']}@host/x")
    yield send("a body", api_key=text(C["sent attribute"]), kind=text("new"))
    yield send(
        "a body", token={"DataType": "Binary", "BinaryValue": (b"\xff" + C["sent binary attribute"].encode()).hex()}
    )
    entries = [
        {"Id": "1", "MessageBody": json.dumps({"token": C["batch, first"]})},
        {"Id": "2", "MessageBody": "plain", "MessageAttributes": {"secret_key": text(C["batch, attribute"])}},
        {"Id": "3", "MessageBody": json.dumps({"token": C["batch, last"]})},
    ]
    yield Step("send_message_batch", {"QueueUrl": orders, "Entries": entries})
    form = {
        "Action": "SendMessage", "QueueUrl": orders,
        "MessageBody": json.dumps({"password": C["query protocol"]}), "MessageAttribute.1.Name": "api_key",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": C["query protocol, attribute"],
    }  # fmt: skip
    yield Step("query", form)
    yield Step("tag_queue", {"QueueUrl": orders, "Tags": {"api_key": C["tag"], "team": "shop"}})
    yield send({"token": C["prose"]})
    yield send(f"once upon a time there was {C['prose']}.")
    yield send(f"of the environment: {C['environment']}")
    yield receive({"order": 7, "token": C["delivered json"]})
    yield receive({"Type": "Notification", "Message": json.dumps({"password": C["delivered notification"]})})
    yield receive(f"user=bob&password={C['delivered form']}")
    yield receive({"note": f"signed {C['delivered jwt']}"})
    yield receive("a body", api_key=text(C["delivered attribute"]))
    yield receive(
        "a body", token={"DataType": "Binary", "BinaryValue": b"\xff" + C["delivered binary attribute"].encode()}
    )
    yield receive({"otp": int(C["delivered number"])})
    yield send({"password": C["delivered, known later"]})
    yield send({"password": C["short"]})
    yield send(f"my password is {C['short']}, dear friend")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    tmp = tmp_path_factory.mktemp("canaries")
    port = free_port()
    with Queues() as queues, ground(tmp) as place:
        orders, notes = (queues.client.get_queue_url(QueueName=name)["QueueUrl"] for name in ("orders", "notes"))
        plan = list(steps(orders, notes))
        wanted = [{"operation": step.operation, "arguments": step.arguments} for step in plan]
        (tmp / "steps.json").write_text(json.dumps(wanted))
        settings = {
            "STEPS": str(tmp / "steps.json"), "PORT": str(port), "SQS_URL": queues.url,
            "AWS_ACCESS_KEY_ID": C["access key"], "AWS_SECRET_ACCESS_KEY": C["secret key"],
            "AWS_SESSION_TOKEN": C["session"], "AUDIT_SECRET": C["environment"],
        }  # fmt: skip
        shutil.copy(APP, place.rr.folder)
        rr = place.rr.with_settings(**settings)
        with rr.record(f"{sys.executable} {APP.name}", port=port) as running:
            for number, step in enumerate(plan):
                if step.delivered:
                    queues.client.send_message(QueueUrl=notes, **step.delivered)
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{number}", timeout=20) as answer:
                    assert answer.status == 200
            running.interrupt()
            assert running.wait() == 0, running.output
        needing = frozenset(f"test-{number}" for number, step in enumerate(plan, 1) if step.needs_key)
        yield Recorded(
            place, CANARIES, running.output, needing, NOT_KEPT, settings,
            broken=[("return zlib.crc32(repr(parts).encode()) % 997", "return repr(parts)"), ("-> int:", "-> str:")],
        )  # fmt: skip


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
