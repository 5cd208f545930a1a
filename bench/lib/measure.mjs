// One measurement: load on one contestant, CPU clocks read at the window's beginning and end.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, clientKey, directory, gatewayCore, rigCore } from './contestants.mjs';
import { busyOf, cpuByThread, cpuOf, lines, memoryOf, sleep, start } from './processes.mjs';
import { disturbedShare } from './statistics.mjs';

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
  const args = ['--url', `${contestant.tls ? 'https' : 'http'}://127.0.0.1:${port}/v1/chat/completions`,
    '--header', `Authorization: Bearer ${clientKey.value}`, '--body', options.body, '--connections', String(options.connections)];
  for (const name of ['rate', 'warmup', 'duration']) if (options[name]) args.push(`--${name}`, String(options[name]));
  if (contestant.tls) args.push('--ca', contestant.tls.cert);
  if (options.stream) args.push('--sse');
  if (options.hold) args.push('--hold');
  return args;
}

function startLoad(contestant, options) {
  return start(rigCore, join(build, 'bench_load'), loadArguments(contestant, options), { stdin: 'pipe', log: join(directory, 'load.log') });
}

const readClocks = (contestant, simulator) => ({ contestant: cpuOf(contestant.pid), simulator: cpuOf(simulator.pid),
  threads: cpuByThread(contestant.pid), gatewayCore: busyOf(gatewayCore), rigCore: busyOf(rigCore) });

/** What the load found out, and CPU time per request of the contestant and of the simulator within the window. */
function figuresOf(contestant, event, before, after) {
  const cpu = after.contestant - before.contestant, simulator = after.simulator - before.simulator;
  const windowNs = event.seconds * 1e9, requests = Math.max(event.completed, 1);
  const threads = Object.fromEntries(Object.entries(after.threads).map(([name, used]) =>
    [name, (used - (before.threads[name] ?? 0)) / 1000 / requests]));
  const rigCpu = event.cpu_share * windowNs + simulator;
  const others = [after.gatewayCore - before.gatewayCore - (contestant.name === 'direct' ? 0 : cpu), after.rigCore - before.rigCore - rigCpu];
  return { ...event, errors: event.errors + (event.completed === 0 ? 1 : 0), // a window without an answer is none
    cpu_us_per_request: cpu / 1000 / requests, cpu_us_per_frame: cpu / 1000 / Math.max(event.frames, 1), threads_us_per_request: threads,
    worker_us_per_request: Object.entries(threads).reduce((sum, [name, used]) => sum + (name.startsWith('worker-') ? used : 0), 0),
    simulator_us_per_request: simulator / 1000 / requests, core_share: cpu / windowNs, rig_share: rigCpu / windowNs,
    disturbed: Math.max(...others, 0) / windowNs };
}

/** How many windows of a run may be measured again because others disturbed them. Whether to is decided by the disturbance alone. */
const repeats = { left: 8 };

export async function measure(contestant, simulator, options) {
  const result = await measureOnce(contestant, simulator, options);
  if (result.disturbed <= disturbedShare || result.errors > 0 || options.quick || repeats.left-- <= 0) return result;
  const again = await measureOnce(contestant, simulator, options);
  const chosen = again.disturbed < result.disturbed || again.errors > 0 ? again : result;
  return { ...chosen, answered: result.answered + again.answered };
}

async function measureOnce(contestant, simulator, options) {
  const child = startLoad(contestant, options);
  let before = null;
  for await (const line of lines(child)) {
    const event = JSON.parse(line), clocks = readClocks(contestant, simulator);
    if (event.event === 'end') {
      await child.ended;
      return figuresOf(contestant, event, before, clocks);
    }
    before = clocks;
  }
  throw new Error(`the load generator failed on ${contestant.name} (${join(directory, 'load.log')})`);
}

/** Opens streams, all at once, and looks at the contestant's memory while they are open. */
export async function holdStreams(contestant, body, wanted) {
  const before = memoryOf(contestant.pid);
  const child = startLoad(contestant, { body, connections: wanted, stream: true, hold: true });
  let opened = null;
  for await (const line of lines(child)) {
    const event = JSON.parse(line);
    if (event.event !== 'open') break;
    opened = event;
    await sleep(500);
    opened.memory = memoryOf(contestant.pid);
    child.stdin.end('stop\n');
  }
  await child.ended;
  if (!opened) return { streams: 0, errors: wanted, bytes_per_stream: 0, pss: before.pss };
  return { streams: opened.streams, errors: opened.errors + Math.max(wanted - opened.streams, 0),
    bytes_per_stream: (opened.memory.pss - before.pss) / Math.max(opened.streams, 1), pss: opened.memory.pss };
}

/** The lines that a measuring program of one part prints, on the contestants' core. */
export function runSingle(name, ...args) {
  const done = spawnSync('taskset', ['-c', String(gatewayCore), join(build, name), ...args], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${name}: ${done.stderr}`);
  return done.stdout.trimEnd();
}

export function jsonReaderSpeed() {
  const text = runSingle('bench_json', 'read chat, 100 KB');
  const found = /([\d.]+) GB\/s/.exec(text);
  if (!found) throw new Error(`bench_json said: ${text}`);
  return Number(found[1]);
}
