// Errors come in OpenAI's shape, with their class, and make the official SDK throw its own error classes.
import { describe, test } from 'node:test';
import { assert, closedPort, errorOf, modelsFor, OpenAI, promptMarker, sdk, useGateway } from './lib/harness.mjs';

const answers = ['gpt-test', 'sim-error-400', 'sim-error-401', 'sim-error-403', 'sim-error-404', 'sim-error-408', 'sim-error-409', 'sim-error-422',
  'sim-error-429', 'sim-error-429-retry-after-2', 'sim-error-429-retry-after-ms-250', 'sim-error-500', 'sim-error-502', 'sim-error-503',
  'sim-error-529', 'quota', 'no-json-error'];
const used = useGateway({
  gateway: (simulator) => ({
    models: { ...modelsFor(answers), ...modelsFor(['unreachable'], 'down') },
    more: {
      providers: {
        local: { type: 'openai', base_url: `${simulator.url}/v1`, api_key: simulator.key, allow_private: true },
        down: { type: 'openai', base_url: 'http://127.0.0.1:1/v1', api_key: simulator.key, allow_private: true },
      },
    },
  }),
});
const messages = [{ role: 'user', content: `${promptMarker} x` }];
const create = (client, model, more = {}) => client.chat.completions.create({ model, messages, ...more });

describe('error classes of the SDK', () => {
  test('AuthenticationError: an unknown key', async () => {
    const client = sdk(used.gateway, 'ag_live_notakey');
    await assert.rejects(create(client, 'gpt-test'), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError);
      assert.equal(error.code, 'invalid_api_key');
      return true;
    });
  });

  test('NotFoundError: an unknown model', async () => {
    await assert.rejects(create(used.client, 'no-such-model'), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, 'model_not_found');
      assert.equal(error.param, 'model');
      assert.match(error.message, /no-such-model/);
      return true;
    });
  });

  test('PermissionDeniedError: a model that the key may not use', async () => {
    const key = used.gateway.makeKey({ name: 'narrow', models: ['gpt-test'] });
    await assert.rejects(create(sdk(used.gateway, key.secret), 'sim-error-400'), OpenAI.PermissionDeniedError);
    assert.equal((await create(sdk(used.gateway, key.secret), 'gpt-test')).object, 'chat.completion');
  });

  test('BadRequestError: the provider\'s 400 with the provider\'s words', async () => {
    await assert.rejects(create(used.client, 'sim-error-400'), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.match(error.message, /The simulator was told/);
      return true;
    });
  });

  test('UnprocessableEntityError and ConflictError pass', async () => {
    await assert.rejects(create(used.client, 'sim-error-422'), OpenAI.UnprocessableEntityError);
    await assert.rejects(create(used.client, 'sim-error-409'), (error) => error instanceof OpenAI.APIError && error.status >= 409);
  });

  test('RateLimitError with the provider\'s Retry-After', async () => {
    await assert.rejects(create(used.client, 'sim-error-429-retry-after-2'), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.headers.get('retry-after'), '2');
      assert.equal(error.headers.get('x-should-retry'), 'true');
      return true;
    });
  });

  test('InternalServerError: 500 and 503', async () => {
    await assert.rejects(create(used.client, 'sim-error-500'), OpenAI.InternalServerError);
    await assert.rejects(create(used.client, 'sim-error-503'), OpenAI.InternalServerError);
  });

  test('APIConnectionError: nobody listens', async () => {
    const client = new OpenAI({ baseURL: `http://127.0.0.1:${await closedPort()}/v1`, apiKey: 'x', maxRetries: 0 });
    await assert.rejects(create(client, 'gpt-test'), OpenAI.APIConnectionError);
  });

  test('the SDK retries what says so and not what does not', async () => {
    await used.simulator.script([{ model: 'gpt-test', from: 1, to: 1, set: { error: 429, 'retry-after-ms': 10 } }]);
    const patient = sdk(used.gateway, used.key.secret, { maxRetries: 2 });
    assert.equal((await create(patient, 'gpt-test')).object, 'chat.completion');
    await used.simulator.script([{ model: 'gpt-test', set: { error: 400 } }]);
    const before = (await used.simulator.stats()).requests;
    await assert.rejects(create(patient, 'gpt-test'), OpenAI.BadRequestError);
    assert.equal((await used.simulator.stats()).requests, before + 1);
    await used.simulator.script([]);
  });
});

describe('the provider\'s errors', () => {
  const rows = [
    ['sim-error-400', 400, 'provider_rejected', 'false'],
    ['sim-error-422', 422, 'provider_rejected', 'false'],
    ['sim-error-429', 429, 'provider_rate_limited', 'true'],
    ['sim-error-500', 500, 'provider_error', 'true'],
    ['sim-error-502', 502, 'provider_error', 'true'],
    ['sim-error-503', 503, 'provider_overloaded', 'true'],
    ['sim-error-401', 502, 'provider_auth', 'false'],
    ['unreachable', 502, 'connect_failed', 'true'],
  ];
  for (const [model, status, failureClass, retry] of rows)
    test(`${model} → ${status} ${failureClass}`, async () => {
      const answer = await used.gateway.chat(used.key.secret, model);
      const error = await errorOf(answer, status, failureClass);
      assert.equal(answer.headers.get('x-should-retry'), retry);
      assert.ok(!error.message.includes(used.simulator.key));
      const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
      assert.equal(record.class, failureClass);
      assert.equal(record.status, status);
      assert.equal(record.outcome, 'failed');
    });

  test('the same before a stream has begun', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'sim-error-503', { stream: true });
    await errorOf(answer, 503, 'provider_overloaded');
  });

  test('an empty quota at the provider is the operator\'s matter: 502, no retry', async () => {
    await used.simulator.script([{ model: 'quota', set: { error: 429, 'error-code': 'insufficient_quota', 'error-type': 'insufficient_quota' } }]);
    const answer = await used.gateway.chat(used.key.secret, 'quota');
    await errorOf(answer, 502, 'provider_quota');
    assert.equal(answer.headers.get('x-should-retry'), 'false');
    await used.simulator.script([]);
  });

  test('an error body that is no JSON still comes out in OpenAI\'s shape', async () => {
    await used.simulator.script([{ model: 'no-json-error', set: { error: 500, 'error-body': '<html>oops</html>' } }]);
    const error = await errorOf(await used.gateway.chat(used.key.secret, 'no-json-error'), /* status */ 500, 'provider_error');
    assert.ok(!error.message.includes('<html>'));
    await used.simulator.script([]);
  });
});

describe('requests that the gateway refuses', () => {
  const send = (body, headers = { 'content-type': 'application/json' }) =>
    used.gateway.request('/v1/chat/completions', { key: used.key.secret, body, headers });
  const rows = [
    ['not JSON', 'hello', 400, 'bad_json'],
    ['empty body', '', 400, /bad_json|bad_parameter/],
    ['cut JSON', '{"model":"gpt-test","messages":[', 400, 'bad_json'],
    ['bytes behind the JSON', '{"model":"gpt-test","messages":[]} x', 400, 'bad_json'],
    ['an array', '[]', 400, /bad_json|bad_parameter/],
    ['a trailing comma', '{"model":"gpt-test","messages":[],}', 400, 'bad_json'],
    ['a comment', '{"model":"gpt-test",/* */"messages":[]}', 400, 'bad_json'],
    ['a duplicate key', '{"model":"gpt-test","model":"x","messages":[]}', 400, 'json_duplicate_key'],
    ['a duplicate key, one escaped', '{"model":"gpt-test","mod\\u0065l":"x","messages":[]}', 400, 'json_duplicate_key'],
    ['a duplicate key deep inside', '{"model":"gpt-test","messages":[{"role":"user","role":"system"}]}', 400, 'json_duplicate_key'],
    ['too deep', `{"model":"gpt-test","messages":${'['.repeat(5000)}${']'.repeat(5000)}}`, 400, 'bad_json'],
    ['a lone surrogate', '{"model":"gpt-test","messages":["\\ud800"]}', 400, 'bad_json'],
    ['no model', '{"messages":[]}', 400, 'bad_parameter'],
    ['a model that is a number', '{"model":5,"messages":[]}', 400, 'bad_parameter'],
    ['stream that is a string', '{"model":"gpt-test","stream":"true","messages":[]}', 400, 'bad_parameter'],
  ];
  for (const [name, body, status, failureClass] of rows)
    test(name, async () => {
      await errorOf(await send(body), status, failureClass);
    });

  test('bytes that are no UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"model":"gpt-test","messages":["'), Buffer.from([0xc3, 0x28]), Buffer.from('"]}')]);
    await errorOf(await send(body), 400, 'bad_json');
  });

  test('a compressed body', async () => {
    await errorOf(await send('{}', { 'content-type': 'application/json', 'content-encoding': 'gzip' }), 415, 'unsupported_encoding');
  });

  test('another media type', async () => {
    await errorOf(await send('a=b', { 'content-type': 'application/x-www-form-urlencoded' }), 415, 'unsupported_media');
  });

  test('none of them reached the provider', async () => {
    await used.simulator.reset();
    for (const [, body] of rows) await (await send(body)).text();
    assert.equal((await used.simulator.seen()).requests.length, 0);
  });
});
