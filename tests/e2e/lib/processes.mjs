// Child processes and temporary directories of a test file: started, watched, and gone when the file ends, whatever happens.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(new URL('../../..', import.meta.url)));
/** Where the programs are: build/, or what AIRGATE_BUILD says (a sanitizer build, for example). */
export const build = resolve(root, process.env.AIRGATE_BUILD ?? 'build');
/** Sanitizer builds are slower: deadlines are multiplied by this. */
export const patience = /asan|tsan|debug/.test(build) ? 4 : 1;

const running = new Set();
const directories = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export function temporaryDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'airgate-e2e-'));
  directories.add(directory);
  return directory;
}

/** Starts a program; what it writes gathers in child.output and child.errors, and child.ended resolves to its exit code or signal. */
export function launch(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.output = '';
  child.errors = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { child.output += text; });
  child.stderr.setEncoding('utf8').on('data', (text) => { child.errors += text; });
  running.add(child);
  child.ended = new Promise((done) => {
    child.on('error', (error) => { child.errors += `${error}`; done('error'); });
    child.on('close', (code, signal) => { running.delete(child); done(code ?? signal); });
  });
  child.isRunning = () => running.has(child) && child.exitCode === null && child.signalCode === null;
  return child;
}

/** SIGTERM, and SIGKILL when that does not help; what it exited with. */
export async function terminate(child, milliseconds = 20000 * patience) {
  if (child.isRunning()) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  const code = await child.ended;
  clearTimeout(timer);
  return code;
}

/** Calls read until it gives something true. */
export async function until(read, what, milliseconds = 10000 * patience, pause = 10) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const value = await read();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${milliseconds} ms in vain for ${what}`);
    await sleep(pause);
  }
}

/** A port on which nobody listens. */
export function closedPort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.on('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}
