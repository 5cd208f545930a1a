// `airgate demo` without a terminal: does the main job, shows it, leaves nothing behind, exits 0.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

test('the demo shows answers, costs and records, and cleans up', () => {
  const directory = mkdtempSync(join(tmpdir(), 'airgate-e2e-demo-'));
  const program = resolve(process.env.AIRGATE_BUILD ?? 'build', 'airgate');
  const done = spawnSync(program, ['demo'], { encoding: 'utf8', timeout: 60000, env: { ...process.env, TMPDIR: directory, OPENAI_API_KEY: 'x' } });
  assert.equal(done.status, 0, done.stderr + done.stdout);
  assert.match(done.stdout, /x-airgate-cost-usd: 0\.\d+/);
  assert.match(done.stdout, /data: \[DONE\]/);
  assert.match(done.stdout, /acme\/support +support-chat +gpt-4o-mini +2 +0 /);
  assert.match(done.stdout, /curl http:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions/);
  assert.match(done.stdout, /OPENAI_API_KEY is set/);
  assert.ok(!done.stdout.includes('sk-the-applications-never-see-this'));
  assert.deepEqual(readdirSync(directory), []);
  rmdirSync(directory);
});
