// Every row of the endpoint table, with and without a provider that is dedicated to the account; and everything that is in no row.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assert, errorOf, modelsFor, promptMarker, root, sdk, startGateway, startSimulator } from './lib/harness.mjs';

const used = {};
before(async () => {
  used.simulator = await startSimulator();
  const provider = { type: 'openai', base_url: `${used.simulator.url}/v1`, api_key: used.simulator.key, allow_private: true };
  used.gateway = await startGateway(used.simulator, {
    models: { ...modelsFor(['gpt-test', 'dall-e-2', 'omni-moderation-latest', 'whisper-1', 'tts-1']), ...modelsFor(['own-model'], 'own') },
    more: { providers: { local: provider, own: { ...provider, dedicated_to: 'acme/support' } } },
  });
  used.dedicated = used.gateway.makeKey({ account: 'acme/support' }).secret;
  used.shared = used.gateway.makeKey({ account: 'acme/research' }).secret;
});
after(async () => {
  await used.gateway?.stop();
  await used.simulator?.stop();
});

/** The rows as the source lists them: stateful resources, and what never passes. */
const source = readFileSync(join(root, 'src/wire/endpoint.c'), 'utf8');
const methods = { GET_: 'GET', POST_: 'POST', BOTH: 'GET POST' };
const resources = [...source.matchAll(/RESOURCE\("([^"]+)",\s*(\w+|"[^"]+"),\s*"([^"]+)",\s*"([^"]*)",\s*(\w+),\s*(\w+),\s*(\w+)\)/g)]
  .map(([, path, how, name, capability, cost, state, body]) =>
    ({ path: path.replaceAll('{}', 'sim_1'), methods: (methods[how] ?? how.slice(1, -1)).split(' '), name, capability, cost, state, body }));
const never = [...source.matchAll(/NEVER\("([^"]+)"/g)].map(([, path]) => path.replace('**', 'anything'));

function request(path, method, key, body) {
  const options = { key, method };
  if (method === 'POST' && body === 'ENDPOINT_MULTIPART') {
    const form = new FormData();
    form.append('purpose', 'assistants');
    form.append('file', new Blob(['{}']), 'a.jsonl');
    options.body = form;
  } else if (method === 'POST') {
    options.body = {};
  }
  return used.gateway.request(path, options);
}

describe('stateful endpoints', () => {
  test('the table is there', () => assert.ok(resources.length > 60 && never.length > 5, `${resources.length}, ${never.length}`));

  test('without a dedicated provider: 403 endpoint_not_dedicated, whatever the row', async () => {
    for (const row of resources)
      for (const method of row.methods)
        await errorOf(await request(row.path, method, used.shared, row.body), 403, 'endpoint_not_dedicated');
    assert.deepEqual((await used.simulator.seen()).requests, [], 'nothing reached the provider');
  });

  test('with one: each passes, with method and path unchanged', async () => {
    for (const row of resources)
      for (const method of row.methods) {
        const answer = await request(row.path, method, used.dedicated, row.body);
        const text = await answer.text();
        const seen = await used.simulator.last();
        assert.equal(seen.method, method, `${method} ${row.path}: ${answer.status} ${text}`);
        assert.equal(seen.target, row.path);
        assert.equal(seen.header.authorization, `Bearer ${used.simulator.key}`);
        if (!row.path.startsWith('/v1/files')) assert.equal(answer.status, 200, `${method} ${row.path}: ${text}`);
      }
  });

  test('another method: 405 with Allow', async () => {
    for (const row of resources) {
      const answer = await used.gateway.request(row.path, { key: used.dedicated, method: 'PUT', body: {} });
      await errorOf(answer, 405, 'method_not_allowed');
      for (const method of row.methods) assert.ok(answer.headers.get('allow').includes(method), row.path);
    }
  });
});

describe('what never passes', () => {
  test('the provider\'s administration and whatever mints tokens: 403, any method, any key', async () => {
    for (const path of never)
      for (const method of ['GET', 'POST', 'DELETE'])
        await errorOf(await request(path, method, used.dedicated), 403, 'endpoint_forbidden');
  });

  test('what is in no row: 404', async () => {
    for (const path of ['/', '/v1', '/v1/', '/v1/nothing', '/v1/chat', '/v1/chat/completions/', '/v2/chat/completions', '/sim/requests', '/metrics',
      '/v1/files/x/y/z', '/livez', '/admin', '/openai/v1/models'])
      await errorOf(await request(path, 'GET', used.dedicated), 404, 'not_found');
  });
});

describe('stateless endpoints beside chat', () => {
  test('speech: binary, streamed through', async () => {
    const speech = await sdk(used.gateway, used.shared).audio.speech.create({ model: 'tts-1', input: promptMarker, voice: 'alloy' });
    assert.equal(speech.headers.get('content-type'), 'audio/mpeg');
    assert.ok((await speech.arrayBuffer()).byteLength > 100);
  });

  test('transcription: the form\'s model counts, wherever it stands', async () => {
    for (const order of [['model', 'file'], ['file', 'model']]) {
      const form = new FormData();
      for (const name of order) form.append(name, name === 'model' ? 'whisper-1' : new Blob([Buffer.alloc(300000, 1)]), ...(name === 'file' ? ['a.wav'] : []));
      const answer = await used.gateway.request('/v1/audio/transcriptions', { key: used.shared, body: form });
      assert.equal(answer.status, 200, await answer.clone().text());
      assert.match((await answer.json()).text, /simulated transcript/);
    }
    const form = new FormData();
    form.append('file', new Blob(['x']), 'a.wav');
    form.append('model', 'no-such-model');
    await errorOf(await used.gateway.request('/v1/audio/transcriptions', { key: used.shared, body: form }), 404, 'model_unknown');
  });

  test('images and moderations have default models', async () => {
    const images = await sdk(used.gateway, used.shared).images.generate({ prompt: promptMarker });
    assert.equal(images.data.length, 1);
    const moderations = await sdk(used.gateway, used.shared).moderations.create({ input: promptMarker });
    assert.equal(moderations.results[0].flagged, false);
  });

  test('state that hides in a body needs a dedicated provider too', async () => {
    const bodies = [
      ['/v1/responses', { model: 'gpt-test', input: 'x', store: true }],
      ['/v1/responses', { model: 'gpt-test', input: 'x', previous_response_id: 'resp_1', store: false }],
      ['/v1/responses', { model: 'gpt-test', input: 'x', conversation: 'conv_1', store: false }],
      ['/v1/responses', { model: 'gpt-test', input: 'x', background: true, store: false }],
      ['/v1/chat/completions', { model: 'gpt-test', messages: [], store: true }],
      ['/v1/responses', { model: 'gpt-test', store: false, input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'file-1' }] }] }],
    ];
    for (const [path, body] of bodies)
      await errorOf(await used.gateway.request(path, { key: used.shared, body }), 403, 'endpoint_not_dedicated');
    const own = await used.gateway.request('/v1/responses', { key: used.dedicated, body: { model: 'own-model', input: 'x', store: true } });
    assert.equal(own.status, 200);
  });
});

describe('files through the SDK', () => {
  test('upload, get, content, list, delete', async () => {
    const client = sdk(used.gateway, used.dedicated);
    const content = Buffer.alloc(3_000_000, 'line of a batch\n');
    const file = await client.files.create({ purpose: 'batch', file: new File([content], 'batch.jsonl') });
    assert.equal(file.bytes, content.length);
    assert.equal((await client.files.retrieve(file.id)).filename, 'batch.jsonl');
    const back = Buffer.from(await (await client.files.content(file.id)).arrayBuffer());
    assert.ok(back.equals(content), 'every byte came back');
    assert.ok((await client.files.list()).data.some((entry) => entry.id === file.id));
    assert.equal((await client.files.delete(file.id)).deleted, true);
    await assert.rejects(client.files.retrieve(file.id), { status: 404 });
  });

  test('another account cannot read them', async () => {
    const file = await sdk(used.gateway, used.dedicated).files.create({ purpose: 'batch', file: new File(['{}'], 'a.jsonl') });
    await assert.rejects(sdk(used.gateway, used.shared).files.retrieve(file.id), { status: 403 });
  });

  test('a key without the capability may not use the endpoint', async () => {
    const key = used.gateway.makeKey({ account: 'acme/support', name: 'chat-only', capabilities: ['chat'] });
    await errorOf(await used.gateway.request('/v1/files', { key: key.secret }), 403, 'endpoint_not_allowed');
    assert.equal((await used.gateway.chat(key.secret, 'gpt-test')).status, 200);
  });
});
