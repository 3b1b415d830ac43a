import { failures, GlassboxError } from './errors.js';
import type { Source } from './protocol.gen.js';

/** What a model is opened from: the files of a hub folder or one `.gguf`, or their addresses. */
export type ModelSource = Iterable<File> | { readonly url: string | URL } | { readonly urls: readonly (string | URL)[] };

/** @internal What addresses are relative to. */
export function pageAddress(): string | undefined {
  return (globalThis as { location?: Location }).location?.href;
}

/** @internal The source as the protocol has it. */
export function toSource(source: ModelSource): Source {
  if ('url' in source) return { type: 'urls', urls: [toUrl(source.url)] };
  if ('urls' in source) return someOf({ type: 'urls', urls: source.urls.map(toUrl) }, source.urls.length);
  const files = [...source];
  return someOf({ type: 'files', files }, files.length);
}

function someOf(source: Source, count: number): Source {
  if (count > 0) return source;
  throw new GlassboxError({
    code: 'no_files',
    message: 'There is nothing to open.',
    hint: "Choose a model's files (config.json, the .safetensors and tokenizer.json) or one .gguf file.",
  });
}

function toUrl(address: string | URL): string {
  const base = pageAddress();
  const url = URL.canParse(address, base) ? new URL(address, base) : undefined;
  if (url && ['http:', 'https:', 'blob:'].includes(url.protocol)) return url.href;
  throw new GlassboxError(
    failures.badArgument(`"${String(address)}" is not an address.`, 'Give a whole address that begins with https://.'),
  );
}
