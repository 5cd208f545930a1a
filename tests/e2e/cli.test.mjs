// The commands as people meet them: help, mistakes and their mending, what is printed when there is nothing, commands beside a gateway
// that is starting.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assert, build, closedPort, errorOf, idleGateway, launch, sleep, temporaryDirectory, until, useGateway } from './lib/harness.mjs';

const program = join(build, 'airgate');
const run = (args, options = {}) => spawnSync(program, args, { encoding: 'utf8', timeout: 30000, ...options });

describe('help', () => {
  test('a group of commands alone names its commands', () => {
    for (const args of [['key'], ['audit', 'lst']]) {
      const done = run(args);
      assert.equal(done.status, 2);
      assert.match(done.stderr, args[0] === 'key' ? /key create[^]*key revoke ID/ : /lst[^]*audit list[^]*audit show ID/);
      assert.doesNotMatch(done.stderr, /there is no command/);
    }
  });

  test('with --help it is an answer, not a mistake', () => {
    const done = run(['key', '--help']);
    assert.equal(done.status, 0);
    assert.match(done.stdout, /key create[^]*key revoke ID/);
    assert.doesNotMatch(done.stdout, /audit/);
  });

  test('what is no command at all is said so', () => {
    const done = run(['budget', 'create']);
    assert.equal(done.status, 2);
    assert.match(done.stderr, /there is no command budget/);
  });
});

describe('keys', () => {
  const used = useGateway({
    gateway: { models: ['gpt-test', 'gpt-large'], more: { purposes: { 'support-chat': {} }, accounts: { acme: { accounts: { support: {} } } } } },
  });
  const create = (more, options) => used.gateway.cli(['key', 'create', '--account', 'acme/support', '--name', 'x', ...more], options);

  test('no key for models or purposes that the config does not know', () => {
    assert.match(create(['--models', 'gpt-test,gpt-lage'], { status: 1 }), /no model gpt-lage .*did you mean gpt-large\?/);
    assert.match(create(['--models', 'claude-*'], { status: 1 }), /no model claude-\*/);
    assert.match(create(['--purposes', 'support-cat'], { status: 1 }), /no purpose support-cat .*did you mean support-chat\?/);
    create(['--models', 'gpt-*', '--models', 'gpt-test', '--purposes', 'support-chat']);
  });

  test('the list tells expired keys, and that rights are the account\'s', async () => {
    const key = used.gateway.makeKey({ name: 'short', expires: '1s' });
    const line = () => used.gateway.cli(['key', 'list']).split('\n').find((text) => text.startsWith(key.id));
    assert.match(line(), /\(account's\) .* active$/);
    await sleep(1100);
    assert.match(line(), / expired$/);
  });

  test('a rotation says how long the old secret works', () => {
    const key = used.gateway.makeKey({ name: 'turning' });
    assert.match(used.gateway.cli(['key', 'rotate', key.id, '--grace', '2h']), /^The old secret works until \d{4}-\d\d-\d\dT/m);
    assert.match(used.gateway.cli(['key', 'rotate', key.id, '--grace', '0']), /^The old secret works no longer/m);
  });

  test('a base URL without /v1, and a request without a record, are explained', async () => {
    const answer = await used.gateway.request('/chat/completions', { key: used.key.secret, body: {} });
    assert.match((await errorOf(answer, 404, 'not_found')).message, /base URL ends in \/v1/);
    assert.match(used.gateway.cli(['audit', 'show', answer.headers.get('x-request-id')], { status: 1 }), /without a known key or endpoint have none/);
  });

  test('--json holds the thing itself', () => {
    assert.ok(!('ok' in used.gateway.cli(['key', 'show', used.key.id, '--json'])));
    assert.deepEqual(Object.keys(used.gateway.cli(['key', 'list', '--json'])), ['keys']);
  });
});

test('spend has the same columns when there is nothing to sum', () => {
  const gateway = idleGateway({});
  mkdirSync(gateway.dataDirectory);
  const numbers = 'requests,failed,input,output,cost_usd,unpriced,unknown\r\n';
  assert.equal(gateway.cli(['spend', '--format', 'csv']), `account,model,${numbers}`);
  assert.equal(gateway.cli(['spend', '--by', 'day', '--by', 'purpose,key', '--format', 'csv']), `day,purpose,key,${numbers}`);
  assert.equal(gateway.cli(['spend', '--by', '', '--format', 'csv']), numbers);
  assert.match(gateway.cli(['spend', '--by', 'a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r'], { status: 1 }), /cannot sum by "a"/);
});

describe('which store is meant', () => {
  test('a command in a directory without config and data makes none', () => {
    const cwd = temporaryDirectory();
    for (const args of [['key', 'list'], ['audit', 'list'], ['spend'], ['key', 'create', '--account', 'a', '--name', 'n']]) {
      const done = run(args, { cwd });
      assert.equal(done.status, 1);
      assert.match(done.stderr, /--config FILE/);
    }
    assert.deepEqual(readdirSync(cwd), []);
  });

  const provider = { openai: { type: 'openai', api_key: '${ONLY_THE_GATEWAY_HAS_THIS}' } };

  test('commands do not need the provider\'s key, serve and check do', () => {
    const gateway = idleGateway({ providers: provider });
    assert.deepEqual(gateway.cli(['key', 'list', '--json']).keys, []);
    assert.match(gateway.cli(['check'], { status: 1 }), /ONLY_THE_GATEWAY_HAS_THIS is not set/);
  });

  test('but a variable in data_dir must be set', () => {
    const gateway = idleGateway({ providers: provider });
    gateway.writeConfig({ ...gateway.config, data_dir: `${gateway.directory}/\${NO_SUCH_DIRECTORY_VARIABLE}` });
    assert.match(gateway.cli(['key', 'list'], { status: 1 }), /NO_SUCH_DIRECTORY_VARIABLE is not set/);
    assert.equal(existsSync(join(gateway.directory, '${NO_SUCH_DIRECTORY_VARIABLE}')), false);
  });
});

test('a gateway that starts while a command uses the store waits for it', async () => {
  const gateway = idleGateway({ listen: '127.0.0.1:0', admin: { listen: '127.0.0.1:0' } });
  mkdirSync(gateway.dataDirectory);
  const holder = launch('flock', ['--exclusive', '--no-fork', join(gateway.dataDirectory, 'lock'), 'sleep', '0.5']);
  await until(() => existsSync(join(gateway.dataDirectory, 'lock')), 'the lock file');
  await until(() => spawnSync('flock', ['--nonblock', join(gateway.dataDirectory, 'lock'), 'true']).status === 1, 'the lock to be held');
  await gateway.start();
  assert.equal(await holder.ended, 0);
  await gateway.stop();
});

test('check names a certificate that serve could not use', async () => {
  const gateway = idleGateway({});
  const missing = join(gateway.directory, 'missing.pem');
  gateway.writeConfig({ ...gateway.config, listen: { address: `127.0.0.1:${await closedPort()}`, tls: { cert: missing, key: missing } } });
  const said = gateway.cli(['check'], { status: 1 });
  assert.match(said, /airgate\.yaml:\d+:\d+: `tls`: certificate file .*missing\.pem: No such file or directory/);
  const other = launch(program, ['serve', '--config', gateway.configPath], { cwd: gateway.directory });
  assert.equal(await other.ended, 1);
  assert.equal(other.errors, said);
});

test('root restores for the owner of the data directory', { skip: process.getuid() === 0 ? false : 'needs root' }, () => {
  const gateway = idleGateway({});
  const backup = join(gateway.directory, 'backup.db'), store = join(gateway.dataDirectory, 'airgate.db');
  gateway.cli(['backup', backup]);
  spawnSync('chown', ['-R', '65534:65534', gateway.dataDirectory]);
  gateway.cli(['restore', backup, '--force']);
  assert.equal(statSync(store).uid, 65534);
  assert.equal(statSync(store).gid, 65534);
});
