// HTTP/1.1 as bytes on a socket: what is malformed is refused once, clearly, and the connection closed; what is valid is served in order.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assert, exchange, patience, post, root, until, useGateway, Wire } from './lib/harness.mjs';

// Short deadlines and a small body, so that the limits show soon.
const server = { header_timeout: '2s', body_grace: '2s', max_body: '4MiB' };
const used = useGateway({ gateway: { models: ['gpt-test', 'sim-latency-100'], more: { server } } });
const send = (bytes, options) => exchange(used.gateway.port, bytes, options);

/** The table of the unit test, read as text: [name, status, bytes, section]. */
function rawCases() {
  const escapes = { r: '\r', n: '\n', t: '\t', '"': '"', '\\': '\\' };
  const unescape = (text) => text.replace(/\\(?:([0-7]{3})|(.))/g, (_, octal, letter) =>
    octal ? String.fromCharCode(parseInt(octal, 8)) : escapes[letter]);
  let section = '';
  return readFileSync(join(root, 'tests/unit/http/raw_cases.h'), 'utf8').split('\n').flatMap((line) => {
    section = /^\/\* (.*) \*\/$/.exec(line)?.[1] ?? section;
    const match = /^RAW_CASE\("((?:[^"\\]|\\.)*)", (\d+), "((?:[^"\\]|\\.)*)"\)$/.exec(line);
    return match ? [[unescape(match[1]), Number(match[2]), unescape(match[3]), section]] : [];
  });
}

describe('malformed requests', () => {
  const cases = rawCases();

  test('the table is there', () => assert.ok(cases.length >= 100, `${cases.length} cases`));

  test('each gets one clear answer and a closed connection', async () => {
    const wrong = [];
    const check = async ([name, status, bytes, section]) => {
      // What is wrong only inside a body must reach an endpoint that reads one.
      const routed = section === 'chunked bodies' ? bytes.replace('POST / HTTP/1.1\r\nHost: a\r\n',
        `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer ${used.key.secret}\r\n`) : bytes;
      const answer = await send(routed, { milliseconds: 3000 * patience });
      const shape = /"error"/.test(answer.body);
      const once = (answer.head + answer.body).split(/HTTP\/1\.1 \d{3} /).length === 2;
      if (answer.status !== status || !answer.closed || !shape || !once)
        wrong.push(`${name}: ${answer.status} instead of ${status}${answer.closed ? '' : ', left open'}${shape ? '' : ', no error body'}${once ? '' : ', more than one answer'}`);
    };
    for (let i = 0; i < cases.length; i += 16) await Promise.all(cases.slice(i, i + 16).map(check));
    assert.deepEqual(wrong, []);
    assert.equal((await used.gateway.chat(used.key.secret, 'gpt-test')).status, 200, 'and the gateway serves on');
  });

  test('none of them reached the provider', async () => {
    const { requests } = await used.simulator.seen();
    assert.ok(requests.every((request) => request.body?.includes('gpt-test')));
  });
});

describe('limits', () => {
  test('a URL that is too long: 414', async () => {
    assert.equal((await send(`GET /v1/${'a'.repeat(20000)} HTTP/1.1\r\nHost: a\r\n\r\n`)).status, 414);
  });

  test('headers that are too large or too many: 431', async () => {
    assert.equal((await send(`GET /v1/models HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(100000)}\r\n\r\n`)).status, 431);
    assert.equal((await send(`GET /v1/models HTTP/1.1\r\nHost: a\r\n${'X: a\r\n'.repeat(500)}\r\n`)).status, 431);
  });

  test('a body that is too large: 413, before it is sent', async () => {
    const head = post('/v1/chat/completions', used.key.secret, '', '').replace('Content-Length: 0', 'Content-Length: 10000000000');
    const answer = await send(head);
    assert.equal(answer.status, 413);
    assert.ok(answer.closed);
    assert.match(answer.body, /"error"/);
  });

  test('a chunked body that grows too large: 413', async () => {
    const wire = new Wire(used.gateway.port);
    await wire.opened;
    await wire.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${used.key.secret}\r\n` +
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    // Five times what is accepted, but less than the 32 MiB after which a lingering connection is reset and the answer may be lost.
    for (let i = 0; i < 20 && !wire.closed && !wire.text(); i++) {
      await Promise.race([wire.write(chunk), wire.ended]);
    }
    await wire.waitFor((text) => text.includes('\r\n\r\n'), 5000);
    assert.match(wire.text(), /^HTTP\/1\.1 413 /);
    wire.close();
  });

  test('a head that never ends and a body that crawls: 408, both within their deadlines', { timeout: 60000 }, async () => {
    const head = new Wire(used.gateway.port);
    const body = new Wire(used.gateway.port);
    const silent = new Wire(used.gateway.port);
    await Promise.all([head.opened, body.opened, silent.opened]);
    const began = Date.now();
    await head.write('GET /v1/models HTTP/1.1\r\nHost: a\r\n');
    await body.write(post('/v1/chat/completions', used.key.secret, 'x'.repeat(1000000)).slice(0, 400));
    const drip = setInterval(() => {
      if (!head.closed) head.write('X');
      if (!body.closed) body.write('x');
    }, 500);
    await Promise.all([head.ended, body.ended, silent.ended].map((ended) => Promise.race([ended, new Promise((done) => setTimeout(done, 30000))])));
    clearInterval(drip);
    assert.ok(head.closed && body.closed && silent.closed, 'all three were ended');
    assert.ok(Date.now() - began < 10000 * patience);
    assert.match(head.text(), /^HTTP\/1\.1 408 /);
    assert.match(body.text(), /^HTTP\/1\.1 408 /);
  });
});

describe('valid HTTP', () => {
  const ask = (model) => post('/v1/chat/completions', used.key.secret, { model, messages: [] });

  test('pipelined requests are answered in order', async () => {
    const wire = new Wire(used.gateway.port);
    await wire.opened;
    await wire.write(ask('sim-latency-100') + ask('gpt-test') + `GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${used.key.secret}\r\n\r\n`);
    await wire.waitFor((text) => text.includes('"object":"list"'), 5000);
    const text = wire.text();
    assert.equal(text.match(/HTTP\/1\.1 200 OK/g).length, 3);
    assert.ok(text.indexOf('"model":"sim-latency-100"') < text.indexOf('"model":"gpt-test"'));
    assert.ok(text.indexOf('"model":"gpt-test"') < text.indexOf('"object":"list"'));
    wire.close();
  });

  test('one byte at a time', async () => {
    const wire = new Wire(used.gateway.port);
    await wire.opened;
    for (const byte of ask('gpt-test')) {
      await wire.write(byte);
      await new Promise((done) => setImmediate(done));
    }
    assert.ok(await wire.waitFor((text) => text.includes('chat.completion'), 5000));
    wire.close();
  });

  test('a chunked request body, split badly', async () => {
    const wire = new Wire(used.gateway.port);
    await wire.opened;
    const body = JSON.stringify({ model: 'gpt-test', messages: [] });
    await wire.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${used.key.secret}\r\n` +
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (const byte of body) await wire.write(`1\r\n${byte}\r\n`);
    await wire.write('0\r\nX-Trailer: 1\r\n\r\n');
    assert.ok(await wire.waitFor((text) => text.includes('chat.completion'), 5000));
    assert.equal((await used.simulator.last()).body, body);
    wire.close();
  });

  test('Expect: 100-continue', async () => {
    const wire = new Wire(used.gateway.port);
    await wire.opened;
    const bytes = post('/v1/chat/completions', used.key.secret, { model: 'gpt-test', messages: [] }, 'Expect: 100-continue\r\n');
    const end = bytes.indexOf('\r\n\r\n') + 4;
    await wire.write(bytes.slice(0, end));
    assert.ok(await wire.waitFor((text) => text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'), 5000));
    await wire.write(bytes.slice(end));
    assert.ok(await wire.waitFor((text) => text.includes('HTTP/1.1 200 OK'), 5000));
    wire.close();
  });

  test('Connection: close and HTTP/1.0 end the connection', async () => {
    const close = await send(`GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${used.key.secret}\r\n\r\n`);
    assert.equal(close.status, 200);
    assert.ok(close.closed);
    const old = await send(`GET /v1/models HTTP/1.0\r\nHost: a\r\nAuthorization: Bearer ${used.key.secret}\r\n\r\n`);
    assert.equal(old.status, 200);
    assert.ok(old.closed);
  });

  test('absolute form of the target', async () => {
    const answer = await send(`GET http://a/v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${used.key.secret}\r\n\r\n`);
    assert.equal(answer.status, 200);
  });

  test('paths that are not canonical: 400', async () => {
    for (const path of ['/v1/../v1/models', '/v1/./models', '//v1/models', '/v1//models', '/v1/models%2fx', '/v1/models%5cx', '/v1/%2e%2e/models',
      '/v1/models/..'])
      assert.equal((await send(`GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${used.key.secret}\r\n\r\n`)).status, 400, path);
  });

  test('a thousand connections that say nothing do not hinder anybody', async () => {
    const wires = Array.from({ length: 1000 }, () => new Wire(used.gateway.port));
    await Promise.all(wires.map((wire) => Promise.race([wire.opened, wire.ended])));
    assert.equal((await used.gateway.chat(used.key.secret, 'gpt-test')).status, 200);
    for (const wire of wires) wire.close();
    await until(() => used.gateway.openDescriptors() < 200, 'the connections to be closed');
  });
});
