// A provider that is down, refuses, resets, hangs, answers garbage or breaks off: each time the right status and class, nothing
// leaked, and the gateway serves on.
import { describe, test } from 'node:test';
import { assert, errorOf, eventsOf, modelsFor, price, sdk, until, useGateway } from '../e2e/lib/harness.mjs';

const models = ['gpt-test', 'sim-refuse', 'sim-reset', 'sim-hang', 'sim-garbage', 'sim-half-head', 'sim-bad-header', 'sim-double-length',
  'sim-both-framings', 'sim-wrong-length', 'sim-short-length', 'sim-half-chunk', 'sim-bad-chunk', 'sim-extra', 'sim-empty', 'sim-not-json',
  'sim-redirect', 'sim-compressed', 'sim-until-close', 'sim-big-header-200000', 'sim-no-usage', 'sim-nonsense-usage', 'sim-event-bytes-1048576',
  'sim-event-bytes-20000000', 'sim-drip-17-drip-interval-1', 'sim-stream-close-after-3', 'sim-stream-reset-after-3', 'sim-stream-hang-after-3',
  'sim-stream-error-after-3', 'sim-stream-end-after-3', 'sim-no-done', 'sim-close', 'sim-latency-300', 'sim-stream-close-after-0'];
const impatient = { 'impatient-first': 'sim-hang', 'impatient-idle': 'sim-stream-hang-after-3', 'impatient-total': 'sim-chunks-100-interval-50' };
const used = useGateway({
  gateway: (simulator) => ({
    models: {
      ...modelsFor(models), ...Object.fromEntries(Object.entries(impatient).map(([name, upstream]) => [name, { targets: [`impatient/${upstream}`], price }])),
      ...modelsFor(['down-model'], 'down'), ...modelsFor(['nowhere-model'], 'nowhere'),
    },
    more: {
      providers: {
        local: { type: 'openai', base_url: `${simulator.url}/v1`, api_key: simulator.key, allow_private: true },
        down: { type: 'openai', base_url: 'http://127.0.0.1:1/v1', api_key: simulator.key, allow_private: true },
        impatient: { type: 'openai', base_url: `${simulator.url}/v1`, api_key: simulator.key, allow_private: true,
          timeouts: { first_byte: '300ms', idle: '300ms', total: '1500ms' } },
        nowhere: { type: 'openai', base_url: 'http://no-such-host.invalid/v1', api_key: simulator.key },
      },
    },
  }),
});
const ask = (model, more, options) => used.gateway.chat(used.key.secret, model, more, options);
const soon = { headers: { 'x-airgate-timeout-ms': '400' } };

/** The text of an answer that may break off, and whether it did. */
async function readAll(answer) {
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const piece of answer.body) text += decoder.decode(piece, { stream: true });
    return { text, broken: false };
  } catch {
    return { text, broken: true };
  }
}

describe('no answer, or none that can be used', () => {
  const rows = [
    ['down-model', 502, 'connect_failed'],
    ['nowhere-model', 502, 'dns_failure'],
    ['sim-refuse', 502, 'connection_lost'],
    ['sim-reset', 502, 'connection_lost'],
    ['sim-garbage', 502, 'provider_bad_response'],
    ['sim-half-head', 502, /connection_lost|provider_bad_response/],
    ['sim-bad-header', 502, 'provider_bad_response'],
    ['sim-double-length', 502, 'provider_bad_response'],
    ['sim-both-framings', 502, 'provider_bad_response'],
    ['sim-big-header-200000', 502, 'provider_bad_response'],
    ['sim-bad-chunk', 502, /provider_bad_response|stream_interrupted/],
    ['sim-redirect', 502, 'provider_redirect'],
    ['sim-compressed', 502, 'provider_bad_response'],
  ];
  for (const [model, status, failureClass] of rows)
    for (const stream of [false, true])
      test(`${model}${stream ? ', streamed' : ''} → ${status}`, async () => {
        const answer = await ask(model, stream ? { stream } : {});
        await errorOf(answer, status, failureClass);
        const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
        assert.equal(record.outcome, 'failed');
        assert.equal(record.class, answer.headers.get('x-airgate-class'));
      });

  for (const stream of [false, true])
    test(`sim-hang${stream ? ', streamed' : ''} → 504 within the client's deadline`, async () => {
      const began = performance.now();
      await errorOf(await ask('sim-hang', stream ? { stream } : {}, soon), 504, /timeout_(total|first_byte)/);
      assert.ok(performance.now() - began < 3000);
      assert.ok(await used.simulator.outcomeOf('sim-hang', 'cancelled'), 'the provider\'s work was cancelled');
    });

  test('the provider\'s own deadlines: first byte', async () => {
    await errorOf(await ask('impatient-first'), 504, 'timeout_first_byte');
  });

  test('the provider\'s own deadlines: between bytes, and in all', async () => {
    for (const [model, failureClass] of [['impatient-idle', 'timeout_idle'], ['impatient-total', 'timeout_total']]) {
      const answer = await ask(model, { stream: true });
      const { text } = await readAll(answer);
      assert.ok(eventsOf(text).at(-1).data.error, model);
      assert.equal((await used.gateway.recordOf(answer.headers.get('x-request-id'))).class, failureClass);
    }
  });
});

describe('answers that break off', () => {
  for (const model of ['sim-wrong-length', 'sim-half-chunk'])
    test(`${model}: the client can tell that it is not whole`, async () => {
      const answer = await ask(model);
      const id = answer.headers.get('x-request-id');
      if (answer.status === 200) assert.ok((await readAll(answer)).broken, 'the answer must not look whole');
      else await errorOf(answer, 502);
      assert.equal((await used.gateway.recordOf(id)).outcome, 'failed');
    });

  const streams = [
    ['sim-stream-close-after-3', 'stream_interrupted', 3],
    ['sim-stream-reset-after-3', /stream_interrupted|connection_lost/, 0],
    ['sim-stream-end-after-3', 'stream_interrupted', 3],
    ['sim-no-done', 'stream_interrupted', 3],
    ['sim-stream-error-after-3', 'provider_error', 3],
  ];
  for (const [model, failureClass, events] of streams)
    test(`${model}: the events so far, an error event, no [DONE]`, async () => {
      const answer = await ask(model, { stream: true });
      if (answer.status !== 200) {
        await errorOf(answer, 502, failureClass);
        return;
      }
      const id = answer.headers.get('x-request-id');
      const seen = eventsOf((await readAll(answer)).text);
      assert.ok(seen.every(({ data }) => data !== '[DONE]'), 'no [DONE]');
      assert.ok(seen.at(-1).data.error, 'the last event is the error');
      assert.equal(seen.filter(({ data }) => data.error).length, 1);
      assert.ok(seen.length > events);
      const record = await used.gateway.recordOf(id);
      assert.equal(record.outcome, 'failed');
      if (failureClass instanceof RegExp) assert.match(record.class, failureClass);
      else assert.equal(record.class, failureClass);
      assert.notEqual(record.cost_state, 'free', 'the provider has worked');
    });

  test('sim-stream-close-after-0: a stream that ends before its first event', async () => {
    const answer = await ask('sim-stream-close-after-0', { stream: true });
    const { text } = await readAll(answer);
    if (answer.status === 200) assert.ok(eventsOf(text).at(-1).data.error);
    else assert.equal(answer.status, 502);
  });

  test('sim-stream-hang-after-3: ended by the deadline, with an error event', async () => {
    const answer = await ask('sim-stream-hang-after-3', { stream: true }, soon);
    const seen = eventsOf((await readAll(answer)).text);
    assert.ok(seen.at(-1).data.error);
    assert.match((await used.gateway.recordOf(answer.headers.get('x-request-id'))).class, /timeout_/);
  });

  test('the SDK throws on such a stream', async () => {
    const client = sdk(used.gateway, used.key.secret);
    await assert.rejects(async () => {
      for await (const chunk of await client.chat.completions.create({ model: 'sim-stream-close-after-3', messages: [], stream: true }))
        assert.ok(chunk);
    });
  });
});

describe('answers that are odd but whole', () => {
  for (const model of ['sim-until-close', 'sim-close', 'sim-drip-17-drip-interval-1', 'sim-latency-300'])
    for (const stream of [false, true])
      test(`${model}${stream ? ', streamed' : ''} passes`, async () => {
        const answer = await ask(model, stream ? { stream } : {});
        assert.equal(answer.status, 200);
        const { text, broken } = await readAll(answer);
        assert.ok(!broken);
        if (stream) assert.equal(eventsOf(text).at(-1).data, '[DONE]');
        else assert.equal(JSON.parse(text).object, 'chat.completion');
      });

  for (const model of ['sim-extra', 'sim-short-length'])
    test(`${model}: bytes behind an answer never become the next one's`, async () => {
      const first = await ask(model);
      await readAll(first);
      for (let i = 0; i < 5; i++) {
        const next = await ask('gpt-test');
        assert.equal(next.status, 200);
        assert.equal(JSON.parse(await next.text()).object, 'chat.completion');
      }
    });

  test('an empty body and one that is no JSON pass as they are, with unknown usage', async () => {
    for (const model of ['sim-empty', 'sim-not-json']) {
      const answer = await ask(model);
      await readAll(answer);
      const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
      assert.notEqual(record.usage_source, 'reported', model);
    }
  });

  for (const model of ['sim-no-usage', 'sim-nonsense-usage'])
    for (const stream of [false, true])
      test(`${model}${stream ? ', streamed' : ''}: answered, and not recorded as free`, async () => {
        const answer = await ask(model, stream ? { stream } : {});
        assert.equal(answer.status, 200);
        await answer.text();
        const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
        assert.notEqual(record.usage_source, 'reported');
        assert.ok(['unknown', 'unpriced', 'priced'].includes(record.cost_state), record.cost_state);
        if (record.cost_state === 'priced') assert.ok(record.usage_source === 'estimated' && Number(record.cost_usd) > 0);
      });

  test('an event of 1 MB passes whole', async () => {
    const answer = await ask('sim-event-bytes-1048576', { stream: true });
    const events = eventsOf(await answer.text());
    assert.ok(events.some(({ data }) => data.choices?.[0]?.delta?.content?.length > 1048576));
    assert.equal(events.at(-1).data, '[DONE]');
    assert.equal((await used.gateway.recordOf(answer.headers.get('x-request-id'))).usage_source, 'reported');
  });

  test('an event of 20 MB is too large: an error event, no [DONE]', async () => {
    const answer = await ask('sim-event-bytes-20000000', { stream: true });
    const { text } = await readAll(answer);
    assert.ok(!text.includes('[DONE]'));
    assert.ok(eventsOf(text).at(-1).data.error);
  });

  test('a plain answer of 20 MB streams through', async () => {
    const answer = await ask('sim-event-bytes-20000000');
    const body = await answer.json();
    assert.ok(body.choices[0].message.content.length >= 20000000);
    assert.equal((await used.gateway.recordOf(answer.headers.get('x-request-id'))).usage_source, 'reported');
  });
});

test('after all of it nothing is left over', async () => {
  const settled = async () => {
    const text = await (await used.gateway.admin('/metrics')).text();
    const open = /^airgate_streams_active(?:\{[^}]*\})? (\d+)/m.exec(text);
    return !open || open[1] === '0';
  };
  await until(settled, 'no open streams');
  await until(async () => (await used.simulator.stats()).streams_open === 0, 'no open streams at the provider');
  const before = used.gateway.openDescriptors();
  for (let round = 0; round < 3; round++)
    await Promise.all(['sim-reset', 'sim-garbage', 'sim-stream-close-after-3', 'sim-refuse', 'sim-bad-chunk'].flatMap((model) =>
      Array.from({ length: 10 }, async () => readAll(await ask(model, { stream: true })))));
  await until(() => used.gateway.openDescriptors() <= before + 60, 'descriptors to be closed');
  assert.equal((await ask('gpt-test')).status, 200);
});
