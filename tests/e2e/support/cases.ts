import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { FIXTURES, SCRATCH } from './paths.ts';

/** A GGUF form of a model case. */
export interface GgufForm {
  readonly file: string;
  readonly dtype: string;
  readonly version: number;
  readonly golden: string;
  readonly greedy_ids: readonly number[];
}

/** `case.toml` of the model that comes with the site. */
export interface HouseCase {
  readonly golden: string;
  readonly tolerance: { readonly logits: number; readonly pattern: number };
  readonly prompt: { readonly text: string; readonly ids_with_special: readonly number[] };
  readonly greedy: { readonly ids: readonly number[]; readonly text: string };
  readonly gguf: { readonly file: string; readonly golden: string };
}

/** The house model's case, and the folder of its goldens. */
export function readHouse(): { readonly folder: string; readonly house: HouseCase } {
  const folder = join(FIXTURES, 'house');
  return { folder, house: parse(readFileSync(join(folder, 'case.toml'), 'utf8')) as unknown as HouseCase };
}

/** `case.toml` of a model, as `tests/fixtures/README.md` describes it. */
export interface ModelCase {
  readonly name: string;
  readonly kind: 'model';
  readonly architecture: string;
  readonly parameters: number;
  readonly layers: number;
  readonly heads: number;
  readonly kv_heads: number;
  readonly head_dim: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly context: number;
  readonly golden: string;
  readonly tolerance: { readonly logits: number; readonly pattern: number };
  readonly prompt: {
    readonly text: string;
    readonly ids: readonly number[];
    readonly ids_with_special: readonly number[];
  };
  readonly greedy: { readonly ids: readonly number[]; readonly margin: number };
  /** Without a head, what attention (or the convolution in its place) adds to the residual stream. */
  readonly ablate?: readonly { readonly layer: number; readonly head?: number; readonly logits: string }[];
  readonly gguf?: readonly GgufForm[];
}

/** `case.toml` of files that must be refused. */
export interface BadCase {
  readonly name: string;
  readonly kind: 'bad';
  /** The file to open, or `.` for the folder. */
  readonly open: string;
  /** The kind of error in plain words. */
  readonly error: string;
}

/** One form of a model: the hub's folder, or one of its GGUF files. */
export interface Variant {
  readonly title: string;
  readonly folder: string;
  readonly files: readonly string[];
  readonly case: ModelCase;
  readonly gguf: GgufForm | null;
  readonly golden: string;
  readonly greedy: readonly number[];
}

/** Every form of every model. */
export const VARIANTS: readonly Variant[] = folders(FIXTURES).flatMap((folder) => {
  const described = describe(folder);
  return described?.kind === 'model' ? variantsOf(folder, described) : [];
});

/** Every case that must be refused, with the path to drop. */
export const BAD: readonly (BadCase & { readonly path: string })[] = folders(join(FIXTURES, 'bad')).flatMap((folder) => {
  const described = describe(folder);
  return described?.kind === 'bad' ? [{ ...described, path: join(folder, described.open) }] : [];
});

/** The form of that title: a folder's name, or with the file's name after a slash. */
export function variant(title: string): Variant {
  const found = VARIANTS.find((one) => one.title === title);
  if (!found) throw new Error(`no fixture ${title}; there are ${VARIANTS.map((one) => one.title).join(', ')}`);
  return found;
}

/**
 * A folder with nothing but a variant's files, as one has it from a hub; the fixture's own holds goldens as well.
 * A new one each time: a browser refuses to read a file that was written after it was picked, and tests run side by side.
 */
export function cleanFolder({ case: described, folder, files }: Variant, name = described.name): string {
  mkdirSync(SCRATCH, { recursive: true });
  const clean = join(mkdtempSync(join(SCRATCH, 'clean-')), name);
  mkdirSync(clean);
  for (const file of files) copyFileSync(join(folder, file), join(clean, file));
  return clean;
}

function variantsOf(folder: string, described: ModelCase): Variant[] {
  const { name, golden, greedy, gguf = [] } = described;
  const hub = readdirSync(folder).filter((file) => !/^(golden|case)|\.gguf$/.test(file));
  const one = { folder, case: described };
  return [
    { ...one, title: name, files: hub, gguf: null, golden, greedy: greedy.ids },
    ...gguf.map((form) => ({
      ...one,
      title: `${name}/${form.file}`,
      files: [form.file],
      gguf: form,
      golden: form.golden,
      greedy: form.greedy_ids,
    })),
  ];
}

function describe(folder: string): ModelCase | BadCase | undefined {
  const path = join(folder, 'case.toml');
  return existsSync(path) ? (parse(readFileSync(path, 'utf8')) as unknown as ModelCase | BadCase) : undefined;
}

function folders(parent: string): string[] {
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(parent, entry.name))
    .sort();
}
