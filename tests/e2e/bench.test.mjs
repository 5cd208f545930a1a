// The benchmark's arithmetic and verdicts, on made-up rounds; the run itself is `make bench`.
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beginMarker, endMarker, writeDocs } from '../../bench/lib/docs.mjs';
import { render } from '../../bench/lib/report.mjs';
import { difference, median, ratio } from '../../bench/lib/statistics.mjs';

function round(cpu, more = {}) {
  return { errors: 0, completed: 1000, answered: 1100, offered: 0, rate: 1000, frames: 0, cpu_us_per_request: cpu, cpu_us_per_frame: 1,
    worker_us_per_request: cpu, threads_us_per_request: { 'worker-0': cpu, bookkeeper: 2 }, simulator_us_per_request: 5, core_share: 0.9, rig_share: 0.5,
    disturbed: 0, latency_us: { p50: 50, p99: 100 }, transit_us: { p50: 20 }, ...more };
}
const results = (parts, more = {}) => ({ date: '2026-01-02T03:04:05.000Z', cpu: 'a CPU', cores: 2, kernel: '6', rounds: 3, window_seconds: 4,
  descriptors: 1000, versions: {}, parts, ...more });
const rowOf = (report, what) => report.rows.find((row) => row.what.startsWith(what));

describe('figures of several rounds', () => {
  test('the median of an even count lies between the middle two', () => {
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.equal(median([3, 1, 2]), 2);
  });

  test('a ratio is the median of the rounds\' ratios, not the ratio of medians', () => {
    const [ours, theirs] = [[1, 20, 30], [1, 10, 30]].map((values) => values.map((value) => round(value)));
    assert.deepEqual(ratio(ours, theirs, (one) => one.cpu_us_per_request), { median: 1, least: 1, most: 2, rounds: 3 });
    assert.equal(difference(ours, theirs, (one) => one.cpu_us_per_request).most, 10);
  });
});

describe('verdicts', () => {
  const saturated = (ours, more = {}) => ({ saturated: { direct: [round(1, { rate: 4000 })], nginx: [round(20)], ungoverned: [round(20)], airgate: [round(ours, more)] } });

  test('a bound holds up to its edge and fails beyond it', () => {
    const [holds, fails] = [20 * 1.1, 20 * 1.1 + 0.1].map((cpu) => render(results(saturated(cpu))));
    assert.equal(rowOf(holds, 'CPU per governed request').verdict, 'holds');
    assert.equal(rowOf(fails, 'CPU per governed request').verdict, 'FAILS');
    assert.equal(fails.good, false);
    assert.equal(fails.valid, true);
  });

  test('worker and process are judged by their own bounds against governance off', () => {
    const report = render(results(saturated(22, { worker_us_per_request: 20.9 })));
    assert.equal(rowOf(report, 'governed against governance off: worker').figure, '1.04×');
    assert.equal(rowOf(report, 'governed against governance off: worker').verdict, 'holds');
    assert.equal(rowOf(report, 'governed against governance off: whole process').figure, '1.10×');
    assert.equal(report.good, true);
  });

  test('a run with errors does not count', () => {
    const report = render(results(saturated(10, { errors: 3 })));
    assert.equal(rowOf(report, 'CPU per governed request').verdict, 'INVALID: 3 errors');
    assert.equal(report.good, false);
    assert.equal(report.valid, false);
  });

  test('another contestant\'s errors do not spoil a pair that has none', () => {
    const parts = saturated(10);
    parts.saturated.haproxy = [round(30, { errors: 2 })];
    const row = rowOf(render(results(parts)), 'CPU per governed request');
    assert.equal(row.verdict, 'holds');
    assert.match(row.values.haproxy, /2 errors/);
  });

  test('without nginx nothing is claimed', () => {
    const parts = saturated(10);
    delete parts.saturated.nginx;
    assert.equal(rowOf(render(results(parts)), 'CPU per governed request').verdict, 'nginx not measured');
  });

  test('latency is what is added to the direct one of the same round', () => {
    const latency = (p50) => round(1, { latency_us: { p50, p99: 100 } });
    const parts = { latency: { direct: [latency(20), latency(100)], nginx: [latency(60), latency(140)], airgate: [latency(69), latency(150)] } };
    const row = rowOf(render(results(parts)), 'added latency, p50');
    assert.equal(row.figure, '+49.5 µs (+49.0 µs – +50.0 µs)');
    assert.equal(row.verdict, 'holds');
  });

  test('a missing record fails the run', () => {
    assert.equal(render(results({}, { records: { answered: 10, recorded: 10 } })).good, true);
    assert.equal(render(results({}, { records: { answered: 10, recorded: 9 } })).good, false);
  });

  test('a rig that is not three times as fast is noted, not failed', () => {
    const parts = saturated(10);
    parts.saturated.direct[0].rate = 2000;
    const report = render(results(parts));
    assert.equal(rowOf(report, 'load and simulator alone').verdict, 'lower: see the note');
    assert.match(report.text, /Load and simulator share one core here/);
    assert.equal(report.good, true);
  });

  test('fewer streams than wanted are said, and those that did not open are errors', () => {
    const held = { airgate: { streams: 400, errors: 0, bytes_per_stream: 8192 }, 'airgate-tls': { streams: 399, errors: 1, bytes_per_stream: 100 } };
    const report = render(results({}, { streams: { wanted: 10000, count: 400, held } }));
    assert.match(rowOf(report, 'memory per open stream, plaintext').load, /^400 streams held open \(10,000 wanted; the descriptor limit is 1,000\)$/);
    assert.equal(rowOf(report, 'memory per open stream, plaintext').verdict, 'holds');
    assert.equal(rowOf(report, 'memory per open stream, TLS').verdict, 'INVALID: 1 errors');
  });
});

test('the table goes between the markers of the page, again and again', () => {
  const directory = mkdtempSync(join(tmpdir(), 'airgate-e2e-bench-'));
  const page = join(directory, 'page.md');
  writeFileSync(page, `above\n${beginMarker}\nold\n${endMarker}\nbelow\n`);
  for (const text of ['first\n', 'second\n']) {
    writeDocs(page, text);
    assert.equal(readFileSync(page, 'utf8'), `above\n${beginMarker}\n${text}${endMarker}\nbelow\n`);
  }
  writeFileSync(page, 'no markers\n');
  assert.throws(() => writeDocs(page, 'x'), /lacks the lines/);
  rmSync(directory, { recursive: true });
  assert.ok(readFileSync(new URL('../../docs/BENCHMARKS.md', import.meta.url), 'utf8').includes(`${beginMarker}\n`));
});
