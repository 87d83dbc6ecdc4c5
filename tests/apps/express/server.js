// The test app in Express. Its routes are listed in tests/apps/README.md.
'use strict';

const crypto = require('crypto');
const express = require('express');

const USERS_URL = process.env.USERS_URL || 'http://localhost:5001';
const STOCK_URL = process.env.STOCK_URL || 'http://localhost:5001';
const ORDER = { id: 7, customer: 'Zoë', total: 1234.5, paid: true, note: null, items: [{ sku: 'A-1', quantity: 2 }] };

const app = express();
app.set('json spaces', 0);

const wrap = (handler) => (request, response, next) => handler(request, response).catch(next);

async function ask(url, options) {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000), ...options });
  if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}`);
  return response.json();
}

app.get('/health', (_request, response) => response.type('text').send('ok\n'));
app.get('/json', (_request, response) => response.json(ORDER));
app.get('/text', (_request, response) => response.type('text').send('Grüße\nfrom the order service\n'));
app.get('/html', (_request, response) => response.type('html').send('<!doctype html>\n<h1>Orders</h1>\n'));
app.get('/binary', (_request, response) =>
  response.type('application/octet-stream').send(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))));
app.get('/big', (_request, response) =>
  response.type('application/octet-stream').send(Buffer.from('0123456789abcdef'.repeat(65536))));
app.get('/headers', (request, response) => {
  const echoed = Object.entries(request.headers).filter(([name]) => name.startsWith('x-')).sort();
  response.set('X-Served-By', 'orders').append('Set-Cookie', 'a=1; Path=/').append('Set-Cookie', 'b=2; Path=/');
  response.json(Object.fromEntries(echoed));
});
app.get('/status/:code', (request, response) =>
  response.status(Number(request.params.code)).json({ status: Number(request.params.code) }));

app.get('/stream', (_request, response) => {
  response.type('text');
  for (let line = 1; line <= 5; line += 1) response.write(`line ${line}\n`);
  response.end();
});

app.post('/form', express.urlencoded({ extended: false }), (request, response) => response.json({ ...request.body }));
app.post('/upload', express.raw({ type: '*/*', limit: '64mb' }), (request, response) => {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  response.json({ size: body.length, sha256: crypto.createHash('sha256').update(body).digest('hex') });
});

app.get('/orders/:id', wrap(async (request, response) => {
  const user = await ask(`${USERS_URL}/users/${request.params.id}`);
  response.json({ id: request.params.id, user: user.name });
}));
app.get('/orders/:id/full', wrap(async (request, response) => {
  const { id } = request.params;
  const user = await ask(`${USERS_URL}/users/${id}`);
  const stock = await ask(`${STOCK_URL}/stock/${id}`);
  const price = await ask(`${STOCK_URL}/prices/${id}`);
  response.json({ id, user: user.name, in_stock: stock.quantity, price: price.amount });
}));
app.post('/orders', express.json(), wrap(async (request, response) => {
  const body = JSON.stringify({ sku: request.body.sku, quantity: request.body.quantity });
  const reservation = await ask(`${STOCK_URL}/reservations`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body,
  });
  response.status(201).json({ sku: request.body.sku, reservation: reservation.id });
}));
app.delete('/orders/:id', (_request, response) => response.status(204).end());

app.get('/relay/*', wrap(async (request, response) => {
  const query = request.originalUrl.includes('?') ? `?${request.originalUrl.split('?')[1]}` : '';
  const answer = await fetch(`${USERS_URL}/${request.params[0]}${query}`, { signal: AbortSignal.timeout(5000) });
  const body = Buffer.from(await answer.arrayBuffer());
  response.status(answer.status).type(answer.headers.get('content-type') || 'application/octet-stream').send(body);
}));

app.use((error, _request, response, _next) => {
  response.status(502).json({ error: 'the dependency failed', kind: error.name });
});

const server = app.listen(Number(process.env.PORT || 5000), process.env.HOST || '127.0.0.1');
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => { server.close(() => process.exit(0)); server.closeAllConnections(); });
}
