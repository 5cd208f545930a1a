// The official SDK drives the OpenAI dialect through the gateway, and the bytes on both sides are what they must be.
import { describe, test } from 'node:test';
import { assert, eventsOf, promptMarker, useGateway } from './lib/harness.mjs';

const models = ['gpt-test', 'sim-tools', 'sim-unicode', 'sim-crlf-comments-bom', 'sim-chunks-200-interval-us-100', 'sim-unasked-usage',
  'sim-cached-tokens-3', 'text-embedding-test', 'sim-chunks-4-interval-150'];
const used = useGateway({ gateway: { models } });
const messages = [{ role: 'user', content: `${promptMarker} say something` }];
const tools = [{ type: 'function', function: { name: 'get_weather', description: 'weather', parameters: { type: 'object', properties: {} } } }];

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? chunk.choices[0]?.text ?? '').join('');

describe('chat completions', () => {
  test('a plain answer with usage, request id and the gateway\'s headers', async () => {
    const { data, response } = await used.client.chat.completions.create({ model: 'gpt-test', messages }).withResponse();
    assert.equal(data.object, 'chat.completion');
    assert.ok(data.choices[0].message.content.length > 0);
    assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
    assert.match(response.headers.get('x-request-id'), /^req_/);
    assert.equal(response.headers.get('x-airgate-provider'), 'local');
    assert.equal(response.headers.get('x-airgate-model'), 'gpt-test');
    assert.equal(response.headers.get('x-airgate-attempts'), '1');
    const nano = data.usage.prompt_tokens * 150 + data.usage.completion_tokens * 600;
    assert.equal(BigInt(Math.round(Number(response.headers.get('x-airgate-cost-usd')) * 1e9)), BigInt(nano));
  });

  test('a stream has the same text as the plain answer, and no usage unless asked', async () => {
    const plain = await used.client.chat.completions.create({ model: 'gpt-test', messages });
    const chunks = await collect(await used.client.chat.completions.create({ model: 'gpt-test', messages, stream: true }));
    assert.equal(textOf(chunks), plain.choices[0].message.content);
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
    assert.ok(chunks.every((chunk) => chunk.choices.length > 0 && !chunk.usage), 'no usage chunk reaches a client that did not ask');
    const upstream = JSON.parse((await used.simulator.last()).body);
    assert.equal(upstream.stream_options.include_usage, true, 'the gateway asks for itself');
  });

  test('a stream with include_usage ends with the usage chunk', async () => {
    const options = { model: 'gpt-test', messages, stream: true, stream_options: { include_usage: true } };
    const chunks = await collect(await used.client.chat.completions.create(options));
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.ok(chunks.at(-1).usage.total_tokens > 0);
  });

  test('include_usage: false is asked upstream all the same and hidden from the client', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'gpt-test', { stream: true, stream_options: { include_usage: false } });
    const events = eventsOf(await answer.text());
    assert.equal(events.at(-1).data, '[DONE]');
    assert.ok(events.every(({ data }) => data === '[DONE]' || data.choices.length > 0));
    const record = await used.gateway.recordOf(answer.headers.get('x-request-id'));
    assert.equal(record.usage_source, 'reported');
  });

  test('frames arrive one by one, in order, none missing, none late', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'sim-chunks-4-interval-150', { stream: true, stream_options: { include_usage: true } });
    const arrivals = [];
    let text = '';
    const decoder = new TextDecoder();
    for await (const piece of answer.body) {
      arrivals.push(performance.now());
      text += decoder.decode(piece, { stream: true });
    }
    const sequence = eventsOf(text).filter(({ data }) => data !== '[DONE]').map(({ data }) => data.sim.seq);
    assert.deepEqual(sequence, sequence.map((_, index) => index));
    assert.ok(arrivals.length >= 4 && arrivals.at(-1) - arrivals[0] > 300, 'the pieces were not gathered');
  });

  test('many frames in a burst stay whole', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'sim-chunks-200-interval-us-100', { stream: true, stream_options: { include_usage: true } });
    const events = eventsOf(await answer.text());
    assert.equal(events.length, 1 + 200 + 1 + 1 + 1);
    assert.equal(events.at(-1).data, '[DONE]');
  });

  test('comments, CR LF and a byte order mark pass', async () => {
    const answer = await used.gateway.chat(used.key.secret, 'sim-crlf-comments-bom', { stream: true });
    const text = await answer.text();
    assert.match(text, /: keep-alive\r\n/);
    assert.equal(eventsOf(text).at(-1).data, '[DONE]');
    assert.equal((await used.gateway.recordOf(answer.headers.get('x-request-id'))).usage_source, 'reported');
  });

  test('a usage chunk that the provider sends unasked is not hidden from a client that asked', async () => {
    const chunks = await collect(await used.client.chat.completions.create(
      { model: 'sim-unasked-usage', messages, stream: true, stream_options: { include_usage: true } }));
    assert.ok(chunks.at(-1).usage);
  });

  test('tool calls, plain and streamed', async () => {
    const plain = await used.client.chat.completions.create({ model: 'sim-tools', messages, tools });
    const call = plain.choices[0].message.tool_calls[0];
    assert.equal(plain.choices[0].finish_reason, 'tool_calls');
    assert.equal(call.function.name, 'get_weather');
    const chunks = await collect(await used.client.chat.completions.create({ model: 'sim-tools', messages, tools, stream: true }));
    const joined = chunks.map((chunk) => chunk.choices[0]?.delta?.tool_calls?.[0]?.function?.arguments ?? '').join('');
    assert.deepEqual(JSON.parse(joined), JSON.parse(call.function.arguments));
  });

  test('several choices', async () => {
    const plain = await used.client.chat.completions.create({ model: 'gpt-test', messages, n: 3 });
    assert.deepEqual(plain.choices.map((choice) => choice.index), [0, 1, 2]);
    const chunks = await collect(await used.client.chat.completions.create({ model: 'gpt-test', messages, n: 3, stream: true }));
    assert.deepEqual([...new Set(chunks.map((chunk) => chunk.choices[0].index))].sort(), [0, 1, 2]);
  });

  test('text outside ASCII survives both ways', async () => {
    const content = `${promptMarker} é漢😀 "quoted"\n`;
    const answer = await used.client.chat.completions.create({ model: 'sim-unicode', messages: [{ role: 'user', content }] });
    assert.ok(answer.choices[0].message.content.startsWith('é漢😀 "quoted"\né '));
    assert.equal(JSON.parse((await used.simulator.last()).body).messages[0].content, content);
  });

  test('max_tokens passes and cuts', async () => {
    const answer = await used.client.chat.completions.create({ model: 'gpt-test', messages, max_tokens: 5 });
    assert.equal(answer.choices[0].finish_reason, 'length');
    assert.equal(answer.usage.completion_tokens, 5);
  });

  test('the body leaves unchanged: order, spelling of numbers, unknown members, blanks', async () => {
    const body = `{ "zeta" : 1.0e+0,"messages":[{"role":"user","content":"${promptMarker} \\u00e9"}],\n"model":"gpt-test", "x_unknown":{"a":[1 ,2]},"temperature":0.70 }`;
    const answer = await used.gateway.request('/v1/chat/completions',
      { key: used.key.secret, body, headers: { 'content-type': 'application/json' } });
    assert.equal(answer.status, 200);
    await answer.text();
    assert.equal((await used.simulator.last()).body, body);
  });
});

describe('other generating endpoints', () => {
  test('legacy completions, plain and streamed', async () => {
    const prompt = `${promptMarker} once`;
    const plain = await used.client.completions.create({ model: 'gpt-test', prompt });
    const chunks = await collect(await used.client.completions.create({ model: 'gpt-test', prompt, stream: true }));
    assert.equal(textOf(chunks), plain.choices[0].text);
    assert.ok(chunks.every((chunk) => chunk.choices.length > 0));
  });

  test('embeddings: the SDK\'s base64 equals floats', async () => {
    const request = { model: 'text-embedding-test', input: [`${promptMarker} a`, 'b'], dimensions: 32 };
    const decoded = await used.client.embeddings.create(request);
    const floats = await used.client.embeddings.create({ ...request, encoding_format: 'float' });
    assert.equal(decoded.data.length, 2);
    assert.deepEqual(Array.from(decoded.data[1].embedding), floats.data[1].embedding);
    assert.ok(decoded.usage.prompt_tokens > 0);
  });

  test('responses, plain and streamed', async () => {
    const request = { model: 'gpt-test', input: `${promptMarker} hello`, store: false };
    const plain = await used.client.responses.create(request);
    assert.ok(plain.output_text.length > 0);
    let text = '';
    let completed = null;
    for await (const event of await used.client.responses.create({ ...request, stream: true })) {
      if (event.type === 'response.output_text.delta') text += event.delta;
      if (event.type === 'response.completed') completed = event.response;
    }
    assert.equal(text, plain.output_text);
    assert.equal(completed.status, 'completed');
  });

  test('responses that say nothing about storing are not stored at the provider', async () => {
    await used.client.responses.create({ model: 'gpt-test', input: `${promptMarker} hello` });
    assert.equal(JSON.parse((await used.simulator.last()).body).store, false);
  });
});

describe('models', () => {
  test('the list is the gateway\'s own: what this key may use', async () => {
    const listed = [];
    for await (const model of used.client.models.list()) listed.push(model.id);
    assert.deepEqual(listed.toSorted(), models.toSorted());
    assert.equal((await used.client.models.retrieve('gpt-test')).id, 'gpt-test');
  });

  test('a key with a list of models sees only those', async () => {
    const key = used.gateway.makeKey({ name: 'narrow', models: ['gpt-test'] });
    const answer = await used.gateway.request('/v1/models', { key: key.secret });
    assert.deepEqual((await answer.json()).data.map((model) => model.id), ['gpt-test']);
    assert.equal((await used.gateway.request('/v1/models/sim-tools', { key: key.secret })).status, 404);
  });
});
