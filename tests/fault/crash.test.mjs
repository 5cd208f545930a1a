// kill -9 under load, again and again: after each restart every answered request has exactly one record, with its true cost, and the
// sums are the records' sums.
import { test } from 'node:test';
import { assert, eventsOf, nano, sdk, sleep, startGateway, startSimulator } from '../e2e/lib/harness.mjs';

const ROUNDS = 3;
const CLIENTS = 12;

/** Asks until the gateway dies; collects the ids of requests whose answers came whole. */
async function client(gateway, secret, answered, number) {
  for (let i = 0; ; i++) {
    const stream = (i + number) % 3 === 0;
    try {
      const answer = await gateway.chat(secret, stream ? 'sim-chunks-4' : 'gpt-test', stream ? { stream } : {});
      const text = await answer.text();
      const whole = stream ? eventsOf(text).at(-1)?.data === '[DONE]' : JSON.parse(text).object === 'chat.completion';
      if (answer.status === 200 && whole) answered.push(answer.headers.get('x-request-id'));
    } catch {
      return;
    }
  }
}

test('no answered request is lost, none is doubled', async () => {
  const simulator = await startSimulator({ prices: { '*': { input: '0.15', output: '0.6' } } });
  const gateway = await startGateway(simulator, { models: ['gpt-test', 'sim-chunks-4'] });
  const key = gateway.makeKey();
  const answered = [];
  for (let round = 0; round < ROUNDS; round++) {
    const clients = Array.from({ length: CLIENTS }, (_, number) => client(gateway, key.secret, answered, number));
    await sleep(400 + 250 * round);
    await gateway.kill();
    await Promise.all(clients);
    await gateway.start();
    assert.equal((await sdk(gateway, key.secret).models.list()).data.length, 2, 'the key still works');
  }
  assert.ok(answered.length > 50, `only ${answered.length} answers: no load`);
  assert.equal(new Set(answered).size, answered.length);

  const records = gateway.records();
  const byId = new Map(records.map((record) => [record.id, record]));
  assert.equal(byId.size, records.length, 'no record twice');
  const missing = answered.filter((id) => !byId.has(id));
  assert.deepEqual(missing, [], `${missing.length} of ${answered.length} answered requests have no record`);
  const { lines } = await simulator.invoice();
  const billed = new Map(lines.map((line) => [line.client_request_id, line]));
  for (const id of answered) {
    const record = byId.get(id);
    assert.equal(record.outcome, 'completed', id);
    assert.equal(nano(record.cost_usd), BigInt(billed.get(id).cost_nano_usd), id);
  }
  for (const record of records) assert.ok(['completed', 'interrupted', 'cancelled', 'failed'].includes(record.outcome), record.outcome);
  await gateway.stop();
  await simulator.stop();
});
