"""SQS on this machine, with two queues in it: what the app is recorded with.

with Queues() as queues:
    ... queues.url ... queues.is_done("orders")
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any, Self

import boto3
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

QUEUES = ("orders", "notes")


class Queues:
    """The server, in threads of the test's own process."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would tell each request
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._running = False

    def __enter__(self) -> Self:
        for region in get_backend("sqs").values():  # what a test before this one has left
            for backend in region.values():
                backend.reset()
        self._server.start()
        self._running = True
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self.client: Any = boto3.client("sqs", endpoint_url=self.url, region_name="eu-west-1", **keys)
        for name in QUEUES:
            self.client.create_queue(QueueName=name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """From now on connections are refused. May be called twice."""
        if self._running:
            self._running = False
            self._server.stop()

    def is_done(self, name: str) -> bool:
        """Whether every message has been taken and deleted."""
        counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.client.get_queue_url(QueueName=name)["QueueUrl"]
        attributes = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
        return all(int(attributes[count]) == 0 for count in counts)
