/** What a page is told about its contestant. */
export interface Settings {
  readonly engine: 'glassbox' | 'onnxruntime' | 'wllama';
  readonly backend: 'wasm' | 'webgpu';
  readonly threads: number;
  /** Address of the site's folder, for this project. */
  readonly site: string;
  /** Address of `node_modules`. */
  readonly modules: string;
  /** Addresses of the model's files, the largest last. */
  readonly model: string[];
  readonly vocab: number;
  readonly context: number;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Whether WebGPU is computed on the CPU. */
  readonly softwareGpu: boolean;
}

/** An engine with a model open in it. Every prompt is computed from its start. */
export interface Contestant {
  /** Its version and what it says of its device. */
  readonly about: string;
  /** Until the engine stood, without a model. */
  readonly startMs: number;
  /** From there until the model could be asked. */
  readonly loadMs: number;
  /** Greedy continuation, token by token as they come, as ids or as text. */
  generate(prompt: Prompt, count: number): AsyncIterable<number | string>;
  /** The same as ids, however long it takes, where `generate` gives text. */
  readonly greedy?: (prompt: Prompt, count: number) => Promise<number[]>;
  /** The logits after the prompt, up to a constant. */
  logits(prompt: Prompt): Promise<Float32Array>;
  /** Single passes by name, the plain one first. The second prompt is one that nothing has been run on. */
  readonly looks?: Readonly<Record<string, (prompt: Prompt, other: Prompt) => Promise<unknown>>>;
}

/** A prompt as ids, and as the text that is split into these. */
export interface Prompt {
  readonly ids: number[];
  readonly text: string;
}

/** A greedy continuation and how long it took. */
export interface Generation {
  readonly tokens: (number | string)[];
  /** From the call to the first new token. */
  readonly firstMs: number;
  /** From the first to the last new token. */
  readonly restMs: number;
}

/** What is to be measured in one page. */
export interface Plan {
  readonly settings: Settings;
  /** Prompts with the number of new tokens after each. The first one is run cold as it is; warm, all begin elsewhere. */
  readonly prompts: readonly (Prompt & { readonly count: number })[];
  /** How often each single pass is timed; 0 for not at all. */
  readonly looks: number;
  /** Whether what comes after the first prompt is wanted, to compare it with the reference. */
  readonly verify: boolean;
}

/** What came out. */
export interface Measured {
  readonly about: string;
  readonly startMs: number;
  readonly loadMs: number;
  /** Reading the model's files without doing anything with them. */
  readonly rawReadMs: number;
  readonly modelBytes: number;
  /** The first generation after loading, when nothing is warm. */
  readonly cold: Generation;
  readonly warm: Generation[];
  readonly wasmBytes: number;
  /** Milliseconds of each pass, by name. */
  readonly looks: Record<string, number[]>;
  /** The greedy continuation of the first prompt, and the logits after it as base64 of f32. */
  readonly verified: { readonly ids: number[]; readonly logits: string } | null;
}
