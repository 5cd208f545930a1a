// Anything in any order, from many clients at once: good, cut and mangled requests, pipelined, slow, left at any moment, to providers that
// fail in every way. Afterwards nothing is left of any of them. AIRGATE_SOAK: seconds (default 8); AIRGATE_SEED: repeats a run's choices.
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { assert, modelsFor, patience, startGateway, startSimulator, until } from '../e2e/lib/harness.mjs';

const seconds = Number(process.env.AIRGATE_SOAK ?? 8);
const seed = Number(process.env.AIRGATE_SEED ?? (Date.now() & 0x7fffffff));
const models = ['gpt-test', 'sim-latency-50', 'sim-chunks-200-interval-5', 'sim-drip-17-drip-interval-1', 'sim-stream-reset-after-3', 'sim-stream-close-after-3',
  'sim-extra', 'sim-bad-chunk', 'sim-hang', 'sim-half-chunk', 'sim-error-500', 'sim-answer-bytes-300000', 'sim-event-bytes-200000', 'sim-informational-5',
  'sim-garbage', 'sim-close', 'sim-until-close', 'sim-refuse', 'sim-reset'];

const used = {};
before(async () => {
  used.simulator = await startSimulator();
  const provider = { type: 'openai', base_url: `${used.simulator.url}/v1`, api_key: used.simulator.key, allow_private: true, max_connections: 20,
    timeouts: { first_byte: '2s', idle: '2s', total: '5s' } };
  used.gateway = await startGateway(used.simulator, {
    models: modelsFor(models),
    more: { workers: 2, providers: { local: provider, own: { ...provider, dedicated_to: 'acme/support' } },
      server: { max_body: '1MiB', body_grace: '500ms', write_stall: '1s', header_timeout: '1s', idle_timeout: '1s' } },
  });
  used.key = used.gateway.makeKey().secret;
});
after(async () => {
  await used.gateway?.stop();
  await used.simulator?.stop();
});

/** Mulberry32: small, and the same everywhere. */
function generator(state) {
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function requestText(random) {
  const head = (path, framing, type = 'application/json') => `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${used.key}\r\nContent-Type: ${type}\r\n${framing}\r\n\r\n`;
  const content = 'x'.repeat(random(10) === 0 ? random(200000) : random(200));
  const body = JSON.stringify({ model: models[random(models.length)], stream: random(2) === 1, max_tokens: 100000, messages: [{ role: 'user', content }] });
  const form = `--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n` +
    `${'y'.repeat(random(400000))}\r\n--b--\r\n`;
  switch (random(8)) {
  case 0: return `${head('/v1/chat/completions', 'Transfer-Encoding: chunked')}${body.match(/[^]{1,1000}/g).map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`;
  case 1: return head('/v1/files', `Content-Length: ${form.length}`, 'multipart/form-data; boundary=b') + form;
  case 2: return `GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${used.key}\r\n\r\n`;
  case 3: return head('/v1/chat/completions', `Expect: 100-continue\r\nContent-Length: ${body.length}`) + body;
  case 4: return head('/v1/chat/completions', `Content-Length: ${body.length + random(50)}`) + body;
  case 5: return head('/v1/responses', `Content-Length: ${body.length}`) + body;
  default: return head('/v1/chat/completions', `Content-Length: ${body.length}`) + body;
  }
}

function mangled(text, random) {
  const cut = random(6) === 0 ? text.slice(0, random(text.length)) : text;
  const at = random(cut.length + 1);
  return random(12) === 0 ? cut.slice(0, at) + String.fromCharCode(random(256)) + cut.slice(at + 1) : cut;
}

/** One connection: several requests in pieces, perhaps without reading for a while, and an end at some moment in one of three ways. */
function client(random) {
  return new Promise((done) => {
    const socket = connect(used.gateway.port, '127.0.0.1');
    const text = mangled(Array.from({ length: 1 + random(4) }, () => requestText(random)).join(''), random);
    const step = random(3) === 0 ? random(3000) + 1 : text.length;
    const send = (at) => {
      if (at >= text.length || !socket.writable) return;
      socket.write(text.slice(at, at + step), 'latin1');
      setTimeout(send, random(5), at + step);
    };
    socket.on('error', () => {}).on('close', done).on('connect', () => send(0)).on('data', () => {
      if (random(60) > 0) return;
      socket.pause();
      setTimeout(() => socket.resume(), random(1500));
    });
    setTimeout(() => [() => socket.resetAndDestroy(), () => socket.end(), () => socket.destroy(), () => socket.destroy()][random(4)](), random(2500));
    setTimeout(() => socket.destroy(), 8000);
  });
}

test(`${seconds} s of everything, seed ${seed}`, { timeout: (seconds + 120) * 1000 }, async () => {
  const end = Date.now() + seconds * 1000;
  let clients = 0;
  await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    for (const random = generator(seed + i); Date.now() < end; clients++) await client(random);
  }));
  assert.ok(clients > 100, `${clients} clients`);
  for (const name of ['airgate_requests_active', 'airgate_streams_active', 'airgate_connections_open'])
    await until(async () => new RegExp(`^${name} 0$`, 'm').test(await (await used.gateway.admin('/metrics')).text()), `${name} to be 0`, 20000 * patience, 100);
  assert.equal((await used.gateway.chat(used.key, 'gpt-test')).status, 200, 'it serves on');
  assert.ok(used.gateway.records().length > 100);
});
