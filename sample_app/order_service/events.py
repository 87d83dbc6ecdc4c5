"""Tells a queue (SQS) what happened to an order, for whoever wants to know. No order fails for want of a queue."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sample_app.shared import settings

log = logging.getLogger(__name__)


class OrderEvents:
    def __init__(self, client: Any, queue: str) -> None:
        self._client = client
        self._queue = queue
        self._url: str | None = None

    @classmethod
    def from_environment(cls) -> Self:
        client = boto3.client(
            "sqs",
            endpoint_url=settings.text("SQS_ENDPOINT_URL", f"http://localhost:{settings.QUEUE_PORT}"),
            region_name=settings.text("AWS_REGION", "us-east-1"),
            aws_access_key_id=settings.text("AWS_ACCESS_KEY_ID", "test"),
            aws_secret_access_key=settings.text("AWS_SECRET_ACCESS_KEY", "test"),
            config=Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 2}),
        )
        return cls(client, settings.text("SQS_QUEUE", "order-events"))

    def find_queue(self) -> str | None:
        """Its URL. It is made if it is not there."""
        if self._url is None:
            try:
                self._url = str(self._client.create_queue(QueueName=self._queue)["QueueUrl"])
            except (BotoCoreError, ClientError) as error:
                log.warning("the queue %s is not there: %s", self._queue, error)
        return self._url

    def send(self, event: str, about: Mapping[str, object]) -> None:
        url = self.find_queue()
        if url is None:
            return
        body = json.dumps({"event": event, **about})
        attributes = {"event": {"DataType": "String", "StringValue": event}}
        try:
            self._client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
        except (BotoCoreError, ClientError) as error:
            log.warning("%s was not sent: %s", event, error)

    def close(self) -> None:
        self._client.close()
