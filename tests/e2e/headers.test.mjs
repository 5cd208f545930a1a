// Only named headers pass, in both directions; the client's own credential and the gateway's own headers never do.
import { describe, test } from 'node:test';
import { assert, exchange, parse, post, promptMarker, until, useGateway } from './lib/harness.mjs';

const used = useGateway({ gateway: { models: ['gpt-test', 'sim-informational-3', 'sim-keep-alive-1'] } });

describe('towards the provider', () => {
  test('what may pass does, everything else does not', async () => {
    const headers = {
      'openai-beta': 'assistants=v2', 'idempotency-key': 'abc-1', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      'x-airgate-user': 'somebody', 'x-airgate-session': 's1', 'x-airgate-tags': 'a,b', 'x-airgate-timeout-ms': '5000', 'x-airgate-future': '1',
      cookie: 'session=1', 'x-forwarded-for': '1.2.3.4', 'x-real-ip': '1.2.3.4', forwarded: 'for=1.2.3.4', 'x-custom': 'private',
      'openai-organization': 'org-of-the-client', 'user-agent': 'client-agent/1', 'proxy-authorization': 'Basic eDp5', te: 'trailers',
      'accept-encoding': 'gzip, br', referer: 'http://internal/', origin: 'http://internal',
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const body = { model: 'gpt-test', messages: [{ role: 'user', content: promptMarker }] };
    const answer = await exchange(used.gateway.port, post('/v1/chat/completions', used.key.secret, body, lines));
    assert.equal(answer.status, 200, answer.body);
    const seen = (await used.simulator.last()).header;
    assert.equal(seen.authorization, `Bearer ${used.simulator.key}`);
    assert.equal(seen['openai-beta'], 'assistants=v2');
    assert.match(seen['idempotency-key'], /^[0-9a-f]{64}$/, 'made to mean something for this API key alone');
    assert.equal(seen.traceparent, headers.traceparent);
    assert.equal(seen['x-client-request-id'], answer.headers['x-request-id']);
    assert.equal(seen.host, `127.0.0.1:${used.simulator.port}`);
    for (const name of ['x-airgate-user', 'x-airgate-session', 'x-airgate-tags', 'x-airgate-timeout-ms', 'x-airgate-future', 'cookie',
      'x-forwarded-for', 'x-real-ip', 'forwarded', 'x-custom', 'openai-organization', 'proxy-authorization', 'te', 'accept-encoding',
      'referer', 'origin'])
      assert.ok(!(name in seen), `${name} must not pass`);
    assert.ok(!JSON.stringify(seen).includes(used.key.secret));
  });

  test('headers that Connection names are dropped', async () => {
    const headers = 'Connection: keep-alive, idempotency-key\r\nIdempotency-Key: dropped\r\n';
    const body = { model: 'gpt-test', messages: [] };
    assert.equal((await exchange(used.gateway.port, post('/v1/chat/completions', used.key.secret, body, headers))).status, 200);
    assert.ok(!('idempotency-key' in (await used.simulator.last()).header));
  });

  test('the query passes, the path is the provider\'s', async () => {
    const answer = await used.gateway.request('/v1/chat/completions?trace=1', { key: used.key.secret, body: { model: 'gpt-test', messages: [] } });
    assert.equal(answer.status, 200);
    assert.equal((await used.simulator.last()).target, '/v1/chat/completions?trace=1');
  });

  test('connections are kept', async () => {
    const before = (await used.simulator.stats()).connections_accepted;
    for (let i = 0; i < 20; i++) await (await used.gateway.chat(used.key.secret, 'gpt-test')).text();
    const grown = (await used.simulator.stats()).connections_accepted - before;
    assert.ok(grown <= 6, `${grown} connections for 20 requests (the control requests included)`);
  });

  test('a connection is not used beyond what Keep-Alive promises', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'sim-keep-alive-1');
    await answer.text();
    await until(async () => (await (await used.gateway.chat(used.key.secret, 'gpt-test')).text(), true), 'an answer');
    assert.equal(answer.headers.get('keep-alive')?.includes('timeout=1') ?? false, false, 'the provider\'s Keep-Alive stays there');
  });
});

describe('towards the client', () => {
  test('what may pass does, everything else does not', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'gpt-test');
    await answer.text();
    assert.equal(answer.headers.get('openai-processing-ms'), '1');
    assert.equal(answer.headers.get('x-ratelimit-limit-requests'), '10000');
    assert.match(answer.headers.get('content-type'), /^application\/json/);
    for (const name of ['set-cookie', 'x-sim-internal', 'openai-organization', 'alt-svc'])
      assert.equal(answer.headers.get(name), null, name);
    assert.doesNotMatch(answer.headers.get('server') ?? '', /sim/);
    assert.match(answer.headers.get('x-request-id'), /^req_/, 'the request id is ours, not the provider\'s');
  });

  test('interim answers of the provider do not pass', async () => {
    const body = { model: 'sim-informational-3', messages: [] };
    const text = (await exchange(used.gateway.port, post('/v1/chat/completions', used.key.secret, body)));
    assert.equal(text.status, 200);
  });

  test('plain answers have a length, streams are chunked', async () => {
    const plain = await exchange(used.gateway.port, post('/v1/chat/completions', used.key.secret, { model: 'gpt-test', messages: [] }));
    assert.equal(Number(plain.headers['content-length']), Buffer.byteLength(plain.body, 'latin1'));
    const streamed = await used.gateway.chat(used.key.secret, 'gpt-test', { stream: true });
    assert.equal(streamed.headers.get('transfer-encoding'), 'chunked');
    assert.match(streamed.headers.get('content-type'), /^text\/event-stream/);
    await streamed.text();
    assert.equal(parse('').status, 0);
  });
});
