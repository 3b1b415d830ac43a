import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Page } from '@playwright/test';
import type { Candidate, DeviceInfo, EditSpec, Finish, ModelInfo, Precision, Sampler, Stage, Token } from 'glassbox';
import type { PackedFile } from './blank.ts';
import type { Variant } from './cases.ts';
import { floats, type HostTensor } from './tensors.ts';
import type { Backend } from './test.ts';

/** A prompt as text or ids. */
export type PromptArgument = { readonly prompt: string } | { readonly tokens: number[] };

/** What a trace brought back, on this side. */
export interface TraceResult {
  readonly tokens: readonly Token[];
  readonly next: readonly Candidate[];
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

/** A step of a generation, without its timing. */
export interface StepResult {
  readonly index: number;
  readonly id: number;
  readonly text: string;
  readonly raw: readonly Candidate[];
  readonly final: readonly Candidate[];
  readonly stages: readonly Stage[];
}

/** `glassbox.js` at work in a blank page, driven from here. One model is open at a time. */
export class EngineInPage {
  #open = '';
  #info: ModelInfo | undefined;

  private constructor(
    readonly page: Page,
    readonly device: DeviceInfo,
  ) {}

  static async start(page: Page, backend: Backend): Promise<EngineInPage> {
    const device = await page.evaluate(
      async (wanted) => {
        window.gb = await window.client.Glassbox.start({ device: wanted, allowSoftware: true });
        return window.gb.device;
      },
      backend === 'webgpu' ? ('gpu' as const) : ('cpu' as const),
    );
    return new EngineInPage(page, device);
  }

  /** Opens a fixture, unless it is open, to compute with activations as they are or rounded. */
  async variant({ title, folder, files }: Variant, precision: Precision = 'f32'): Promise<ModelInfo> {
    if (this.#info && this.#open === title) return this.#info;
    return this.files(
      title,
      files.map((file) => join(folder, file)),
      precision,
    );
  }

  /** Opens the files at these paths. */
  async files(title: string, paths: readonly string[], precision: Precision = 'f32', threads = 1): Promise<ModelInfo> {
    this.#open = '';
    this.#info = await this.page.evaluate(
      async ([packed, precision, threads]) => {
        window.model = await window.gb.open(window.unpack(packed), { precision, threads });
        return window.model.info;
      },
      [packFiles(paths), precision, threads] as const,
    );
    this.#open = title;
    return this.#info;
  }

  async trace(options: PromptArgument & { capture: string[]; edits?: EditSpec[] }): Promise<TraceResult> {
    const { tokens, next, tensors } = await this.page.evaluate(async (given) => {
      const trace = await window.model.trace(given);
      const tensors = trace.names.map((name) => {
        const { shape, data } = trace.tensor(name);
        return { name, shape, base64: window.pack(data) };
      });
      return { tokens: trace.tokens, next: trace.next, tensors };
    }, options);
    const read = tensors.map(({ name, shape, base64 }): [string, HostTensor] => {
      return [name, { shape, data: floats(Buffer.from(base64, 'base64')) }];
    });
    return { tokens, next, tensors: new Map(read) };
  }

  async generate(
    options: PromptArgument & { maxNewTokens: number; sampler?: Partial<Sampler>; topN?: number; edits?: EditSpec[] },
  ): Promise<{ readonly steps: readonly StepResult[]; readonly finish: Finish }> {
    return this.page.evaluate(async (given) => {
      const run = window.model.generate(given);
      const steps: StepResult[] = [];
      for (;;) {
        const next = await run.next();
        if (next.done) return { steps, finish: next.value };
        const { index, id, text, top, stages } = next.value;
        steps.push({ index, id, text, raw: top.raw, final: top.final, stages });
      }
    }, options);
  }

  async tokenize(text: string, special: boolean): Promise<readonly Token[]> {
    return this.page.evaluate(([text, special]) => window.model.tokenize(text, { special }), [text, special] as const);
  }
}

/** Files as they cross into a page. */
export function packFiles(paths: readonly string[]): PackedFile[] {
  return paths.map((path) => ({ name: basename(path), base64: readFileSync(path).toString('base64') }));
}
