// Runs what a page of the documentation shows. The blocks of a page are one session in one directory: variables, files and programs in
// the background stay from block to block, as for a reader who types them into one terminal.
//
// A comment before a fenced block says what becomes of it; every block has one:
//   <!-- test: run -->           it must succeed (bash, -e and pipefail)
//   <!-- test: fails -->         its last command must fail
//   <!-- test: output -->        what the block before printed: these lines in this order, other lines may stand between them
//   <!-- test: file NAME -->     becomes the file NAME; a .yaml is a config, and `airgate check` must accept it
//   <!-- test: check -->         a piece of config that `airgate check` must accept; variables in it are set
//   <!-- test: js -->            runs in Node, beside the official SDK
//   <!-- test: python -->        runs in Python where its SDK is installed; else only its syntax is looked at
//   <!-- test: no: REASON -->    is not run
// and anywhere in the page, without a block:
//   <!-- test: gateway -->       simulator and gateway of docs/start.md run from here on
//   <!-- test: setup COMMAND --> what the reader has and the session has not: certificates, for example
//
// Ports and system directories of the pages are replaced by free ports and by directories inside the session's own (`places`). In
// expected output, "..." stands for anything (alone on a line, for any lines), and ids, secrets and times for others of their kind; runs
// of blanks are all alike.
import { createServer } from 'node:net';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, launch, patience, root, temporaryDirectory, terminate } from './processes.mjs';

/** The blocks of a page: { line, kind, argument, text }; and what is wrong with its marks. */
export function parsePage(page) {
  const blocks = [], problems = [], lines = page.split('\n');
  let mark = null;
  for (let i = 0; i < lines.length; i++) {
    const comment = /^<!-- test: (\w+):? ?(.*?) ?-->$/.exec(lines[i]);
    if (comment && ['gateway', 'setup'].includes(comment[1])) {
      blocks.push({ line: i + 1, kind: comment[1], argument: comment[2], text: '' });
    } else if (comment) {
      mark = { kind: comment[1], argument: comment[2] };
    } else if (lines[i].startsWith('```')) {
      const first = i + 1;
      while (++i < lines.length && !lines[i].startsWith('```'));
      if (!mark) problems.push({ line: first, problem: 'a block without a mark (see tests/e2e/lib/pages.mjs)' });
      else blocks.push({ line: first, ...mark, text: `${lines.slice(first, i).join('\n')}\n` });
      mark = null;
    } else if (mark && lines[i].trim() !== '') {
      problems.push({ line: i + 1, problem: `the mark "${mark.kind}" stands before no block` });
      mark = null;
    }
  }
  return { blocks, problems };
}

function canListen(port) {
  return new Promise((done) => {
    const server = createServer();
    server.on('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

/** Below the ports that the kernel gives to clients: none takes it before the page's program does. */
async function freePort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    if (await canListen(port)) return port;
  }
}

const ports = [8080, 8081, 8090, 8443, 9100];
const directories = ['/etc/airgate', '/var/lib/airgate'];

/** From what the pages write to what stands for it here. */
async function places(inside) {
  const found = [];
  for (const port of ports) found.push([new RegExp(`\\b(127\\.0\\.0\\.1|0\\.0\\.0\\.0):${port}\\b`, 'g'), `127.0.0.1:${await freePort()}`]);
  for (const path of directories) {
    found.push([new RegExp(`${path}\\b`, 'g'), join(inside, path)]);
    mkdirSync(join(inside, path), { recursive: true });
  }
  return (text) => found.reduce((changed, [from, to]) => changed.replace(from, to), text);
}

/** `airgate check`. Providers' keys and the like are somebody else's: what the session does not set has some value. */
function checking(text, file) {
  const names = new Set([...text.matchAll(/\$\{([A-Z_]+)/g)].map((match) => match[1]));
  return `env ${[...names].map((name) => `${name}="\${${name}:-set-for-the-check}" `).join('')}airgate check --config ${file}`;
}

/** The commands of one block, as a part of the session's script. The block's own text stands in the file $PAGE/LINE. */
const kinds = {
  run: ({ line }) => `. "$PAGE/${line}"`,
  fails: ({ line }) => `set +e; . "$PAGE/${line}"`,
  file: ({ line, argument, text }) => `mkdir -p "${dirname(argument)}" && cp "$PAGE/${line}" "${argument}"` +
    (argument.endsWith('.yaml') ? ` && ${checking(text, `"${argument}"`)}` : ''),
  check: ({ line, text }) => checking(text, `"$PAGE/${line}"`),
  js: ({ line }) => `node "$PAGE/${line}.mjs"`,
  python: ({ line }) => `if ! command -v python3; then echo 'there is no Python here'; ` +
    `elif python3 -c 'import openai'; then python3 "$PAGE/${line}"; else python3 -m py_compile "$PAGE/${line}"; fi`,
  setup: ({ argument }) => argument,
  gateway: () => 'airgate-sim --listen "$SIMULATOR" >simulator.log 2>&1 & airgate serve 2>airgate.log & ' +
    'until curl -sf "http://$ADMIN/readyz"; do sleep 0.05; done',
};

function scriptOf(blocks, page, place) {
  const parts = ['set -eo pipefail'];
  mkdirSync(page);
  symlinkSync(join(root, 'tests/e2e/node_modules'), join(page, 'node_modules'));
  for (const block of blocks) {
    const make = kinds[block.kind];
    if (!make) continue;
    writeFileSync(join(page, `${block.line}${block.kind === 'js' ? '.mjs' : ''}`), place(block.text));
    const command = make({ ...block, argument: place(block.argument) });
    parts.push(`{ ${command}\n} >"$PAGE/${block.line}.out" 2>&1; echo $? >"$PAGE/${block.line}.status"; set -e`);
  }
  return `${parts.join('\n')}\n`;
}

/** What is another thing each time, and the pattern of its kind; for `null`, the pattern that found it. */
const changing = [
  [/\.\.\./, '.*'],
  [/\s+/, '\\s+'],
  [/\breq_[0-9a-z]{26}/, null],
  [/\bkey_[0-9a-f]{16}/, null],
  [/\b[cp]_[0-9a-f]{16}/, null],
  [/\bag_live_\w{49}/, null],
  [/\bsimreq_\w+/, null],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, null],
  [/\d{4}-\d\d-\d\d/, null],
  [/"\w+_us": \d+/, null],
];

/** A line of expected output as a pattern. */
export function patternOf(line) {
  let pattern = '', rest = line.trim();
  while (rest) {
    const found = changing.map(([kind, as]) => ({ match: kind.exec(rest), as: as ?? kind.source })).filter(({ match }) => match)
      .sort((a, b) => a.match.index - b.match.index)[0];
    pattern += rest.slice(0, found?.match.index ?? rest.length).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') + (found?.as ?? '');
    rest = found ? rest.slice(found.match.index + found.match[0].length) : '';
  }
  return new RegExp(`^${pattern}$`);
}

/** The first expected line that is missing; null: all are there, in this order. */
export function missingLine(expected, actual) {
  const lines = actual.split('\n').map((line) => line.trim());
  let at = 0;
  for (const line of expected.split('\n').filter((text) => text.trim() && text.trim() !== '...')) {
    const pattern = patternOf(line);
    while (at < lines.length && !pattern.test(lines[at])) at++;
    if (at++ >= lines.length) return line;
  }
  return null;
}

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
};

function judge(block, previous, page, place) {
  if (block.kind === 'no') return block.argument ? null : 'the mark gives no reason';
  if (block.kind === 'output') {
    if (!previous) return 'there is no block before whose output this could be';
    const actual = read(join(page, `${previous.line}.out`)) ?? '', missing = missingLine(place(block.text), actual);
    return missing === null ? null : `not in the output, or not in this order: ${missing}\nthe output is:\n${actual}`;
  }
  if (!kinds[block.kind]) return `there is no mark "${block.kind}"`;
  const output = read(join(page, `${block.line}.out`)), status = read(join(page, `${block.line}.status`));
  if (output === null) return 'not run: a block before has failed';
  if (block.kind === 'fails') return status === null || Number(status) === 0 ? `it did not fail:\n${output}` : null;
  return status === null ? `failed:\n${output}` : null;
}

/** Runs a page; start: the page whose config and programs `gateway` means. Gives every block with its problem, or null. */
export async function runPage(text, { start = '' } = {}) {
  const { blocks, problems } = parsePage(text);
  const directory = temporaryDirectory(), page = join(directory, '.page'), place = await places(directory);
  const config = parsePage(start).blocks.find((block) => block.kind === 'file' && block.argument === 'airgate.yaml');
  if (blocks.some((block) => block.kind === 'gateway')) writeFileSync(join(directory, 'airgate.yaml'), place(config.text));
  writeFileSync(join(directory, '.session'), scriptOf(blocks, page, place));
  const session = launch('bash', ['--noprofile', '--norc', '.session'], {
    cwd: directory,
    detached: true, // a process group of its own: what stays in the background can be ended with it
    env: { PATH: `${build}:${process.env.PATH}`, HOME: directory, LANG: 'C.UTF-8', PAGE: page,
      SIMULATOR: place('127.0.0.1:9100'), ADMIN: place('127.0.0.1:8081') },
  });
  const end = () => {
    try {
      process.kill(-session.pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  };
  process.once('exit', end);
  const timer = setTimeout(() => terminate(session), 60000 * patience);
  await session.ended;
  clearTimeout(timer);
  end();
  process.off('exit', end);
  let previous = null;
  const judged = blocks.map((block) => {
    const problem = judge(block, previous, page, place);
    if (kinds[block.kind]) previous = block;
    return { ...block, problem };
  });
  return [...judged, ...problems].sort((a, b) => a.line - b.line);
}
