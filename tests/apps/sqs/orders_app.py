"""Takes orders and puts them on a queue; a worker beside the server polls the queue for ever and processes them.

PORT, SQS_URL: where it listens, where SQS is. The queues `orders` and `notes` are there already. With FORWARD, the
worker sends a note for each order that it has processed.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
import uuid
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3

SQS_URL = os.environ["SQS_URL"]
KEYS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE"}
SQS = boto3.client("sqs", endpoint_url=SQS_URL, region_name="eu-west-1", **KEYS)
ORDERS = SQS.get_queue_url(QueueName="orders")["QueueUrl"]
NOTES = SQS.get_queue_url(QueueName="notes")["QueueUrl"]

processed: list[dict[str, Any]] = []


def checked(text: str, digest: str) -> None:
    """As the SDKs of other languages do: a digest that does not fit is an error."""
    if md5(text.encode()).hexdigest() != digest:
        raise ValueError(f"{digest} is not the MD5 of {text!r}")


def work() -> None:
    while True:
        answer = SQS.receive_message(
            QueueUrl=ORDERS, WaitTimeSeconds=2, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        for message in answer.get("Messages", ()):
            checked(message["Body"], message["MD5OfBody"])
            order = json.loads(message["Body"])
            processed.append({"id": order["id"], "kind": message["MessageAttributes"]["kind"]["StringValue"]})
            if "FORWARD" in os.environ:
                SQS.send_message(QueueUrl=NOTES, MessageBody=f"done {order['id']}")
            SQS.delete_message(QueueUrl=ORDERS, ReceiptHandle=message["ReceiptHandle"])


def message(sku: str, quantity: int) -> dict[str, Any]:
    body = {"id": str(uuid.uuid4()), "sku": sku, "quantity": quantity}
    kind = {"DataType": "String", "StringValue": "new"}
    return {"MessageBody": json.dumps(body), "MessageAttributes": {"kind": kind}}


class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/health":
            self.reply(200, {"up": True})
        elif self.path == "/processed":
            self.reply(200, processed)
        elif self.path == "/queue":
            names = ["VisibilityTimeout", "QueueArn", "ApproximateNumberOfMessages"]
            self.reply(200, SQS.get_queue_attributes(QueueUrl=NOTES, AttributeNames=names)["Attributes"])
        elif self.path == "/pause":
            time.sleep(3)  # long enough for somebody to look how busy the worker is
            self.reply(200, {})
        elif self.path == "/notes/next":
            self.next_note()
        else:
            self.reply(404, {})

    def do_POST(self) -> None:
        wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/orders":
            order = message(wanted["sku"], wanted["quantity"])
            answer = SQS.send_message(QueueUrl=ORDERS, **order)
            checked(order["MessageBody"], answer["MD5OfMessageBody"])
            self.reply(201, {"id": json.loads(order["MessageBody"])["id"], "message": answer["MessageId"]})
        elif self.path == "/orders/batch":
            entries = [{"Id": sku, **message(sku, 1)} for sku in wanted]
            answer = SQS.send_message_batch(QueueUrl=ORDERS, Entries=entries)
            for entry, sent in zip(entries, answer["Successful"], strict=True):
                checked(entry["MessageBody"], sent["MD5OfMessageBody"])
            self.reply(201, [json.loads(entry["MessageBody"])["id"] for entry in entries])
        elif self.path == "/notes":
            self.reply(201, {"message": SQS.send_message(QueueUrl=NOTES, MessageBody=wanted)["MessageId"]})
        elif self.path == "/notes/old":
            self.reply(201, {"answer": self.send_in_xml(wanted)})
        else:
            self.reply(404, {})

    def next_note(self) -> None:
        answer = SQS.receive_message(QueueUrl=NOTES, WaitTimeSeconds=1, VisibilityTimeout=60)
        if not answer.get("Messages"):
            self.reply(404, {"note": None})
            return
        (note,) = answer["Messages"]
        checked(note["Body"], note["MD5OfBody"])
        SQS.change_message_visibility(QueueUrl=NOTES, ReceiptHandle=note["ReceiptHandle"], VisibilityTimeout=90)
        SQS.delete_message_batch(QueueUrl=NOTES, Entries=[{"Id": "1", "ReceiptHandle": note["ReceiptHandle"]}])
        self.reply(200, {"note": note["Body"]})

    def send_in_xml(self, text: str) -> str:
        """In the older dialect, as clients of some age speak it."""
        note = f"{text} {uuid.uuid4()}"
        form = urlencode({"Action": "SendMessage", "Version": "2012-11-05", "MessageBody": note}).encode()
        scope = f"Credential={KEYS['aws_access_key_id']}/20260101/eu-west-1/sqs/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature={'0' * 64}"}
        url = SQS_URL + urlsplit(NOTES).path
        with urllib.request.urlopen(urllib.request.Request(url, form, headers)) as answer:
            xml = answer.read().decode()
        checked(note, xml.partition("<MD5OfMessageBody>")[2].partition("<")[0])
        return "sent"

    def reply(self, status: int, data: Any) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


if __name__ == "__main__":
    threading.Thread(target=work, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Orders).serve_forever()
