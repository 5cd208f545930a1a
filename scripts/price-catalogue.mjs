#!/usr/bin/env node
// Generates the compiled-in price catalogue from the npm package @pydantic/genai-prices:
//   scripts/price-catalogue PACKAGE_DIRECTORY OUTPUT.c
// Numbers never become floating point: every number literal of the package's data is turned into a string before the data is evaluated,
// and converted to integers (nano-USD per million units) as decimal text. What cannot be represented exactly is left out and counted.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';

const [directory, output] = process.argv.slice(2);
const source = readFileSync(join(directory, 'dist/index.js'), 'utf8');
const version = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).version;

// The data is one array literal at the head of the module. Returns its text.
function dataLiteral(text) {
  const start = text.indexOf('[', text.search(/^const \w+ = \[/m));
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (text[i] === '"') {
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
    } else if (text[i] === '[' || text[i] === '{') depth++;
    else if ((text[i] === ']' || text[i] === '}') && --depth === 0) return text.slice(start, i + 1);
  }
  throw new Error('no data found in the package; has its layout changed?');
}

// Puts quotes around number literals outside strings (not after '!', where minifiers write booleans as !0 and !1).
function quoteNumbers(text) {
  return text.replace(/"(?:[^"\\]|\\.)*"|!\d|(?<![\w$])-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/g, (token) =>
    token[0] === '"' || token[0] === '!' ? token : `"${token}"`);
}

// Decimal text to an integer scaled by 10^decimals, as BigInt; null when it is not exact.
function scaled(text, decimals) {
  const match = /^(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) return null;
  const digits = match[1] + match[2];
  let exponent = decimals - match[2].length + Number(match[3] ?? 0);
  let value = BigInt(digits || '0');
  for (; exponent > 0; exponent--) value *= 10n;
  for (; exponent < 0; exponent++) {
    if (value % 10n !== 0n) return null;
    value /= 10n;
  }
  return value;
}

// price key -> usage unit, and numerator/denominator from the key's unit to "per million"
const units = {
  input_mtok: ['INPUT', 1n, 1n],
  cache_read_mtok: ['CACHE_READ', 1n, 1n],
  cache_write_mtok: ['CACHE_WRITE', 1n, 1n],
  cache_write_5m_mtok: ['CACHE_WRITE', 1n, 1n],
  cache_write_1h_mtok: ['CACHE_WRITE_1H', 1n, 1n],
  input_audio_mtok: ['INPUT_AUDIO', 1n, 1n],
  cache_audio_read_mtok: ['CACHE_READ_AUDIO', 1n, 1n],
  input_image_mtok: ['INPUT_IMAGE', 1n, 1n],
  output_mtok: ['OUTPUT', 1n, 1n],
  output_reasoning_mtok: ['OUTPUT_REASONING', 1n, 1n],
  output_audio_mtok: ['OUTPUT_AUDIO', 1n, 1n],
  output_image_mtok: ['OUTPUT_IMAGE', 1n, 1n],
  input_audio_hours: ['AUDIO_MS', 10n, 36n],
  audio_hours: ['AUDIO_MS', 10n, 36n],
  input_mchars: ['CHARACTERS', 1n, 1n],
  requests_kcount: ['REQUESTS', 1000n, 1n],
};
const ignored = {};

function rate(text, key) {
  const value = scaled(text, 9);
  const [, multiply, divide] = units[key];
  if (value === null || (value * multiply) % divide !== 0n) return null;
  return (value * multiply) / divide;
}

// { base: Map unit -> rate, tiers: Map start -> Map unit -> rate }, or null when something cannot be said exactly
function readPrices(prices) {
  const base = new Map();
  const tiers = new Map();
  for (const [key, value] of Object.entries(prices)) {
    if (!units[key]) {
      ignored[key] = (ignored[key] ?? 0) + 1;
      continue;
    }
    const unit = units[key][0];
    const first = rate(typeof value === 'string' ? value : value.base, key);
    if (first === null) return null;
    base.set(unit, first);
    for (const tier of value.tiers ?? []) {
      const price = rate(tier.price, key);
      const start = scaled(tier.start, 0);
      if (price === null || start === null) return null;
      if (!tiers.has(start)) tiers.set(start, new Map());
      tiers.get(start).set(unit, price);
    }
  }
  return { base, tiers };
}

// Of prices with conditions: the newest that has begun. Prices by time of day are left out; the unconditional one counts.
function currentPrices(prices, today) {
  if (!Array.isArray(prices)) return prices;
  let best = null;
  let bestDate = '';
  for (const { constraint, prices: candidate } of prices) {
    if (constraint && constraint.type !== 'start_date' && !constraint.start_date) continue;
    const date = constraint?.start_date ?? '';
    if (date <= today && (best === null || date >= bestDate)) [best, bestDate] = [candidate, date];
  }
  return best;
}

const text = (value) => JSON.stringify(value).replace(/[^\x20-\x7e]/g, '?');
const kinds = { equals: 'EQUALS', starts_with: 'STARTS_WITH', ends_with: 'ENDS_WITH', contains: 'CONTAINS', regex: 'REGEX' };
const untranslated = [];
const lines = [];
let matchCount = 0;

// The package's regular expressions in POSIX extended syntax. What POSIX cannot say never matches: better unpriced than wrongly priced.
function posixRegex(pattern) {
  const translated = pattern.replaceAll('\\d', '[0-9]').replaceAll('(?:', '(');
  if (translated.includes('(?') || /\\[wsbDWSB]/.test(translated)) {
    untranslated.push(pattern);
    return '^$.';
  }
  return translated;
}

// Emits the children first; returns the initialiser of the node.
function matchInitialiser(match) {
  const [kind, value] = Object.entries(match)[0];
  if (kind === 'regex') return `{ MATCH_REGEX, ${text(posixRegex(value))}, NULL, 0 }`;
  if (kinds[kind]) return `{ MATCH_${kinds[kind]}, ${text(value)}, NULL, 0 }`;
  if (kind !== 'or' && kind !== 'and') throw new Error(`unknown match rule "${kind}"`);
  const children = value.map(matchInitialiser);
  const name = `match_${matchCount++}`;
  lines.push(`static const struct match ${name}[] = { ${children.join(', ')} };`);
  return `{ MATCH_${kind.toUpperCase()}, NULL, ${name}, ${children.length} }`;
}

const allUnits = ['INPUT', 'CACHE_READ', 'CACHE_WRITE', 'CACHE_WRITE_1H', 'INPUT_AUDIO', 'CACHE_READ_AUDIO', 'INPUT_IMAGE', 'OUTPUT',
  'OUTPUT_REASONING', 'OUTPUT_AUDIO', 'OUTPUT_IMAGE', 'AUDIO_MS', 'CHARACTERS', 'REQUESTS'];
const derived = [['CACHE_READ', 'INPUT'], ['CACHE_WRITE', 'INPUT'], ['CACHE_WRITE_1H', 'CACHE_WRITE'], ['OUTPUT_REASONING', 'OUTPUT'],
  ['INPUT_IMAGE', 'INPUT'], ['INPUT_AUDIO', 'INPUT'], ['CACHE_READ_AUDIO', 'INPUT_AUDIO'], ['OUTPUT_AUDIO', 'OUTPUT'], ['OUTPUT_IMAGE', 'OUTPUT']];

// A model that bills input but names no output rate (embeddings) bills its output nothing: it has none.
function ratesInitialiser(rates) {
  const full = new Map(rates);
  if (full.has('INPUT') && !full.has('OUTPUT')) full.set('OUTPUT', 0n);
  for (const [unit, like] of derived) if (!full.has(unit) && full.has(like)) full.set(unit, full.get(like));
  return `{ { ${allUnits.map((unit) => (full.has(unit) ? `INT64_C(${full.get(unit)})` : '-1')).join(', ')} } }`;
}

const literal = dataLiteral(source);
const providers = runInNewContext(`(${quoteNumbers(literal)})`, {}, { timeout: 10000 });
// SOURCE_DATE_EPOCH makes builds repeatable.
const now = process.env.SOURCE_DATE_EPOCH ? new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000) : new Date();
const today = now.toISOString().slice(0, 10);
const models = [];
let inexact = 0;
for (const provider of providers) {
  for (const model of provider.models) {
    const prices = currentPrices(model.prices, today);
    const read = prices && readPrices(prices);
    if (!read) {
      inexact++;
      continue;
    }
    if (read.base.size === 0) continue;
    let tierName = 'NULL';
    const starts = [...read.tiers.keys()].sort((a, b) => (a < b ? -1 : 1));
    if (starts.length > 0) {
      tierName = `tiers_${models.length}`;
      let before = read.base;
      const rows = starts.map((start) => {
        before = new Map([...before, ...read.tiers.get(start)]);
        return `{ UINT64_C(${start}), ${ratesInitialiser(before)} }`;
      });
      lines.push(`static const struct price_tier ${tierName}[] = { ${rows.join(', ')} };`);
    }
    models.push(`    { ${text(provider.id)}, ${matchInitialiser(model.match)}, { ${ratesInitialiser(read.base)}, ${tierName}, ${starts.length}, NULL, ` +
      `${text(`genai-prices ${version} ${provider.id}/${model.id}`)} } },`);
  }
}
const hosts = providers.map((provider) => `    { ${text(posixRegex(provider.api_pattern))}, ${text(provider.id)} },`);
const hash = createHash('sha256').update(literal).digest('hex');
writeFileSync(output, `/* Generated by scripts/price-catalogue from @pydantic/genai-prices ${version}. */
#include "domain/price_catalogue.h"

${lines.join('\n')}

const struct catalogue_model catalogue_models[] = {
${models.join('\n')}
};
const size_t catalogue_model_count = ${models.length};

const struct catalogue_host catalogue_hosts[] = {
${hosts.join('\n')}
};
const size_t catalogue_host_count = ${hosts.length};

const char catalogue_source[] = "genai-prices ${version}, prices as of ${today}, sha256 ${hash}";
`);
console.log(`price catalogue: ${models.length} models of ${providers.length} providers; ${inexact} without an exact price left out; not used: ${
  Object.entries(ignored).map(([key, count]) => `${key} ${count}`).join(', ') || 'nothing'}; rules that never match: ${untranslated.join(' ') || 'none'}`);
