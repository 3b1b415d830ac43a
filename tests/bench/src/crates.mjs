// @ts-check
/**
 * Which crate the code of a wasm module came from: `node src/crates.mjs COMMIT FILE.wasm...` writes `results/crates.json`.
 *
 * The module must have kept its names, so it is linked once more, in cargo's folder for the site:
 *
 *     CARGO_TARGET_DIR=target/site cargo rustc --profile site --target wasm32-unknown-unknown \
 *       --package glassbox-worker --bin glassbox-worker-cpu -- -C strip=none
 *
 * and read from there, before wasm-bindgen.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';

const IMPORT = 2;
const CODE = 10;
const CUSTOM = 0;
const FUNCTION_NAMES = 1;
/** Bytes below which a crate is not listed. */
const SMALL = 1000;

/** Reads the little of the binary format that is needed here. */
class Reader {
  at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
  }

  get done() {
    return this.at >= this.bytes.length;
  }

  byte() {
    const value = this.bytes[this.at];
    if (value === undefined) throw new Error('the module ends too early');
    this.at += 1;
    return value;
  }

  /** LEB128, unsigned. */
  number() {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  /** A vector of bytes, as a reader of its own. */
  block() {
    const length = this.number();
    const part = new Reader(this.bytes.subarray(this.at, this.at + length));
    this.at += length;
    return part;
  }

  text() {
    return new TextDecoder().decode(this.block().bytes);
  }
}

/**
 * Bytes of code by crate, largest first.
 *
 * @param {Uint8Array} bytes
 */
export function codeByCrate(bytes) {
  const module = new Reader(bytes);
  if (new TextDecoder().decode(bytes.subarray(0, 4)) !== '\0asm') throw new Error('not a wasm module');
  module.at = 8;
  let imported = 0;
  /** @type {number[]} */
  let sizes = [];
  /** @type {Map<number, string>} */
  let names = new Map();
  while (!module.done) {
    const id = module.byte();
    const section = module.block();
    if (id === IMPORT) imported = importedFunctions(section);
    if (id === CODE) sizes = Array.from({ length: section.number() }, () => section.block().bytes.length);
    if (id === CUSTOM && section.text() === 'name') names = functionNames(section);
  }
  if (names.size === 0) throw new Error('the module has no names; link it with -C strip=none');
  /** @type {Map<string, number>} */
  const found = new Map();
  sizes.forEach((size, index) => {
    const name = crateOf(names.get(imported + index) ?? '');
    found.set(name, (found.get(name) ?? 0) + size);
  });
  const crates = [...found].map(([name, size]) => ({ name, bytes: size })).sort((a, b) => b.bytes - a.bytes);
  return { codeBytes: sizes.reduce((sum, size) => sum + size, 0), crates };
}

/** @param {Reader} section */
function importedFunctions(section) {
  let functions = 0;
  for (let left = section.number(); left > 0; left -= 1) {
    section.text();
    section.text();
    const kind = section.byte();
    if (kind === 0) {
      section.number();
      functions += 1;
    } else if (kind === 1) {
      section.byte();
      limits(section);
    } else if (kind === 2) {
      limits(section);
    } else if (kind === 3) {
      section.byte();
      section.byte();
    } else {
      section.byte();
      section.number();
    }
  }
  return functions;
}

/** @param {Reader} section */
function limits(section) {
  const flags = section.byte();
  section.number();
  if (flags & 1) section.number();
}

/** @param {Reader} section after its name */
function functionNames(section) {
  const names = new Map();
  while (!section.done) {
    const id = section.byte();
    const part = section.block();
    if (id !== FUNCTION_NAMES) continue;
    for (let left = part.number(); left > 0; left -= 1) names.set(part.number(), part.text());
  }
  return names;
}

/**
 * The crate of a function, of its name as Rust's compiler writes it: mangled in either way, or not at all. A method counts
 * for the crate of its type, or for the trait's where the type is any.
 *
 * @param {string} name
 */
export function crateOf(name) {
  // The newer way: `C` begins a crate, with a number `s…_` that tells versions apart before its length and name.
  const found = /^_R.*?C(?:s[0-9A-Za-z]*_)?(\d+)_?([A-Za-z_]\w*)/.exec(name);
  if (found) return (found[2] ?? '').slice(0, Number(found[1]));
  const path = plain(name);
  const [type = '', trait = ''] = path.replace(/^[<&*([\s]+/, '').split(' as ');
  return root(type) ?? root(trait) ?? (/^[A-Za-z_]\w*/.exec(path)?.[0] || 'unnamed');
}

/**
 * The first part of a path of several.
 *
 * @param {string} path
 */
function root(path) {
  return /^(?:(?:mut|const|dyn) )*([A-Za-z_]\w*)::/.exec(path)?.[1];
}

/**
 * Undoes the older mangling: `_ZN`, then lengths and parts, in which `$…$` and dots stand for other characters.
 *
 * @param {string} name
 */
function plain(name) {
  const signs = { LT: '<', GT: '>', RF: '&', BP: '*', C: ',', u20: ' ' };
  let rest = /^_ZN(.*)E$/.exec(name)?.[1];
  if (rest === undefined) return name;
  const parts = [];
  for (let length = /^\d+/.exec(rest)?.[0]; length !== undefined; length = /^\d+/.exec(rest)?.[0]) {
    parts.push(rest.slice(length.length, length.length + Number(length)).replace(/^_(?=\$)/, ''));
    rest = rest.slice(length.length + Number(length));
  }
  return parts
    .join('::')
    .replaceAll(/\$(\w+)\$/g, (_, sign) => signs[/** @type {keyof typeof signs} */ (sign)] ?? ' ')
    .replaceAll('..', '::');
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  const [commit = 'unknown', ...files] = argv.slice(2);
  const modules = [];
  for (const file of files) {
    const { codeBytes, crates } = codeByCrate(await readFile(file));
    // Without what is a function's own name: exports, and the compiler's helpers.
    modules.push({ name: basename(file), codeBytes, crates: crates.filter(({ bytes }) => bytes >= SMALL) });
  }
  const target = new URL('../results/crates.json', import.meta.url);
  await writeFile(target, `${JSON.stringify({ commit, modules }, null, 1)}\n`);
  for (const { name, codeBytes, crates } of modules) {
    console.log(`${name}: ${codeBytes} bytes of code`);
    for (const { name: of, bytes } of crates.slice(0, 25)) console.log(`${String(bytes).padStart(10)}  ${of}`);
  }
}
