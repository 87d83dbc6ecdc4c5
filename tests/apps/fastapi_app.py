"""The test app in FastAPI: its routes are listed in README.md. `uvicorn --reload fastapi_app:app`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

USERS_URL = os.environ.get("USERS_URL", "http://localhost:5001")
STOCK_URL = os.environ.get("STOCK_URL", "http://localhost:5001")
ORDER = {
    "id": 7,
    "customer": "Zoë",
    "total": 1234.5,
    "paid": True,
    "note": None,
    "items": [{"sku": "A-1", "quantity": 2}],
}

app = FastAPI()


async def ask(method: str, url: str, **options: Any) -> Any:
    async with httpx.AsyncClient(timeout=5) as client:
        response = await client.request(method, url, **options)
    response.raise_for_status()
    return response.json()


@app.get("/health")
async def health() -> Response:
    return PlainTextResponse("ok\n")


@app.get("/json")
async def send_json() -> Response:
    return JSONResponse(ORDER)


@app.api_route("/text", methods=["GET", "HEAD"])
async def send_text() -> Response:
    return PlainTextResponse("Grüße\nfrom the order service\n")


@app.get("/html")
async def send_html() -> Response:
    return HTMLResponse("<!doctype html>\n<h1>Orders</h1>\n")


@app.get("/binary")
async def send_binary() -> Response:
    return Response(bytes(range(256)), media_type="application/octet-stream")


@app.get("/big")
async def send_big() -> Response:
    return Response(b"0123456789abcdef" * 65536, media_type="application/octet-stream")


@app.get("/stream")
async def stream() -> Response:
    async def lines() -> AsyncIterator[str]:
        for line in range(1, 6):
            yield f"line {line}\n"

    return StreamingResponse(lines(), media_type="text/plain")


@app.get("/headers")
async def echo_headers(request: Request) -> Response:
    echoed = {name: value for name, value in sorted(request.headers.items()) if name.startswith("x-")}
    response = JSONResponse(echoed, headers={"X-Served-By": "orders"})
    response.headers.append("Set-Cookie", "a=1; Path=/")
    response.headers.append("Set-Cookie", "b=2; Path=/")
    return response


@app.get("/status/{code}")
async def send_status(code: int) -> Response:
    return JSONResponse({"status": code}, code)


@app.post("/form")
async def form(request: Request) -> Response:
    return JSONResponse(dict(parse_qsl((await request.body()).decode())))


@app.post("/upload")
async def upload(request: Request) -> Response:
    body = await request.body()
    return JSONResponse({"size": len(body), "sha256": hashlib.sha256(body).hexdigest()})


@app.get("/orders/{order_id}")
async def get_order(order_id: str) -> Response:
    user = await ask("GET", f"{USERS_URL}/users/{order_id}")
    return JSONResponse({"id": order_id, "user": user["name"]})


@app.get("/orders/{order_id}/full")
async def get_full_order(order_id: str) -> Response:
    user = await ask("GET", f"{USERS_URL}/users/{order_id}")
    stock = await ask("GET", f"{STOCK_URL}/stock/{order_id}")
    price = await ask("GET", f"{STOCK_URL}/prices/{order_id}")
    return JSONResponse({"id": order_id, "user": user["name"], "in_stock": stock["quantity"], "price": price["amount"]})


@app.post("/orders")
async def create_order(request: Request) -> Response:
    order = await request.json()
    wanted = {"sku": order["sku"], "quantity": order["quantity"]}
    reservation = await ask("POST", f"{STOCK_URL}/reservations", json=wanted)
    return JSONResponse({"sku": order["sku"], "reservation": reservation["id"]}, 201)


@app.delete("/orders/{order_id}")
async def delete_order(order_id: str) -> Response:
    return Response(status_code=204)


@app.get("/relay/{page:path}")
async def relay(page: str, request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    async with httpx.AsyncClient(timeout=5) as client:
        answer = await client.get(f"{USERS_URL}/{page}{query}")
    kind = answer.headers.get("Content-Type", "application/octet-stream")
    return Response(answer.content, answer.status_code, media_type=kind)


@app.exception_handler(httpx.HTTPError)
async def dependency_failed(request: Request, error: httpx.HTTPError) -> Response:
    return JSONResponse({"error": "the dependency failed", "kind": type(error).__name__}, 502)
