// The table of a run: one row per budget of speed, what was measured, under which load, and whether the bound holds.
//
// A ratio is the median of the rounds' own ratios, with the smallest and the largest behind it; other figures are medians over the
// rounds. A row whose figures saw an error says INVALID. A run is good when no row fails and valid when none is invalid.
import { difference, disturbedShare, median, paired, ratio } from './statistics.mjs';

const columns = ['direct', 'nginx', 'haproxy', 'ungoverned', 'airgate'];
const micro = (value) => `${value.toFixed(Math.abs(value) < 100 ? 1 : 0)} µs`;
const percent = (value) => `${(value * 100).toFixed(0)} %`;
const megabytes = (value) => `${(value / 1e6).toFixed(1)} MB`;
const milliseconds = (value) => `${value.toFixed(0)} ms`;
const bytes = (value) => `${Math.round(value).toLocaleString('en')} B`;
const times = (value) => `${value.toFixed(2)}×`;
const count = (value) => Math.round(value).toLocaleString('en');

const errorsOf = (rounds) => rounds.reduce((sum, round) => sum + round.errors, 0);

function figure({ median: middle, least, most, rounds }, show) {
  return rounds > 1 ? `${show(middle)} (${show(least)} – ${show(most)})` : show(middle);
}

/** bound: { most } or { least } with how to show it; none: nothing must hold. */
function verdict(value, errors, bound) {
  if (errors > 0) return `INVALID: ${errors} errors`;
  if (!bound) return '';
  return (bound.most === undefined || value <= bound.most) && (bound.least === undefined || value >= bound.least) ? 'holds' : 'FAILS';
}

const must = (bound, show) => (!bound ? '' : bound.most !== undefined ? `≤ ${show(bound.most)}` : `≥ ${show(bound.least)}`);

function valuesOf(part, read, show, names) {
  const shown = Object.entries(part).filter(([name, rounds]) => names.includes(name) && rounds.length > 0);
  return Object.fromEntries(shown.map(([name, rounds]) => {
    const errors = errorsOf(rounds);
    return [name, show(median(rounds.map(read))) + (errors > 0 ? ` (${errors} errors)` : '')];
  }));
}

/** Airgate's figure against another's, as a ratio. */
function compared(results, name, { what, load, read, show, against = 'nginx', bound }) {
  const part = results.parts[name];
  if (!part?.airgate) return [];
  const names = against === 'ungoverned' ? ['ungoverned', 'airgate'] : columns;
  const row = { what, load, values: valuesOf(part, read, show, names), must: must(bound, times) };
  if (!part[against]) return [{ ...row, figure: '', verdict: `${against} not measured` }];
  const found = ratio(part.airgate, part[against], read);
  const errors = errorsOf(part.airgate) + errorsOf(part[against]);
  return [{ ...row, figure: figure(found, times), verdict: verdict(found.median, errors, bound) }];
}

/** A figure of airgate's own. */
function alone(results, name, { what, load, read, show, bound }) {
  const rounds = results.parts[name]?.airgate;
  if (!rounds) return [];
  const found = paired(rounds, rounds, read);
  return [{ what, load, values: { airgate: show(found.median) }, figure: figure(found, show), must: must(bound, show),
    verdict: verdict(found.median, errorsOf(rounds), bound) }];
}

function addedLatency(results, quantile, most) {
  const part = results.parts.latency;
  if (!part) return [];
  const read = (round) => round.latency_us[quantile], bound = { most };
  const added = Object.fromEntries(Object.entries(part).filter(([name]) => name !== 'direct').map(([name, rounds]) =>
    [name, difference(rounds, part.direct, read)]));
  const values = Object.fromEntries(Object.entries(added).map(([name, found]) => [name, `+${micro(found.median)}`]));
  const base = valuesOf(part, read, micro, ['direct']);
  return [{ what: `added latency, ${quantile}`, load: 'one connection, closed loop', values: { ...base, ...values }, figure: figure(added.airgate, (value) => `+${micro(value)}`),
    must: must(bound, micro), verdict: verdict(added.airgate.median, errorsOf(part.airgate) + errorsOf(part.direct), bound) }];
}

function connectionScaling(results) {
  const { connections: many, connections_64: few } = results.parts;
  if (!many || !few) return [];
  const bound = { least: 0.8 }, share = (name) => paired(many[name], few[name], (a, b) => a.rate / b.rate);
  const values = Object.fromEntries(Object.keys(many).map((name) => [name, percent(share(name).median)]));
  const errors = errorsOf(many.airgate) + errorsOf(few.airgate);
  return [{ what: 'throughput at 8,000 connections against 64', load: 'saturated', values, figure: figure(share('airgate'), percent),
    must: must(bound, percent), verdict: verdict(share('airgate').median, errors, bound) }];
}

/** What the rig could do without a gateway: three times the gateway's rate, or the gateway's may be the rig's. */
function simulatorCeiling(results) {
  const part = results.parts.saturated;
  if (!part?.direct) return [];
  const found = ratio(part.direct, part.airgate, (round) => round.rate), bound = { least: 3 };
  const errors = errorsOf(part.direct) + errorsOf(part.airgate);
  const judged = verdict(found.median, errors, bound);
  return [{ what: 'load and simulator alone, against airgate', load: 'saturated, 64 connections', values: valuesOf(part, (round) => round.rate, count, ['direct', 'airgate']),
    figure: figure(found, times), must: must(bound, times), verdict: judged === 'FAILS' ? 'lower: see the note' : judged }];
}

function heldStreams(results) {
  if (!results.streams) return [];
  const { held, wanted, count: opened } = results.streams;
  const load = `${count(opened)} streams held open` + (opened < wanted ? ` (${count(wanted)} wanted; the descriptor limit is ${count(results.descriptors)})` : '');
  const row = (what, name, bound, shown) => {
    const one = held[name];
    return one ? [{ what, load, values: shown, figure: bytes(one.bytes_per_stream), must: must(bound, bytes), verdict: verdict(one.bytes_per_stream, one.errors, bound) }] : [];
  };
  const plain = Object.fromEntries(Object.entries(held).filter(([name]) => columns.includes(name)).map(([name, one]) => [name, bytes(one.bytes_per_stream)]));
  const secure = held['airgate-tls'] && { airgate: bytes(held['airgate-tls'].bytes_per_stream) };
  return [...row('memory per open stream, plaintext', 'airgate', { most: 8192 }, plain),
    ...row('memory per open stream, TLS on both sides', 'airgate-tls', { most: 60 * 1024 }, secure)];
}

/** A figure that is taken once. */
function once(what, load, values, value, show, bound) {
  return { what, load, values, figure: show(value), must: must(bound, show), verdict: verdict(value, 0, bound) };
}

function singleFigures(results) {
  const rows = [];
  if (results.idle) {
    const idle = Object.fromEntries(Object.entries(results.idle).map(([name, memory]) => [name, megabytes(memory.rss)]));
    rows.push(once('idle resident memory', 'none, after the start', idle, results.idle.airgate.rss, megabytes, { most: 12e6 }),
      once('binary, stripped', '', {}, results.binary_bytes, megabytes, { most: 6e6 }),
      once('start of the process to its first answer', '', {}, results.start_ms, milliseconds, { most: 50 }));
  }
  if (results.json_gb_per_second)
    rows.push(once('JSON reader, chat body of 100 KB', 'one thread', {}, results.json_gb_per_second, (value) => `${value.toFixed(1)} GB/s`, { least: 1.5 }));
  if (results.records) {
    const { answered, recorded } = results.records;
    rows.push(once('records of the answers that the load got', 'all of the above', { airgate: `${count(answered)} answers` }, recorded,
      (value) => `${count(value)} records`, { least: answered }));
  }
  return rows;
}

const loads = { fixed: 'fixed rate, 10,000/s, 64 connections', saturated: 'saturated, 64 connections' };

function rowsOf(results) {
  const perRequest = (part, more) => compared(results, part, { what: 'CPU per governed request, 1 KB chat, whole process', load: loads[part],
    read: (round) => round.cpu_us_per_request, show: micro, ...more });
  const governed = (part) => [
    ...compared(results, part, { what: 'governed against governance off: worker CPU', load: loads[part], against: 'ungoverned',
      read: (round) => round.worker_us_per_request, show: micro, bound: { most: 1.05 } }),
    ...perRequest(part, { what: 'governed against governance off: whole process', against: 'ungoverned', bound: { most: 1.18 } })];
  return [
    ...perRequest('fixed', { bound: { most: 1.1 } }),
    ...perRequest('saturated', { bound: { most: 1.1 } }),
    ...compared(results, 'saturated', { what: 'requests per second', load: loads.saturated, read: (round) => round.rate, show: count }),
    ...governed('fixed'),
    ...governed('saturated'),
    ...alone(results, 'fixed', { what: 'fold: bookkeeper CPU per record', load: loads.fixed, read: (round) => round.threads_us_per_request.bookkeeper,
      show: (value) => `${value.toFixed(2)} µs`, bound: { most: 3 } }),
    ...addedLatency(results, 'p50', 50),
    ...addedLatency(results, 'p99', 120),
    ...compared(results, 'sse', { what: 'CPU per relayed SSE frame', load: 'fixed rate, 100 streams, a frame each 10 ms', read: (round) => round.cpu_us_per_frame,
      show: micro, bound: { most: 1 } }),
    ...compared(results, 'sse', { what: 'transit of an SSE frame, p50', load: 'the same', read: (round) => round.transit_us.p50, show: micro }),
    ...connectionScaling(results),
    ...compared(results, 'prompt', { what: 'CPU per request, 100 KB prompt', load: 'fixed rate, 1,500/s, 16 connections', read: (round) => round.cpu_us_per_request,
      show: micro, bound: { most: 1.3 } }),
    ...heldStreams(results),
    ...singleFigures(results),
    ...simulatorCeiling(results),
  ];
}

/* --- notes --- */

const eachContestant = (results) => Object.entries(results.parts).flatMap(([part, contestants]) =>
  Object.entries(contestants).filter(([, rounds]) => rounds.length > 0).map(([name, rounds]) => ({ part, name, rounds })));

function threadNotes(results) {
  return ['airgate', 'ungoverned'].flatMap((name) => {
    const rounds = results.parts.fixed?.[name];
    if (!rounds) return [];
    const threads = Object.keys(rounds[0].threads_us_per_request).map((thread) =>
      `${thread} ${median(rounds.map((round) => round.threads_us_per_request[thread] ?? 0)).toFixed(2)}`);
    return [`CPU of ${name} by thread at the fixed rate, µs per request: ${threads.join(', ')}.`];
  });
}

function rigNotes(results) {
  const notes = eachContestant(results).filter(({ name }) => name !== 'direct').flatMap(({ part, name, rounds }) => {
    const [rig, core] = [median(rounds.map((round) => round.rig_share)), median(rounds.map((round) => round.core_share))];
    return rig > 0.9 ? [`${part}, ${name}: the load's own core was at ${percent(rig)} (the contestant's at ${percent(core)}), so the rate is the rig's; CPU per request still counts.`] : [];
  });
  for (const { part, name, rounds } of eachContestant(results)) {
    const reached = Math.min(...rounds.map((round) => (round.offered > 0 ? round.rate / round.offered : 1)));
    if (reached < 0.98) notes.push(`${part}, ${name}: the fixed rate was not held (${percent(reached)} of it in the worst round).`);
  }
  const { direct, airgate } = results.parts.saturated ?? {};
  if (direct && ratio(direct, airgate, (round) => round.rate).median < 3)
    notes.push('Load and simulator share one core here and reach less than three times airgate\'s rate: CPU per request is the figure to go by, a rate may be the rig\'s. ' +
      `The simulator itself takes ${micro(median(direct.map((round) => round.simulator_us_per_request)))} per request.`);
  return notes;
}

function disturbanceNotes(results) {
  const rounds = eachContestant(results).flatMap((entry) => entry.rounds);
  const disturbed = rounds.filter((round) => round.disturbed > disturbedShare).length;
  return disturbed > 0 ? [`In ${disturbed} of ${rounds.length} windows something else used more than ${percent(disturbedShare)} of one of the two cores: repeat on a quiet machine.`] : [];
}

export function render(results) {
  const rows = rowsOf(results);
  const cell = (row, name) => row.values[name] ?? '';
  const table = rows.map((row) => `| ${row.what} | ${row.load} | ${columns.map((name) => cell(row, name)).join(' | ')} | ${row.figure} | ${row.must} | ` +
    `${/^(FAILS|INVALID)/.test(row.verdict) ? `**${row.verdict}**` : row.verdict} |`);
  const rounds = results.rounds ? [`${results.rounds} round${results.rounds > 1 ? 's' : ''} of ${results.window_seconds} s`] : [];
  const circumstances = [`${results.date.slice(0, 16).replace('T', ' ')} UTC${results.quick ? ', quick run' : ''}`, `${results.cpu}, ${results.cores} cores, Linux ${results.kernel}`,
    ...rounds, ...Object.values(results.versions ?? {}).filter(Boolean)];
  const notes = [...threadNotes(results), ...rigNotes(results), ...disturbanceNotes(results)];
  const text = [
    `${circumstances.join('; ')}.`, '',
    `| what | load | ${columns.join(' | ')} | airgate's figure | must | |`, `|---|---|${'--:|'.repeat(columns.length)}--:|---|---|`, ...table, '',
    ...notes.map((note) => `- ${note}`),
    ...(results.singles ? ['', 'Single parts, CPU time of one thread (`build/bench_*`):', '```', results.singles, '```'] : []),
  ];
  return { text: `${text.join('\n').trimEnd()}\n`, rows, good: !rows.some((row) => /^(FAILS|INVALID)/.test(row.verdict)),
    valid: !rows.some((row) => row.verdict.startsWith('INVALID')) };
}
