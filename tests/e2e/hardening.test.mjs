// What an attacker, a lax provider or bad luck might make of a request: two readings of one body, hidden state, secrets in odd places,
// answers that end in odd ways. Each row was a hole once, or could have been one.
import { after, before, describe, test } from 'node:test';
import { assert, errorOf, eventsOf, exchange, modelsFor, patience, post, price, startGateway, until, Wire } from './lib/harness.mjs';
import { events, json, startProvider } from './lib/provider.mjs';

const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const chunk = (more) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'm', ...more })}\n\n`;
const content = chunk({ choices: [{ index: 0, delta: { content: 'hello' }, finish_reason: null }], usage: null });
const handlers = {
  plain: json({ id: 'c', object: 'chat.completion', model: 'plain', choices: [], usage }),
  'failed-later': events('event: response.created\ndata: {"type":"response.created","response":{"model":"m"}}\n\n',
    'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"code":"server_error"},"usage":null}}\n\n'),
  'failed-at-once': events('event: response.failed\ndata: {"type":"response.failed","response":{"error":{"code":"server_error"},"usage":null}}\n\n'),
  'no-end': events(content),
  'cut-end': events(content, chunk({ choices: [], usage }), 'data: [DONE]\n'),
  'cut-end-2': events(content, chunk({ choices: [], usage }), 'data: [DONE]'),
  'cut-usage': events(content, chunk({ choices: [], usage }).trimEnd()),
  'no-choices': events(content, chunk({ usage }), 'data: [DONE]\n\n'),
  compressed: (response) => { response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }); response.end('x'); },
  slow: (response) => { response.writeHead(200, { 'content-type': 'text/event-stream' }); response.write(content); },
  hang: () => {},
  canary: json({}),
  '*': json({ object: 'list', data: [] }),
};
const used = {};
before(async () => {
  used.provider = await startProvider(handlers);
  const provider = { type: 'openai', base_url: `${used.provider.url}/v1`, api_key: used.provider.key, allow_private: true };
  used.gateway = await startGateway(used.provider, {
    models: { ...modelsFor([...Object.keys(handlers).filter((name) => name !== '*'), 'whisper-1']), ...modelsFor(['own'], 'own'),
      ...modelsFor(['own-plain'], 'own', { price }), 'impatient-hang': { targets: ['impatient/hang'], price } },
    more: {
      log_level: 'debug',
      server: { max_body: '1MiB', body_grace: '1s', cors: ['https://app.example'] },
      providers: { local: provider, own: { ...provider, dedicated_to: 'acme/support' }, impatient: { ...provider, timeouts: { total: '500ms' } } },
    },
  });
  used.key = used.gateway.makeKey({ account: 'acme/research' }).secret;
  used.dedicated = used.gateway.makeKey({ account: 'acme/support' }).secret;
});
after(async () => {
  await used.gateway?.stop();
  await used.provider?.stop();
});

const chat = (model, more, options) => used.gateway.chat(used.key, model, more, options);
const recordOf = (answer) => used.gateway.recordOf(answer.headers.get('x-request-id'));

describe('two readings of one request', () => {
  const seenNothing = async (send, status, failureClass) => {
    const before = used.provider.requests.length;
    await errorOf(await send(), status, failureClass);
    assert.equal(used.provider.requests.length, before, 'it did not reach the provider');
  };

  test('a member that other readers take for the model', () => seenNothing(() => chat('plain', { Model: 'expensive' }), 400, 'bad_parameter'));

  // A body that was read as UTF-8 must not be read in another character set behind the gateway.
  for (const type of ['application/json; charset=utf-8', 'application/json; charset=utf-7', 'application/json;charset="UTF-16"', 'Application/JSON; x=y', undefined])
    test(`${type}: the provider gets application/json`, async () => {
      const answer = await exchange(used.gateway.port, post('/v1/chat/completions', used.key, { model: 'plain', messages: [] })
        .replace('Content-Type: application/json\r\n', type ? `Content-Type: ${type}\r\n` : ''));
      assert.equal(answer.status, 200, answer.body);
      assert.equal(used.provider.last().headers['content-type'], 'application/json');
    });

  const part = (name, value, more = '') => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n${more}\r\n${value}\r\n`;
  const form = (bytes, type = 'multipart/form-data; boundary=b') =>
    used.gateway.request('/v1/audio/transcriptions', { key: used.key, body: new TextEncoder().encode(bytes), method: 'POST', headers: { 'content-type': type } });
  const good = `${part('model', 'whisper-1')}--b--\r\n`;
  test('a form as it should be', async () => assert.equal((await form(good)).status, 200));
  const forms = [
    ['two models', `${part('model', 'whisper-1')}${part('model', 'other')}--b--\r\n`],
    ['a second form behind the last boundary', `${good}${part('model', 'other')}--b--\r\n`],
    ['bytes behind the last boundary', `${good}x`],
    ['a part in another character set', `${part('model', 'whisper-1', 'Content-Type: text/plain; charset=utf-16le\r\n')}--b--\r\n`],
    ['an encoded part', `${part('model', 'whisper-1', 'Content-Transfer-Encoding: base64\r\n')}--b--\r\n`],
  ];
  for (const [name, bytes] of forms) test(name, () => seenNothing(() => form(bytes), 400, 'bad_parameter'));
  for (const [type, sent] of [['multipart/form-data; charset=utf-7; boundary=b', 'multipart/form-data; boundary=b'], ['multipart/form-data; boundary="b"', 'multipart/form-data; boundary=b']])
    test(`${type}: the provider gets ${sent}`, async () => {
      assert.equal((await form(good, type)).status, 200);
      assert.equal(used.provider.last().headers['content-type'], sent);
    });
  test('a boundary that needs its quotes keeps them', async () => {
    assert.equal((await form(good.replaceAll('--b', '--b (1)'), 'multipart/form-data; boundary="b (1)"')).status, 200);
    assert.equal(used.provider.last().headers['content-type'], 'multipart/form-data; boundary="b (1)"');
  });

  test('a form whose model is no UTF-8', () => seenNothing(() => used.gateway.request('/v1/audio/transcriptions', { key: used.key, method: 'POST',
    body: Buffer.from(`${part('model', 'whisper\xff')}--b--\r\n`, 'latin1'), headers: { 'content-type': 'multipart/form-data; boundary=b' } }), 400, 'bad_parameter'));

  test('a header of ours twice', async () => {
    for (const lines of ['x-airgate-purpose: a\r\nX-Airgate-Purpose: b\r\n', 'x-airgate-timeout-ms: 5000\r\nx-airgate-user: u\r\nx-airgate-timeout-ms: 5000\r\n']) {
      const answer = await exchange(used.gateway.port, post('/v1/chat/completions', used.key, { model: 'plain' }, lines));
      assert.equal(answer.status, 400, answer.body);
      assert.equal(JSON.parse(answer.body).error.airgate.class, 'bad_parameter');
    }
  });

  test('a body of a GET is not passed on', async () => {
    const answer = await exchange(used.gateway.port, `GET /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${used.dedicated}\r\n` +
      'Content-Length: 45\r\n\r\nGET /v1/files/x HTTP/1.1\r\nHost: a\r\nX: aaaaaa\r\n\r\n');
    assert.equal(answer.status, 200, answer.body);
    assert.equal(used.provider.last().body, '');
    assert.ok(!('content-length' in used.provider.last().headers));
  });
});

describe('browsers', () => {
  const preflight = (origin, wanted, more = '') => exchange(used.gateway.port, `OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\n` +
    `Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: ${wanted}\r\n${more}\r\n`);

  test('a preflight needs no key and says what was asked for, on one line', async () => {
    for (const wanted of ['authorization,content-type', '', 'x: y; set-cookie: z', 'a\tb\xe4', 'x'.repeat(8000)]) {
      const answer = await preflight('https://app.example', wanted);
      assert.equal(answer.status, 204);
      assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example');
      assert.equal(answer.headers['access-control-allow-headers'], wanted.trim());
      assert.equal(answer.headers.vary, 'Origin');
      assert.equal(answer.headers['set-cookie'], undefined);
      assert.equal(answer.body, '');
    }
    const twice = await preflight('https://app.example', 'a', 'Access-Control-Request-Headers: b\r\n');
    assert.equal(twice.headers['access-control-allow-headers'], 'a');
  });

  test('another origin, or one that only begins like it, gets nothing', async () => {
    for (const origin of ['https://evil.example', 'https://app.example.evil', 'http://app.example', 'https://app.example:444', 'null', 'https://app.example, https://evil.example']) {
      const answer = await preflight(origin, 'authorization');
      assert.equal(answer.status, 403, origin);
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
    }
    const answer = await chat('plain', {}, { headers: { origin: 'https://evil.example' } });
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  });

  test('errors can be read by the page, whoever makes them', async () => {
    const headers = { origin: 'https://app.example' };
    const ask = (more) => used.gateway.request('/v1/chat/completions', { key: used.key, body: { model: 'plain' }, headers, ...more });
    for (const [status, answer] of [[200, await ask()], [401, await ask({ key: 'ag_live_x' })], [404, await ask({ body: { model: 'nothing' } })], [502, await ask({ body: { model: 'compressed' } })]]) {
      assert.equal(answer.status, status);
      assert.equal(answer.headers.get('access-control-allow-origin'), 'https://app.example');
    }
    const large = await exchange(used.gateway.port, post('/v1/chat/completions', used.key, '', 'Origin: https://app.example\r\n').replace('Content-Length: 0', 'Content-Length: 99999999'));
    assert.equal(large.status, 413);
    assert.equal(large.headers['access-control-allow-origin'], 'https://app.example');
    assert.match(large.headers['x-request-id'], /^req_/);
    assert.equal(large.headers['x-airgate-class'], 'body_too_large');
  });

  test('OPTIONS that is no preflight is an ordinary method', async () => {
    await errorOf(await used.gateway.request('/v1/chat/completions', { method: 'OPTIONS' }), 405, 'method_not_allowed');
  });
});

describe('tenants of one provider', () => {
  test('an idempotency key of one is not that of another', async () => {
    const ask = async (key, model = 'plain') => {
      await (await used.gateway.chat(key, model, {}, { headers: { 'idempotency-key': 'order-17' } })).text();
      return used.provider.last().headers['idempotency-key'];
    };
    const first = await ask(used.key);
    assert.equal(await ask(used.key), first, 'asking again is asking again');
    assert.match(first, /^[0-9a-f]{32,}$/);
    assert.notEqual(await ask(used.dedicated), first);
    assert.equal(await ask(used.dedicated, 'own-plain'), 'order-17', 'a provider of its own sees its own words');
  });

  test('references to kept items, however they are written', async () => {
    for (const input of [[{ id: 'msg_1' }], [{ type: 'image_generation_call', id: 'ig_1' }], [{ role: 'user', content: [{ type: 'input_file', File_ID: 'f' }] }]])
      await errorOf(await used.gateway.request('/v1/responses', { key: used.key, body: { model: 'plain', input } }), 403, 'endpoint_not_dedicated');
  });
});

describe('secrets in odd places', () => {
  const canary = (place) => `CANARY-${place.replaceAll(/[^a-z0-9]/gi, '_')}-8d1f`;
  const provoke = async () => {
    const body = { model: 'plain', user: canary('user'), safety_identifier: canary('safety'), metadata: { secret: canary('metadata') }, prompt_cache_key: canary('cache'),
      messages: [{ role: 'user', content: canary('content'), name: canary('name') }], tools: [{ type: 'function', function: { name: canary('tool'), description: canary('description') } }],
      [canary('key')]: { [canary('inner')]: canary('unknown') } };
    const headers = Object.fromEntries(['x-airgate-user', 'x-airgate-session', 'x-airgate-tags', 'idempotency-key', 'traceparent', 'cookie', 'x-request-id', 'origin',
      'user-agent', 'referer', 'accept', 'x-forwarded-for', 'openai-beta', 'range'].map((name) => [name, canary(name)]));
    const ask = (more = {}, key = used.key, path = '/v1/chat/completions') => used.gateway.request(path, { key, headers, ...more, ...(more.body ? {} : { body }) });
    await ask();
    await ask({}, used.key, `/v1/chat/completions?api_key=${canary('query')}`);
    await ask({}, used.key, `/v1/${canary('path')}`);
    await ask({}, canary('bearer'));
    await ask({ headers: { ...headers, 'x-api-key': canary('x-api-key') } });
    await ask({ headers: { ...headers, 'x-airgate-purpose': canary('purpose') } });
    await ask({ headers: { ...headers, 'content-type': `application/${canary('type')}` } });
    await ask({ body: { ...body, model: canary('model') } });
    await ask({ body: { ...body, Model: canary('Model') } });
    await ask({ body: { ...body, stream: canary('stream') } });
    await ask({ body: { ...body, model: 'no-end', stream: true } }).then((answer) => answer.text());
    await ask({ body: `{"model":"${canary('broken')}` , headers: { ...headers, 'content-type': 'application/json' } });
    await ask({ body: { model: 'plain', input: canary('input'), previous_response_id: canary('previous') } }, used.key, '/v1/responses');
    const form = new FormData();
    form.append('model', canary('form-model'));
    form.append(canary('form-name'), new Blob([canary('form-file')]), canary('form-filename'));
    await ask({ body: form });
    await ask({ body: form }, used.key, '/v1/audio/transcriptions');
    await ask({ body: form }, used.dedicated, '/v1/files');
    await exchange(used.gateway.port, `GET /v1/models HTTP/1.1\r\nHost: a\r\n${canary('bad-header')} : x\r\n\r\n`);
    await exchange(used.gateway.port, `GET /${canary('bad-target')}# HTTP/1.1\r\nHost: a\r\n\r\n`);
    for (const status of [300, 400, 401, 402, 403, 404, 409, 429, 500, 503, 529]) {
      handlers.canary = json({ error: { message: canary(`message-${status}`), type: canary(`type-${status}`), code: canary(`code-${status}`), param: canary('param') } }, status,
        { 'x-request-id': canary('upstream-id'), location: `/${canary('location')}`, 'retry-after': '1' });
      await (await chat('canary')).text();
      handlers.canary = (response) => { response.writeHead(status); response.end(`<html>${canary(`html-${status}`)}</html>`); };
      await (await chat('canary')).text();
    }
    handlers.canary = events(`event: error\ndata: {"error":{"message":"${canary('event')}"}}\n\n`);
    await (await chat('canary', { stream: true })).text();
    handlers.canary = (response) => response.socket.end(`HTTP/1.1 200 OK\r\n${canary('upstream-header')} : x\r\n\r\n`);
    await (await chat('canary')).text();
  };

  test('none of them comes up in the log, at its most talkative', async () => {
    await provoke();
    await until(() => used.gateway.child.errors.includes('"class":"provider_bad_response"'), 'the log to be written');
    assert.match(used.gateway.child.errors, /"level":"debug"/);
    const found = used.gateway.child.errors.split('\n').filter((line) => line.includes('CANARY'));
    assert.deepEqual(found, []);
    const metrics = await (await used.gateway.admin('/metrics')).text();
    assert.doesNotMatch(metrics, /CANARY/);
  });
});

describe('streams that end in odd ways', () => {
  const responses = (model) => used.gateway.request('/v1/responses', { key: used.key, body: { model, input: 'x', stream: true } });

  test('response.failed reaches the client, after a part and at once', async () => {
    const answer = await responses('failed-later');
    const seen = eventsOf(await answer.text());
    assert.deepEqual(seen.map(({ event }) => event), ['response.created', 'response.failed']);
    const record = await recordOf(answer);
    assert.equal(record.class, 'provider_error');
    assert.equal(record.cost_state, 'unknown');
    await errorOf(await responses('failed-at-once'), 502, 'provider_error');
  });

  test('an end that is missing: the cost is unknown, not nothing', async () => {
    const answer = await chat('no-end', { stream: true });
    assert.ok(eventsOf(await answer.text()).at(-1).data.error);
    const record = await recordOf(answer);
    assert.equal(record.class, 'stream_interrupted');
    assert.equal(record.cost_state, 'unknown');
  });

  for (const model of ['cut-end', 'cut-end-2'])
    test(`${model}: an end without its blank line is an end`, async () => {
      const answer = await chat(model, { stream: true });
      assert.match(await answer.text(), /hello[^]*data: \[DONE\]/);
      const record = await recordOf(answer);
      assert.equal(record.outcome, 'completed');
      assert.deepEqual(record.usage, { input: 10, output: 5 });
    });

  test('a usage event without its blank line is charged', async () => {
    const answer = await chat('cut-usage', { stream: true });
    await answer.text();
    const record = await recordOf(answer);
    assert.equal(record.class, 'stream_interrupted');
    assert.deepEqual(record.usage, { input: 10, output: 5 });
  });

  test('a usage event without choices, that only we asked for, stays here', async () => {
    const answer = await chat('no-choices', { stream: true });
    const seen = eventsOf(await answer.text());
    assert.deepEqual(seen.map(({ data }) => data.choices ? 'content' : data), ['content', '[DONE]']);
    assert.deepEqual((await recordOf(answer)).usage, { input: 10, output: 5 });
  });

  test('looking at a stored answer again is not using it again', async () => {
    const stored = { id: 'resp_1', object: 'response', model: 'gpt', usage: { input_tokens: 10, output_tokens: 5 } };
    const all = handlers['*'];
    for (const handler of [json(stored), events(`event: response.completed\ndata: ${JSON.stringify({ type: 'response.completed', response: stored })}\n\n`)]) {
      handlers['*'] = handler;
      const answer = await used.gateway.request('/v1/responses/resp_1?stream=true', { key: used.dedicated });
      assert.match(await answer.text(), /"usage"/);
      const record = await recordOf(answer);
      assert.equal(record.cost_state, 'free');
      assert.deepEqual(record.usage, {});
      assert.equal(record.model, 'gpt');
    }
    handlers['*'] = all;
  });

  test('an answer that cannot be read: the cost is unknown', async () => {
    const answer = await chat('compressed');
    await errorOf(answer, 502, 'provider_bad_response');
    assert.equal((await recordOf(answer)).cost_state, 'unknown');
  });
});

describe('deadlines and limits', () => {
  test('a client may shorten the provider\'s deadline, not lengthen it', async () => {
    const began = performance.now();
    await errorOf(await chat('impatient-hang', {}, { headers: { 'x-airgate-timeout-ms': '60000' } }), 504, 'timeout_total');
    assert.ok(performance.now() - began < 5000 * patience);
  });

  test('a body that is refused while it comes: the record says what the client was told', async () => {
    const large = await used.gateway.request('/v1/chat/completions', { key: used.key, body: 'x'.repeat(2 << 20), headers: { 'content-type': 'application/json' } })
      .catch(() => null);
    if (large) assert.equal(large.status, 413);
    const wire = new Wire(used.gateway.port);
    await wire.opened;
    await wire.write(post('/v1/chat/completions', used.key, 'x'.repeat(1000)).slice(0, 400));
    assert.ok(await wire.waitFor((text) => text.includes('"request_id"'), 10000 * patience));
    assert.match(wire.text(), /^HTTP\/1\.1 408 /);
    const id = /"request_id":"(req_[0-9a-z]+)"/.exec(wire.text())?.[1];
    assert.ok(id, wire.text());
    const record = await used.gateway.recordOf(id);
    assert.equal(record.class, 'request_timeout');
    assert.equal(record.status, 408);
    const chunked = await exchange(used.gateway.port, `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${used.key}\r\n` +
      'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
    assert.equal(chunked.status, 400);
    assert.equal((await used.gateway.recordOf(JSON.parse(chunked.body).error.airgate.request_id)).class, 'bad_http');
    assert.ok(await until(() => used.gateway.records().some((record) => record.class === 'body_too_large' && record.status === 413), 'the record of the large body'));
    wire.close();
  });
});

describe('a gateway that passes every model name', () => {
  const free = {};
  before(async () => {
    free.gateway = await startGateway(used.provider, { more: { models: undefined, drain_timeout: '300ms' } });
    free.key = free.gateway.makeKey().secret;
  });
  after(async () => free.gateway?.stop());

  test('a name that cannot stand in a header costs the answer nothing but that header', async () => {
    for (const [name, shown] of [['a b', 'a b'], ['gr\u00f6\u00dfe', 'gr\u00f6\u00dfe'], ['a\u0001b', null], ['a\r\nx-injected: 1', null], ['a\u0000', null]]) {
      const answer = await free.gateway.chat(free.key, name);
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type'), /^application\/json/);
      assert.equal(answer.headers.get('x-airgate-attempts'), '1');
      assert.equal(answer.headers.get('x-injected'), null);
      const model = answer.headers.get('x-airgate-model');
      assert.equal(model && Buffer.from(model, 'latin1').toString(), shown);
      assert.equal(JSON.parse(used.provider.last().body).model, Buffer.from(name).toString('latin1'));
      await answer.text();
    }
  });

  test('a stream that a shutdown cuts has an unknown cost, not none', async () => {
    const answer = await free.gateway.chat(free.key, 'slow', { stream: true });
    const id = answer.headers.get('x-request-id');
    await free.gateway.stop();
    await answer.text().catch(() => null);
    const record = free.gateway.records().find((row) => row.id === id);
    assert.equal(record.class, 'shutting_down');
    assert.equal(record.cost_state, 'unknown');
    free.gateway = null;
  });
});
