// Everything that a test file needs, in one import; and the usual pair of simulator and gateway.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import OpenAI from 'openai';
import { startGateway } from './gateway.mjs';
import { startSimulator } from './simulator.mjs';

export * from './gateway.mjs';
export * from './processes.mjs';
export * from './raw.mjs';
export * from './simulator.mjs';
export { OpenAI, assert };

/** The official SDK, pointed at the gateway. */
export function sdk(gateway, secret, more = {}) {
  return new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: secret, maxRetries: 0, timeout: 60000, ...more });
}

/** Simulator and gateway for a whole file: filled in before its tests, finished and checked after them. */
export function useGateway(options = {}) {
  const used = {};
  before(async () => {
    used.simulator = await startSimulator({ prices: { '*': { input: '0.15', output: '0.6' } }, ...options.simulator });
    used.gateway = await startGateway(used.simulator, typeof options.gateway === 'function' ? options.gateway(used.simulator) : options.gateway);
    used.key = used.gateway.makeKey();
    used.client = sdk(used.gateway, used.key.secret);
  });
  after(async () => {
    await used.gateway?.stop();
    await used.simulator?.stop();
  });
  return used;
}

/** The error body of an answer, checked for OpenAI's shape and for the headers that go with it. */
export async function errorOf(answer, status, failureClass) {
  const text = await answer.text();
  assert.equal(answer.status, status, text);
  const { error } = JSON.parse(text);
  assert.equal(typeof error.message, 'string');
  assert.equal(typeof error.type, 'string');
  assert.ok('param' in error && 'code' in error, 'param and code are there, even as null');
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  assert.match(answer.headers.get('x-request-id') ?? '', /^req_[0-9a-hjkmnp-tv-z]{26}$/);
  assert.match(answer.headers.get('x-should-retry') ?? '', /^(true|false)$/);
  if (failureClass instanceof RegExp) assert.match(answer.headers.get('x-airgate-class'), failureClass);
  else if (failureClass) assert.equal(answer.headers.get('x-airgate-class'), failureClass);
  return error;
}

/** "0.000123456" dollars as a whole number of nano-dollars, exactly. */
export function nano(usd) {
  const [whole, fraction = ''] = String(usd).split('.');
  return BigInt(whole) * 1000000000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}
