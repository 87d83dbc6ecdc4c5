"""Requests to AWS: which operation is asked for, of what, and which of their parts only sign them.

Each service speaks one of a few dialects, and all are signed alike (SigV4): the signature, the key and the dates are
new with every call. An operation is named by `X-Amz-Target`, by `Action` in a form, or by method and path. What SQS
adds is in `sqs`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from protocols.http import contents, wire
from protocols.http.wire import HttpRequest
from testset.model import Body

Parameters = Mapping[str, Any]

_READS = re.compile(
    r"(?:(?:Batch|Transact)?Get|List|Describe|Query|Scan|Head|Select|Receive|Search|Lookup|Assume|Decrypt)(?=[A-Z]|\Z)"
)
# What an operation is about, where a parameter names it: one table is never answered for another.
_SUBJECTS = (
    "QueueUrl", "TableName", "TopicArn", "TargetArn", "StreamName", "StreamARN", "SecretId", "KeyId", "logGroupName",
    "stateMachineArn", "FunctionName",
)  # fmt: skip
_SIGNING = frozenset(
    {
        "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "x-amz-decoded-content-length",
        "x-amz-user-agent", "x-amz-trailer", "x-amz-target", "x-amz-signature", "x-amz-credential", "x-amz-algorithm",
        "x-amz-signedheaders", "x-amz-expires", "x-amz-s3session-token",
    }
)  # fmt: skip
_SERVICE = re.compile(r"Credential=[^,]*?/\d{8}/[^/,]+/([a-z0-9-]+)/aws4_request")
_QUERY_VERSION = re.compile(r"\d{4}-\d\d-\d\d")
SQS_VERSION = "2012-11-05"
_LARGEST = 4 << 20  # bytes of a body that is looked into for an operation


def is_signing(name: str) -> bool:
    """Whether a header or a query parameter of AWS (in lower case) says nothing about what is asked for."""
    return name in _SIGNING or name.startswith(("x-amz-checksum-", "x-amz-sdk-"))


def is_payload_header(name: str) -> bool:
    """Whether a header (in lower case) is part of what is asked for: the metadata of an object, its tags."""
    return name.startswith("x-amz-") and not is_signing(name)


@dataclass(frozen=True, slots=True)
class Call:
    """An operation of a service that is asked for. Where method and path say what is asked for, there is no `Call`."""

    name: str  # as the request has it: "AmazonSQS.SendMessage", "Publish"
    in_json: bool  # the other dialect is a form, answered by XML
    parameters: Parameters  # as JSON has them, whatever the dialect
    service: str  # "SQS", "DynamoDB"; "" if nothing says it
    queue_path: str = ""  # the older dialect of SQS names the queue by the path

    @property
    def operation(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def subject(self) -> str:
        """What it is about: a queue's address, a table's name."""
        for name in _SUBJECTS:
            if isinstance(found := self.parameters.get(name), str):
                return found
        return self.queue_path

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing, by the first word of its name."""
        return _READS.match(self.operation) is not None

    @property
    def title(self) -> str:
        """`SQS SendMessage order-events`"""
        return " ".join(filter(None, (self.service, self.operation, re.split(r"[/:]", self.subject)[-1])))


def call(request: HttpRequest) -> Call | None:
    """The operation that `request` asks for by name, if it does."""
    target = wire.header(request.headers, "x-amz-target")
    if target is not None:
        name = target.strip('"')
        service = name.rpartition(".")[0].partition("_")[0].removeprefix("Amazon")
        return Call(name, True, _json(request.body), service or _service(request))
    form = _form(request)
    if form is None:
        return None
    path = request.target.partition("?")[0]
    in_path = form["Version"] == SQS_VERSION and "QueueUrl" not in form and len(path) > 1
    service = "SQS" if form["Version"] == SQS_VERSION else _service(request)
    return Call(form["Action"], False, _unfolded(form), service, path if in_path else "")


def _json(body: Body) -> Parameters:
    data = (
        contents.json_of(body.decode("utf-8", "replace")) if isinstance(body, bytes) and len(body) <= _LARGEST else None
    )
    return data if isinstance(data, dict) else {}


def _service(request: HttpRequest) -> str:
    """The service as the signature's scope has it."""
    found = _SERVICE.search(wire.header(request.headers, "authorization") or "")
    return found[1].upper() if found is not None else ""


# -- the query dialect: a form whose names are paths ------------------------------------------------------------


def _form(request: HttpRequest) -> dict[str, str] | None:
    """The form of an operation: `Action` and the `Version` of the service, which other forms hardly have."""
    body = request.body
    if request.method == "POST":
        if not isinstance(body, bytes) or b"Action=" not in body or len(body) > _LARGEST:
            return None
        media = (wire.header(request.headers, "content-type") or "").partition(";")[0].strip().lower()
        if media != "application/x-www-form-urlencoded":
            return None
        text = body.decode("utf-8", "replace")
    else:
        if "Action=" not in request.target:
            return None
        text = request.target.partition("?")[2]
    form = dict(parse_qsl(text, keep_blank_values=True))
    return form if form.get("Action") and _QUERY_VERSION.fullmatch(form.get("Version", "")) else None


def _unfolded(form: Mapping[str, str]) -> dict[str, Any]:
    """`Entry.1.Id=a` as `{"Entry": [{"Id": "a"}]}`."""
    tree: dict[str, Any] = {}
    for name, value in form.items():
        if name in ("Action", "Version") or is_signing(name.lower()):
            continue
        *way, last = name.split(".")
        at = tree
        for step in way:
            below = at.setdefault(step, {})
            if not isinstance(below, dict):
                below = at[step] = {}
            at = below
        at[last] = value
    lists = _with_lists(tree)
    assert isinstance(lists, dict)
    return lists


def _with_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    if tree and all(step.isdigit() for step in tree):
        return [_with_lists(tree[step]) for step in sorted(tree, key=int)]
    return {step: _with_lists(below) for step, below in tree.items()}
