// Starting, being watched, draining, being started twice.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assert, build, eventsOf, exchange, launch, patience, sleep, startGateway, startSimulator, temporaryDirectory, terminate, until,
  useGateway } from './lib/harness.mjs';

const models = ['gpt-test', 'sim-chunks-20-interval-100', 'sim-latency-800', 'sim-hang'];

describe('while it runs', () => {
  const used = useGateway({ gateway: { models } });

  test('livez, readyz, and metrics in Prometheus\' format', async () => {
    assert.equal((await used.gateway.admin('/livez')).status, 200);
    assert.equal((await used.gateway.admin('/readyz')).status, 200);
    await (await used.gateway.chat(used.key.secret, 'gpt-test')).text();
    const answer = await used.gateway.admin('/metrics');
    const text = await answer.text();
    assert.match(answer.headers.get('content-type'), /^text\/plain/);
    assert.match(text, /^airgate_requests_total\{[^}]*\} [1-9]/m);
    assert.match(text, /^# TYPE airgate_request_duration_seconds histogram$/m);
    assert.match(text, /^airgate_build_info\{[^}]*\} 1$/m);
    for (const line of text.trimEnd().split('\n'))
      assert.match(line, /^(#.*|[a-z_]+(\{[a-z_]+="(?:[^"\\]|\\.)*"(,[a-z_]+="(?:[^"\\]|\\.)*")*\})? [-+0-9.eInfNa]+)$/, line);
    for (const secret of used.gateway.secrets) assert.ok(!text.includes(secret));
  });

  test('the admin listener serves no data plane, the data plane no admin', async () => {
    assert.equal((await used.gateway.admin('/v1/models', { headers: { authorization: `Bearer ${used.key.secret}` } })).status, 404);
    assert.equal((await used.gateway.request('/metrics', { key: used.key.secret })).status, 404);
  });

  test('its files are private', () => {
    assert.equal(statSync(used.gateway.dataDirectory).mode & 0o077, 0);
    assert.equal(statSync(join(used.gateway.dataDirectory, 'control.sock')).mode & 0o077, 0);
  });

  test('a second gateway on the same data is refused, and the first does not mind', async () => {
    const second = launch(join(build, 'airgate'), ['serve', '--config', used.gateway.configPath], { cwd: used.gateway.directory });
    assert.equal(await second.ended, 1);
    assert.match(second.errors, /lock|running|in use/i);
    assert.equal((await used.gateway.chat(used.key.secret, 'gpt-test')).status, 200);
  });

  test('--version and --help', () => {
    const version = spawnSync(join(build, 'airgate'), ['--version'], { encoding: 'utf8' });
    assert.equal(version.status, 0);
    assert.match(version.stdout, /\d+\.\d+\.\d+/);
    const help = spawnSync(join(build, 'airgate'), ['--help'], { encoding: 'utf8' });
    assert.equal(help.status, 0);
    assert.match(help.stdout, /serve/);
  });
});

describe('SIGTERM', () => {
  async function pair() {
    const simulator = await startSimulator();
    const gateway = await startGateway(simulator, { models });
    return { simulator, gateway, key: gateway.makeKey() };
  }

  test('streams finish, readyz turns at once, new connections are refused, exit code 0', async () => {
    const { simulator, gateway, key } = await pair();
    const stream = await gateway.chat(key.secret, 'sim-chunks-20-interval-100', { stream: true });
    const plain = gateway.chat(key.secret, 'sim-latency-800');
    await sleep(100);
    gateway.child.kill('SIGTERM');
    await until(async () => [503, 0].includes((await gateway.admin('/readyz')).status), 'readyz to turn', 2000);
    await sleep(100);
    const late = await exchange(gateway.port, 'GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n', { milliseconds: 1000 });
    assert.ok([0, 503].includes(late.status), `a late request got ${late.status}`);
    assert.equal((await plain).status, 200);
    assert.equal(eventsOf(await stream.text()).at(-1).data, '[DONE]');
    assert.equal(await gateway.child.ended, 0);
    gateway.checkLogs();
    const records = gateway.records();
    assert.equal(records.filter((record) => record.outcome === 'completed').length, 2, 'both are recorded');
    await simulator.stop();
  });

  test('what does not finish is cut at the drain timeout', { timeout: 60000 }, async () => {
    const simulator = await startSimulator();
    const gateway = await startGateway(simulator, { models, more: { drain_timeout: '1s' } });
    const key = gateway.makeKey();
    const hanging = gateway.chat(key.secret, 'sim-hang').then((answer) => answer.status, () => 0);
    await until(async () => (await simulator.seen()).requests.length > 0, 'the request to arrive');
    const began = Date.now();
    assert.equal(await terminate(gateway.child), 0);
    assert.ok(Date.now() - began < 5000 * patience);
    assert.ok([0, 500, 502, 503].includes(await hanging));
    const records = gateway.records();
    assert.equal(records.length, 1);
    assert.notEqual(records[0].outcome, 'completed');
    assert.equal(records[0].cost_state, 'unknown', 'the provider was at work: its cost is not zero');
    await simulator.stop();
  });
});

test('without a config file: the provider\'s key comes from the environment', async () => {
  const directory = temporaryDirectory();
  const child = launch(join(build, 'airgate'), ['serve'],
    { cwd: directory, env: { ...process.env, OPENAI_API_KEY: 'sk-from-the-environment' } });
  const found = await until(() => child.errors.split('\n').some((line) => line.includes('"listening"')) || (!child.isRunning() && 'ended'),
    'the gateway to listen');
  if (found === 'ended') assert.match(child.errors, /in use/i, 'only a busy default port is an excuse');
  else assert.equal(await terminate(child), 0);
  assert.ok(!child.errors.includes('sk-from-the-environment'));
});
