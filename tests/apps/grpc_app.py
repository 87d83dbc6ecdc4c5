"""Two services that speak gRPC in clear. Messages are bytes: what is in them is nobody's business here.

`grpc_app.py PORT` serves users; `grpc_app.py PORT USERS` serves orders, and asks the users at that address.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

Call = Callable[..., Any]


def users() -> dict[str, Any]:
    def get(name: bytes, context: grpc.ServicerContext) -> bytes:
        if name == b"nobody":
            context.set_trailing_metadata((("x-looked", "everywhere"),))
            context.abort(grpc.StatusCode.NOT_FOUND, "no such user: näme")
        return b"\x08" + name + b"\xff" + os.urandom(8)

    def all_(count: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        for number in range(int(count)):
            yield b"user %d" % number * 10_000

    def watch(_nothing: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        left = threading.Event()
        context.add_callback(left.set)
        yield b"all is quiet"
        left.wait()

    return {
        "Get": grpc.unary_unary_rpc_method_handler(get),
        "All": grpc.unary_stream_rpc_method_handler(all_),
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
    }


def orders(channel: grpc.Channel) -> dict[str, Any]:
    ask = channel.unary_unary("/shop.Users/Get")
    every = channel.unary_stream("/shop.Users/All")
    watch = channel.unary_stream("/shop.Users/Watch")(b"", wait_for_ready=True)  # for as long as the app lives
    assert next(watch) == b"all is quiet"

    def get(name: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            answer: bytes = ask(name, timeout=10)
        except grpc.RpcError as error:
            context.abort(error.code(), f"users: {error.details()}")
        if not watch.is_active():
            context.abort(grpc.StatusCode.UNAVAILABLE, "the users are no longer watched")
        return b"order of " + answer

    def sizes(count: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        for user in every(count, timeout=10):
            yield b"%d" % len(user)

    return {
        "Get": grpc.unary_unary_rpc_method_handler(get),
        "Sizes": grpc.unary_stream_rpc_method_handler(sizes),
    }


def main(port: str, upstream: str = "") -> None:
    service, methods = ("shop.Orders", orders(grpc.insecure_channel(upstream))) if upstream else ("shop.Users", users())
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
