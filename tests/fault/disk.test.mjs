// A full disk: what cannot be recorded is refused, nothing that was answered is lost, and with room again it goes on.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assert, baseConfig, Gateway, sleep, startSimulator, temporaryDirectory, until } from '../e2e/lib/harness.mjs';

const MEGABYTES = 64;
const canMount = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs -o size=1m tmpfs /mnt'], { stdio: 'ignore' }).status === 0;

test('a full disk', { skip: canMount ? false : 'needs the right to mount a tmpfs in a namespace of its own' }, async () => {
  const simulator = await startSimulator();
  const directory = temporaryDirectory();
  const mounted = join(directory, 'small');
  mkdirSync(mounted);
  const config = baseConfig(directory, simulator, { models: ['gpt-test'], more: { data_dir: join(mounted, 'data'), journal_size: '1MiB' } });
  const gateway = new Gateway(directory, config);
  const wrap = (command) => ['unshare', '-m', 'sh', '-c',
    `mount -t tmpfs -o size=${MEGABYTES}m tmpfs "${mounted}" && exec "$0" "$@"`, ...command];
  await gateway.start({ wrap });
  // The file system exists only in the gateway's name space; /proc leads into it, for commands too.
  const inside = `/proc/${gateway.child.pid}/root${mounted}`;
  const cli = gateway.cli.bind(gateway);
  gateway.cli = (args, options) => {
    gateway.writeConfig({ ...config, data_dir: join(inside, 'data') });
    return cli(args, options);
  };
  const key = gateway.makeKey();
  const answered = [];
  const ask = async () => {
    const answer = await gateway.chat(key.secret, 'gpt-test');
    const text = await answer.text();
    if (answer.status === 200) answered.push(answer.headers.get('x-request-id'));
    return { status: answer.status, class: answer.headers.get('x-airgate-class'), text };
  };
  assert.equal((await ask()).status, 200);

  const filler = join(inside, 'filler');
  const { bavail, bsize } = statfsSync(inside);
  try {
    writeFileSync(filler, Buffer.alloc(bavail * bsize + (1 << 20)));
  } catch (error) {
    assert.equal(error.code, 'ENOSPC');
  }
  // Until the journal is used up it may go on; then 503, and never anything else.
  const deadline = Date.now() + 8000;
  let last = null;
  while (Date.now() < deadline) {
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    last = answers.at(-1);
    for (const answer of answers) {
      assert.ok([200, 503].includes(answer.status), answer.text);
      if (answer.status === 503) assert.equal(answer.class, 'unrecordable');
    }
    if (last.status === 503) break;
  }
  assert.equal((await gateway.admin('/livez')).status, 200);

  rmSync(filler);
  rmSync(join(inside, 'filler2'), { force: true });
  await until(async () => (await ask()).status === 200, 'the gateway to serve again', 15000, 100);
  await sleep(500);
  const ids = new Set(gateway.records().map((record) => record.id));
  assert.deepEqual(answered.filter((id) => !ids.has(id)), []);
  await gateway.stop();
  await simulator.stop();
});

test('a full disk under spooled forms', { skip: canMount ? false : 'needs the right to mount a tmpfs in a namespace of its own' }, async () => {
  const simulator = await startSimulator();
  const directory = temporaryDirectory();
  const mounted = join(directory, 'spools');
  mkdirSync(mounted);
  const gateway = new Gateway(directory, baseConfig(directory, simulator, { models: ['whisper-1'], more: { server: { spool_dir: mounted } } }));
  await gateway.start({ wrap: (command) => ['unshare', '-m', 'sh', '-c', `mount -t tmpfs -o size=4m tmpfs "${mounted}" && exec "$0" "$@"`, ...command] });
  const key = gateway.makeKey();
  const ask = (bytes) => {
    const form = new FormData();
    form.append('file', new Blob([Buffer.alloc(bytes, 1)]), 'a.wav');
    form.append('model', 'whisper-1');
    return gateway.request('/v1/audio/transcriptions', { key: key.secret, body: form });
  };
  assert.equal((await ask(3 << 20)).status, 200);
  for (let i = 0; i < 3; i++) {
    const full = await ask(6 << 20);
    assert.equal(full.status, 503, await full.clone().text());
    assert.equal(full.headers.get('x-airgate-class'), 'unspoolable');
    assert.equal(full.headers.get('x-should-retry'), 'true');
    assert.equal((await ask(1000)).status, 200, 'small forms need no disk');
    await until(async () => (await ask(3 << 20)).status === 200, 'the room to come back');
  }
  assert.ok(gateway.logLines().some((line) => line.event === 'spool_failed' && /No space left/.test(line.problem)));
  assert.equal((await simulator.seen()).requests.length, 7);
  await gateway.stop();
  await simulator.stop();
});
