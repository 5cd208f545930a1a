// server.sse_heartbeat: comments for a client that waits for a stream's first event, what becomes of failures after them, and that
// without the setting nothing changes.
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { assert, errorOf, eventsOf, post, promptMarker, sdk, startGateway, startSimulator, until, useGateway, Wire } from './lib/harness.mjs';

const COMMENT = ': airgate\n\n';
const messages = [{ role: 'user', content: promptMarker }];
const path = '/v1/chat/completions';
const countOf = (text) => text.split(COMMENT).length - 1;
/** Comments stand before the first event, and nowhere else. */
const expectCommentsFirst = (text, least) => {
  assert.ok(countOf(text) >= least, `${countOf(text)} comments`);
  assert.ok(text.startsWith(COMMENT.repeat(countOf(text))), text.slice(0, 300));
};
const ask = (used, model, more = {}, options = {}) => used.gateway.chat(used.key.secret, model, { stream: true, ...more }, options);

const slow = ['sim-latency-700', 'sim-latency-600-chunks-3-interval-400', 'sim-latency-500-bom-crlf', 'sim-latency-500-comments'];
const failing = ['sim-latency-500-error-400', 'sim-latency-500-error-401', 'sim-latency-500-error-429', 'sim-latency-500-error-503', 'sim-latency-500-refuse',
  'sim-latency-500-garbage', 'sim-latency-500-compressed', 'sim-latency-500-stream-close-after-2', 'sim-error-503'];
const large = 'sim-latency-500-chunks-1500-chunk-bytes-20000';
const models = ['gpt-test', 'sim-hang', large, ...slow, ...failing];

describe('off, as it is by default', () => {
  const used = useGateway({ gateway: { models } });

  test('nothing leaves before the first event', async () => {
    const began = performance.now();
    const answer = await ask(used, 'sim-latency-700');
    assert.ok(performance.now() - began >= 650, 'the head comes with the first event');
    assert.ok(answer.headers.get('content-type').startsWith('text/event-stream'));
    const text = await answer.text();
    assert.equal(countOf(text), 0);
    assert.equal(eventsOf(text).at(-1).data, '[DONE]');
  });

  test('a late failure has its own status', async () => {
    await errorOf(await ask(used, 'sim-latency-500-error-503'), 503, 'provider_overloaded');
  });
});

describe('on', () => {
  const used = useGateway({ gateway: { models, more: { server: { sse_heartbeat: '100ms', cors: ['*'] }, workers: 1 } } });

  test('head and comments come while the provider thinks; then its events, and no further comments', async () => {
    const began = performance.now();
    const answer = await ask(used, 'sim-latency-600-chunks-3-interval-400', {}, { headers: { origin: 'https://a.example' } });
    assert.ok(performance.now() - began < 500, 'the head came before the provider answered');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/event-stream');
    assert.equal(answer.headers.get('cache-control'), 'no-cache');
    assert.match(answer.headers.get('x-request-id'), /^req_/);
    assert.equal(answer.headers.get('x-airgate-provider'), 'local');
    assert.equal(answer.headers.get('x-airgate-model'), 'sim-latency-600-chunks-3-interval-400');
    assert.equal(answer.headers.get('x-airgate-attempts'), '1');
    assert.ok(answer.headers.get('access-control-allow-origin'));
    const text = await answer.text();
    expectCommentsFirst(text, 3);
    assert.ok(countOf(text) <= 6, 'one per interval');
    assert.equal(eventsOf(text).at(-1).data, '[DONE]');
    const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
    assert.equal(record.class, 'none');
    assert.equal(record.status, 200);
    assert.equal(record.usage_source, 'reported');
  });

  test('the SDK does not notice', async () => {
    const client = sdk(used.gateway, used.key.secret);
    const plain = await client.chat.completions.create({ model: 'sim-latency-700', messages });
    let text = '';
    for await (const chunk of await client.chat.completions.create({ model: 'sim-latency-700', messages, stream: true }))
      text += chunk.choices[0]?.delta?.content ?? '';
    assert.equal(text, plain.choices[0].message.content);
  });

  test('a byte order mark and CR LF of the provider do not harm behind comments', async () => {
    const client = sdk(used.gateway, used.key.secret);
    const plain = await client.chat.completions.create({ model: 'gpt-test', messages });
    const text = await (await ask(used, 'sim-latency-500-bom-crlf')).text();
    expectCommentsFirst(text, 2);
    assert.ok(!text.includes('\uFEFF'));
    const events = eventsOf(text);
    assert.equal(events.slice(0, -1).map(({ data }) => data.choices[0]?.delta?.content ?? '').join('').length, plain.choices[0].message.content.length);
    assert.equal(events.at(-1).data, '[DONE]');
  });

  test('a comment of the provider counts as its sign of life', async () => {
    const text = await (await ask(used, 'sim-latency-500-comments')).text();
    expectCommentsFirst(text, 2);
    assert.match(text, /: keep-alive/);
  });

  test('a quick stream, and an answer that is none, are as they would be without', async () => {
    const quick = await ask(used, 'gpt-test');
    assert.equal(countOf(await quick.text()), 0);
    const began = performance.now();
    const plain = await ask(used, 'sim-latency-700', { stream: false });
    assert.ok(performance.now() - began >= 650);
    assert.equal(JSON.parse(await plain.text()).object, 'chat.completion');
    await errorOf(await ask(used, 'sim-error-503'), 503, 'provider_overloaded');
  });

  const rows = [
    ['sim-latency-500-error-400', 'provider_rejected'],
    ['sim-latency-500-error-401', 'provider_auth'],
    ['sim-latency-500-error-429', 'provider_rate_limited'],
    ['sim-latency-500-error-503', 'provider_overloaded'],
    ['sim-latency-500-refuse', 'connection_lost'],
    ['sim-latency-500-garbage', 'provider_bad_response'],
    ['sim-latency-500-compressed', 'provider_bad_response'],
    ['sim-latency-500-stream-close-after-2', 'stream_interrupted'],
  ];
  for (const [model, failureClass] of rows)
    test(`${model}: an error event in the stream that has begun, no [DONE], ${failureClass} in the record`, async () => {
      const answer = await ask(used, model);
      assert.equal(answer.status, 200);
      const text = await answer.text();
      expectCommentsFirst(text, 2);
      const events = eventsOf(text);
      const { error } = events.at(-1).data;
      assert.equal(error.airgate.class, failureClass);
      assert.equal(error.airgate.request_id, answer.headers.get('x-request-id'));
      assert.equal(typeof error.message, 'string');
      assert.ok('type' in error && 'code' in error && 'param' in error);
      assert.ok(events.every(({ data }) => data !== '[DONE]'));
      const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
      assert.equal(record.class, failureClass);
      assert.equal(record.outcome, 'failed');
    });

  test('the provider\'s own words about the request arrive; about the gateway\'s credential they do not', async () => {
    const body = (status) => ({ sim: { latency: 300, error: status, 'error-message': 'said by the provider' } });
    const rejected = eventsOf(await (await ask(used, 'gpt-test', body(400))).text()).at(-1).data.error;
    assert.equal(rejected.message, 'said by the provider');
    const refused = eventsOf(await (await ask(used, 'gpt-test', body(401))).text()).at(-1).data.error;
    assert.doesNotMatch(refused.message, /said by the provider/);
    await assert.rejects(async () => {
      const client = sdk(used.gateway, used.key.secret);
      for await (const chunk of await client.chat.completions.create({ model: 'gpt-test', messages, stream: true, ...body(400) })) assert.ok(chunk);
    }, /said by the provider/);
  });

  test('deadlines go on', async () => {
    const answer = await ask(used, 'sim-hang', {}, { headers: { 'x-airgate-timeout-ms': '600' } });
    const text = await answer.text();
    expectCommentsFirst(text, 3);
    assert.match(eventsOf(text).at(-1).data.error.airgate.class, /timeout_/);
  });

  test('a client that leaves between comments: the provider\'s work is cancelled, nothing stays', async () => {
    const descriptors = used.gateway.openDescriptors();
    const wire = new Wire(used.gateway.port);
    await wire.write(post(path, used.key.secret, { model: 'sim-hang', stream: true, messages: [{ role: 'user', content: `${promptMarker}-leaves` }] }));
    assert.ok(await wire.waitFor((text) => text.split(': airgate').length > 3, 5000));
    wire.destroy();
    await used.simulator.outcomeOf(`${promptMarker}-leaves`, 'cancelled');
    await until(() => used.gateway.records().some((record) => record.asked_model === 'sim-hang' && record.outcome === 'cancelled'), 'the record', 10000, 50);
    await until(() => used.gateway.openDescriptors() <= descriptors, 'descriptors to be closed');
  });

  test('a client that does not read for a while gets everything in order', async () => {
    const wire = new Wire(used.gateway.port);
    await wire.write(post(path, used.key.secret, { model: large, stream: true, messages }));
    wire.socket.pause();
    await until(async () => (await used.simulator.stats()).frames > 100, 'the provider to answer');
    wire.socket.resume();
    await until(() => wire.tail.endsWith('data: [DONE]\n\n\r\n0\r\n\r\n'), 'the end of the stream', 20000);
    const text = wire.text();
    assert.ok(wire.length > 1500 * 20000);
    assert.ok(text.lastIndexOf(': airgate') < text.indexOf('data: '));
    wire.close();
  });

  test('many at once', async () => {
    const texts = await Promise.all(Array.from({ length: 100 }, async () => (await ask(used, 'sim-latency-700')).text()));
    for (const text of texts) {
      expectCommentsFirst(text, 3);
      assert.equal(eventsOf(text).at(-1).data, '[DONE]');
    }
  });
});

describe('providers with habits of their own', () => {
  const used = {};
  let behaviour;
  before(async () => {
    used.provider = createServer((request, response) => request.resume().on('end', () => behaviour(response, request)));
    await new Promise((done) => used.provider.listen(0, '127.0.0.1', done));
    used.gateway = await startGateway({ url: `http://127.0.0.1:${used.provider.address().port}`, key: 'upstream-key-of-the-tests' },
      { models: ['gpt-test'], more: { server: { sse_heartbeat: '100ms' } } });
    used.key = used.gateway.makeKey();
  });
  after(async () => {
    await used.gateway?.stop();
    used.provider.closeAllConnections();
    used.provider.close();
  });
  const chunk = (text) => `data: {"object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"${text}"}}]}\n\n`;

  test('a head at once and events late: comments fill the time between', async () => {
    behaviour = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-ratelimit-remaining-tokens': '7' }).flushHeaders();
      setTimeout(() => response.write(chunk('a').slice(0, 20)), 200);
      setTimeout(() => response.end(`${chunk('a').slice(20)}data: [DONE]\n\n`), 500);
    };
    const answer = await ask(used, 'gpt-test');
    const text = await answer.text();
    expectCommentsFirst(text, 3);
    assert.equal(text.slice(COMMENT.length * countOf(text)), `${chunk('a')}data: [DONE]\n\n`);
  });

  test('a form that asks for a stream gets comments too, even one that is spooled', async () => {
    const event = 'data: {"type":"transcript.text.done","text":"a"}\n\n';
    behaviour = (response) => setTimeout(() => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(event), 400);
    for (const [stream, length] of [['true', 10], ['true', 1 << 20], ['false', 10]]) {
      const form = new FormData();
      form.append('file', new Blob([Buffer.alloc(length, 1)]), 'a.wav');
      form.append('stream', stream);
      form.append('model', 'gpt-test');
      const answer = await used.gateway.request('/v1/audio/transcriptions', { key: used.key.secret, body: form });
      assert.equal(answer.status, 200);
      const text = await answer.text();
      if (stream === 'true') expectCommentsFirst(text, 2);
      assert.equal(text.slice(COMMENT.length * countOf(text)), event);
      assert.equal(countOf(text) > 0, stream === 'true');
    }
  });

  test('an answer without a stream, too late: an error event, and what it used is counted', async () => {
    const body = { id: 'x', object: 'chat.completion', model: 'm', choices: [], usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } };
    behaviour = (response) => setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)), 400);
    const answer = await ask(used, 'gpt-test');
    const text = await answer.text();
    expectCommentsFirst(text, 2);
    const events = eventsOf(text);
    assert.equal(events.length, 1);
    assert.equal(events[0].data.error.airgate.class, 'provider_bad_response');
    assert.match(events[0].data.error.message, /without a stream/);
    const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
    assert.equal(record.class, 'provider_bad_response');
    assert.equal(record.cost_state, 'priced');
    assert.ok(Number(record.cost_usd) > 0);
  });

  test('the same in time passes as it is', async () => {
    behaviour = (response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"object":');
      setTimeout(() => response.end('"chat.completion"}'), 400);
    };
    const answer = await ask(used, 'gpt-test');
    assert.equal(answer.headers.get('content-type'), 'application/json');
    assert.equal(await answer.text(), '{"object":"chat.completion"}');
  });

  test('an error whose head came in time keeps its status, however late its body', async () => {
    behaviour = (response) => {
      response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '3' }).write('{"error":{"message":"slow ');
      setTimeout(() => response.end('down","type":"requests","code":null,"param":null}}'), 400);
    };
    const answer = await ask(used, 'gpt-test');
    assert.equal(answer.headers.get('retry-after'), '3');
    assert.equal((await errorOf(answer, 429, 'provider_rate_limited')).message, 'slow down');
  });
});

describe('when the gateway ends', () => {
  const begin = async (more, model) => {
    const simulator = await startSimulator();
    const gateway = await startGateway(simulator, { models, more: { server: { sse_heartbeat: '100ms' }, ...more } });
    const key = gateway.makeKey();
    const wire = new Wire(gateway.port);
    await wire.write(post(path, key.secret, { model, stream: true, messages }));
    assert.ok(await wire.waitFor((text) => text.includes(': airgate'), 5000));
    return { simulator, gateway, wire };
  };

  test('a stream of which only comments have gone out is served to its end', async () => {
    const { simulator, gateway, wire } = await begin({}, 'sim-latency-700');
    const stopped = gateway.stop();
    assert.ok(await wire.waitFor((text) => text.endsWith('data: [DONE]\n\n\r\n0\r\n\r\n'), 5000));
    await stopped;
    await simulator.stop();
  });

  test('and cut with an error event when the time is up', async () => {
    const { simulator, gateway, wire } = await begin({ drain_timeout: '300ms' }, 'sim-hang');
    const stopped = gateway.stop();
    await wire.ended;
    assert.match(wire.text(), /: airgate\n\n[\s\S]*data: \{"error":[^\n]*"class":"shutting_down"[^\n]*\n\n\r\n0\r\n\r\n$/);
    await stopped;
    await simulator.stop();
  });
});
