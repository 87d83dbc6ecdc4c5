"""Serves gRPC, and asks others over gRPC and over plain sockets for what a file outside the project says.

    STEPS=steps.json PORT=… USERS=host:port CACHE_PORT=… python wires_app.py

The message of a call is the number of its step: {grpc: {metadata, message}} or {socket: [lines]} or {websocket: text}.
The answer is a checksum of all that came of it and of what the caller said of himself.
"""

from __future__ import annotations

import json
import os
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

STEPS = json.loads(Path(os.environ["STEPS"]).read_text())
USERS = grpc.insecure_channel(os.environ["USERS"]).unary_unary("/shop.Users/Get")
OWN = ("user-agent", "grpc-")  # what libraries say
UPGRADE = (
    "GET /chat HTTP/1.1\r\nHost: cache\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n"
)


def checksum(*parts: Any) -> int:
    return zlib.crc32(repr(parts).encode()) % 997


def metadata_of(pairs: Any) -> list[Any]:
    return sorted((name, value) for name, value in pairs or () if not name.startswith(OWN))


def ask(step: dict[str, Any]) -> Any:
    if "grpc" in step:
        metadata = [
            (name, bytes.fromhex(value) if name.endswith("-bin") else value) for name, value in step["grpc"]["metadata"]
        ]
        try:
            answer, call = USERS.with_call(step["grpc"]["message"].encode(), timeout=10, metadata=metadata)
            return answer, metadata_of(call.initial_metadata()), metadata_of(call.trailing_metadata())
        except grpc.RpcError as error:
            return error.code().name, error.details()
    if "socket" in step or "websocket" in step:
        with socket.create_connection(("127.0.0.1", int(os.environ["CACHE_PORT"])), timeout=10) as sock:
            stream = sock.makefile("rwb")
            answers = []
            for line in step.get("socket") or [UPGRADE + f"Cookie: sid={step['websocket']}\r\n\r\n"]:
                stream.write(line.encode("latin-1"))
                stream.flush()
                answers.append(stream.readline())
            return answers
    return None


def get(number: bytes, context: grpc.ServicerContext) -> bytes:
    came = ask(STEPS[int(number)])
    context.set_trailing_metadata((("x-session-token", dict(context.invocation_metadata()).get("x-say", "none")),))
    return json.dumps({"got": checksum(came, metadata_of(context.invocation_metadata()))}).encode()


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(4))
    methods = {"Get": grpc.unary_unary_rpc_method_handler(get)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Orders", methods),))
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
