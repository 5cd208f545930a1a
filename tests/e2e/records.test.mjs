// What the gateway recorded and what the provider billed are the same, to the nano-dollar; and only its owner can read a record.
import { statSync } from 'node:fs';
import { describe, test } from 'node:test';
import { assert, errorOf, modelsFor, nano, promptMarker, until, useGateway } from './lib/harness.mjs';

const prices = {
  'gpt-test': { input: '0.15', output: '0.6' },
  'odd-price': { input: '0.123456789', output: '7.000000001' },
  'sim-prompt-tokens-1000-cached-tokens-640-cache-write-tokens-100': { input: '1.25', output: '10', cache_read: '0.125', cache_write: '1.5625' },
  'sim-reasoning-tokens-77': { input: '3', output: '15' },
  'sim-prompt-tokens-123456789-completion-tokens-987654321': { input: '75', output: '150' },
  'sim-prompt-tokens-1-completion-tokens-0': { input: '0.000000001', output: '0' },
  'text-embedding-test': { input: '0.02', output: '0' },
};
// The same numbers as the config writes them.
const models = Object.fromEntries(Object.entries(prices).map(([name, rates]) =>
  [name, { ...modelsFor([name])[name], price: Object.fromEntries(Object.entries(rates).map(([key, text]) => [key, text])) }]));
const used = useGateway({ simulator: { prices }, gateway: { models: { ...models, unpriced: { targets: ['local/unpriced'] } } } });

describe('cost', () => {
  test('every request of every kind costs what the provider billed', async () => {
    await used.simulator.reset();
    const wanted = [];
    for (const model of Object.keys(prices)) {
      if (model === 'text-embedding-test') {
        wanted.push(await used.gateway.request('/v1/embeddings', { key: used.key.secret, body: { model, input: [promptMarker, 'b'] } }));
        continue;
      }
      for (const more of [{}, { stream: true }, { stream: true, stream_options: { include_usage: true } }, { n: 3 }, { max_tokens: 7 }])
        wanted.push(await used.gateway.chat(used.key.secret, model, more));
      wanted.push(await used.gateway.request('/v1/completions', { key: used.key.secret, body: { model, prompt: promptMarker } }));
      wanted.push(await used.gateway.request('/v1/responses', { key: used.key.secret, body: { model, input: promptMarker, stream: true } }));
    }
    const ids = [];
    for (const answer of wanted) {
      assert.equal(answer.status, 200, await answer.clone().text());
      await answer.text();
      ids.push(answer.headers.get('x-request-id'));
    }
    await used.gateway.recordOf(ids.at(-1));
    const records = new Map(used.gateway.records().map((record) => [record.id, record]));
    const invoice = await used.simulator.invoice();
    assert.equal(invoice.lines.length, ids.length);
    let sum = 0n;
    for (const line of invoice.lines) {
      const record = records.get(line.client_request_id);
      assert.ok(record, `no record for ${line.client_request_id}`);
      assert.equal(record.upstream_request_id, line.id);
      assert.equal(record.usage_source, 'reported');
      assert.equal(record.cost_state, 'priced');
      assert.equal(nano(record.cost_usd), BigInt(line.cost_nano_usd), `${line.model} ${line.endpoint}: ${record.cost_usd}`);
      sum += nano(record.cost_usd);
      const input = (record.usage.input ?? 0) + (record.usage.cache_read ?? 0) + (record.usage.cache_write ?? 0);
      assert.equal(input, line.usage.prompt_tokens);
      assert.equal((record.usage.output ?? 0) + (record.usage.output_reasoning ?? 0), line.usage.completion_tokens);
    }
    assert.equal(sum, BigInt(invoice.total.cost_nano_usd));
  });

  test('the x-airgate-cost-usd header is the record\'s cost', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'odd-price');
    await answer.text();
    const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
    assert.equal(nano(answer.headers.get('x-airgate-cost-usd')), nano(record.cost_usd));
  });

  test('a model without a price is recorded as unpriced, never as zero', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'unpriced');
    await answer.text();
    assert.equal(answer.headers.get('x-airgate-cost-usd'), null);
    const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
    assert.equal(record.cost_state, 'unpriced');
    assert.ok(record.usage.input > 0);
  });

  test('spend adds up to the records', async () => {
    const spent = used.gateway.cli(['spend', '--by', 'model', '--format', 'json']);
    const rows = JSON.parse(spent);
    const list = Array.isArray(rows) ? rows : rows.rows;
    const total = list.reduce((sum, row) => sum + nano(row.cost_usd), 0n);
    const records = used.gateway.records().filter((record) => record.cost_state === 'priced');
    assert.equal(total, records.reduce((sum, record) => sum + nano(record.cost_usd), 0n));
    assert.ok(used.gateway.cli(['spend', '--by', 'account,model', '--format', 'table']).includes('acme/support'));
    assert.ok(used.gateway.cli(['spend', '--by', 'key', '--format', 'csv']).split('\n').length > 2);
  });
});

describe('a record', () => {
  test('says who, what for, which model, what it used, how it ended', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'gpt-test', { user: 'end-user-7' }, { headers: { 'x-airgate-tags': 'nightly' } });
    await answer.text();
    const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
    assert.equal(record.account, 'acme/support');
    assert.equal(record.key, used.key.id);
    assert.equal(record.endpoint, 'chat.completions');
    assert.equal(record.asked_model, 'gpt-test');
    assert.equal(record.provider, 'local');
    assert.equal(record.outcome, 'completed');
    assert.equal(record.class, 'none');
    assert.equal(record.status, 200);
    assert.equal(record.attempts.length, 1);
    assert.ok(record.total_us > 0 && record.first_byte_us > 0);
    const text = JSON.stringify(record);
    assert.ok(!text.includes('end-user-7') && !text.includes('nightly') && !text.includes(promptMarker), 'nothing personal stands in it');
    assert.equal(used.gateway.cli(['audit', 'show', record.id, '--json']).id, record.id);
  });

  test('its owner can read it over the data plane, nobody else', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'gpt-test');
    await answer.text();
    const path = `/v1/airgate/requests/${answer.headers.get('x-request-id')}`;
    const own = await until(async () => {
      const got = await used.gateway.request(path, { key: used.key.secret });
      return got.status === 200 && got;
    }, 'the record');
    const record = await own.json();
    assert.equal(record.outcome, 'completed');
    assert.equal(nano(record.cost_usd), nano(answer.headers.get('x-airgate-cost-usd')));
    const foreign = used.gateway.makeKey({ account: 'other', name: 'foreign' });
    assert.equal((await used.gateway.request(path, { key: foreign.secret })).status, 404);
    assert.equal((await used.gateway.request('/v1/airgate/requests/req_00000000000000000000000000', { key: used.key.secret })).status, 404);
    assert.equal((await used.gateway.request('/v1/airgate/requests/nonsense', { key: used.key.secret })).status, 404);
  });

  test('a refused request has one too, free of charge', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'no-such-model');
    await errorOf(answer, 404, 'model_unknown');
    const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
    assert.equal(record.outcome, 'refused');
    assert.equal(record.cost_state, 'free');
    assert.equal(nano(record.cost_usd), 0n);
  });

  test('backup while running holds the records', () => {
    const file = `${used.gateway.directory}/backup.db`;
    used.gateway.cli(['backup', file]);
    assert.ok(statSync(file).size > 1000);
  });
});
