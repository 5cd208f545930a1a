// Clients that go away in every phase of a request: the provider's work is cancelled, the record is closed, nothing is left open.
import { describe, test } from 'node:test';
import { assert, post, promptMarker, sleep, until, useGateway, Wire } from '../e2e/lib/harness.mjs';

const models = ['gpt-test', 'sim-hang', 'sim-chunks-100-interval-50', 'sim-chunks-1500-chunk-bytes-20000', 'sim-latency-500'];
const used = useGateway({ gateway: { models } });
let mark = 0;

/** A request whose body can be found again, sent as far as `bytes` says, on a socket of its own. */
async function begin(model, { stream = false, part = Infinity } = {}) {
  const text = `${promptMarker}-gone-${++mark}-`;
  const body = { model, stream, messages: [{ role: 'user', content: text }] };
  const wire = new Wire(used.gateway.port);
  await wire.opened;
  const bytes = post('/v1/chat/completions', used.key.secret, body);
  await wire.write(bytes.slice(0, part)); // a negative part leaves off the end
  return { wire, text };
}

const seenBySimulator = (text) => until(async () => (await used.simulator.seen()).requests.some((request) => request.body?.includes(text)),
  'the request to arrive');

/** The newest record is the one of the request that was just given up. */
async function cancelledRecord(count) {
  await until(() => used.gateway.records().filter((record) => record.outcome === 'cancelled').length > count, 'a cancelled record', 10000, 50);
}
const cancelledCount = () => used.gateway.records().filter((record) => record.outcome === 'cancelled').length;

for (const [how, leave] of [['closes', (wire) => wire.close()], ['resets', (wire) => wire.destroy()]])
  describe(`a client that ${how}`, () => {
    test('in the middle of the head', async () => {
      const { wire } = await begin('gpt-test', { part: 40 });
      leave(wire);
    });

    test('in the middle of the body: nothing goes to the provider', async () => {
      const { wire, text } = await begin('gpt-test', { part: -20 });
      await sleep(50);
      leave(wire);
      await sleep(100);
      assert.ok(!(await used.simulator.seen()).requests.some((request) => request.body?.includes(text)));
    });

    test('while the provider thinks', async () => {
      const count = cancelledCount();
      const { wire, text } = await begin('sim-hang');
      await seenBySimulator(text);
      leave(wire);
      await used.simulator.outcomeOf(text, 'cancelled');
      await cancelledRecord(count);
    });

    test('in the middle of a stream', async () => {
      const count = cancelledCount();
      const { wire, text } = await begin('sim-chunks-100-interval-50', { stream: true });
      assert.ok(await wire.waitFor((received) => received.split('data: ').length > 3, 5000));
      leave(wire);
      await used.simulator.outcomeOf(text, 'cancelled');
      await cancelledRecord(count);
    });

    test('while the answer waits to be read', async () => {
      const { wire, text } = await begin('sim-chunks-1500-chunk-bytes-20000', { stream: true });
      wire.socket.pause();
      await seenBySimulator(text);
      await sleep(200);
      leave(wire);
      await used.simulator.outcomeOf(text, 'cancelled');
    });
  });

test('a client that does not read stops the provider, not the gateway', async () => {
  const { wire, text } = await begin('sim-chunks-1500-chunk-bytes-20000', { stream: true });
  wire.socket.pause();
  await seenBySimulator(text);
  await sleep(1500);
  const first = (await used.simulator.stats()).frames;
  await sleep(500);
  assert.equal((await used.simulator.stats()).frames, first, 'the provider waits');
  assert.equal((await used.gateway.chat(used.key.secret, 'gpt-test')).status, 200);
  wire.socket.resume();
  await until(() => wire.tail.endsWith('data: [DONE]\n\n\r\n0\r\n\r\n'), 'the rest of the stream', 20000);
  assert.ok(wire.length > 1500 * 20000, 'all of it arrives');
  wire.close();
});

test('two hundred at once leave nothing behind', async () => {
  const before = used.gateway.openDescriptors();
  const wires = await Promise.all(Array.from({ length: 200 }, () => begin('sim-latency-500', { stream: true })));
  await sleep(200);
  for (const { wire } of wires) wire.destroy();
  await until(async () => (await used.simulator.stats()).streams_open === 0, 'the provider to be free');
  await until(() => used.gateway.openDescriptors() <= before + 20, 'descriptors to be closed');
  assert.equal((await used.gateway.chat(used.key.secret, 'gpt-test')).status, 200);
});
