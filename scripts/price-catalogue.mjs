#!/usr/bin/env node
// Generates the compiled-in price catalogue from the npm package @pydantic/genai-prices:
//   scripts/price-catalogue PACKAGE_DIRECTORY OUTPUT.c
// Numbers never become floating point: every number literal of the package's data is turned into a string before the data is evaluated,
// and converted to integers (nano-USD per million units) as decimal text. A rate that cannot be represented exactly is unknown and listed.
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

// { base: Map unit -> rate, tiers: Map start -> Map unit -> rate }; UNKNOWN for a rate that cannot be said exactly
const UNKNOWN = -1n;
function readPrices(prices) {
  const base = new Map();
  const tiers = new Map();
  for (const [key, value] of Object.entries(prices)) {
    if (!units[key]) {
      ignored[key] = (ignored[key] ?? 0) + 1;
      continue;
    }
    const unit = units[key][0];
    base.set(unit, rate(typeof value === 'string' ? value : value.base, key) ?? UNKNOWN);
    for (const tier of value.tiers ?? []) {
      const start = scaled(tier.start, 0);
      if (!tiers.has(start)) tiers.set(start, new Map());
      tiers.get(start).set(unit, rate(tier.price, key) ?? UNKNOWN);
    }
  }
  return { base, tiers };
}

// Of prices with conditions: the newest that has begun. null where the price changes with the time of day: one rate would be wrong for a
// part of it, and unpriced is better than wrongly priced.
function currentPrices(prices, today) {
  if (!Array.isArray(prices)) return prices;
  let best = null;
  let bestDate = '';
  for (const { constraint, prices: candidate } of prices) {
    if (constraint && !constraint.start_date) return null;
    const date = constraint?.start_date ?? '';
    if (date <= today && (best === null || date >= bestDate)) [best, bestDate] = [candidate, date];
  }
  return best;
}

const text = (value) => JSON.stringify(value).replace(/[^\x20-\x7e]/g, '?');
const kinds = { equals: 'EQUALS', starts_with: 'STARTS_WITH', ends_with: 'ENDS_WITH', contains: 'CONTAINS', regex: 'REGEX' };
const lines = [];
let matchCount = 0;

// The package's regular expressions in POSIX extended syntax. What POSIX cannot say ends the build: somebody has to look at it.
function posixRegex(pattern) {
  const translated = pattern.replaceAll('\\d', '[0-9]').replaceAll('(?:', '(');
  if (translated.includes('(?') || /\\[wsbDWSB]/.test(translated)) throw new Error(`the pattern ${pattern} has no POSIX form`);
  return translated;
}

// A pattern that is nothing but "holds no X" becomes the opposite of X.
function regexInitialiser(pattern) {
  const absent = /^\^\(\?!\.\*(.*)\)$/.exec(pattern);
  return absent ? `{ MATCH_NOT_REGEX, ${text(posixRegex(absent[1]))}, NULL, 0 }` : `{ MATCH_REGEX, ${text(posixRegex(pattern))}, NULL, 0 }`;
}

// Emits the children first; returns the initialiser of the node. Names are compared in lower case, patterns as they are.
function matchInitialiser(match) {
  const [kind, value] = Object.entries(match)[0];
  if (kind === 'regex') return regexInitialiser(value);
  if (kinds[kind]) return `{ MATCH_${kinds[kind]}, ${text(value.toLowerCase())}, NULL, 0 }`;
  if (kind !== 'or' && kind !== 'and') throw new Error(`unknown match rule "${kind}"`);
  const children = value.map(matchInitialiser);
  const name = `match_${matchCount++}`;
  lines.push(`static const struct match ${name}[] = { ${children.join(', ')} };`);
  return `{ MATCH_${kind.toUpperCase()}, NULL, ${name}, ${children.length} }`;
}

const allUnits = ['INPUT', 'CACHE_READ', 'CACHE_WRITE', 'CACHE_WRITE_1H', 'INPUT_AUDIO', 'CACHE_READ_AUDIO', 'INPUT_IMAGE', 'OUTPUT',
  'OUTPUT_REASONING', 'OUTPUT_AUDIO', 'OUTPUT_IMAGE', 'AUDIO_MS', 'CHARACTERS', 'REQUESTS'];
// As in price_rates_complete.
const derived = [['CACHE_READ_AUDIO', 'INPUT_AUDIO'], ['CACHE_READ', 'INPUT'], ['CACHE_READ_AUDIO', 'CACHE_READ'], ['CACHE_WRITE', 'INPUT'], ['CACHE_WRITE_1H', 'CACHE_WRITE'], ['OUTPUT_REASONING', 'OUTPUT'],
  ['INPUT_IMAGE', 'INPUT'], ['INPUT_AUDIO', 'INPUT'], ['OUTPUT_AUDIO', 'OUTPUT'], ['OUTPUT_IMAGE', 'OUTPUT']];

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
const unknown = []; // models with rates that are not one exact number
let modelCount = 0;
let contextCount = 0;

// The context window in tokens, as it is written; 0: not said.
function contextInitialiser(provider, model) {
  if (model.context_window === undefined) return '0';
  const tokens = scaled(model.context_window, 0);
  if (tokens === null || tokens <= 0n) throw new Error(`the context window of ${provider.id}/${model.id} is no whole number of tokens`);
  contextCount++;
  return `UINT64_C(${tokens})`;
}

// Emits the tiers first. A model without a known rate stands in the table too, so that no broader rule behind it gives it a price.
function modelInitialiser(provider, model) {
  const prices = currentPrices(model.prices, today);
  const read = prices && readPrices(prices);
  const rates = read ? [read.base, ...read.tiers.values()].flatMap((map) => [...map.values()]) : [UNKNOWN];
  if (rates.includes(UNKNOWN)) unknown.push(`${provider.id}/${model.id}`);
  const context = contextInitialiser(provider, model);
  if (!rates.some((value) => value !== UNKNOWN)) return `    { ${matchInitialiser(model.match)}, { .source = NULL }, ${context} },`;
  let tiers = 'NULL';
  const starts = [...read.tiers.keys()].sort((a, b) => (a < b ? -1 : 1));
  if (starts.length > 0) {
    tiers = `tiers_${modelCount}`;
    let before = read.base;
    const rows = starts.map((start) => {
      before = new Map([...before, ...read.tiers.get(start)]);
      return `{ UINT64_C(${start}), ${ratesInitialiser(before)} }`;
    });
    lines.push(`static const struct price_tier ${tiers}[] = { ${rows.join(', ')} };`);
  }
  modelCount++;
  return `    { ${matchInitialiser(model.match)}, { ${ratesInitialiser(read.base)}, ${tiers}, ${starts.length}, NULL, ` +
    `${text(`genai-prices ${version} ${provider.id}/${model.id}`)} }, ${context} },`;
}

// Emits models and fallbacks first; returns the initialiser of the provider.
function providerInitialiser(provider, number) {
  const models = provider.models.map((model) => modelInitialiser(provider, model));
  const fallbacks = provider.fallback_model_providers ?? [];
  if (models.length > 0) lines.push(`static const struct catalogue_model models_${number}[] = {\n${models.join('\n')}\n};`);
  if (fallbacks.length > 0) lines.push(`static const char *const fallbacks_${number}[] = { ${fallbacks.map(text).join(', ')}, NULL };`);
  return `    { ${text(provider.id)}, ${text(posixRegex(provider.api_pattern))}, ${fallbacks.length > 0 ? `fallbacks_${number}` : 'NULL'}, ${
    models.length > 0 ? `models_${number}` : 'NULL'}, ${models.length} },`;
}

const rows = providers.map(providerInitialiser);
const hash = createHash('sha256').update(literal).digest('hex');
writeFileSync(output, `/* Generated by scripts/price-catalogue from @pydantic/genai-prices ${version}. */
#include "domain/price_catalogue.h"

${lines.join('\n')}

const struct catalogue_provider catalogue_providers[] = {
${rows.join('\n')}
};
const size_t catalogue_provider_count = ${rows.length};

const char catalogue_source[] = "genai-prices ${version}, prices as of ${today}, sha256 ${hash}";
`);
console.log(`price catalogue: ${modelCount} models of ${rows.length} providers, ${contextCount} context windows; unknown rates: ${unknown.join(' ') || 'none'}; units not used: ${
  Object.entries(ignored).map(([key, count]) => `${key} ${count}`).join(', ') || 'none'}`);
