// The benchmark run: rounds over all contestants in changing order, medians, ratios, verdicts.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import * as contestantsOf from './contestants.mjs';
import { measure, startLoad, writeBodies } from './measure.mjs';
import { lines, memoryOf, openFilesLimit, sleep, stop } from './processes.mjs';
import { render } from './report.mjs';

const { directory, gatewayCore, startAll, startSimulator, stopAll } = contestantsOf;

function parseOptions(args) {
  const options = { quick: false, only: null };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--quick') options.quick = true;
    else if (args[i] === '--only') options.only = args[++i].split(',');
    else throw new Error(`not understood: ${args[i]} (see the head of bench/run)`);
  }
  return options;
}

/** Two runs at once would measure each other, and they share their files. */
function takeLock() {
  const path = join(directory, 'running');
  mkdirSync(directory, { recursive: true });
  try {
    process.kill(Number(readFileSync(path, 'utf8')), 0);
    process.stderr.write(`bench: another run is going on here (process ${readFileSync(path, 'utf8')})\n`);
    process.exit(2);
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error;
  }
  writeFileSync(path, String(process.pid));
  process.on('exit', () => rmSync(path, { force: true }));
}

const say = (text) => process.stderr.write(`bench: ${text}\n`);
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Rounds over the contestants, each round in another order; per contestant the list of its measurements. */
async function rounds(count, contestants, simulator, label, options) {
  const results = Object.fromEntries(contestants.map((contestant) => [contestant.name, []]));
  for (let round = 0; round < count; round++) {
    const order = contestants.map((_, index) => contestants[(index + round) % contestants.length]);
    for (const contestant of order) {
      const result = await measure(contestant, simulator, options);
      results[contestant.name].push(result);
      say(`${label} ${contestant.name}: ${Math.round(result.rate)}/s, ${result.cpu_us_per_request.toFixed(2)} µs CPU/request, ` +
        `p50 ${result.latency_us.p50} µs, core ${(result.core_share * 100).toFixed(0)} %, rig ${(result.rig_share * 100).toFixed(0)} %, others ${(result.disturbed * 100).toFixed(0)} %` +
        (result.errors ? `, ${result.errors} ERRORS` : ''));
      await sleep(200);
    }
  }
  return results;
}

/** Medians of what the report shows, over the rounds; errors are summed. */
function condense(results) {
  const pick = (list, read) => median(list.map(read));
  return Object.fromEntries(Object.entries(results).filter(([, list]) => list.length > 0).map(([name, list]) => [name, {
    rounds: list.length,
    errors: list.reduce((sum, item) => sum + item.errors, 0),
    rate: pick(list, (item) => item.rate),
    frames_per_second: pick(list, (item) => item.frames / item.seconds),
    cpu_us_per_request: pick(list, (item) => item.cpu_us_per_request),
    cpu_us_per_frame: pick(list, (item) => item.cpu_us_per_frame),
    core_share: pick(list, (item) => item.core_share),
    rig_share: pick(list, (item) => item.rig_share),
    disturbed: pick(list, (item) => item.disturbed),
    p50: pick(list, (item) => item.latency_us.p50),
    p99: pick(list, (item) => item.latency_us.p99),
    p999: pick(list, (item) => item.latency_us.p999),
    transit_p50: pick(list, (item) => item.transit_us.p50),
    transit_p99: pick(list, (item) => item.transit_us.p99),
    threads_us_per_request: list[Math.floor(list.length / 2)].threads_us_per_request,
  }]));
}

async function holdStreams(contestant, body, count) {
  const before = memoryOf(contestant.pid);
  const child = startLoad(contestant, { body, connections: count, stream: true, hold: true });
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
  if (!opened) throw new Error(`streams did not open on ${contestant.name}`);
  return { streams: opened.streams, errors: opened.errors + (opened.streams < count ? count - opened.streams : 0),
    bytes_per_stream: (opened.memory.pss - before.pss) / Math.max(opened.streams, 1), pss: opened.memory.pss };
}

async function run(options) {
  const wants = (part) => !options.only || options.only.includes(part);
  const [roundCount, duration, warmup] = options.quick ? [1, 2, 0.5] : [5, 5, 1];
  mkdirSync(directory, { recursive: true });
  if (cpus().length < 2) say('only one core: the load shares it with the gateway, ratios are less sure');
  const bodies = writeBodies();
  const simulator = await startSimulator();
  let proxies = await startAll(simulator.port, say);
  const airgate = proxies.find((contestant) => contestant.name === 'airgate');
  const all = [simulator, ...proxies];
  const results = {
    date: new Date().toISOString(), quick: options.quick, cpu: cpus()[0].model, cores: cpus().length, kernel: release(),
    rounds: roundCount, window_seconds: duration, versions: Object.fromEntries(proxies.map((proxy) => [proxy.name, proxy.version])),
    descriptors: openFilesLimit(), binary_bytes: contestantsOf.binarySize(), start_ms: airgate.startMs, parts: {},
  };
  const part = async (name, label, contestants, settings, count = roundCount) => {
    const measured = await rounds(count, contestants, simulator, label, { duration, warmup, ...settings });
    results.parts[name] = condense(measured);
  };

  if (wants('idle')) {
    await sleep(1000);
    results.parts.idle = Object.fromEntries(proxies.map((proxy) => [proxy.name, { ...memoryOf(proxy.pid), errors: 0 }]));
  }
  if (wants('cpu')) {
    await part('fixed', '10,000/s', proxies, { body: bodies.small, connections: 64, rate: 10000 });
    await part('saturated', 'saturated', all, { body: bodies.small, connections: 64 });
  }
  if (wants('latency')) await part('latency', 'one connection', all, { body: bodies.small, connections: 1 });
  if (wants('prompt')) await part('prompt', '100 KB prompts', proxies, { body: bodies.large, connections: 16, rate: 1500 });
  if (wants('sse'))
    await part('sse', '100 streams', all, { body: bodies.stream, connections: 100, stream: true, duration: Math.max(duration, 4) });
  if (wants('connections')) {
    await part('connections', '8,000 connections', proxies, { body: bodies.small, connections: 8000, warmup: 2 },
      options.quick ? 1 : 3);
    await part('connections_64', '64 connections', proxies, { body: bodies.small, connections: 64 }, options.quick ? 1 : 3);
  }
  if (wants('idle')) results.after_load = Object.fromEntries(proxies.map((proxy) => [proxy.name, memoryOf(proxy.pid)]));
  if (wants('streams')) {
    // Fresh processes: memory that earlier parts left in a free list would hide what a stream takes.
    await stopAll(proxies);
    proxies = await startAll(simulator.port, say);
    await sleep(500);
    const most = Math.floor((openFilesLimit() - 200) / 2);
    const count = Math.min(options.quick ? 2000 : 10000, most);
    results.parts.streams = {};
    for (const proxy of proxies) {
      results.parts.streams[proxy.name] = await holdStreams(proxy, bodies.held, count);
      const { streams, bytes_per_stream: bytes } = results.parts.streams[proxy.name];
      say(`${streams} open streams on ${proxy.name}: ${Math.round(bytes)} bytes each`);
    }
  }
  await stopAll(proxies);
  await stop(simulator.child);
  return results;
}

const options = parseOptions(process.argv.slice(2));
takeLock();
const results = await run(options);
const { text, good } = render(results);
writeFileSync(join(directory, 'results.json'), JSON.stringify(results, null, 2) + '\n');
writeFileSync(join(directory, 'results.md'), text);
process.stdout.write(text);
say(`gateway core ${gatewayCore}; written: build/bench/results.json, build/bench/results.md`);
const warnings = readFileSync(join(directory, 'airgate.log'), 'utf8').split('\n').filter((line) => /"(error|warn)"/.test(line));
if (warnings.length > 0) say(`the gateway logged ${warnings.length} warnings, the first: ${warnings[0]}`);
process.exit(good ? 0 : 1);
