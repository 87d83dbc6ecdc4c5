"""Makes calls to SQS that a file outside the project holds, so that no canary stands in the app's own source.

    STEPS=steps.json PORT=… SQS_URL=… AWS_… python sqs_app.py

`GET /3` makes the fourth: {operation, arguments}. Where it is `receive_message`, all that came is deleted too. The
answer is a checksum of all that came of it (a small number: no one takes it for made up), so that a replay is green
only if the app got the secrets as they were.
"""

from __future__ import annotations

import json
import os
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

STEPS = json.loads(Path(os.environ["STEPS"]).read_text())
SQS = boto3.client("sqs", endpoint_url=os.environ["SQS_URL"], region_name="eu-west-1")
CHANGES = ("ReceiptHandle", "ResponseMetadata", "MessageId")


def checksum(*parts: Any) -> int:
    return zlib.crc32(repr(parts).encode()) % 997


def without_changes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_changes(each) for key, each in value.items() if key not in CHANGES}
    return [without_changes(each) for each in value] if isinstance(value, list) else value


def call(operation: str, arguments: dict[str, Any]) -> Any:
    if operation == "query":  # the protocol of older libraries
        data = urlencode({"Version": "2012-11-05", **arguments}).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        signed = AWSRequest("POST", arguments["QueueUrl"], form, data)
        SigV4Auth(boto3.Session().get_credentials(), "sqs", "eu-west-1").add_auth(signed)
        request = urllib.request.Request(arguments["QueueUrl"], data, dict(signed.headers))
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    for attribute in arguments.get("MessageAttributes", {}).values():
        if "BinaryValue" in attribute:
            attribute["BinaryValue"] = bytes.fromhex(attribute["BinaryValue"])
    answer = getattr(SQS, operation)(**arguments)
    for message in answer.get("Messages", ()):
        SQS.delete_message(QueueUrl=arguments["QueueUrl"], ReceiptHandle=message["ReceiptHandle"])
    return without_changes(answer)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        data = json.dumps({"got": checksum(call(**STEPS[int(self.path.strip("/"))]))}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
