// The HTTPS clients of Node, as app.py has those of Python: `node server.js fetch|axios PORT SERVICE=URL …`.
"use strict";

const http = require("node:http");
const { createHash } = require("node:crypto");
const axios = require("axios");

const [usual, port, ...services] = process.argv.slice(2);
const urls = Object.fromEntries(services.map((service) => service.split("=", 2)));
const upload = Buffer.alloc(256 * 1200, Buffer.from(Array.from({ length: 256 }, (_, value) => value)));

const clients = {
  async fetch(url, body) {
    const answer = await fetch(url, body ? { method: "POST", body } : {});
    return [answer.status, Buffer.from(await answer.arrayBuffer())];
  },
  async axios(url, body) {
    const options = { responseType: "arraybuffer", validateStatus: null, maxRedirects: 0 };
    const answer = await (body ? axios.post(url, body, options) : axios.get(url, options));
    return [answer.status, Buffer.from(answer.data)];
  },
};

function described(error) {
  const names = [];
  const codes = [];
  for (let one = error; one; one = one.cause) {
    names.push(one.name);
    if (one.code) codes.push(one.code);
  }
  return { error: [...new Set(names)], codes: [...new Set(codes)] };
}

async function outcome(client, url, body) {
  try {
    const [status, content] = await clients[client](url, body);
    return { status, length: content.length, sha256: createHash("sha256").update(content).digest("hex") };
  } catch (error) {
    return described(error);
  }
}

http
  .createServer(async (request, response) => {
    const [path, name] = request.url.split("?with=");
    const [, service, page] = path.split("/");
    const body = page.startsWith("upload") ? upload : null;
    const answer = JSON.stringify(await outcome(name || usual, `${urls[service]}/${page}`, body));
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(answer) });
    response.end(answer);
  })
  .listen(Number(port), "127.0.0.1");
