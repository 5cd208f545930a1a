// One measurement: load on one contestant, CPU clocks read at the window's beginning and end.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, clientKey, directory, gatewayCore, rigCore } from './contestants.mjs';
import { busyOf, cpuByThread, cpuOf, lines, start } from './processes.mjs';

export function writeBodies() {
  const body = (name, content) => {
    const path = join(directory, name);
    writeFileSync(path, JSON.stringify(content));
    return path;
  };
  const text = 'The quick gateway relays every word that it is given. '.repeat(2000);
  const chat = (model, length, more = {}) => ({ model, messages: [{ role: 'user', content: text.slice(0, length) }], max_tokens: 512, ...more });
  const stream = { stream: true, stream_options: { include_usage: true } };
  return {
    small: body('chat-1k.json', chat('bench', 900)),
    large: body('chat-100k.json', chat('bench', 100000)),
    stream: body('stream.json', chat('sim-chunks-256-interval-10', 900, stream)),
    held: body('held.json', chat('sim-chunks-1000-interval-600000', 900, stream)),
  };
}

function loadArguments(contestant, options) {
  const port = options.stream ? contestant.streamPort : contestant.port;
  const args = ['--url', `http://127.0.0.1:${port}/v1/chat/completions`, '--header', `Authorization: Bearer ${clientKey.value}`,
    '--body', options.body, '--connections', String(options.connections)];
  for (const name of ['rate', 'warmup', 'duration']) if (options[name]) args.push(`--${name}`, String(options[name]));
  if (options.stream) args.push('--sse');
  if (options.hold) args.push('--hold');
  return args;
}

export function startLoad(contestant, options) {
  return start(rigCore, join(build, 'bench_load'), loadArguments(contestant, options), { stdin: 'pipe', log: join(directory, 'load.log') });
}

/** The load's figures plus CPU time of the contestant and of the simulator within the window. */
export async function measure(contestant, simulator, options) {
  const child = startLoad(contestant, options);
  let before = null;
  for await (const line of lines(child)) {
    const event = JSON.parse(line);
    const clocks = { contestant: cpuOf(contestant.pid), simulator: cpuOf(simulator.pid), threads: cpuByThread(contestant.pid),
      busy: busyOf(gatewayCore) };
    if (event.event === 'start') {
      before = clocks;
      continue;
    }
    await child.ended;
    const cpu = clocks.contestant - before.contestant;
    const threads = Object.fromEntries(Object.entries(clocks.threads).map(([name, used]) =>
      [name, (used - (before.threads[name] ?? 0)) / 1000 / Math.max(event.completed, 1)]));
    return { ...event, cpu_us_per_request: cpu / 1000 / Math.max(event.completed, 1), cpu_us_per_frame: cpu / 1000 / Math.max(event.frames, 1),
      core_share: cpu / 1e9 / event.seconds, rig_share: event.cpu_share + (clocks.simulator - before.simulator) / 1e9 / event.seconds,
      // What others did on the contestant's core meanwhile: a disturbed window says little.
      disturbed: Math.max((clocks.busy - before.busy - (contestant.name === 'direct' ? 0 : cpu)) / 1e9 / event.seconds, 0),
      threads_us_per_request: threads };
  }
  throw new Error(`the load generator failed on ${contestant.name} (${join(directory, 'load.log')})`);
}
