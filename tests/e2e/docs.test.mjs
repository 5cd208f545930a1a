// The documentation: everything that docs/start.md and docs/how-to/ show is done, in the way that lib/pages.mjs describes; links lead
// somewhere; metrics and failure classes that are named exist.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { assert, build, root } from './lib/harness.mjs';
import { missingLine, parsePage, runPage } from './lib/pages.mjs';

/** Of the README, the section that leads here. */
const text = (path) => {
  const whole = readFileSync(join(root, path), 'utf8');
  return path === 'README.md' ? whole.slice(whole.indexOf('\n## Documentation'), whole.indexOf('\n## Build')) : whole;
};
const pagesIn = (directory) => readdirSync(join(root, directory)).filter((name) => name.endsWith('.md')).map((name) => join(directory, name));
const start = text('docs/start.md');
const shown = ['docs/start.md', ...pagesIn('docs/how-to')];
const written = ['README.md', ...shown, ...pagesIn('docs/explain')];

describe('what the pages show works', { concurrency: 2 }, () => {
  for (const path of shown)
    test(path, async () => {
      const wrong = (await runPage(text(path), { start })).filter(({ problem }) => problem);
      assert.deepEqual(wrong.map(({ line, problem }) => `${path}:${line}: ${problem}`).join('\n'), '');
    });
});

describe('what the pages name exists', () => {
  const anchors = (page) => page.split('\n').filter((line) => /^#+ /.test(line))
    .map((line) => line.replace(/^#+ /, '').toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));

  test('links', () => {
    for (const path of written)
      for (const [, target] of text(path).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const [file, anchor] = target.split('#'), full = file ? join(root, dirname(path), file) : join(root, path);
        assert.ok(statSync(full, { throwIfNoEntry: false }), `${path}: there is no ${relative(root, full)}`);
        if (anchor) assert.ok(anchors(readFileSync(full, 'utf8')).includes(anchor), `${path}: ${target} leads nowhere`);
      }
  });

  const known = (page, pattern) => new Set([...text(`docs/reference/${page}.md`).matchAll(pattern)].map((match) => match[1]));
  const metrics = known('metrics', /^\| `(\w+)`/gm), classes = known('failures', /^\| `(\w+)`/gm);

  test('metrics', () => {
    for (const path of written)
      for (const [name] of text(path).matchAll(/\bairgate_[a-z_]+\b/g))
        assert.ok(metrics.has(name.replace(/_(bucket|sum|count)$/, '')), `${path}: there is no metric ${name}`);
  });

  test('failure classes', () => {
    const page = text('docs/how-to/why-did-my-request-fail.md'), table = page.slice(page.indexOf('\n| class |'));
    const named = [...table.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, names]) => [...names.matchAll(/`(\w+)`/g)].map((match) => match[1]));
    assert.ok(named.length > 20);
    for (const name of named) assert.ok(classes.has(name), `there is no class ${name}`);
  });

  test('the packaged config is one', () => {
    const done = spawnSync(join(build, 'airgate'), ['check', '--config', join(root, 'packaging/airgate.yaml')],
      { encoding: 'utf8', env: { ...process.env, OPENAI_API_KEY: 'x' } });
    assert.equal(done.status, 0, done.stderr);
  });
});

describe('a page that is wrong is found out', () => {
  const fence = (mark, language, body) => `<!-- test: ${mark} -->\n\`\`\`${language}\n${body}\n\`\`\`\n`;
  const rows = [
    ['a command that fails', fence('run', 'sh', 'echo before\nairgate kye list\necho after'), /there is no command kye/],
    ['a command in a pipe that fails', fence('run', 'sh', 'airgate kye list | cat'), /there is no command kye/],
    ['a failure that does not happen', fence('fails', 'sh', 'airgate --version'), /did not fail/],
    ['another output', fence('run', 'sh', 'airgate --version') + fence('output', 'text', 'airgate 99.0.0'), /airgate 99\.0\.0/],
    ['lines in another order', fence('run', 'sh', 'echo a; echo b') + fence('output', 'text', 'b\na'), /not in this order: a/],
    ['config that is refused', fence('check', 'yaml', 'provders: {}'), /did you mean `providers`/],
    ['a config file that is refused', fence('file airgate.yaml', 'yaml', 'data_dri: x'), /did you mean `data_dir`/],
    ['a program that throws', fence('js', 'js', "import OpenAI from 'openai';\nthrow new Error(typeof OpenAI);"), /Error: function/],
    ['a block without a mark', '```sh\nairgate --version\n```\n', /without a mark/],
    ['a mark that is misspelt', fence('rnu', 'sh', 'airgate --version'), /no mark "rnu"/],
    ['no reason', fence('no', 'sh', 'airgate --version'), /no reason/],
  ];
  for (const [name, page, says] of rows)
    test(name, async () => {
      const wrong = (await runPage(page)).filter(({ problem }) => problem);
      assert.equal(wrong.length, 1);
      assert.match(wrong[0].problem, says);
    });

  test('a page that is right is not', async () => {
    const page = [
      fence('run', 'sh', 'version=$(airgate --version)'),
      fence('run', 'sh', 'echo "$version"'),
      fence('output', 'text', 'airgate 0...'),
      fence('fails', 'sh', 'airgate kye'),
      fence('check', 'yaml', 'providers: { openai: { type: openai, api_key: ${OPENAI_API_KEY} } }'),
      fence('no: a reason', 'sh', 'x'),
    ].join('');
    assert.deepEqual((await runPage(page)).filter(({ problem }) => problem), []);
    assert.equal(parsePage(page).blocks.length, 6);
  });

  test('ids, times and blanks may differ, costs may not', () => {
    const line = 'req_01m895ft43tq4hs6epggv88xx3  2026-11-25T10:54:40.771Z   1/32  0.00001935';
    assert.equal(missingLine(line, line.replace('01m895', '01n895').replace('10:54', '11:55').replaceAll('  ', '    ')), null);
    assert.equal(missingLine(line, line.replace('1935', '1936')), line);
  });
});
