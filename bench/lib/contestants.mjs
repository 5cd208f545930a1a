// The programs that are compared, each started fresh, on the same core, in front of the same simulator.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { findProgram, freePort, lines, openFilesLimit, sleep, start, stop, waitForPort } from './processes.mjs';

export const gatewayCore = 0;
export const rigCore = 1;
export const build = resolve(process.env.AIRGATE_BUILD ?? 'build');
export const directory = resolve('build/bench');
export const clientKey = { value: 'unused' };

function fill(template, target, values) {
  const text = readFileSync(template, 'utf8').replace(/@(\w+)@/g, (_, name) => {
    if (!(name in values)) throw new Error(`${template}: no value for @${name}@`);
    return values[name];
  });
  writeFileSync(target, text);
  return target;
}

export async function startSimulator(core = rigCore) {
  const args = ['--listen', '127.0.0.1:0', '--keep', '0', '--invoice-lines', '0', '--set', 'answer-bytes=600'];
  const child = start(core, join(build, 'airgate-sim'), args, { log: join(directory, 'sim.log') });
  for await (const line of lines(child)) {
    const port = Number(line.split(':').pop());
    child.stdout.resume();
    return { name: 'direct', child, port, streamPort: port, pid: child.pid };
  }
  throw new Error('airgate-sim did not start');
}

async function startNginx(upstream) {
  const program = findProgram('nginx');
  if (!program) return null;
  const [port, streamPort] = [await freePort(), await freePort()];
  const values = { DIRECTORY: directory, UPSTREAM: upstream, PORT: port, PORT_STREAMS: streamPort, FILES: openFilesLimit() - 100 };
  const config = fill('bench/nginx.conf', join(directory, 'nginx.conf'), values);
  const child = start(gatewayCore, program, ['-p', directory, '-c', config], { log: join(directory, 'nginx.log') });
  await waitForPort(port);
  return { name: 'nginx', child, port, streamPort, pid: child.pid, version: versionOf(program, ['-v']) };
}

async function startHaproxy(upstream) {
  const program = findProgram('haproxy');
  if (!program) return null;
  const port = await freePort();
  const connections = Math.floor((openFilesLimit() - 200) / 2);
  const config = fill('bench/haproxy.conf', join(directory, 'haproxy.conf'), { UPSTREAM: upstream, PORT: port, CONNECTIONS: connections });
  const child = start(gatewayCore, program, ['-db', '-f', config], { log: join(directory, 'haproxy.log') });
  await waitForPort(port);
  return { name: 'haproxy', child, port, streamPort: port, pid: child.pid, version: versionOf(program, ['-v']) };
}

function versionOf(program, args) {
  const result = spawnSync(program, args, { encoding: 'utf8' });
  return (result.stdout + result.stderr).split('\n')[0].trim();
}

/** The address that a log line of the gateway says it listens on. */
function listeningAddress(log, event) {
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    if (!line.includes(`"${event}"`)) continue;
    return JSON.parse(line).address;
  }
  return null;
}

export async function startAirgate(upstream) {
  const program = join(build, 'airgate');
  const log = join(directory, 'airgate.log');
  rmSync(join(directory, 'airgate-data'), { recursive: true, force: true });
  const config = fill('bench/airgate.yaml', join(directory, 'airgate.yaml'), { DIRECTORY: directory, UPSTREAM: upstream });
  const made = spawnSync(program, ['key', 'create', '--config', config, '--account', 'bench', '--name', 'bench', '--json'],
    { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`airgate key create: ${made.stderr}`);
  clientKey.value = JSON.parse(made.stdout).secret;
  const began = performance.now();
  const child = start(gatewayCore, program, ['serve', '--config', config], { log });
  let address = null;
  while (!address && performance.now() - began < 10000 && child.exitCode === null) {
    await sleep(1);
    address = listeningAddress(log, 'listening');
  }
  if (!address) throw new Error(`airgate did not start: ${readFileSync(log, 'utf8')}`);
  const port = Number(address.split(':').pop());
  await firstAnswer(port);
  return { name: 'airgate', child, port, streamPort: port, pid: child.pid, startMs: performance.now() - began,
    version: versionOf(program, ['--version']) };
}

function firstAnswer(port) {
  return new Promise((done, fail) => {
    const options = { port, host: '127.0.0.1', path: '/v1/models', headers: { authorization: `Bearer ${clientKey.value}` } };
    request(options, (answer) => {
      answer.resume();
      answer.on('end', () => (answer.statusCode === 200 ? done() : fail(new Error(`first answer: ${answer.statusCode}`))));
    }).on('error', fail).end();
  });
}

/** Starts what is there; says what is missing. */
export async function startAll(upstream, say) {
  mkdirSync(directory, { recursive: true });
  const contestants = [];
  for (const [name, starter] of [['nginx', startNginx], ['haproxy', startHaproxy], ['airgate', startAirgate]]) {
    const contestant = await starter(upstream);
    if (contestant) contestants.push(contestant);
    else say(`${name} is not installed: no comparison with it in this run`);
  }
  return contestants;
}

export const stopAll = (contestants) => Promise.all(contestants.map((contestant) => stop(contestant.child)));

export const binarySize = () => {
  const stripped = join(directory, 'airgate.stripped');
  const done = spawnSync('strip', ['-o', stripped, join(build, 'airgate')]);
  return statSync(done.status === 0 ? stripped : join(build, 'airgate')).size;
};
