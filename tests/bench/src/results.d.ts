/** What one run leaves, as it stands in `results/*.json`. Times are milliseconds, sizes bytes. */
export interface Results {
  readonly date: string;
  /** Of the bench, with a plus sign where the working tree differed. */
  readonly commit: string;
  /** Whether two builds of this project were compared with each other alone. */
  readonly comparison: boolean;
  readonly hardware: { cpu: string; cores: number; memoryBytes: number; system: string };
  readonly chromium: string;
  readonly node: string;
  readonly versions: Record<string, string>;
  /** Cores that other programs kept busy before each round. */
  readonly busyCores: number[];
  readonly models: Record<string, ModelFacts>;
  readonly rows: RowResult[];
  readonly sites: SiteSizes[];
}

export interface ModelFacts {
  readonly vocab: number;
  readonly layers: number;
  readonly heads: number;
  readonly parameters: number;
  readonly newTokens: number;
  readonly prompts: number[];
  /** By how much the closest choice of the reference's greedy continuation was made, in logits. */
  readonly smallestMargin: number | null;
}

export interface RowResult {
  readonly name: string;
  readonly engine: 'glassbox' | 'onnxruntime' | 'wllama';
  readonly backend: 'wasm' | 'webgpu';
  readonly weights: string;
  /** 1 where it is not there. */
  readonly threads?: number;
  /** Which build of this project. */
  readonly site: string | null;
  readonly shape: string;
  about: string;
  adapter: { vendor: string; architecture: string; device: string; description: string; f16: boolean } | null;
  samples: Sample[];
  /** KL divergence in nats from the reference's distribution after the short prompt. */
  kl: number | null;
  /** How many ids of the greedy continuation agree before the first that does not. */
  agreeing: number | null;
  /** What it answered to the warm prompt: ids or text. */
  answer: string | null;
  wire: Wire | null;
  /** Why it did not run. */
  failed: string | null;
  /** Why its figures do not count. */
  wrong: string | null;
}

/** One page. */
export interface Sample {
  readonly round: number;
  readonly startMs: number;
  readonly loadMs: number;
  readonly rawReadMs: number;
  readonly modelBytes: number;
  readonly coldFirstMs: number;
  readonly warm: { promptTokens: number; newTokens: number; firstMs: number; restMs: number }[];
  readonly wasmBytes: number;
  readonly rendererBytes: number | null;
  readonly gpuProcessBytes: number | null;
  readonly looks: Record<string, number[]>;
}

/** What travels. */
export interface Wire {
  readonly engineFiles: { name: string; raw: number; brotli: number }[];
  readonly modelBytes: number;
}

export interface SiteSizes {
  readonly name: string;
  /** The commit it was built from, as it says itself. */
  readonly build: string;
  readonly files: { name: string; raw: number; brotli: number }[];
}
