// Processes of a benchmark: started on one core, watched through /proc, ended for sure.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Where a program lies, or null. Administrators' directories are looked through too. */
export function findProgram(name) {
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  const found = spawnSync('/bin/sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH: path }, encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : null;
}

/** Starts a program on one core; its error output goes to a file. */
export function start(core, program, args, { log, stdin = 'ignore', env = {} } = {}) {
  const errors = log ? openSync(log, 'w') : 'ignore';
  const pinned = core === null ? [program, ...args] : ['taskset', '-c', String(core), program, ...args];
  const child = spawn(pinned[0], pinned.slice(1), { stdio: [stdin, 'pipe', errors], env: { ...process.env, ...env } });
  if (log) closeSync(errors);
  running.add(child);
  child.ended = new Promise((resolve) => child.on('exit', (code, signal) => {
    running.delete(child);
    resolve(code ?? signal);
  }));
  return child;
}

export async function stop(child) {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10000);
  await child.ended;
  clearTimeout(timer);
}

/** The lines that a child prints, one after the other. */
export async function* lines(child) {
  let rest = '';
  for await (const piece of child.stdout) {
    rest += piece;
    for (let end; (end = rest.indexOf('\n')) >= 0; rest = rest.slice(end + 1)) yield rest.slice(0, end);
  }
}

function childrenOf(pid) {
  const result = [pid];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
    for (const child of children ? children.split(' ') : []) result.push(...childrenOf(Number(child)));
  }
  return result;
}

/** CPU time in nanoseconds that a process, its threads and its children have used. */
export function cpuOf(pid) {
  let sum = 0;
  for (const member of childrenOf(pid))
    for (const task of readdirSync(`/proc/${member}/task`))
      sum += Number(readFileSync(`/proc/${member}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return sum;
}

/** CPU time per thread, in nanoseconds: who did the work. Threads of the same name are told apart by a number. */
export function cpuByThread(pid) {
  const result = {};
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const name = readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').trim();
    const used = Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    let label = name;
    for (let number = 2; label in result; number++) label = `${name} ${number}`;
    result[label] = used;
  }
  return result;
}

/** Nanoseconds that a core was busy, whoever kept it so; time stolen by the hypervisor counts. */
export function busyOf(core) {
  const fields = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))[1].trim().split(' ').map(Number);
  const [user, nice, system, , , irq, softirq, steal] = fields;
  return (user + nice + system + irq + softirq + steal) * 1e7;
}

/** Memory in bytes of a process and its children: what is theirs (Pss; only root may look at some) and what is resident (Rss). */
export function memoryOf(pid) {
  let pss = 0, rss = 0;
  for (const member of childrenOf(pid)) {
    const resident = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${member}/status`, 'utf8'))?.[1] ?? 0) * 1024;
    rss += resident;
    try {
      pss += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${member}/smaps_rollup`, 'utf8'))[1]) * 1024;
    } catch {
      pss += resident;
    }
  }
  return { pss, rss };
}

/** The hard limit; bench/run has raised the soft one to it. */
export function openFilesLimit() {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))[1];
  return limit === 'unlimited' ? 1048576 : Number(limit);
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Waits until something accepts connections on the port; milliseconds that took. */
export async function waitForPort(port, timeout = 10000) {
  const began = performance.now();
  while (performance.now() - began < timeout) {
    const accepted = await new Promise((resolve) => {
      const socket = createConnection(port, '127.0.0.1');
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (accepted) return performance.now() - began;
    await sleep(1);
  }
  throw new Error(`nothing listens on port ${port}`);
}
