// The MySQL test app with mysql2: the same routes as app.py, which says what they are for.
'use strict';

const crypto = require('crypto');
const http = require('http');
const mysql = require('mysql2/promise');

const { env } = process;
const POOL_SIZE = Number(env.POOL_SIZE || 3);
const OPTIONS = {
  ...(env.DB_SOCKET ? { socketPath: env.DB_SOCKET } : { host: env.DB_HOST, port: Number(env.DB_PORT) }),
  user: env.DB_USER, password: env.DB_PASSWORD, database: env.DB_NAME, charset: 'utf8mb4', timezone: 'Z',
  multipleStatements: true, supportBigNumbers: true, bigNumberStrings: true,
  ...(env.DB_TLS === '1' ? { ssl: { rejectUnauthorized: false } } : {}),
};

const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
const connect = () => mysql.createConnection(OPTIONS);

function told(value) {
  const kind = value === null ? 'null' : value.constructor ? value.constructor.name : typeof value;
  const zero = value instanceof Date && Number.isNaN(value.getTime());
  const text = zero ? 'no date' : Buffer.isBuffer(value) ? value.toString('hex') : JSON.stringify(value);
  return [kind, text.length > 500 ? `${text.length} characters, SHA-256 ${sha256(text)}` : text];
}

function part(rows, fields) {
  if (!fields || !Array.isArray(rows)) {
    const { affectedRows, insertId, info, warningStatus, changedRows } = rows;
    return { affectedRows, insertId, info, warningStatus, changedRows };
  }
  return { columns: fields.map((field) => field.name), rows: rows.map((row) => row.map(told)) };
}

// one result, or several where `fields` is a list of lists
function asData([rows, fields]) {
  const several = Array.isArray(fields) && fields.some((each) => each === undefined || Array.isArray(each));
  return several ? rows.map((each, at) => part(each, fields[at])) : [part(rows, fields)];
}

const errorAsData = (error) =>
  ({ class: error.code, number: error.errno ?? null, state: error.sqlState ?? null, message: error.message });
const attempt = (work) => work().catch(errorAsData);

async function withLink(work, link = connect()) {
  const open = await link;
  try {
    return await work(open);
  } finally {
    await open.end().catch(() => undefined);
  }
}

const ask = async (link, sql, values, prepared = false) =>
  asData(await (prepared ? link.execute({ sql, values, rowsAsArray: true }) : link.query({ sql, values, rowsAsArray: true })));

const types = () => withLink((link) => ask(link, 'SELECT * FROM every_type ORDER BY id'));

const preparedTypes = () => withLink(async (link) => {
  const [{ columns }] = await ask(link, 'SELECT * FROM every_type WHERE id = 0');
  const answers = {};
  for (const name of columns) {
    const sql = `SELECT id, \`${name}\` FROM every_type WHERE id <> ? ORDER BY id`;
    answers[name] = await attempt(() => ask(link, sql, [2], true));
  }
  return answers;
});

const preparedAgain = () => withLink(async (link) => {
  const one = 'SELECT id, `varchar`, money FROM every_type WHERE id = ?';
  const rows = [];
  for (const number of [1, 2, 3, 4, 9]) rows.push(await ask(link, one, [number], true));
  link.unprepare(one);
  rows.push(await ask(link, one, [2], true));
  rows.push(await ask(link, 'SELECT ? + 1 AS more, ? AS text, ? AS nothing', [41, 'drei', null], true));
  return rows;
});

const ORDER = {
  customer: 'Zoë \'O"Neill\\ 🍣', total: '1234.50', ratio: 0.1, note: 'two\nlines\ttab % done',
  picture: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), placed: new Date('2024-02-29T12:34:56.789Z'),
  due: '2024-03-31', took: '-01:00:00.000005', paid: true,
};
const INSERT = `INSERT INTO orders (${Object.keys(ORDER)}) VALUES (${Object.keys(ORDER).map(() => '?')})`;

const insert = (how) => withLink(async (link) => {
  const prepared = how === 'prepared';
  const full = Object.values({ ...ORDER, customer: `${how} ${ORDER.customer}` });
  await link.beginTransaction();
  const answers = [await ask(link, INSERT, full, prepared)];
  answers.push(await ask(link, INSERT, [`${how} nobody`, ...full.slice(1).map(() => null)], prepared));
  await link.commit();
  answers.push(await ask(link, 'SELECT * FROM orders WHERE customer LIKE ? ORDER BY id', [`${how}%`], prepared));
  answers.push(await ask(link, 'DELETE FROM orders WHERE customer LIKE ?', [`${how}%`], prepared));
  return answers;
});

const many = () => withLink(async (link) => {
  const rows = Array.from({ length: 50 }, (_, number) => [`bulk ${number}`, number]);
  await link.beginTransaction();
  const done = await ask(link, 'INSERT INTO orders (customer, total) VALUES ?', [rows]);
  const total = await ask(link, 'SELECT COUNT(*), SUM(total) FROM orders WHERE customer LIKE ?', ['bulk%']);
  await link.rollback();
  return [done, total];
});

const large = (megabytes) => withLink(async (link) => {
  const body = Buffer.alloc(Number(megabytes) << 20, ORDER.picture);
  const written = await ask(link, 'REPLACE INTO large VALUES (?, ?)', [Number(megabytes), body]);
  const [[[value]]] = await link.query({ sql: 'SELECT body FROM large', rowsAsArray: true });
  await link.query('DELETE FROM large');
  return { written, size: value.length, same: value.equals(body), read: sha256(value) };
});

async function several() {
  const good = "SELECT 1 AS a; UPDATE accounts SET balance = 100 WHERE id = 1; SELECT 'ü' AS b, NULL AS c";
  const bad = 'SELECT 1 AS a; SELECT nothing FROM nowhere; SELECT 3';
  return [
    await withLink((link) => attempt(() => ask(link, good))),
    await withLink((link) => attempt(() => ask(link, bad))),
  ];
}

const procedures = () => withLink(async (link) => [
  await attempt(() => ask(link, 'CALL two_results(?)', [2])),
  await attempt(() => ask(link, 'CALL two_results(?)', [2], true)),
  await attempt(() => ask(link, 'CALL half_an_answer()')),
]);

const STATEMENTS = {
  duplicate: 'INSERT INTO accounts VALUES (1, 5)', syntax: 'SELEC 1', 'no table': 'SELECT * FROM nowhere',
  'no column': 'SELECT nothing FROM accounts', signal: "CALL refuse('nein, danke 🍣')",
  null: 'INSERT INTO accounts VALUES (9, NULL)', range: 'SELECT 9223372036854775807 + 1', empty: ' ',
};

const errors = () => withLink(async (link) => {
  const answers = {};
  for (const [name, sql] of Object.entries(STATEMENTS)) answers[name] = await attempt(() => ask(link, sql));
  answers.prepared = await attempt(() => ask(link, 'SELECT * FROM nowhere WHERE a = ?', [1], true));
  answers['and then'] = await ask(link, 'SELECT 1');
  return answers;
});

const transactions = () => withLink((one) => withLink(async (two) => {
  const balances = async (link) => (await ask(link, 'SELECT id, balance FROM accounts ORDER BY id'))[0].rows;
  const seen = [];
  await one.beginTransaction();
  await one.query('UPDATE accounts SET balance = balance - 30 WHERE id = 1');
  seen.push(['before the commit', await balances(one), await balances(two)]);
  await one.commit();
  seen.push(['committed', await balances(one), await balances(two)]);
  await one.query('BEGIN');
  await one.query('UPDATE accounts SET balance = balance + 30 WHERE id = 1');
  await one.query('SAVEPOINT half');
  await one.query('UPDATE accounts SET balance = 7 WHERE id = 2');
  await one.query('ROLLBACK TO half');
  seen.push(['to the savepoint', await balances(one), await balances(two)]);
  await one.query('COMMIT');
  await one.query('SET autocommit = 0');
  await one.query('UPDATE accounts SET balance = 0');
  await one.rollback();
  seen.push(['at the end', await balances(one), await balances(two)]);
  return seen;
}));

const facts = () => withLink(async (link) => {
  await link.query("SET SESSION sql_mode = ''");
  const cut = 'INSERT INTO orders (customer, due) VALUES (?, ?)';
  const answers = [
    await ask(link, cut, ['c'.repeat(60), '2024-13-45']),
    await ask(link, 'SHOW WARNINGS'),
    await ask(link, 'SELECT LAST_INSERT_ID()'),
    await ask(link, 'UPDATE orders SET ratio = 1.5'),
    await ask(link, 'UPDATE orders SET ratio = 1.5'),
    await ask(link, 'DELETE FROM orders'),
  ];
  await link.query("SET time_zone = '+05:30'");
  answers.push(await ask(link, 'SELECT stamp, @@time_zone FROM every_type WHERE id = 4'));
  await link.query('USE information_schema');
  answers.push(await ask(link, 'SELECT DATABASE()'));
  await link.changeUser({ user: env.DB_USER, password: env.DB_PASSWORD, database: env.DB_NAME });
  answers.push(await ask(link, 'SELECT DATABASE(), @@time_zone'));
  await link.ping();
  return answers;
});

let shared;
async function pool() {
  shared ??= mysql.createPool({ ...OPTIONS, connectionLimit: POOL_SIZE });
  const links = await Promise.all([0, 1, 2].map(() => shared.getConnection()));
  const sql = 'SELECT ? AS number, balance FROM accounts WHERE id = 1';
  const answers = await Promise.all(links.map((link, number) => ask(link, sql, [number])));
  links.forEach((link) => link.release());
  return answers;
}

const reconnect = () => withLink(async (other) => {
  const link = await connect();
  link.on('error', () => undefined);
  await other.query(`KILL ${(await link.query('SELECT CONNECTION_ID() AS id'))[0][0].id}`);
  const lost = await attempt(() => ask(link, 'SELECT 1'));
  link.destroy();
  return { lost: Array.isArray(lost) ? lost : 'lost', 'and then': await withLink((next) => ask(next, "SELECT 'back'")) };
});

async function atOnce(count) {
  const links = await Promise.all(Array.from({ length: Number(count) }, connect));
  const asked = links.map((link, number) => ask(link, 'SELECT ? + 0 AS number', [number]));
  const numbers = (await Promise.all(asked)).map(([{ rows: [[[, text]]] }]) => Number(text.replaceAll('"', '')));
  await Promise.all(links.map((link) => link.end()));
  return { connections: links.length, 'in order': numbers.every((number, at) => number === at) };
}

const rows = (count) => withLink(async (link) => {
  const sql = 'WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)'
    + " SELECT a.n, b.n, CONCAT('row ', a.n, '.', b.n), a.n / b.n FROM numbers a, numbers b ORDER BY a.n, b.n";
  const [found] = await link.query({ sql, values: [Number(count)], rowsAsArray: true });
  return { rows: found.length, read: sha256(JSON.stringify(found)) };
});

const ROUTES = {
  types, prepared: preparedTypes, 'prepared-again': preparedAgain, insert, many, large, several, procedures, errors,
  transactions, facts, pool, 'own-pool': () => 'no pool of its own', reconnect, 'at-once': atOnce, rows,
};

http.createServer(async (request, response) => {
  request.resume();
  const [route, argument] = request.url.slice(1).split('/');
  const answer = ROUTES[route] ? await attempt(async () => ROUTES[route](argument)) : 'ok';
  const body = Buffer.from(JSON.stringify(answer));
  const status = answer.class ? 500 : 200;
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
}).listen(Number(env.PORT), '127.0.0.1');

process.on('SIGINT', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
