// A provider that a test writes by hand, for answers that the simulator does not give: handlers by model, everything that came is kept.
import { createServer } from 'node:http';

class Provider {
  constructor(server, handlers) {
    Object.assign(this, { server, handlers, requests: [], key: 'upstream-key-that-nobody-may-see' });
    this.url = `http://127.0.0.1:${server.address().port}`;
  }

  last() {
    return this.requests.at(-1);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

function modelOf(body) {
  try {
    return JSON.parse(body).model;
  } catch {
    return undefined;
  }
}

/** handlers: { MODEL or "*": (response, request) => … }; request: { method, url, headers, body }. */
export async function startProvider(handlers) {
  const server = createServer(async (incoming, response) => {
    const pieces = [];
    for await (const piece of incoming) pieces.push(piece);
    const body = Buffer.concat(pieces).toString('latin1');
    const request = { method: incoming.method, url: incoming.url, headers: incoming.headers, body };
    provider.requests.push(request);
    (handlers[modelOf(body)] ?? handlers['*'])(response, request);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const provider = new Provider(server, handlers);
  return provider;
}

/** A handler that answers with a JSON value. */
export const json = (value, status = 200, headers = {}) => (response) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
};

/** A handler that answers with these bytes as an event stream. */
export const events = (...pieces) => (response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const piece of pieces) response.write(piece);
  response.end();
};
