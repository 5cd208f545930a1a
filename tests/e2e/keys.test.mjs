// Who may call: keys that are wrong, malformed, foreign, expired, revoked, ambiguous; changes take effect at once and stay.
import { describe, test } from 'node:test';
import { assert, errorOf, sleep, until, useGateway } from './lib/harness.mjs';

const used = useGateway({
  gateway: {
    models: ['gpt-test', 'secret-model'],
    more: { accounts: { acme: { accounts: { support: { models: ['gpt-test'] }, research: {} } }, other: {} } },
  },
});
const ask = (headers) => used.gateway.request('/v1/chat/completions', { body: { model: 'gpt-test', messages: [] }, headers });
const bearer = (secret) => ({ authorization: `Bearer ${secret}` });
const flip = (text, at) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

describe('keys that are refused', () => {
  test('none', async () => {
    await errorOf(await ask({}), 401, 'auth_missing');
  });

  test('malformed, foreign, mistyped', async () => {
    const good = used.key.secret;
    const bad = ['x', 'sk-proj-abcdefghijklmnopqrstuvwxyz0123456789', 'ag_live_', good.slice(0, -1), `${good}A`, flip(good, 12), flip(good, good.length - 1),
      good.toUpperCase(), good.replace('ag_live_', 'ag_test_'), 'ag_live_' + 'A'.repeat(good.length - 8), 'ag_live_' + 'é'.repeat(10)];
    for (const secret of bad) {
      const answer = await ask(secret.includes('é') ? bearer(encodeURI(secret)) : bearer(secret));
      const error = await errorOf(answer, 401, 'auth_invalid');
      assert.ok(!error.message.includes(secret), 'a refused key is not repeated');
    }
  });

  test('other schemes and empty credentials', async () => {
    for (const value of [`Basic ${Buffer.from(`x:${used.key.secret}`).toString('base64')}`, 'Bearer', 'Bearer ', used.key.secret])
      assert.equal((await ask({ authorization: value })).status, 401, value.split(' ')[0]);
  });

  test('two different keys are a 400, the same one twice is not', async () => {
    const second = used.gateway.makeKey({ name: 'second' }).secret;
    await errorOf(await ask({ ...bearer(used.key.secret), 'x-api-key': second }), 400, 'auth_ambiguous');
    assert.equal((await ask({ ...bearer(used.key.secret), 'x-api-key': used.key.secret })).status, 200);
  });

  test('an expired key', async () => {
    const key = used.gateway.makeKey({ name: 'short', expires: '1s' });
    assert.equal((await ask(bearer(key.secret))).status, 200);
    await sleep(1200);
    await errorOf(await ask(bearer(key.secret)), 401, 'key_expired');
  });
});

describe('keys that pass', () => {
  test('every header that carries a key', async () => {
    for (const headers of [bearer(used.key.secret), { authorization: `bearer ${used.key.secret}` }, { 'x-api-key': used.key.secret },
      { 'api-key': used.key.secret }, { 'x-goog-api-key': used.key.secret }])
      assert.equal((await ask(headers)).status, 200, Object.keys(headers)[0]);
  });

  test('none of them arrives at the provider', async () => {
    const { credentials, header_names: names } = await used.simulator.seen();
    assert.deepEqual(credentials, [`Bearer ${used.simulator.key}`]);
    for (const name of names) assert.doesNotMatch(name, /^(x-airgate-|x-api-key|api-key|x-goog-api-key|cookie)/i);
  });
});

describe('rights', () => {
  test('the account\'s models bind its keys', async () => {
    await errorOf(await used.gateway.chat(used.key.secret, 'secret-model'), 403, 'model_not_allowed');
    const research = used.gateway.makeKey({ account: 'acme/research', name: 'research' });
    assert.equal((await used.gateway.chat(research.secret, 'secret-model')).status, 200);
  });

  test('the key\'s own models bind too', async () => {
    const narrow = used.gateway.makeKey({ account: 'acme/research', name: 'narrow', models: ['gpt-test'] });
    await errorOf(await used.gateway.chat(narrow.secret, 'secret-model'), 403, 'model_not_allowed');
  });

  test('a model that exists nowhere is a 404 for everybody', async () => {
    await errorOf(await used.gateway.chat(used.key.secret, 'no-such-model'), 404, 'model_unknown');
  });

  test('no key for an account that is not in the config', () => {
    const text = used.gateway.cli(['key', 'create', '--account', 'acme/supprot', '--name', 'x', '--json'], { status: 1 });
    assert.match(text, /supprot/);
  });
});

describe('the life of a key', () => {
  test('revoked: refused at once, on open connections too', async () => {
    const key = used.gateway.makeKey({ name: 'doomed' });
    assert.equal((await ask(bearer(key.secret))).status, 200);
    used.gateway.cli(['key', 'revoke', key.id]);
    await errorOf(await ask(bearer(key.secret)), 401, 'key_revoked');
  });

  test('rotated: the new secret works', async () => {
    const key = used.gateway.makeKey({ name: 'turning' });
    const rotated = used.gateway.cli(['key', 'rotate', key.id, '--json']);
    used.gateway.secrets.add(rotated.secret);
    assert.notEqual(rotated.secret, key.secret);
    assert.equal((await ask(bearer(rotated.secret))).status, 200);
  });

  test('listed and shown without the secret', () => {
    const listed = JSON.stringify(used.gateway.cli(['key', 'list', '--json']));
    const shown = JSON.stringify(used.gateway.cli(['key', 'show', used.key.id, '--json']));
    for (const text of [listed, shown]) {
      assert.ok(text.includes(used.key.id));
      for (const secret of used.gateway.secrets) assert.ok(!text.includes(secret));
      assert.ok(!text.includes(used.key.secret.slice(8, 40)));
    }
  });

  test('all of it outlives a restart', async () => {
    const kept = used.gateway.makeKey({ name: 'kept' });
    const doomed = used.gateway.makeKey({ name: 'doomed-too' });
    used.gateway.cli(['key', 'revoke', doomed.id]);
    await used.gateway.stop();
    const between = used.gateway.makeKey({ name: 'made-while-stopped' });
    await used.gateway.start();
    await until(async () => (await ask(bearer(kept.secret))).status === 200, 'the kept key');
    assert.equal((await ask(bearer(between.secret))).status, 200);
    await errorOf(await ask(bearer(doomed.secret)), 401, 'key_revoked');
  });
});
