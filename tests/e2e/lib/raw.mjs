// HTTP by hand: exact bytes out, everything that comes back.
import { connect } from 'node:net';

/** An open socket that gathers what arrives; length and tail (the last 64 bytes) say how far it is without looking at all of it. */
export class Wire {
  constructor(port) {
    this.pieces = [];
    this.length = 0;
    this.tail = '';
    this.closed = false;
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.ended = new Promise((done) => {
      this.socket.on('error', (error) => { this.error = error; });
      this.socket.on('close', () => { this.closed = true; done(); });
    });
    this.socket.on('data', (bytes) => {
      this.pieces.push(bytes);
      this.length += bytes.length;
      this.tail = (this.tail + bytes.subarray(-64).toString('latin1')).slice(-64);
      this.#wake?.();
    });
    this.opened = new Promise((done) => this.socket.on('connect', done));
    this.ended.then(() => this.#wake?.());
  }

  #wake = null;

  write(bytes) {
    return new Promise((done) => this.socket.write(bytes, 'latin1', done));
  }

  /** All that has arrived, one character per byte. */
  text() {
    if (this.pieces.length > 1) this.pieces = [Buffer.concat(this.pieces)];
    return this.pieces[0]?.toString('latin1') ?? '';
  }

  /** Until test(text) is true, the peer closed, or time is up. */
  async waitFor(test, milliseconds) {
    const deadline = Date.now() + milliseconds;
    while (!test(this.text()) && !this.closed && Date.now() < deadline)
      await new Promise((done) => {
        const timer = setTimeout(done, Math.max(deadline - Date.now(), 0));
        this.#wake = () => { clearTimeout(timer); done(); };
      });
    return test(this.text());
  }

  destroy() {
    this.socket.resetAndDestroy();
  }

  close() {
    this.socket.destroy();
  }
}

/** Sends bytes (one character per byte) and waits for the peer to close or for time to pass: { status, head, body, closed }. */
export async function exchange(port, bytes, { milliseconds = 5000 } = {}) {
  const wire = new Wire(port);
  await Promise.race([wire.opened, wire.ended]);
  await wire.write(bytes);
  const complete = (text) => {
    const end = text.indexOf('\r\n\r\n');
    const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end + 2));
    return end >= 0 && length && text.length >= end + 4 + Number(length[1]);
  };
  await wire.waitFor(complete, milliseconds);
  await Promise.race([wire.ended, new Promise((done) => setTimeout(done, 300))]);
  const answer = parse(wire.text(), wire.closed);
  wire.close();
  return answer;
}

export function parse(text, closed = false) {
  const end = text.indexOf('\r\n\r\n');
  const head = end < 0 ? text : text.slice(0, end);
  const headers = Object.fromEntries(head.split('\r\n').slice(1).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), head, headers, body: end < 0 ? '' : text.slice(end + 4), closed };
}

/** The bytes of a POST with a JSON body. */
export function post(path, key, content, headers = '') {
  const body = typeof content === 'string' ? content : JSON.stringify(content);
  return `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n` +
    `${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** The events of an SSE text: [{ event, data }]; data parsed where it is JSON. */
export function eventsOf(text) {
  return text.split(/\r?\n\r?\n/).filter((block) => /^data:/m.test(block)).map((block) => {
    const data = [...block.matchAll(/^data: ?(.*)$/gm)].map((match) => match[1]).join('\n');
    const event = /^event: ?(.*)$/m.exec(block)?.[1] ?? 'message';
    try {
      return { event, data: JSON.parse(data) };
    } catch {
      return { event, data };
    }
  });
}
