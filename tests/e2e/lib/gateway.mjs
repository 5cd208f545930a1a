// A gateway process with its own directory, config and ports. When it is finished, its exit code is 0 and its log holds neither a
// secret nor a prompt nor a sanitizer's report; every line of it is JSON.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, launch, patience, sleep, temporaryDirectory, terminate, until } from './processes.mjs';

/** Stands in every prompt of the tests; it must never come up in a log. */
export const promptMarker = 'PROMPT-7f3a9c';
export const price = { input: 0.15, output: 0.6 };

const program = join(build, 'airgate');

/** Config for models that all go to one provider under their own name: ['a', 'b'] or { a: {…} }. */
export function modelsFor(names, provider = 'local', more = { price }) {
  return Object.fromEntries(names.map((name) => [name, { targets: [`${provider}/${name}`], ...more }]));
}

export class Gateway {
  constructor(directory, config) {
    this.directory = directory;
    this.dataDirectory = join(directory, 'data');
    this.configPath = join(directory, 'airgate.yaml');
    this.config = config;
    this.secrets = new Set();
    this.logs = [];
    this.writeConfig(config);
  }

  /** JSON is YAML. */
  writeConfig(config) {
    this.config = config;
    writeFileSync(this.configPath, `${JSON.stringify(config, null, 2)}\n`);
  }

  async start({ env = {}, wrap = (command) => command } = {}) {
    const command = wrap([program, 'serve', '--config', this.configPath]);
    this.child = launch(command[0], command.slice(1), { cwd: this.directory, env: { ...process.env, ...env } });
    this.logs.push(this.child);
    this.address = await this.#addressOf('listening');
    this.url = `http://${this.address}`;
    this.port = Number(this.address.split(':').pop());
    this.adminAddress = await this.#addressOf('admin_listening');
    this.adminUrl = `http://${this.adminAddress}`;
    await until(async () => (await this.admin('/readyz')).status === 200, 'the gateway to be ready');
    return this;
  }

  async #addressOf(event) {
    const line = await until(() => this.logLines().find((entry) => entry.event === event) ?? (!this.child.isRunning() && 'ended'),
      `the log line "${event}"`);
    if (line === 'ended') throw new Error(`airgate did not start: ${this.child.errors}`);
    return line.address;
  }

  /** Log lines of the running process that are JSON. */
  logLines() {
    return this.child.errors.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  async admin(path, options = {}) {
    try {
      return await fetch(this.adminUrl + path, { ...options, headers: { connection: 'close', ...options.headers } });
    } catch (error) {
      return { status: 0, error };
    }
  }

  /** Runs `airgate ARGS --config …`; the parsed output where it is JSON. */
  cli(args, { status = 0, input } = {}) {
    const done = spawnSync(program, [...args, '--config', this.configPath], { encoding: 'utf8', cwd: this.directory, input,
      timeout: 30000 * patience, maxBuffer: 1 << 29 });
    this.logs.push({ output: args[0] === 'key' ? '' : done.stdout, errors: done.stderr });
    assert.equal(done.status, status, `airgate ${args.join(' ')}: ${done.stderr}${done.stdout}`);
    if (!args.includes('--json') || status !== 0) return done.stdout + done.stderr;
    return JSON.parse(done.stdout);
  }

  /** { id, secret, … } of a new key. */
  makeKey({ account = 'acme/support', name = 'test', models, purposes, expires, capabilities, more = [] } = {}) {
    const args = ['key', 'create', '--account', account, '--name', name, '--json', ...more];
    if (models) args.push('--models', models.join(','));
    if (purposes) args.push('--purposes', purposes.join(','));
    if (expires) args.push('--expires', expires);
    if (capabilities) args.push('--capabilities', capabilities.join(','));
    const key = this.cli(args);
    this.secrets.add(key.secret);
    return key;
  }

  /** Records, newest or oldest first as the program likes; one place that knows the command's form. */
  records() {
    const listed = this.cli(['audit', 'list', '--limit', '100000', '--json']);
    return Array.isArray(listed) ? listed : listed.records;
  }

  /** The record of one request, as soon as it is there. */
  recordOf(id) {
    return until(() => this.records().find((record) => record.id === id), `the record of ${id}`, 10000 * patience, 50);
  }

  request(path, { key, method, body, headers = {}, signal } = {}) {
    const json = body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array) && !(body instanceof FormData);
    return fetch(this.url + path, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), ...(json ? { 'content-type': 'application/json' } : {}), ...headers },
      body: json ? JSON.stringify(body) : body,
      signal,
    });
  }

  chat(key, model, more = {}, options = {}) {
    return this.request('/v1/chat/completions', { key, body: { model, messages: [{ role: 'user', content: `${promptMarker} hello` }], ...more },
      ...options });
  }

  /** How many descriptors the process has open. It protects itself against other users' looks, so without root: 0, and no check fails. */
  openDescriptors() {
    try {
      return readdirSync(`/proc/${this.child.pid}/fd`).length;
    } catch (error) {
      if (error.code === 'EACCES') return 0;
      throw error;
    }
  }

  /** Ends it by SIGTERM; everything that must hold of a gateway's whole life is checked. */
  async stop() {
    const code = await terminate(this.child);
    assert.equal(code, 0, `exit code after SIGTERM; log: ${this.child.errors.slice(-4000)}`);
    this.checkLogs();
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.child.ended;
    await sleep(20);
  }

  checkLogs() {
    for (const { output, errors } of this.logs) {
      const text = output + errors;
      for (const secret of this.secrets) assert.ok(!text.includes(secret), 'a secret stands in the log');
      assert.ok(!text.includes(promptMarker), 'a prompt stands in the log');
      assert.doesNotMatch(text, /AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|invariant/);
    }
    for (const line of this.child.errors.split('\n').filter(Boolean)) assert.doesNotThrow(() => JSON.parse(line), `not JSON: ${line}`);
  }
}

/** The config that most tests use: one provider, the simulator; models under their own names. */
export function baseConfig(directory, simulator, { models = [], more = {} } = {}) {
  return {
    listen: '127.0.0.1:0',
    admin: { listen: '127.0.0.1:0' },
    data_dir: join(directory, 'data'),
    providers: { local: { type: 'openai', base_url: `${simulator.url}/v1`, api_key: simulator.key, allow_private: true } },
    models: Array.isArray(models) ? modelsFor(models) : models,
    accounts: { acme: { accounts: { support: {}, research: {} } }, other: {} },
    ...more,
  };
}

/** models: names (served under the same name by the simulator) or the config's own form. more: further top-level config. */
export async function startGateway(simulator, options = {}) {
  const directory = temporaryDirectory();
  const gateway = new Gateway(directory, baseConfig(directory, simulator, options));
  gateway.secrets.add(simulator.key);
  return gateway.start(options);
}

/** A gateway directory without a process, for commands that need none. */
export function idleGateway(config) {
  const directory = temporaryDirectory();
  return new Gateway(directory, { data_dir: join(directory, 'data'), ...config });
}
