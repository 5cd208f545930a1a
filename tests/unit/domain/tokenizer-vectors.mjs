#!/usr/bin/env node
// Writes texts with their numbers of tokens and pieces as the npm package gpt-tokenizer counts them, for test_tokenizer.c:
//   tokenizer-vectors.mjs PACKAGE_DIRECTORY OUTPUT [COUNT [SEED]]
// A vector is five little-endian words (tokens and pieces in cl100k_base, tokens and pieces in o200k_base, length) and the text.
// gpt-tokenizer differs from tiktoken in two things: \s in JavaScript takes U+FEFF and leaves U+0085, and its decoder drops U+FEFF as a
// byte order mark, so that no token with it is ever found. The counts come from its byte pair encoding with both mended; and
// wherever a text has neither character, they must be what the package's own encode says.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

globalThis.TextDecoder = class extends TextDecoder {
  constructor(label, options) {
    super(label, { ...options, ignoreBOM: true });
  }
};
const [directory, output, countText = '24000', seedText = '1'] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(resolve(directory), 'esm', path)));
const { BytePairEncodingCore } = await load('BytePairEncodingCore.js');
const constants = await load('encodingParams/constants.js');

async function oracle(name, pattern) {
  const tokenSplitRegex = new RegExp(pattern.source.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}'), 'gu');
  const { default: ranks } = await load(`bpeRanks/${name}.js`);
  const { encode } = await load(`encoding/${name}.js`);
  const text = (bytes) => new TextDecoder().decode(Uint8Array.from(bytes));
  const bytePairRankDecoder = ranks.map((token) => (typeof token === 'string' || text(token).includes('\ufffd') ? token : text(token)));
  const core = new BytePairEncodingCore({ bytePairRankDecoder, tokenSplitRegex });
  const words = bytePairRankDecoder.filter((token) => typeof token === 'string' && !token.includes('\ufffd'));
  const count = (text) => {
    const tokens = core.encodeNative(text).length;
    if (!/[\u0085\ufeff]/.test(text) && encode(text, { disallowedSpecial: new Set() }).length !== tokens) {
      throw new Error(`${name}: two counts for ${JSON.stringify(text)}`);
    }
    return [tokens, text.match(tokenSplitRegex)?.length ?? 0];
  };
  return { count, words };
}
const cl100k = await oracle('cl100k_base', constants.CL100K_TOKEN_SPLIT_REGEX);
const o200k = await oracle('o200k_base', constants.O200K_TOKEN_SPLIT_REGEX);

// --- random texts ---

let state = Number(seedText);
function random(below) { // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}
const pick = (list) => list[random(list.length)];
const many = (most, make) => Array.from({ length: random(most + 1) }, make).join('');
const from = (alphabet, most) => many(most, () => pick(alphabet));

const english = ('the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one '
  + 'you were her all she there would their we him been has when who will more no if out so said what up its about into than them can '
  + 'only other new some could time these two may then do first any my now such like our over man me even most made after also did many '
  + 'before must through years where much your way well down should because each just those people how too little state good very make '
  + 'world still own see men work long here get both between life being under never day same another know while last might us great old '
  + 'year off come since against go came right used take three tokenization misunderstanding Kubernetes reconciliation bookkeeper').split(' ');
const punctuation = ['.', ',', ';', ':', '!', '?', '...', ' - ', '"', "'", '(', ')', '\n', '\n\n', '\r\n', ' ', '  ', '/', '//', '\t'];
const contractions = ["'s", "'S", "'t", "'T", "'re", "'RE", "'Re", "'rE", "'ve", "'VE", "'m", "'M", "'ll", "'LL", "'lL", "'d", "'D", "'l", "'v", "'r", "'x",
  "'", "''s", '\u2019s', "'\u017f"];
const cases = [(word) => word, (word) => word, (word) => word[0].toUpperCase() + word.slice(1), (word) => word.toUpperCase(),
  (word) => [...word].map((letter) => (random(2) ? letter.toUpperCase() : letter)).join('')];
const code = ['if', 'for', 'return', 'struct', 'function', 'const', 'x', 'i', 'camelCaseName', 'snake_case_name', 'HTTPServer', 'parseURL2', '(', ')', '{', '}', '[', ']',
  ';', ' = ', '==', '!==', '=>', '->', '++', '&&', '/*', '*/', '//', '#include', '\n', '\n    ', '\n\t', '\n\t\t', '        ', ' ', '0x1f', '3.14', '"', "'", '\\n', '<div>', '</div>'];
// One or a few of every class, with characters of one to four bytes.
const classes = ['a', 's', 'é', 'ß', 'я', '𝒶', 'B', 'S', 'É', 'Я', '𝒜', 'ǅ', 'ᾈ', 'ʰ', 'ー', '文', 'א', 'ا', 'ก', '한', '𠀀', 'º', '\u0301', '\u0307', '\u0903', '\u20dd', '\ufe0f',
  '\u0e31', '1', '7', '٣', 'Ⅷ', '½', '𝟘', ' ', ' ', '\t', '\n', '\r', '\v', '\f', '\u0085', '\u00a0', '\u1680', '\u2003', '\u2028', '\u3000', '!', '/', "'", "'s", "'LL", '_', '€',
  '😀', '\u200d', '\u200b', '\ufeff', '\u0000', '\u007f', '\u0378', '\ue000', '\u{10ffff}'];
const spaces = [' ', ' ', ' ', ' ', '\n', '\n', '\r', '\r\n', '\t', '\t', '\u00a0', '\u2003', '\u3000', '\u0085', '\v', '    ', '        '];
const scripts = [[0x4e00, 0x9fa5], [0x3041, 0x30ff], [0xac00, 0xd7a3], [0x0410, 0x044f], [0x0391, 0x03c9], [0x05d0, 0x05ea], [0x0621, 0x0652], [0x0904, 0x094d], [0x0e01, 0x0e4e],
  [0x1f300, 0x1f64f], [0x1f1e6, 0x1f1ff], [0x10400, 0x1044f], [0x0100, 0x024f], [0x1e00, 0x1eff], [0x0300, 0x036f], [0x2000, 0x206f], [0x20, 0x7e], [0xa0, 0xff]];
const letters = [...'abcdefghijklmnopqrstuvwxyz'];
const longWords = o200k.words.filter((word) => /^\p{L}+$/u.test(word));
const marks = [...cl100k.words, ...o200k.words].filter((word) => /^[^\s\p{L}\p{N}]+$/u.test(word));
const blanks = o200k.words.filter((word) => /^\s+$/.test(word));

function anyCharacter() {
  const codePoint = random([0x80, 0x800, 0x10000, 0x110000][random(4)]);
  return codePoint >= 0xd800 && codePoint < 0xe000 ? '' : String.fromCodePoint(codePoint);
}
function scriptText() {
  const [first, last] = pick(scripts);
  return many(30, () => (random(6) ? String.fromCodePoint(first + random(last - first + 1)) : pick(['\u200d', '\ufe0f', ' ', '\u0301', ',', '\n'])));
}
function periodic() {
  const unit = from(pick([letters, classes, spaces, ['a', 'b'], ['=', '-', '*'], marks]), 6);
  return unit.repeat(random(60)) + from(letters, 2);
}

const generators = [
  () => many(40, () => (random(5) ? ' ' : '') + pick(cases)(pick(english)) + (random(4) ? '' : pick(contractions)) + (random(5) ? '' : pick(punctuation))),
  () => from(code, 60),
  () => many(40, anyCharacter),
  () => from(classes, 24),
  () => from(classes, 8),
  () => from(spaces, 40) + from(classes, 2) + from(spaces, 40),
  () => from(longWords, 12),
  () => from(marks, 10),
  () => from(blanks, 6) + from(letters, 1),
  () => from(o200k.words, 20) + from(cl100k.words, 20),
  periodic,
  () => from(letters, 200),
  () => from(pick([['a', 'b'], ['e', 's', 't'], ['A', 'a'], ['o', 'O', '\u0301'], ['i', 'n', 'g'], ['0', '1'], ['=', '-', '/'], ['\u{1f468}', '\u200d', '\u{1f469}']]), 250),
  () => many(80, () => String.fromCharCode(random(128))),
  () => many(6, () => scriptText()),
  () => Buffer.from(Array.from({ length: random(150) }, () => random(256))).toString(pick(['base64', 'hex', 'base64url', 'utf8'])),
  () => JSON.stringify({ [pick(english)]: [random(1e9), from(english, 3), { [from(letters, 9)]: from(classes, 5) }] }, null, random(3)),
];

// --- texts that were thought of ---

const curated = ['', 'a', 'Hello, world!', 'The quick brown fox jumps over the lazy dog.', "I'm sure you've seen it; they'll say we're done, he'd can't O'Neil's",
  "I'M SURE YOU'VE SEEN IT; THEY'LL SAY WE'RE DONE", "'s", "''s", "x's'S's", "l'été d'accord qu'il", "a'\u017fb 'ſſ's", '#include <stdio.h>\n\nint main(void)\n{\n\treturn 0;\n}\n',
  'def f(x):\n        return {\n            "a": [1, 2, 3],\n        }\n\n\n', 'SELECT * FROM t WHERE a != b -- c\r\n\r\n', '人工知能とは何ですか？', '你好，世界！我们今天讨论分词。', '안녕하세요 세계',
  'Привет, МИР! Ёлка', 'Καλημέρα ΚΌΣΜΕ', 'مرحبا بالعالم، كيف الحالُ؟', 'שָׁלוֹם עוֹלָם', 'नमस्ते दुनिया क्षत्रिय', 'สวัสดีชาวโลก', '😀😃👨‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽', 'e\u0301e\u0301 Z\u0351\u036b\u0343A\u0321\u034eL\u0328\u0318GO\u0321',
  '\u0301\u0301AB\u0301C', '\u0301', 'A\u0301BC d', 'ǅǅa ǄA', ' '.repeat(200), ' '.repeat(127) + 'a', ' '.repeat(128) + 'a', ' '.repeat(129), '\n'.repeat(100), '\r\n'.repeat(50),
  '\n \n  \n   x', ' \n  ', '  \t\n\t  \n', '\t\t\tx', 'a \u00a0 b', 'a\u0085\u0085 b', '\ufeffint x;', '  \ufeff a', 'a\u2028b\u3000\u3000c', '1234567890123 12 1 1,234.56', '٣٤٥٦ Ⅷ½',
  '\u0000\u0001\u0002\u001b[31mred\u001b[0m\u007f', '<|endoftext|>', 'a<|im_start|>system<|im_sep|>b<|endofprompt|>', 'https://example.com/a/b?c=d&e=f#g//', '!!!???...///\r\n/\n/', ' !\n', ' /\n/',
  '=====-----=====', '-'.repeat(130), '_'.repeat(100), '*'.repeat(99), 'a'.repeat(500), 'A'.repeat(300), 'ab'.repeat(300), 'Aa'.repeat(200), '文'.repeat(200), '\u0301'.repeat(100),
  'supercalifragilisticexpialidocious antidisestablishmentarianism', 'XMLHttpRequest getElementById iOS McDonald HTMLParser', '𝒜𝒷𝒸 𝔘𝔫𝔦', '\ufffd\ufffd', '\u{10ffff}\ue000\u0378'];
// Longer than what is searched on the stack; few, because the oracle takes quadratic time.
const long = [...'a= \n'].map((character) => character.repeat(3000)).concat(
  Array.from({ length: 6 }, () => Array.from({ length: 1500 }, () => pick(letters)).join('')),
  Array.from({ length: 4 }, () => Array.from({ length: 300 }, () => pick(longWords)).join('')),
  Array.from({ length: 4 }, () => Array.from({ length: 400 }, () => pick(spaces)).join('')),
  Array.from({ length: 4 }, () => Array.from({ length: 300 }, () => pick(marks)).join('')));

const texts = [...curated, ...long];
for (let i = 0; i < Number(countText); i++) texts.push(generators[i % generators.length]());
const vectors = texts.flatMap((text) => {
  const bytes = Buffer.from(text, 'utf8');
  const head = new Uint32Array([...cl100k.count(text), ...o200k.count(text), bytes.length]);
  return [Buffer.from(head.buffer), bytes];
});
writeFileSync(output, Buffer.concat(vectors));
console.log(`tokenizer vectors: ${texts.length} texts`);
