// TLS towards the client and towards the provider, with a certificate made here and trusted only where the test says so.
import { before, after, describe, test } from 'node:test';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { assert, modelsFor, startGateway, startSimulator, temporaryDirectory } from './lib/harness.mjs';

function makeCertificate() {
  const directory = temporaryDirectory();
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  return { cert, key };
}

describe('TLS on both sides', () => {
  const models = ['gpt-test', 'sim-answer-bytes-300000'];
  let files, simulator, gateway, secret;
  before(async () => {
    files = makeCertificate();
    simulator = await startSimulator({ args: ['--tls-cert', files.cert, '--tls-key', files.key] });
    const provider = { type: 'openai', base_url: `https://127.0.0.1:${simulator.port}/v1`, api_key: simulator.key, allow_private: true };
    gateway = await startGateway(simulator, {
      models: { ...modelsFor(models, 'trusted'), distrusted: { targets: ['distrusted/gpt-test'] } },
      more: {
        listen: { address: '127.0.0.1:0', tls: files },
        providers: { trusted: { ...provider, ca_file: files.cert }, distrusted: provider },
      },
    });
    ({ secret } = gateway.makeKey());
  });
  after(async () => {
    await gateway?.stop();
    await simulator?.stop();
  });

  function chat(body) {
    return new Promise((done, fail) => {
      const options = { host: '127.0.0.1', port: gateway.port, path: '/v1/chat/completions', method: 'POST', ca: readFileSync(files.cert),
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' } };
      request(options, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('error', fail);
        answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, text }));
      }).on('error', fail).end(JSON.stringify({ messages: [{ role: 'user', content: 'hello' }], ...body }));
    });
  }

  test('a plain answer', async () => {
    const { status, text } = await chat({ model: 'gpt-test' });
    assert.equal(status, 200, text);
    assert.equal(JSON.parse(text).object, 'chat.completion');
  });

  test('an answer of many TLS records arrives whole', async () => {
    const { status, text } = await chat({ model: 'sim-answer-bytes-300000', max_tokens: 100000 });
    assert.equal(status, 200, text.slice(0, 1000));
    assert.equal(JSON.parse(text).choices[0].message.content.length, 300000);
  });

  test('a request of many TLS records arrives whole', async () => {
    const content = 'x'.repeat(300000);
    const { status, text } = await chat({ model: 'gpt-test', messages: [{ role: 'user', content }] });
    assert.equal(status, 200, text);
    assert.ok(JSON.parse(text).usage.prompt_tokens >= 75000);
  });

  test('a stream, to its end', async () => {
    const { status, text } = await chat({ model: 'gpt-test', stream: true });
    assert.equal(status, 200, text);
    assert.match(text, /data: \[DONE\]\n\n$/);
  });

  test('a provider whose certificate is not trusted is not talked to', async () => {
    const { status, headers } = await chat({ model: 'distrusted' });
    assert.equal(status, 502);
    assert.equal(headers['x-airgate-class'], 'tls_failed');
  });
});
