// The provider that the gateway talks to in the tests: sim/README.md says what it can be told to do.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, launch, temporaryDirectory, terminate, until } from './processes.mjs';

class Simulator {
  constructor(child, port, key) {
    Object.assign(this, { child, port, key, url: `http://127.0.0.1:${port}` });
  }

  async #control(method, path, body) {
    const answer = await fetch(this.url + path, { method, body, headers: { connection: 'close' } });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** What it saw: requests (method, target, headers, body, outcome), every header name and credential that ever came. */
  seen() { return this.#control('GET', '/sim/requests'); }
  invoice() { return this.#control('GET', '/sim/invoice'); }
  stats() { return this.#control('GET', '/sim/stats'); }
  script(rules) { return this.#control('PUT', '/sim/script', JSON.stringify({ rules })); }
  reset() { return this.#control('POST', '/sim/reset'); }

  /** The newest request that it saw, with its headers as an object (names in lower case). */
  async last() {
    const { requests } = await this.seen();
    const request = requests.at(-1);
    return request && { ...request, header: Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value])) };
  }

  /** Waits until a request whose body mentions the text has ended as expected. */
  outcomeOf(text, outcome) {
    return until(async () => (await this.seen()).requests.find((request) =>
      (request.body ?? '').includes(text) && request.outcome === outcome), `a request with ${text} that is ${outcome}`);
  }

  async stop() {
    const code = await terminate(this.child);
    if (code !== 0) throw new Error(`airgate-sim ended with ${code}: ${this.child.errors}`);
  }
}

/** prices: per model or "*", USD per million tokens: { input, output, cache_read, cache_write }. key: the only one it accepts. */
export async function startSimulator({ prices, key = 'upstream-key-that-nobody-may-see', args = [] } = {}) {
  const all = ['--listen', '127.0.0.1:0', '--key', key, ...args];
  if (prices) {
    const path = join(temporaryDirectory(), 'prices.json');
    writeFileSync(path, JSON.stringify(prices));
    all.push('--prices', path);
  }
  const child = launch(join(build, 'airgate-sim'), all);
  const line = await until(() => /listening on \S+:(\d+)\n/.exec(child.output) ?? (!child.isRunning() && 'ended'), 'airgate-sim to listen');
  if (line === 'ended') throw new Error(`airgate-sim did not start: ${child.errors}`);
  return new Simulator(child, Number(line[1]), key);
}
