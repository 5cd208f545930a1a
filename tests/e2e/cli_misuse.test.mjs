// The command line used wrongly, without a gateway, against a dead one, and with names that a terminal would obey.
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assert, build, idleGateway, startGateway, startSimulator } from './lib/harness.mjs';

const program = join(build, 'airgate');
const accounts = { acme: { accounts: { support: {} } } };

function run(gateway, args) {
  return spawnSync(program, [...args, '--config', gateway.configPath], { encoding: 'utf8', cwd: gateway.directory, timeout: 30000 });
}

describe('wrong usage ends with 2 and says how it is right', () => {
  const gateway = idleGateway({ accounts });
  const key = ['key', 'create', '--account', 'acme/support'];
  for (const [args, message] of [
    [['frobnicate'], /no command frobnicate; see/],
    [['serv'], /did you mean serve\?/],
    [['keys', 'list'], /did you mean key list\?/],
    [['key'], /key create[^]*key revoke ID/],
    [['audit', 'verify'], /no such command: verify[^]*audit list[^]*audit show/],
    [['key', 'show'], /missing: ID/],
    [['key', 'list', 'more'], /what is more/],
    [['key', 'list', '--jsn'], /no option --jsn/],
    [['key', 'list', '--json', '--json'], /given twice/],
    [['key', 'list', '--json=1'], /takes no value/],
    [key, /needs --account and --name/],
    [[...key, '--name', 'x', '--models', ''], /--models is empty; leave it out to allow any/],
    [[...key, '--name', 'x', '--addresses', ' '], /--addresses is empty/],
    [['audit', 'list', '--limit', '-1'], /--limit must be a number/],
    [['spend', '--format', 'xml'], /--format must be table, json or csv/],
    [['reference', 'nothing'], /no reference "nothing"; there are/],
    [['backup'], /missing: FILE/],
  ]) {
    test(`airgate ${args.join(' ')}`, () => {
      const done = run(gateway, args);
      assert.match(done.stderr, message);
      assert.equal(done.status, 2);
      assert.equal(done.stdout, '');
    });
  }

  test('and makes nothing', () => {
    assert.throws(() => readdirSync(gateway.dataDirectory), /ENOENT/);
  });
});

describe('without a gateway', () => {
  const gateway = idleGateway({ accounts });

  test('every command that answers has --json', () => {
    const { id } = gateway.makeKey();
    assert.equal(gateway.cli(['key', 'list', '--json']).keys.length, 1);
    for (const args of [['key', 'show', id], ['key', 'rotate', id], ['key', 'revoke', id]])
      assert.equal(gateway.cli([...args, '--json']).id, id);
    for (const args of [['audit', 'list'], ['spend']]) assert.deepEqual(gateway.cli([...args, '--json']), []);
    const copy = join(gateway.directory, 'copy.db');
    assert.equal(gateway.cli(['backup', copy, '--json']).path, copy);
    const restored = gateway.cli(['restore', copy, '--force', '--json']);
    assert.equal(restored.from, copy);
    assert.match(restored.kept, /before-restore/);
    assert.equal(gateway.cli(['check', '--json']).accounts, 2);
  });

  test('check --json names line, column and message', () => {
    const wrong = idleGateway({ acounts: {} });
    const done = run(wrong, ['check', '--json']);
    assert.equal(done.status, 1);
    const said = JSON.parse(done.stdout);
    assert.equal(said.ok, false);
    assert.deepEqual(Object.keys(said.errors[0]), ['line', 'column', 'message']);
    assert.match(said.errors[0].message, /did you mean `accounts`/);
  });

  test('a list of keys says which ones are of no use any more', () => {
    const other = idleGateway({ accounts: { ...accounts, gone: {} } });
    const keys = ['active', 'revoked', 'gone'].map((name) => other.makeKey({ name, account: name === 'gone' ? 'gone' : 'acme/support' }));
    other.cli(['key', 'revoke', keys[1].id]);
    other.writeConfig({ data_dir: other.dataDirectory, accounts });
    const lines = other.cli(['key', 'list']).split('\n');
    for (const [i, state] of ['active', 'revoked', 'no such account'].entries())
      assert.match(lines.find((line) => line.startsWith(keys[i].id)), new RegExp(`  ${state}$`));
  });

  test('the head of a report does not depend on its rows', () => {
    assert.equal(gateway.cli(['spend', '--by', 'day,key', '--format', 'csv']),
      'day,key,requests,failed,input,output,cost_usd,unpriced,unknown\r\n');
  });

  test('output that cannot be written is an error', () => {
    for (const args of ['check', 'key list', 'spend']) {
      const done = spawnSync('sh', ['-c', `'${program}' ${args} --config '${gateway.configPath}' > /dev/full`], { encoding: 'utf8' });
      assert.equal(done.status, 1, args);
      assert.match(done.stderr, /standard output/);
    }
  });
});

describe('against a gateway', () => {
  test('what a socket of a dead process is worth: nothing', async () => {
    const gateway = idleGateway({ accounts });
    const { id } = gateway.makeKey();
    const path = join(gateway.dataDirectory, 'control.sock');
    spawnSync(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`]);
    assert.ok(statSync(path).isSocket());
    assert.match(gateway.cli(['key', 'list']), new RegExp(id));
  });

  // The holder of the lock takes the command, and is gone before it answers.
  test('a command that changes something is sent once', async () => {
    const gateway = idleGateway({ accounts });
    gateway.makeKey();
    let commands = 0;
    const server = createServer((socket) => socket.once('data', () => { commands++; socket.destroy(); }));
    await new Promise((resolve) => server.listen(join(gateway.dataDirectory, 'control.sock'), resolve));
    const script = `exec 9>'${gateway.dataDirectory}/lock'; flock 9; '${program}' key create --account acme/support --name x --config '${gateway.configPath}'`;
    const error = await new Promise((resolve) => execFile('bash', ['-c', script], (failure, _, stderr) => resolve({ ...failure, stderr })));
    assert.equal(error.code, 1);
    assert.match(error.stderr, /may have been done/);
    assert.equal(commands, 1);
    await new Promise((resolve) => server.close(resolve));
  });

  test('no name is obeyed by the terminal', async () => {
    const simulator = await startSimulator();
    const gateway = await startGateway(simulator, { models: ['gpt-test'] });
    gateway.child.kill('SIGTERM');
    await gateway.child.ended;
    const { models, ...anyModel } = gateway.config;
    gateway.writeConfig(anyModel);
    await gateway.start();
    const key = gateway.makeKey();
    await (await gateway.chat(key.secret, 'x\u001b[31mred\u009b2J\n\u202eend')).text();
    for (const args of [['audit', 'list'], ['spend', '--by', 'model']]) {
      const text = gateway.cli(args);
      assert.match(text, /x\?\[31mred\?2J\?\?end/);
      assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    }
    assert.equal(gateway.records()[0].asked_model, 'x\u001b[31mred\u009b2J\n\u202eend', 'the record says what was asked for');
    await gateway.stop();
    await simulator.stop();
  });
});
