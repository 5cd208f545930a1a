// Config that is wrong, or that asks for what the program does not enforce yet, is refused whole, with file, line and column.
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { assert, idleGateway, launch, build } from './lib/harness.mjs';
import { join } from 'node:path';

const good = `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
providers:
  local: { type: openai, base_url: "http://127.0.0.1:11434/v1", api_key: key-of-the-provider, allow_private: true }
models:
  small: { targets: [local/small], price: { input: 0.15, output: 0.60 } }
purposes:
  support-chat: { description: "answers to customers" }
accounts:
  acme: { accounts: { support: { models: [small], purposes: [support-chat], require_purpose: true } } }
`;

function check(text, status) {
  const gateway = idleGateway({});
  writeFileSync(gateway.configPath, text);
  return gateway.cli(['check'], { status });
}

test('the good one passes', () => {
  check(good, 0);
});

describe('refused with file, line and column', () => {
  const replaced = (from, to) => {
    assert.ok(good.includes(from), from);
    return good.replace(from, to);
  };
  const rows = [
    ['a key that does not exist, with the nearest that does', replaced('providers:', 'provders:'), 3, /providers/],
    ['a key inside a provider', replaced('base_url', 'base_ulr'), 4, /base_url/],
    ['an unknown provider type', replaced('type: openai', 'type: opnai'), 4, /openai/],
    ['a target without such a provider', replaced('[local/small]', '[lokal/small]'), 6, /lokal/],
    ['an account\'s model that does not exist', replaced('models: [small]', 'models: [smal]'), 10, /small/],
    ['an account\'s purpose that does not exist', replaced('purposes: [support-chat]', 'purposes: [support-cat]'), 10, /support-chat/],
    ['a price that is no number', replaced('input: 0.15', 'input: cheap'), 6, /price|number|input/],
    ['a negative price', replaced('input: 0.15', 'input: -0.15'), 6, /price|negative|input/],
    ['a price with too many digits', replaced('input: 0.15', 'input: 0.1234567891'), 6, /price|digits|input/],
    ['a base_url that is no URL', replaced('http://127.0.0.1:11434/v1', 'ftp://x'), 4, /url|http/i],
    ['a listener that is no address', replaced('listen: 127.0.0.1:0\nadmin', 'listen: nowhere\nadmin'), 1, /listen|address/],
    ['the same key twice', replaced('models:\n', 'listen: 127.0.0.1:1\nmodels:\n'), 5, /twice|duplicate|already/i],
    ['YAML that is none', replaced('models:\n', 'models: [\n'), 0, /./],
    ['a list where a map belongs', replaced('purposes:\n  support-chat: { description: "answers to customers" }', 'purposes: [support-chat]'), 7, /./],
    ['forms that are larger than all of them together', `${good}server:\n  max_spool: 8MiB\n  max_spool_total: 4MiB\n`, 13, /max_spool_total/],
    ['the same, by its default', `${good}server:\n  max_spool: 8GiB\n`, 12, /max_spool_total/],
    ['heartbeats without a pause', `${good}server:\n  sse_heartbeat: 50ms\n`, 12, /100 ms/],
    ['an environment variable that is not set', replaced('api_key: key-of-the-provider', 'api_key: ${NO_SUCH_VARIABLE_HERE}'), 4, /NO_SUCH_VARIABLE_HERE/],
  ];
  for (const [name, text, line, says] of rows)
    test(name, () => {
      const output = check(text, 1);
      assert.match(output, line ? new RegExp(`airgate\\.yaml:${line}:\\d+: `) : /airgate\.yaml:\d+:\d+: /);
      assert.match(output, says);
      assert.ok(!output.includes('key-of-the-provider'), 'a secret is not repeated');
    });
});

describe('what is not enforced yet is refused by name', () => {
  const rows = [
    ['fallback', good.replace('price:', 'fallback: [local/other], price:'), /fallback/],
    ['several targets', good.replace('[local/small]', '[local/small, local/other]'), /target/],
    ['weights', good.replace('[local/small]', '[{ to: local/small, weight: 80 }, { to: local/other, weight: 20 }]'), /weight|target/],
    ['limits of an account', good.replace('acme: {', 'acme: { limits: [{ usd: 5, per: month }],'), /limits/],
    ['limits of a purpose', good.replace('"answers to customers"', '"answers", limits: [{ usd: 5, per: month }]'), /limits/],
    ['policies', `${good}policies:\n  - { name: x, when: { account: acme/** }, then: { deny: "no" } }\n`, /policies/],
  ];
  for (const [name, text, says] of rows)
    test(name, () => {
      assert.notEqual(text, good);
      assert.match(check(text, 1), says);
    });
});

test('serve refuses the same config and does not start', async () => {
  const gateway = idleGateway({});
  writeFileSync(gateway.configPath, good.replace('providers:', 'provders:'));
  const child = launch(join(build, 'airgate'), ['serve', '--config', gateway.configPath], { cwd: gateway.directory });
  assert.equal(await child.ended, 1);
  assert.match(child.errors, /airgate\.yaml:3:\d+/);
});

test('a file that is not there', () => {
  const gateway = idleGateway({});
  gateway.configPath += '.missing';
  assert.match(gateway.cli(['check'], { status: 1 }), /missing/);
});

test('wrong usage exits with 2', () => {
  const gateway = idleGateway({});
  gateway.cli(['chekc'], { status: 2 });
  gateway.cli(['check', '--no-such-option'], { status: 2 });
});
