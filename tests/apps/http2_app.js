// A service that speaks HTTP/2 in clear and asks another one in the same way: `node http2_app.js PORT [USERS]`.
"use strict";

const http2 = require("node:http2");

const [port, users] = process.argv.slice(2);
let session = null;

function ask(path, size, body) {
  session ??= http2.connect(users);
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": path, "x-size": String(size) });
    let length = 0;
    let came = null;
    stream.on("data", (data) => (length += data.length));
    stream.on("trailers", (headers) => (came = headers["x-came"]));
    stream.on("end", () => resolve([path, length, came]));
    stream.on("error", reject);
    stream.end(body);
  });
}

function serveUsers(stream, headers) {
  let came = 0;
  stream.additionalHeaders({ ":status": 103, link: "</style.css>" });
  stream.on("data", (data) => (came += data.length));
  stream.on("end", () => {
    stream.respond({ ":status": 200, "set-cookie": ["a=1", "b=2"] }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-came": String(came) }));
    stream.end("x".repeat(Number(headers["x-size"])));
  });
}

async function serveOrders(stream) {
  try {
    const got = await Promise.all([ask("/none", 0, ""), ask("/small", 10, "abc"), ask("/large", 5e5, "x".repeat(3e5))]);
    stream.respond({ ":status": 200, "content-type": "application/json" });
    stream.end(JSON.stringify(got));
  } catch (error) {
    stream.respond({ ":status": 500 });
    stream.end(String(error));
  }
}

http2
  .createServer()
  .on("stream", users ? serveOrders : serveUsers)
  .listen(Number(port), "127.0.0.1");
