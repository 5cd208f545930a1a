// The benchmark run: rounds over all contestants in changing order. What the figures mean is said in report.mjs.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import * as contestantsOf from './contestants.mjs';
import { writeDocs } from './docs.mjs';
import { holdStreams, jsonReaderSpeed, measure, runSingle, writeBodies } from './measure.mjs';
import { memoryOf, openFilesLimit, sleep, stop } from './processes.mjs';
import { render } from './report.mjs';

const { directory, startAirgate, startAll, startHaproxy, startNginx, startSimulator, startUngoverned, stopAll } = contestantsOf;
const parts = ['cpu', 'latency', 'sse', 'prompt', 'connections', 'streams', 'idle', 'single'];
const say = (text) => process.stderr.write(`bench: ${text}\n`);

function refuse(text) {
  say(`${text} (see the head of bench/run)`);
  process.exit(2);
}

function parseOptions(args) {
  const options = { quick: false, only: null, writeDocs: false };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--quick') options.quick = true;
    else if (args[i] === '--write-docs') options.writeDocs = true;
    else if (args[i] === '--only') options.only = (args[++i] ?? '').split(',');
    else refuse(`not understood: ${args[i]}`);
  }
  const unknown = options.only?.find((part) => !parts.includes(part));
  if (unknown !== undefined) refuse(`there is no part "${unknown}"`);
  if (options.writeDocs && (options.quick || options.only)) refuse('--write-docs goes with the full run only');
  return options;
}

/** Two runs at once would measure each other, and they share their files. */
function takeLock() {
  const path = join(directory, 'running');
  try {
    process.kill(Number(readFileSync(path, 'utf8')), 0);
    refuse(`another run is going on here, process ${readFileSync(path, 'utf8')}`);
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error;
  }
  writeFileSync(path, String(process.pid));
  process.on('exit', () => rmSync(path, { force: true }));
}

function sayResult(label, contestant, result) {
  const percent = (share) => `${(share * 100).toFixed(0)} %`;
  say(`${label} ${contestant.name}: ${Math.round(result.rate)}/s, ${result.cpu_us_per_request.toFixed(2)} µs CPU/request, ` +
    `p50 ${result.latency_us.p50} µs, core ${percent(result.core_share)}, rig ${percent(result.rig_share)}, others ${percent(result.disturbed)}` +
    (result.errors ? `, ${result.errors} ERRORS` : ''));
}

/** Each round in another order, so that nobody always comes first or always after the same other. */
function orderOf(contestants, round) {
  const rotated = contestants.map((_, index) => contestants[(index + round) % contestants.length]);
  return round % 2 ? rotated.reverse() : rotated;
}

/** variants: { part: settings }, measured one after the other on a contestant before it is the next one's turn. */
async function measureRounds(results, count, contestants, simulator, variants) {
  for (const name of Object.keys(variants)) results.parts[name] = Object.fromEntries(contestants.map((contestant) => [contestant.name, []]));
  for (let round = 0; round < count; round++)
    for (const contestant of orderOf(contestants, round))
      for (const [name, settings] of Object.entries(variants)) {
        const result = await measure(contestant, simulator, settings);
        results.parts[name][contestant.name].push(result);
        sayResult(name, contestant, result);
        await sleep(200);
      }
}

/** Airgate must have a record of every answer that the load got from it; more than that are requests cut off at a window's end. */
async function checkRecords(results, airgate) {
  const answered = Object.values(results.parts).reduce((sum, part) =>
    sum + (part.airgate ?? []).reduce((inner, round) => inner + round.answered, 0), 0);
  if (answered === 0) return;
  await sleep(1000); // more than the bookkeeper's cycle
  results.records = { answered, recorded: contestantsOf.recordedRequests(airgate) };
  say(`${answered} answers from airgate, ${results.records.recorded} records`);
}

async function measureLoads(results, wants, quick, bodies, simulator) {
  const [count, duration, warmup] = quick ? [1, 1.5, 0.3] : [5, 4, 0.8];
  const starters = [startNginx, startHaproxy, startAirgate, ...(wants('cpu') ? [startUngoverned] : [])];
  const all = await startAll(starters, simulator, say);
  const proxies = all.filter((contestant) => contestant.name !== 'ungoverned');
  const airgate = all.find((contestant) => contestant.name === 'airgate');
  const small = { body: bodies.small, connections: 64, duration, warmup, quick };
  Object.assign(results, { rounds: count, window_seconds: duration, start_ms: airgate.startMs,
    versions: Object.fromEntries(proxies.map((proxy) => [proxy.name, proxy.version])) });
  if (wants('idle')) {
    await sleep(1000);
    results.idle = Object.fromEntries(proxies.map((proxy) => [proxy.name, memoryOf(proxy.pid)]));
  }
  if (wants('cpu')) {
    await measureRounds(results, count, all, simulator, { fixed: { ...small, rate: 10000 } });
    await measureRounds(results, count, [simulator, ...all], simulator, { saturated: small });
  }
  if (wants('latency'))
    await measureRounds(results, count, [simulator, ...proxies], simulator, { latency: { ...small, connections: 1, duration: Math.min(duration, 3) } });
  if (wants('prompt'))
    await measureRounds(results, count, proxies, simulator, { prompt: { ...small, body: bodies.large, connections: 16, rate: 1500 } });
  if (wants('sse'))
    await measureRounds(results, count, [simulator, ...proxies], simulator,
      { sse: { ...small, body: bodies.stream, connections: 100, stream: true, duration: Math.max(duration, 3) } });
  if (wants('connections'))
    await measureRounds(results, Math.min(count, 3), proxies, simulator, { connections: { ...small, connections: 8000, warmup: warmup + 1 }, connections_64: small });
  await checkRecords(results, airgate);
  results.complaints.push(...await stopAll(all));
}

/** Fresh processes: memory that earlier parts left in a free list would hide what a stream takes. */
async function measureStreams(results, quick, bodies, simulator) {
  const wanted = quick ? 2000 : 10000;
  const count = Math.min(wanted, Math.floor((openFilesLimit() - 200) / 2)); // the gateway has two descriptors per stream
  const tls = contestantsOf.makeCertificate();
  results.streams = { wanted, count, held: {} };
  const hold = async (contestants) => {
    await sleep(500);
    for (const contestant of contestants) {
      const held = await holdStreams(contestant, bodies.held, count);
      results.streams.held[contestant.name] = held;
      say(`${held.streams} open streams on ${contestant.name}: ${Math.round(held.bytes_per_stream)} bytes each` + (held.errors ? `, ${held.errors} ERRORS` : ''));
    }
    results.complaints.push(...await stopAll(contestants));
  };
  await hold(await startAll([startNginx, startHaproxy, startAirgate], simulator, () => {}));
  if (!tls) {
    say('the openssl command is missing: no certificate, no streams with TLS in this run');
    return;
  }
  const secureSimulator = await startSimulator(tls);
  await hold([await startAirgate(secureSimulator, tls)]);
  await stop(secureSimulator.child);
}

async function run(options) {
  const wants = (part) => !options.only || options.only.includes(part);
  if (cpus().length < 2) say('only one core: the load shares it with the gateway, ratios are less sure');
  const bodies = writeBodies();
  const results = { date: new Date().toISOString(), quick: options.quick, cpu: cpus()[0].model, cores: cpus().length, kernel: release(),
    descriptors: openFilesLimit(), binary_bytes: contestantsOf.binarySize(), complaints: [], parts: {} };
  if (wants('single')) {
    results.json_gb_per_second = jsonReaderSpeed();
    if (!options.quick) results.singles = ['json', 'http', 'identity', 'price', 'audit', 'store'].map((name) => runSingle(`bench_${name}`)).join('\n');
  }
  const simulator = await startSimulator();
  if (['cpu', 'latency', 'sse', 'prompt', 'connections', 'idle'].some(wants)) await measureLoads(results, wants, options.quick, bodies, simulator);
  if (wants('streams')) await measureStreams(results, options.quick, bodies, simulator);
  await stop(simulator.child);
  results.minutes = (Date.now() - Date.parse(results.date)) / 60000;
  return results;
}

contestantsOf.prepareDirectory();
const options = parseOptions(process.argv.slice(2));
takeLock();
const results = await run(options);
const { text, good, valid } = render(results);
writeFileSync(join(directory, 'results.json'), `${JSON.stringify(results, null, 2)}\n`);
writeFileSync(join(directory, 'results.md'), `# Benchmark\n\n${text}`);
process.stdout.write(text);
say(`${results.minutes.toFixed(1)} minutes; written: build/bench/results.json, build/bench/results.md`);
if (results.complaints.length > 0) say(`${results.complaints.length} warnings in the gateways' logs, the first: ${results.complaints[0]}`);
if (options.writeDocs && valid) say(`written: ${writeDocs('docs/BENCHMARKS.md', text)}`);
else if (options.writeDocs) say('docs/BENCHMARKS.md stays as it is: a run with errors does not count');
process.exit(good ? 0 : 1);
