// The programs that are compared, each started fresh, on the same core, in front of the same simulator.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { join, resolve } from 'node:path';
import { findProgram, freePort, lines, openFilesLimit, sleep, start, stop, waitForPort } from './processes.mjs';

export const gatewayCore = 0;
export const rigCore = 1;
export const build = resolve(process.env.AIRGATE_BUILD ?? 'build');
export const directory = resolve('build/bench');
/** What the load presents: airgate's newest key. The others take it, and pay for its bytes, without looking at it. */
export const clientKey = { value: 'unused' };

function fill(template, target, values) {
  const text = readFileSync(template, 'utf8').replace(/@(\w+)@/g, (_, name) => {
    if (!(name in values)) throw new Error(`${template}: no value for @${name}@`);
    return values[name];
  });
  writeFileSync(target, text);
  return target;
}

function versionOf(program, args) {
  const result = spawnSync(program, args, { encoding: 'utf8' });
  return (result.stdout + result.stderr).split('\n')[0].trim();
}

/** A certificate for 127.0.0.1 that is its own authority, made anew for each run; null without the openssl command. */
export function makeCertificate() {
  const program = findProgram('openssl');
  if (!program) return null;
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const made = spawnSync(program, ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  return { cert, key };
}

/** tls: { cert, key } to serve TLS and nothing else. */
export async function startSimulator(tls = null) {
  const args = ['--listen', '127.0.0.1:0', '--keep', '0', '--invoice-lines', '0', '--set', 'answer-bytes=600'];
  if (tls) args.push('--tls-cert', tls.cert, '--tls-key', tls.key);
  const log = join(directory, tls ? 'sim-tls.log' : 'sim.log');
  const child = start(rigCore, join(build, 'airgate-sim'), args, { log });
  for await (const line of lines(child)) {
    const port = Number(line.split(':').pop());
    child.stdout.resume();
    return { name: 'direct', child, port, streamPort: port, pid: child.pid, tls };
  }
  throw new Error(`airgate-sim did not start: ${readFileSync(log, 'utf8')}`);
}

export async function startNginx(simulator) {
  const program = findProgram('nginx');
  if (!program) return null;
  const [port, streamPort] = [await freePort(), await freePort()];
  const files = openFilesLimit() - 100;
  const values = { DIRECTORY: directory, UPSTREAM: simulator.port, PORT: port, PORT_STREAMS: streamPort, FILES: files,
    CONNECTIONS: Math.ceil(files * 16 / 15) + 64 };
  const config = fill('bench/nginx.conf', join(directory, 'nginx.conf'), values);
  const child = start(gatewayCore, program, ['-p', directory, '-c', config], { log: join(directory, 'nginx.log') });
  await waitForPort(port);
  return { name: 'nginx', child, port, streamPort, pid: child.pid, version: versionOf(program, ['-v']) };
}

export async function startHaproxy(simulator) {
  const program = findProgram('haproxy');
  if (!program) return null;
  const port = await freePort();
  const connections = Math.floor((openFilesLimit() - 200) / 2);
  const config = fill('bench/haproxy.conf', join(directory, 'haproxy.conf'), { UPSTREAM: simulator.port, PORT: port, CONNECTIONS: connections });
  const child = start(gatewayCore, program, ['-db', '-f', config], { log: join(directory, 'haproxy.log') });
  await waitForPort(port);
  return { name: 'haproxy', child, port, streamPort: port, pid: child.pid, version: versionOf(program, ['-v']) };
}

/** What a log line of the gateway says of the address that it listens on. */
function listeningAddress(log, event) {
  const line = readFileSync(log, 'utf8').split('\n').find((candidate) => candidate.includes(`"${event}"`));
  return line ? JSON.parse(line).address : null;
}

const statusOf = (contestant, { path, key, body }) => new Promise((done, fail) => {
  const { tls, port } = contestant;
  const headers = { ...(key ? { authorization: `Bearer ${key}` } : {}), ...(body ? { 'content-type': 'application/json' } : {}) };
  const options = { host: '127.0.0.1', port, path, method: body ? 'POST' : 'GET', headers, agent: false, ...(tls ? { ca: readFileSync(tls.cert) } : {}) };
  const asked = (tls ? requestSecure : requestPlain)(options, (answer) => {
    answer.resume().on('end', () => done(answer.statusCode)).on('error', fail);
  });
  asked.on('error', fail).end(body);
});

async function startGateway(name, program, simulator, tls) {
  const log = join(directory, `${name}.log`);
  const data = join(directory, `${name}-data`);
  rmSync(data, { recursive: true, force: true });
  const config = fill('bench/airgate.yaml', join(directory, `${name}.yaml`), {
    DATA: data,
    LISTEN: tls ? `{ address: "127.0.0.1:0", tls: { cert: "${tls.cert}", key: "${tls.key}" } }` : '127.0.0.1:0',
    PROVIDER: `${tls ? 'https' : 'http'}://127.0.0.1:${simulator.port}`,
    TRUST: tls ? `, ca_file: "${tls.cert}"` : '',
  });
  const makeKey = () => {
    const made = spawnSync(program, ['key', 'create', '--config', config, '--account', 'bench', '--name', 'bench', '--json'], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`${name}: key create: ${made.stderr}`);
    return JSON.parse(made.stdout).secret;
  };
  const key = makeKey();
  const began = performance.now();
  const child = start(gatewayCore, program, ['serve', '--config', config], { log });
  let address = null;
  while (!address && performance.now() - began < 10000 && child.exitCode === null) {
    await sleep(1);
    address = listeningAddress(log, 'listening');
  }
  if (!address) throw new Error(`${name} did not start: ${readFileSync(log, 'utf8')}`);
  const port = Number(address.split(':').pop());
  const contestant = { name, child, port, streamPort: port, pid: child.pid, tls, key, log, config, program };
  const status = await statusOf(contestant, { path: '/v1/models', key });
  if (status !== 200) throw new Error(`${name}: the first answer was ${status}`);
  contestant.startMs = performance.now() - began;
  return contestant;
}

const keylessChat = { path: '/v1/chat/completions', body: '{"model":"bench","messages":[{"role":"user","content":"hello"}]}' };

export async function startAirgate(simulator, tls = null) {
  const contestant = await startGateway(tls ? 'airgate-tls' : 'airgate', join(build, 'airgate'), simulator, tls);
  if ((await statusOf(contestant, keylessChat)) !== 401) throw new Error('airgate let a request in without a key: it is not governed');
  clientKey.value = contestant.key;
  return { ...contestant, version: versionOf(contestant.program, ['--version']) };
}

/** The gateway without key, journal and record (bench/gateway/ungoverned.c). */
export async function startUngoverned(simulator) {
  const contestant = await startGateway('ungoverned', join(build, 'bench_ungoverned'), simulator, null);
  if ((await statusOf(contestant, keylessChat)) !== 200) throw new Error('bench_ungoverned wants a key: it is not ungoverned');
  return contestant;
}

/** Starts what is there; says what is missing. */
export async function startAll(starters, simulator, say) {
  const contestants = [];
  for (const starter of starters) {
    const contestant = await starter(simulator);
    if (contestant) contestants.push(contestant);
    else say(`${starter.name.replace('start', '').toLowerCase()} is not installed: no comparison with it in this run`);
  }
  return contestants;
}

/** How many requests airgate's records say there were. */
export function recordedRequests(contestant) {
  const done = spawnSync(contestant.program, ['spend', '--config', contestant.config, '--by', 'account', '--json'], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${contestant.name}: spend: ${done.stderr}`);
  return JSON.parse(done.stdout).reduce((sum, row) => sum + row.requests, 0);
}

/** Ends them; what the gateways among them complained about. */
export async function stopAll(contestants) {
  await Promise.all(contestants.map((contestant) => stop(contestant.child)));
  return contestants.filter((contestant) => contestant.log).flatMap((contestant) =>
    readFileSync(contestant.log, 'utf8').split('\n').filter((line) => /"level":"(error|warn)"/.test(line)).map((line) => `${contestant.name}: ${line}`));
}

export const binarySize = () => {
  const stripped = join(directory, 'airgate.stripped');
  const done = spawnSync('strip', ['-o', stripped, join(build, 'airgate')]);
  return statSync(done.status === 0 ? stripped : join(build, 'airgate')).size;
};

export const prepareDirectory = () => mkdirSync(directory, { recursive: true });
