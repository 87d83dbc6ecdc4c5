"""An app on SQS, with a worker that polls for ever: recorded with a server, replayed without one, again and again."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import psutil
import pytest

from tests.apps.sqs.orders_traffic import LINES, Ask, record
from tests.apps.sqs.queues import Queues
from tests.harness.network import free_port, listens
from tests.harness.processes import Running
from tests.harness.recorded import Recorded, recorded_mocks, recorded_tests
from tests.harness.rr_command import RR
from tests.harness.waiting import eventually

pytestmark = pytest.mark.system


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> RR:
    """The app on SQS, recorded once; a test replays a copy of it."""
    folder = tmp_path_factory.mktemp("orders")
    (project := folder / "project").mkdir()
    (home := folder / "home").mkdir()
    return record(RR(project, home).with_settings(PORT=str(free_port())))


@pytest.fixture
def copied(orders: RR, tmp_path: Path) -> RR:
    shutil.copytree(orders.folder, tmp_path / "project")
    return RR(tmp_path / "project", orders.home, orders.prefix, orders.settings)


def operation(mock: Recorded) -> str:
    target = next((value for name, value in mock.exchange.request.headers if name.lower() == "x-amz-target"), "")
    return target.rpartition(".")[2] or "SendMessage"


def test_each_message_belongs_to_the_test_that_sent_it(orders: RR) -> None:
    test_set = orders.keploy / "test-set-0"
    assert [test.line for test in recorded_tests(test_set)] == list(LINES)
    by_owner: dict[str, list[str]] = {}
    for mock in recorded_mocks(test_set):
        by_owner.setdefault(mock.owner, []).append(operation(mock))
    once = ["SendMessage", "ReceiveMessage", "DeleteMessage"]
    assert (by_owner["test-1"], by_owner["test-2"]) == (once, once)
    batch = by_owner["test-3"]
    assert batch[0] == "SendMessageBatch"
    assert batch.count("DeleteMessage") == 3
    assert by_owner["test-6"] == ["ReceiveMessage", "ChangeMessageVisibility", "DeleteMessageBatch"]


def test_that_nothing_came_is_kept_once_a_queue(orders: RR) -> None:
    """The worker has asked again and again."""
    nothing = [mock for mock in recorded_mocks(orders.keploy / "test-set-0") if mock.owner == "http"]
    assert sorted(json.loads(mock.request_body)["QueueUrl"].rpartition("/")[2] for mock in nothing) == [
        "notes",
        "orders",
    ]


def test_three_green_replays(copied: RR) -> None:
    for _ in range(3):
        replay = copied.test()
        assert replay.code == 0, replay.output
        assert f"{len(LINES)} passed" in replay.output
        assert "⚠" not in replay.output, replay.output


def busy(process: psutil.Process) -> float:
    """Seconds of the processor that a process and all below it have used so far."""
    used = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system
    return used


def test_a_worker_that_waits_takes_no_processor(copied: RR) -> None:
    command = [str(part) for part in copied._command(["test"])]
    with Running(command, log=copied.home / "idle.log", cwd=copied.folder, env=copied.env) as replay:
        replay.until_says("GET /queue")  # what follows is a request that takes three seconds, and does nothing
        process = psutil.Process(replay.process.pid)
        began, before = time.monotonic(), busy(process)
        eventually(lambda: time.monotonic() - began > 2, "two seconds to look at")
        share = (busy(process) - before) / (time.monotonic() - began)
        assert replay.wait() == 0, replay.output
    assert share < 0.1, f"rr and the app take {share:.0%} of a processor while all they do is wait"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"quantity": quantity}', '"quantity": quantity + 1}',
         ("SQS SendMessage orders", "body.MessageBody.quantity", "recorded 2", "now 3")),
        ('"StringValue": "new"', '"StringValue": "old"', ("body.MessageAttributes.kind.StringValue", "'old'")),
        ("SQS.send_message(QueueUrl=ORDERS, **order)", "SQS.send_message(QueueUrl=NOTES, **order)",
         ("SQS SendMessage notes", "no mock")),
        ('            SQS.delete_message(QueueUrl=ORDERS', '            str(QueueUrl=ORDERS', ()),
        ('{"id": order["id"], "kind"', '{"id": order["id"].upper(), "kind"', ("GET /processed", "[0].id")),
    ],
    ids=["another body", "another attribute", "another queue", "not deleted", "processed otherwise"],
)  # fmt: skip
def test_a_bug_is_red_and_named(old: str, new: str, words: tuple[str, ...], copied: RR) -> None:
    app = copied.folder / "orders_app.py"
    source = app.read_text("utf-8")
    assert source.count(old) == 1
    if not words:  # the whole statement goes
        old, new = 'SQS.delete_message(QueueUrl=ORDERS, ReceiptHandle=message["ReceiptHandle"])', "pass"
        words = ("SQS DeleteMessage orders", "not made now")
    app.write_text(source.replace(old, new), "utf-8")

    replay = copied.test()

    assert replay.code == 1, replay.output
    for word in words:
        assert word in replay.output, replay.output
    assert "Traceback" not in replay.output


@pytest.mark.parametrize("settings", [{}, {"FORWARD": "1"}], ids=["processed", "forwarded"])
def test_orders_at_the_same_time(settings: dict[str, str], rr: RR, port: int) -> None:
    def play(ask: Ask, queues: Queues) -> None:
        with ThreadPoolExecutor(4) as clients:
            for _ in clients.map(lambda n: ask("POST", "/orders", {"sku": f"S-{n}", "quantity": n}, 201), range(8)):
                pass
        eventually(lambda: queues.is_done("orders"), "all are processed")

    recorded = record(rr.with_settings(PORT=str(port), **settings), play)
    for _ in range(3):
        replay = recorded.test()
        assert replay.code == 0, replay.output


def test_served_to_a_client_without_a_test(copied: RR, port: int) -> None:
    """`rr mock serve`: all deliveries are there from the start, each once; then a poll waits."""
    place = copied.settings["SQS_URL"].removeprefix("http://").replace("127.0.0.1", "localhost")
    command = [str(part) for part in copied._command(["mock", "serve", "--port", f"{place}={port}"])]
    with Running(command, log=copied.home / "serve.log", cwd=copied.folder, env=copied.env) as server:
        server.until(lambda: listens(port), "the mocks are served")
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        sqs = boto3.client("sqs", endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-west-1", **keys)
        url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]

        def poll() -> list[str]:
            got = sqs.receive_message(
                QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            return [message["MessageId"] for message in got.get("Messages", ())]

        delivered = list(iter(poll, []))
        messages = [message for batch in delivered for message in batch]
        assert len(set(messages)) == len(messages) == 5
        began = time.monotonic()
        assert poll() == []
        assert time.monotonic() - began > 0.9
