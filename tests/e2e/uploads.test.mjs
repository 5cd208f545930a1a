// Forms that name a model, of any size: the provider gets the client's own bytes but for the model's name, the gateway's memory does
// not grow with them, and whatever goes wrong leaves neither a file nor a descriptor behind.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assert, build, errorOf, promptMarker, sdk, sleep, startGateway, startSimulator, until, useGateway, Wire } from './lib/harness.mjs';

const MIB = 1 << 20;
const models = { scribe: { targets: ['local/whisper-upstream'] }, 'dall-e-2': { targets: ['local/painter'] } };
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Bytes without any pattern, the same on every run. */
function noise(length) {
  const bytes = Buffer.alloc(length);
  for (let i = 0, word = 0x9e3779b9; i + 4 <= length; i += 4) {
    word ^= word << 13; word ^= word >>> 17; word ^= word << 5;
    bytes.writeInt32LE(word, i);
  }
  return bytes;
}

/** The SDK, which here also tells which bytes it sent. chunked: without a Content-Length. */
function witnessed(gateway, secret, { chunked = false } = {}) {
  const sent = {};
  const fetchAndTell = async (url, init) => {
    const encoded = new Response(init.body);
    sent.type = encoded.headers.get('content-type');
    sent.bytes = Buffer.from(await encoded.arrayBuffer());
    const headers = new Headers(init.headers);
    headers.set('content-type', sent.type);
    return fetch(url, { ...init, headers, ...(chunked ? { body: new Blob([sent.bytes]).stream(), duplex: 'half' } : { body: sent.bytes }) });
  };
  return { client: sdk(gateway, secret, { fetch: fetchAndTell }), sent };
}

/** What the provider must get: the value of the form's model field replaced. */
function renamed(bytes, from, to) {
  const mark = Buffer.from(`name="model"\r\n\r\n${from}\r\n`);
  const at = bytes.indexOf(mark);
  assert.ok(at >= 0 && bytes.indexOf(mark, at + 1) < 0, 'one model in what the client sent');
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(`name="model"\r\n\r\n${to}\r\n`), bytes.subarray(at + mark.length)]);
}

async function expectArrived(simulator, expected) {
  const seen = await simulator.last();
  assert.equal(seen.body_length, expected.length);
  assert.equal(seen.header['content-length'], String(expected.length));
  assert.equal(seen.header['transfer-encoding'], undefined);
  assert.equal(seen.body_sha256 ?? sha256(Buffer.from(seen.body ?? Buffer.from(seen.body_base64, 'base64'))), sha256(expected));
}

const boundary = 'AaB03x';
const typeLine = `Content-Type: multipart/form-data; boundary=${boundary}\r\n`;
const field = (name, value) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const fileHead = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n`;
const end = `--${boundary}--\r\n`;
const path = '/v1/audio/transcriptions';
const head = (key, framing, target = path) => `POST ${target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\n${typeLine}${framing}\r\n\r\n`;

function send(gateway, key, body, options = {}) {
  return gateway.request(options.path ?? path, { key, body: Buffer.from(body, 'latin1'),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}`, connection: 'close' } });
}

/** Peak of resident memory in bytes. */
const peak = (gateway) => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.child.pid}/status`, 'utf8'))[1]) * 1024;
const measuresMemory = !/asan|tsan/.test(build);

describe('through the SDK', () => {
  const used = useGateway({ simulator: { args: ['--keep-body', '100000'] }, gateway: { models } });
  const file = noise(100 * MIB);

  test('small, large, with and without a length, the model before and behind the file', async () => {
    for (const length of [10, 200_000, 262_144, 3 * MIB + 7])
      for (const chunked of [false, true])
        for (const modelFirst of [true, false]) {
          const { client, sent } = witnessed(used.gateway, used.key.secret, { chunked });
          const audio = new File([file.subarray(0, length)], 'a.wav');
          const form = modelFirst ? { model: 'scribe', file: audio } : { file: audio, language: 'en', model: 'scribe' };
          const answer = await client.audio.transcriptions.create(form);
          assert.match(answer.text, /simulated transcript/);
          await expectArrived(used.simulator, renamed(sent.bytes, 'scribe', 'whisper-upstream'));
        }
  });

  test('a model behind a file of 100 MiB; the gateway\'s memory does not grow with it', async () => {
    const memory = peak(used.gateway);
    const { client, sent } = witnessed(used.gateway, used.key.secret);
    const { data, response } = await client.audio.transcriptions.create({ file: new File([file], 'a.wav'), model: 'scribe' }).withResponse();
    assert.match(data.text, /simulated transcript/);
    assert.ok(sent.bytes.length > 100 * MIB && sent.bytes.length - sent.bytes.indexOf('name="model"') < 200, 'the model is the last field');
    await expectArrived(used.simulator, renamed(sent.bytes, 'scribe', 'whisper-upstream'));
    if (measuresMemory) assert.ok(peak(used.gateway) - memory < 4 * MIB, `${peak(used.gateway) - memory} bytes more`);
    const record = await used.gateway.recordOf(response.headers.get('x-request-id'));
    assert.equal(record.asked_model, 'scribe');
    assert.equal(record.class, 'none');
    assert.equal(record.request_bytes, sent.bytes.length);
  });

  test('a form without a model gets the default one, before the other fields', async () => {
    for (const length of [1000, 2 * MIB]) {
      const { client, sent } = witnessed(used.gateway, used.key.secret);
      const images = await client.images.createVariation({ image: new File([file.subarray(0, length)], 'a.png') });
      assert.equal(images.data.length, 1);
      const mark = /boundary=(\S+)$/.exec(sent.type)[1];
      const inserted = `--${mark}\r\nContent-Disposition: form-data; name="model"\r\n\r\npainter\r\n`;
      await expectArrived(used.simulator, Buffer.concat([Buffer.from(inserted), sent.bytes]));
    }
  });

  test('a form that asks for a stream is recorded as one', async () => {
    const answer = await send(used.gateway, used.key.secret, field('stream', 'true') + field('model', 'scribe') + end);
    assert.equal(answer.status, 200, await answer.clone().text());
    assert.equal((await used.gateway.recordOf(answer.headers.get('x-request-id'))).stream, true);
  });

  test('many at once', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, async (_, i) => {
      const { client, sent } = witnessed(used.gateway, used.key.secret);
      await client.audio.transcriptions.create({ file: new File([file.subarray(i, i + MIB * 2)], `${promptMarker}-${i}.wav`), model: 'scribe' });
      return renamed(sent.bytes, 'scribe', 'whisper-upstream');
    }));
    const digests = (await used.simulator.seen()).requests.map((request) => request.body_sha256);
    for (const bytes of answers) assert.ok(digests.includes(sha256(bytes)));
  });
});

describe('forms that are refused', () => {
  const used = useGateway({ gateway: { models } });
  const bulk = 'x'.repeat(MIB);
  const refused = [
    ['two models', field('model', 'scribe') + fileHead + bulk + '\r\n' + field('model', 'scribe') + end, 'model', /twice/],
    ['a model as a file', fileHead + bulk + `\r\n--${boundary}\r\nContent-Disposition: form-data; name="model"; filename="m"\r\n\r\nscribe\r\n` + end, 'model', /as a file/],
    ['no end', field('model', 'scribe') + fileHead + bulk, null, /before its last boundary/],
    ['something behind the end', field('model', 'scribe') + fileHead + bulk + '\r\n' + end + bulk, null, /follows the form's last boundary/],
    ['no form at all', bulk, null, /does not begin with its boundary/],
    ['nothing', '', null, /./],
    ['a nonsensical stream', fileHead + bulk + '\r\n' + field('stream', 'perhaps') + field('model', 'scribe') + end, 'stream', /true or false/],
    ['no model', fileHead + bulk + '\r\n' + end, 'model', /missing/],
  ];
  for (const [name, body, parameter, message] of refused)
    test(`${name}: 400, and nothing reaches the provider`, async () => {
      const error = await errorOf(await send(used.gateway, used.key.secret, body), 400, 'bad_parameter');
      assert.equal(error.param, parameter);
      assert.match(error.message, message);
      assert.deepEqual((await used.simulator.seen()).requests, []);
    });

  test('a broken form is refused at once, not at its end', async () => {
    const wire = new Wire(used.gateway.port);
    await wire.write(`${head(used.key.secret, `Content-Length: ${100 * MIB}`)}no boundary`);
    assert.ok(await wire.waitFor((text) => text.includes('does not begin with its boundary'), 5000));
    assert.match(wire.text(), /^HTTP\/1\.1 400 [\s\S]*Connection: close/);
    wire.close();
  });

  test('a model that does not exist behind a large file: 404', async () => {
    await errorOf(await send(used.gateway, used.key.secret, fileHead + bulk + '\r\n' + field('model', 'no-such-model') + end), 404, 'model_unknown');
  });
});

describe('bounds', () => {
  const used = useGateway({ gateway: { models, more: { workers: 1, server: { max_spool: '1MiB', max_spool_total: '1536KiB' } } } });
  const form = (length) => fileHead + 'x'.repeat(length) + '\r\n' + field('model', 'scribe') + end;

  test('one form: 413 before the body is read when its length is told, else when it shows', async () => {
    const wire = new Wire(used.gateway.port);
    await wire.write(head(used.key.secret, `Content-Length: ${MIB + 1}\r\nExpect: 100-continue`));
    assert.ok(await wire.waitFor((text) => text.includes('server.max_spool'), 5000));
    assert.match(wire.text(), /^HTTP\/1\.1 413 /);
    wire.close();
    await errorOf(await send(used.gateway, used.key.secret, form(MIB)), 413, 'body_too_large');
    const streamed = await fetch(used.gateway.url + path, { method: 'POST', duplex: 'half', body: new Blob([form(MIB)]).stream(),
      headers: { authorization: `Bearer ${used.key.secret}`, 'content-type': `multipart/form-data; boundary=${boundary}` } });
    await errorOf(streamed, 413, 'body_too_large');
    assert.equal((await used.gateway.recordOf(streamed.headers.get('x-request-id'))).class, 'body_too_large');
    const most = form(0).length;
    await until(async () => (await send(used.gateway, used.key.secret, form(MIB - most))).status === 200, 'one of just that length to pass');
    assert.equal((await used.simulator.seen()).requests.length, 1);
  });

  test('all together: 503 while others hold the room, which comes back when they leave', async () => {
    const other = new Wire(used.gateway.port);
    await other.write(head(used.key.secret, `Content-Length: ${MIB}`) + fileHead + 'x'.repeat(MIB - 1000));
    /** Asks whether such a form would be taken, without sending any of it. */
    const probe = async () => {
      const wire = new Wire(used.gateway.port);
      await wire.write(head(used.key.secret, `Content-Length: ${600 * 1024}\r\nExpect: 100-continue`));
      assert.ok(await wire.waitFor((text) => text.includes('\r\n\r\n'), 5000));
      wire.destroy();
      return Number(wire.text().slice(9, 12));
    };
    await until(async () => (await probe()) === 503, 'the room to be used up');
    await errorOf(await send(used.gateway, used.key.secret, form(600 * 1024)), 503, 'gateway_overloaded');
    assert.equal((await send(used.gateway, used.key.secret, form(200 * 1024))).status, 200, 'what stays in memory is not counted');
    other.destroy();
    await until(async () => (await send(used.gateway, used.key.secret, form(600 * 1024))).status === 200, 'the room to come back');
    assert.ok(used.gateway.logLines().some((line) => line.event === 'spool_no_room' && /max_spool_total/.test(line.mend)));
  });
});

describe('a directory that cannot be written', () => {
  const used = {};
  before(async () => {
    used.simulator = await startSimulator();
    used.gateway = await startGateway(used.simulator, { models, more: { server: { spool_dir: 'spools' } } });
    used.key = used.gateway.makeKey();
    used.directory = join(used.gateway.directory, 'spools');
  });
  after(async () => {
    await used.gateway?.stop();
    await used.simulator?.stop();
  });
  const form = fileHead + 'x'.repeat(MIB) + '\r\n' + field('model', 'scribe') + end;

  test('503 unspoolable, small forms go on, and so do large ones when it is back', async () => {
    assert.equal((await send(used.gateway, used.key.secret, form)).status, 200);
    rmdirSync(used.directory);
    await errorOf(await send(used.gateway, used.key.secret, form), 503, 'unspoolable');
    assert.equal((await send(used.gateway, used.key.secret, field('model', 'scribe') + end)).status, 200);
    const line = used.gateway.logLines().find((entry) => entry.event === 'spool_failed');
    assert.match(line.problem, /No such file/);
    assert.match(line.mend, /server\.spool_dir/);
    mkdirSync(used.directory);
    assert.equal((await send(used.gateway, used.key.secret, form)).status, 200);
    assert.deepEqual(readdirSync(used.directory), []);
  });
});

describe('clients that leave', () => {
  const used = useGateway({ gateway: { models, more: { workers: 1 } } });
  const large = fileHead + 'x'.repeat(2 * MIB) + '\r\n' + field('model', 'scribe') + end;

  for (const [name, leave] of [['closes', (wire) => wire.close()], ['resets', (wire) => wire.destroy()]])
    test(`${name} in the middle of the form: no file and no descriptor stays, nothing reaches the provider`, async () => {
      const descriptors = used.gateway.openDescriptors();
      const wires = Array.from({ length: 5 }, () => new Wire(used.gateway.port));
      for (const wire of wires) await wire.write(head(used.key.secret, `Content-Length: ${large.length}`) + large.slice(0, MIB));
      await until(() => used.gateway.openDescriptors() >= descriptors + 10, 'five connections and five files');
      for (const wire of wires) leave(wire);
      await until(() => used.gateway.openDescriptors() <= descriptors, 'descriptors to be closed');
      await until(() => used.gateway.records().filter((record) => record.outcome === 'cancelled').length >= 5, 'the records', 10000, 50);
      assert.deepEqual((await used.simulator.seen()).requests, []);
    });

  test('while the provider works', async () => {
    const descriptors = used.gateway.openDescriptors();
    const wire = new Wire(used.gateway.port);
    await used.simulator.script([{ path: '/v1/audio/*', set: { hang: 1 } }]);
    await wire.write(head(used.key.secret, `Content-Length: ${large.length}`) + large);
    await until(async () => (await used.simulator.seen()).requests.some((request) => request.outcome === 'open'), 'the request to arrive');
    wire.destroy();
    await until(async () => (await used.simulator.seen()).requests.some((request) => request.outcome === 'cancelled'), 'the request to be cancelled');
    await until(() => used.gateway.openDescriptors() <= descriptors, 'descriptors to be closed');
  });
});

describe('providers that do not wait for the end', () => {
  const used = {};
  /** What the provider does with a request: (request, response) => … */
  let behaviour;
  before(async () => {
    used.provider = createServer((request, response) => behaviour(request, response));
    await new Promise((done) => used.provider.listen(0, '127.0.0.1', done));
    used.gateway = await startGateway({ url: `http://127.0.0.1:${used.provider.address().port}`, key: 'upstream-key-of-the-tests' }, { models, more: { workers: 1 } });
    used.key = used.gateway.makeKey();
  });
  after(async () => {
    await used.gateway?.stop();
    used.provider.closeAllConnections();
    used.provider.close();
  });
  const large = fileHead + 'x'.repeat(32 * MIB) + '\r\n' + field('model', 'scribe') + end;
  const own = { text: 'x', usage: { type: 'duration', seconds: 1 } };

  test('refuses early: its words arrive, the rest is not sent, the file is gone', async () => {
    const descriptors = used.gateway.openDescriptors();
    let received = 0;
    behaviour = (request, response) => {
      request.pause();
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: 'not this one', type: 'invalid_request_error', code: null, param: null } }));
      request.on('data', (bytes) => { received += bytes.length; });
    };
    const error = await errorOf(await send(used.gateway, used.key.secret, large), 400, 'provider_rejected');
    assert.equal(error.message, 'not this one');
    assert.ok(received < large.length / 2, `${received} bytes were sent after the refusal`);
    await until(() => used.gateway.openDescriptors() <= descriptors, 'descriptors to be closed');
  });

  test('answers early and reads on: all of it is sent', async () => {
    const got = { length: 0, hash: createHash('sha256') };
    behaviour = (request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(' ');
      request.on('data', (bytes) => { got.length += bytes.length; got.hash.update(bytes); });
      request.on('end', () => response.end(JSON.stringify(own)));
    };
    const answer = await send(used.gateway, used.key.secret, large);
    assert.deepEqual(await answer.json(), own);
    const expected = renamed(Buffer.from(large), 'scribe', 'whisper-upstream');
    assert.equal(got.length, expected.length);
    assert.equal(got.hash.digest('hex'), sha256(expected));
  });

  test('breaks off: 502, and the file is gone', async () => {
    const descriptors = used.gateway.openDescriptors();
    behaviour = (request) => request.once('data', () => request.socket.resetAndDestroy());
    await errorOf(await send(used.gateway, used.key.secret, large), 502, 'connection_lost');
    await until(() => used.gateway.openDescriptors() <= descriptors, 'descriptors to be closed');
  });

  test('reads slowly: the gateway waits without gathering the form in memory, and serves others meanwhile', async () => {
    let slow;
    const arrived = new Promise((done) => {
      behaviour = (request, response) => {
        if (Number(request.headers['content-length']) > MIB) {
          request.pause();
          slow = { request, response, hash: createHash('sha256') };
          done();
        } else {
          request.resume().on('end', () => response.setHeader('content-type', 'application/json').end(JSON.stringify(own)));
        }
      };
    });
    const memory = peak(used.gateway);
    const answer = send(used.gateway, used.key.secret, large);
    await arrived;
    for (let i = 0; i < 20; i++)
      assert.equal((await send(used.gateway, used.key.secret, field('model', 'scribe') + end)).status, 200);
    await sleep(200);
    if (measuresMemory) assert.ok(peak(used.gateway) - memory < 4 * MIB, `${peak(used.gateway) - memory} bytes more`);
    slow.request.on('data', (bytes) => slow.hash.update(bytes)).resume();
    slow.request.on('end', () => slow.response.setHeader('content-type', 'application/json').end(JSON.stringify(own)));
    assert.equal((await answer).status, 200);
    assert.equal(slow.hash.digest('hex'), sha256(renamed(Buffer.from(large), 'scribe', 'whisper-upstream')));
  });
});

describe('uploads that name no model', () => {
  const used = {};
  before(async () => {
    used.simulator = await startSimulator();
    const local = { type: 'openai', base_url: `${used.simulator.url}/v1`, api_key: used.simulator.key, allow_private: true, dedicated_to: 'acme/support' };
    used.gateway = await startGateway(used.simulator, { models, more: { providers: { local }, server: { max_body: '64KiB' } } });
    used.key = used.gateway.makeKey();
  });
  after(async () => {
    await used.gateway?.stop();
    await used.simulator?.stop();
  });

  test('flow through on endpoints that take other bodies too', async () => {
    const body = fileHead + 'x'.repeat(3 * MIB) + '\r\n' + end;
    const answer = await send(used.gateway, used.key.secret, body, { path: '/v1/containers/cntr_1/files' });
    assert.equal(answer.status, 200, await answer.clone().text());
    const seen = await used.simulator.last();
    assert.equal(seen.body_sha256, sha256(Buffer.from(body)));
    const json = await used.gateway.request('/v1/containers/cntr_1/files', { key: used.key.secret, body: { file_id: 'f'.repeat(70000) } });
    assert.equal(json.status, 413, 'other bodies have their own limit');
  });
});
