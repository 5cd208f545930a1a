// The table of a run: one line per question, as a ratio where there is something to compare with, and whether the design's bound holds.

const micro = (value) => `${value.toFixed(value < 100 ? 1 : 0)} µs`;
const percent = (value) => `${(value * 100).toFixed(0)} %`;
const megabytes = (value) => `${(value / 1e6).toFixed(1)} MB`;
const errorsOf = (part) => Object.values(part ?? {}).reduce((sum, item) => sum + (item.errors ?? 0), 0);

/** One line. values: what each contestant shows; ratio: airgate's to the other's; must: the largest (or smallest) ratio or value. */
function line(what, how, values, verdict, must) {
  return { what, how, values, verdict, must };
}

function compared(results, name, what, how, read, show, must) {
  const part = results.parts[name];
  if (!part) return [];
  const values = Object.fromEntries(Object.entries(part).map(([contestant, item]) => [contestant, show(read(item))]));
  if (errorsOf(part) > 0) return [line(what, how, values, { text: 'INVALID: errors', good: false }, must ? `≤ ${must}×` : '')];
  if (!part.nginx || !part.airgate) return [line(what, how, values, { text: '—', good: true }, must ? `≤ ${must}×` : '')];
  const ratio = read(part.airgate) / read(part.nginx);
  return [line(what, how, values, { text: `${ratio.toFixed(2)}×`, good: !must || ratio <= must }, must ? `≤ ${must}×` : '')];
}

function addedLatency(results, quantile, must) {
  const part = results.parts.latency;
  if (!part) return [];
  const base = part.direct[quantile];
  const values = Object.fromEntries(Object.entries(part).map(([name, item]) =>
    [name, name === 'direct' ? micro(item[quantile]) : `+${micro(item[quantile] - base)}`]));
  const added = part.airgate[quantile] - base;
  const good = errorsOf(part) === 0 && added <= must;
  return [line(`added latency, ${quantile}`, 'one connection, closed loop', values,
    { text: errorsOf(part) ? 'INVALID: errors' : `+${micro(added)}`, good }, `≤ ${must} µs`)];
}

function connectionScaling(results) {
  const [many, few] = [results.parts.connections, results.parts.connections_64];
  if (!many || !few) return [];
  const values = Object.fromEntries(Object.keys(many).map((name) => [name, percent(many[name].rate / few[name].rate)]));
  const share = many.airgate.rate / few.airgate.rate;
  const errors = errorsOf(many) + errorsOf(few);
  return [line('throughput at 8,000 connections against 64', 'saturated', values,
    { text: errors ? `INVALID: ${errors} errors` : percent(share), good: errors === 0 && share >= 0.8 }, '≥ 80 %')];
}

function absolute(what, how, values, value, show, must) {
  return line(what, how, values, { text: show(value), good: value <= must }, `≤ ${show(must)}`);
}

function memoryLines(results) {
  const lines = [];
  const streams = results.parts.streams;
  if (streams) {
    const values = Object.fromEntries(Object.entries(streams).map(([name, item]) => [name, `${Math.round(item.bytes_per_stream)} B`]));
    const { bytes_per_stream: bytes, streams: count } = streams.airgate;
    const errors = errorsOf(streams);
    lines.push(line(`memory per open stream (${count} open)`, `descriptor limit ${results.descriptors}`, values,
      { text: errors ? `INVALID: ${errors} errors` : `${Math.round(bytes)} B`, good: errors === 0 && bytes <= 8192 }, '≤ 8192 B'));
  }
  if (results.parts.idle) {
    const values = Object.fromEntries(Object.entries(results.parts.idle).map(([name, item]) => [name, megabytes(item.rss)]));
    lines.push(absolute('idle resident memory', 'after start', values, results.parts.idle.airgate.rss, megabytes, 12e6));
    lines.push(absolute('binary, stripped', '', { airgate: megabytes(results.binary_bytes) }, results.binary_bytes, megabytes, 6e6));
    lines.push(absolute('start to first answer', 'process start to 200', { airgate: `${results.start_ms.toFixed(0)} ms` },
      results.start_ms, (value) => `${value.toFixed(0)} ms`, 50));
  }
  return lines;
}

function rigNotes(results) {
  const notes = [];
  for (const [name, part] of Object.entries(results.parts))
    for (const [contestant, item] of Object.entries(part))
      if (item.rig_share > 0.9 && contestant !== 'direct')
        notes.push(`${name}, ${contestant}: the load's own core was at ${percent(item.rig_share)} (the contestant's at ` +
          `${percent(item.core_share)}), so the rate is the rig's; CPU per request still counts.`);
  const disturbed = Object.values(results.parts).flatMap((part) => Object.values(part)).filter((item) => item.disturbed > 0.05).length;
  if (disturbed > 0)
    notes.push(`${disturbed} of the figures were taken while something else used more than 5 % of the contestant's core: repeat on a quiet machine.`);
  return notes;
}

export function render(results) {
  const lines = [
    ...compared(results, 'fixed', 'CPU per governed request, 1 KB chat', 'fixed rate, 10,000/s, 64 connections',
      (item) => item.cpu_us_per_request, micro, 1.1),
    ...compared(results, 'saturated', 'CPU per governed request, 1 KB chat', 'saturated, 64 connections',
      (item) => item.cpu_us_per_request, micro, 1.1),
    ...compared(results, 'saturated', 'requests per second', 'saturated, 64 connections',
      (item) => item.rate, (value) => Math.round(value).toLocaleString('en'), null),
    ...addedLatency(results, 'p50', 50),
    ...addedLatency(results, 'p99', 120),
    ...compared(results, 'sse', 'CPU per relayed SSE frame', '100 streams, 256 frames each, 10 ms apart',
      (item) => item.cpu_us_per_frame, micro, 1.0),
    ...compared(results, 'sse', 'SSE frame transit, p50', 'same run', (item) => item.transit_p50, micro, null),
    ...connectionScaling(results),
    ...compared(results, 'prompt', 'CPU per request, 100 KB prompt', 'fixed rate, 1,500/s', (item) => item.cpu_us_per_request, micro, 1.3),
    ...memoryLines(results),
  ];
  const names = ['direct', 'nginx', 'haproxy', 'airgate'];
  let text = `# Benchmark of ${results.date}${results.quick ? ' (quick run)' : ''}\n\n` +
    `${results.cpu}, ${results.cores} cores, Linux ${results.kernel}; contestants alone on one core, load and simulator on another. ` +
    `${results.rounds} round(s) of ${results.window_seconds} s, medians. ${Object.values(results.versions).filter(Boolean).join('; ')}.\n\n` +
    `| what | how | ${names.join(' | ')} | ratio | must | |\n|---|---|${names.map(() => '--:').join('|')}|--:|---|---|\n`;
  for (const item of lines)
    text += `| ${item.what} | ${item.how} | ${names.map((name) => item.values[name] ?? '').join(' | ')} | ${item.verdict.text} | ` +
      `${item.must} | ${item.must ? (item.verdict.good ? 'holds' : '**FAILS**') : ''} |\n`;
  const threads = results.parts.fixed?.airgate?.threads_us_per_request;
  if (threads)
    text += `\nWhere airgate's CPU goes at the fixed rate (µs per request, by thread): ` +
      `${Object.entries(threads).map(([name, value]) => `${name} ${value.toFixed(2)}`).join(', ')}.\n`;
  const notes = rigNotes(results);
  if (notes.length > 0) text += `\n${notes.map((note) => `- ${note}`).join('\n')}\n`;
  return { text, good: lines.every((item) => item.verdict.good) };
}
