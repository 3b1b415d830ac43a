/** Writing pictures and tables to files of the reader's. */
import { svgFile, type SvgPicture } from './svg.js';
import { toCsv, type Table } from './table.js';

/** A view whose picture can be kept. */
export interface Keepable {
  toTable(): Table;
  toSvg(): SvgPicture;
}

export type KeepFormat = 'svg' | 'png' | 'csv' | 'json';
export const KEEP_FORMATS: readonly KeepFormat[] = ['svg', 'png', 'csv', 'json'];

const TYPES: Readonly<Record<KeepFormat, string>> = {
  svg: 'image/svg+xml',
  png: 'image/png',
  csv: 'text/csv;charset=utf-8',
  json: 'application/json',
};
/** Pixels of a PNG to a pixel of the page, for print. */
const FINE = 3;
/** Most pixels along a side; browsers refuse larger canvases. */
const MOST = 8192;

/** What a file says about itself: a title and where its numbers come from. */
export interface Provenance {
  readonly title: string;
  /** Model, hash, prompt, seed: a line each. */
  readonly lines: readonly string[];
  /** The same for programs. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Makes a file of a picture. */
export async function keep(view: Keepable, format: KeepFormat, about: Provenance, style: CSSStyleDeclaration): Promise<Blob> {
  const type = TYPES[format];
  const caption = [about.title, ...about.lines];
  switch (format) {
    case 'csv':
      return new Blob([toCsv(view.toTable(), caption)], { type });
    case 'json':
      return new Blob([toJson(view.toTable(), about)], { type });
    case 'svg':
      return new Blob([file(view, caption, style)], { type });
    case 'png':
      return toPng(file(view, caption, style));
  }
}

function file(view: Keepable, caption: readonly string[], style: CSSStyleDeclaration): string {
  const colour = (name: string, otherwise: string): string => resolved(style, name) || otherwise;
  return svgFile(view.toSvg(), caption, colour('--paper', '#ffffff'), colour('--ink-2', '#333333'));
}

/** The colour a custom property stands for now: `light-dark()` means nothing outside of the page. */
export function resolved(style: CSSStyleDeclaration, name: string): string {
  const value = style.getPropertyValue(name).trim();
  const both = /^light-dark\((#\w+),\s*(#\w+)\)$/.exec(value);
  if (!both) return value;
  const dark = style.colorScheme === 'dark' || (style.colorScheme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  return (dark ? both[2] : both[1]) ?? '';
}

function toJson({ columns, rows }: Table, { title, data }: Provenance): string {
  const names = columns.map(({ name }) => name);
  return `${JSON.stringify({ title, ...data, columns: names, rows }, null, 1)}\n`;
}

async function toPng(svg: string): Promise<Blob> {
  const address = URL.createObjectURL(new Blob([svg], { type: TYPES.svg }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const fine = Math.min(FINE, MOST / Math.max(image.width, image.height));
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(image.width * fine);
    canvas.height = Math.round(image.height * fine);
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise<Blob>((resolve, reject) => {
      canvas.toBlob((blob) => {
        if (blob) resolve(blob);
        else reject(new Error('the picture could not be drawn'));
      }, TYPES.png);
    });
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Hands a file to the reader. */
export function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads the address after this task has ended.
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 10_000);
}

/** A title as the name of a file: letters and digits of any script, the rest as hyphens. */
export function fileName(title: string, ending: string): string {
  const stem = title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').slice(0, 60);
  return `glassbox-${stem || 'picture'}.${ending}`;
}
