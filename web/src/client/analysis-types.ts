import type { Floats, Uints } from './arrays.js';
import type { EditSpec, Prompt } from './edits.js';
import type { Progress } from './engine.js';
import type {
  BenchRow,
  BenchStage,
  Change,
  Expectation,
  HeadLabel,
  Neuron,
  Part,
  PartName,
  Sampler,
  Token,
} from './protocol.gen.js';

/** What every piece of work takes. */
export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  /** Hears how far the work is: `prefill` counts tokens, `analysis` pieces of work. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** A prompt with its edits. */
export type RunSpec = Prompt & { readonly edits?: readonly EditSpec[] };

/** A run that is analysed. */
export type RunOptions = RunSpec & WorkOptions;

/** Options of {@link Analysis.lens}. */
export type LensOptions = RunOptions & {
  /**
   * Residual sites in the order wanted: kinds for all layers (`resid_pre`, `resid_mid`, `resid_post`) or full names
   * (`blocks.3.hook_resid_mid`); `resid_post` if left out.
   */
  readonly sites?: readonly string[];
  /** Half-open range; all if left out. */
  readonly positions?: readonly [number, number];
  /** How many of the most probable tokens each cell has; 5 if left out. */
  readonly top?: number;
  /** Ids of tokens to follow through all cells. */
  readonly pinned?: readonly number[];
  readonly onRow?: (row: LensRow) => void;
};

/** One site of the lens at P positions, with K top tokens and N pinned ones. */
export interface LensRow {
  /** Full site name. */
  readonly site: string;
  readonly layer: number;
  /** Half-open range of positions. */
  readonly positions: readonly [number, number];
  /** Each token of `ids`. */
  readonly tokens: ReadonlyMap<number, Token>;
  /** [P, K], best first. */
  readonly ids: Uints;
  /** [P, K] */
  readonly logits: Floats;
  /** [P, K], of the full vocabulary's softmax. */
  readonly probabilities: Floats;
  /** [P], bits. */
  readonly entropy: Floats;
  /** [P, N], in the order of `pinned`. */
  readonly pinnedLogits: Floats;
  /** [P, N] */
  readonly pinnedProbabilities: Floats;
  /** [P, N]; 1 is the most probable. */
  readonly pinnedRanks: Uints;
}

/** The whole lens. */
export interface Lens {
  /** The prompt's tokens. */
  readonly tokens: readonly Token[];
  readonly pinned: readonly Token[];
  readonly rows: readonly LensRow[];
}

/** Options of {@link Analysis.attribute}. */
export type AttributionOptions = RunOptions & {
  /** Whose next token is explained; the last if left out. */
  readonly position?: number;
  readonly token: number;
  /** Its logit is subtracted. */
  readonly against?: number;
};

/** A direct logit attribution. */
export interface Attribution {
  readonly position: number;
  readonly token: Token;
  readonly against: Token | null;
  /** In the order of the forward pass. */
  readonly parts: readonly Part[];
  /** What the model computed, before any soft cap; the parts' contributions sum to it. */
  readonly logit: number;
  /** What the residual stream is divided by in the final norm. */
  readonly scale: number;
  /** What to know about the numbers for this architecture; null where nothing. */
  readonly note: string | null;
}

/** Options of {@link Analysis.promoted}. */
export type PromotedOptions = RunOptions & {
  readonly position?: number;
  readonly parts: readonly PartName[];
  /** Length of each list; 10 if left out. */
  readonly top?: number;
};

/** Lengths (L2 norms), each [layers, positions]. */
export interface Norms {
  readonly residPre: Floats;
  readonly attnOut: Floats;
  /** Null where attention and MLP run side by side: then there is no stream between them. */
  readonly residMid: Floats | null;
  readonly mlpOut: Floats;
  readonly residPost: Floats;
}

/** Options of {@link Analysis.head}. */
export type HeadOptions = RunOptions & {
  readonly layer: number;
  readonly head: number;
  /** The last position if left out. */
  readonly query?: number;
};

/** A head at a query: T keys up to the end of the prompt, Dh head size, D hidden size. */
export interface HeadDetail {
  readonly layer: number;
  readonly head: number;
  readonly kvHead: number;
  readonly query: number;
  /** What `dots` are multiplied with. */
  readonly scale: number;
  /** How many keys back the head may look, the query included; null for all. */
  readonly window: number | null;
  /** [Dh], as projected. */
  readonly q: Floats;
  /** [T, Dh], as projected. */
  readonly k: Floats;
  /** [Dh] and [T, Dh] after the rotary embedding; null where there is none. */
  readonly rotQ: Floats | null;
  readonly rotK: Floats | null;
  /** [T, Dh] */
  readonly v: Floats;
  /** [T], q · k for every key, those behind the mask too. */
  readonly dots: Floats;
  /** [T], after scale, soft cap and mask; masked keys hold -1e30. */
  readonly scores: Floats;
  /** [T], sums to 1. */
  readonly pattern: Floats;
  /** [Dh], the sum of pattern times v. */
  readonly z: Floats;
  /** [D], what the head writes to the residual stream. */
  readonly out: Floats;
  /** [dims / 2], how far each pair of components turns per position, in radians. */
  readonly rotaryAngles: Floats | null;
}

/** Options of {@link Analysis.neurons}. */
export type NeuronsOptions = RunOptions & {
  readonly layer: number;
  readonly position?: number;
  /** 10 if left out. */
  readonly top?: number;
  /** Length of each list of tokens; 8 if left out. Not called `tokens`, which is the prompt. */
  readonly effects?: number;
};

/** The most active neurons, by the size of their activation. */
export interface Neurons {
  readonly layer: number;
  readonly position: number;
  /** Width of the MLP. */
  readonly width: number;
  readonly neurons: readonly Neuron[];
}

/** Options of {@link Analysis.heads}. */
export type HeadsOptions = RunOptions & {
  /** Longest side of a thumbnail in pixels; none if left out. */
  readonly thumbnails?: number;
  /** Whether attention rollout (Abnar & Zuidema, 2020) is wanted. */
  readonly rollout?: boolean;
};

/**
 * What the heads do on this prompt. Scores are [L, H]: the mean over the queries that count of the attention on the
 * role's positions, or NaN where the prompt has no such query.
 */
export interface HeadsReport {
  /** Heads whose score reaches the threshold, strongest first. */
  readonly labels: readonly HeadLabel[];
  readonly thresholds: {
    readonly previousToken: number;
    readonly firstToken: number;
    readonly induction: number;
    readonly duplicateToken: number;
  };
  readonly previousToken: Floats;
  readonly firstToken: Floats;
  readonly induction: Floats;
  readonly duplicateToken: Floats;
  /** [L, H, S, S], the largest weight under each pixel; S is the smaller of the prompt's length and what was asked for. */
  readonly thumbnails: Floats | null;
  /** [T, T] */
  readonly rollout: Floats | null;
}

/** Options of {@link Analysis.bench}. */
export type BenchOptions = RunOptions & {
  readonly position?: number;
  readonly sampler?: Partial<Sampler>;
  /** Rows to skip and rows to report; 0 and 20 if left out. */
  readonly from?: number;
  readonly count?: number;
  /** Only tokens whose visible text contains this. */
  readonly search?: string;
  /** Whether rows are ordered by the last stage; by the model's own distribution if left out. */
  readonly byFinal?: boolean;
  readonly pinned?: readonly number[];
  /** How often to draw with the sampler's seed. */
  readonly draws?: number;
};

/** The sampler over the full vocabulary. */
export interface Bench {
  readonly position: number;
  /** Every active stage, the model's own distribution first. */
  readonly stages: readonly BenchStage[];
  readonly rows: readonly BenchRow[];
  /** How many rows there are in all. */
  readonly total: number;
  readonly pinned: readonly BenchRow[];
  /** Every token drawn, most often drawn first; empty without draws. */
  readonly drawn: readonly BenchRow[];
}

/** Options of {@link Analysis.compare}: `edits` are those of the run after. */
export type CompareOptions = RunOptions & {
  /** Edits of the run before; none if left out. */
  readonly before?: readonly EditSpec[];
  readonly position?: number;
  /** Whether the divergence is wanted at every position. */
  readonly everyPosition?: boolean;
  /** Length of both lists; 20 if left out. */
  readonly top?: number;
};

/** Two runs of one prompt. */
export interface Comparison {
  readonly position: number;
  /** KL(before || after) at `position`, in bits. */
  readonly divergence: number;
  /** In bits. */
  readonly entropy: { readonly before: number; readonly after: number };
  /** By the size of the change in probability. */
  readonly changes: readonly Change[];
  /** The most probable tokens of either run, by their probability before. */
  readonly top: readonly Change[];
  /** [T] with `everyPosition`, else [1]; in bits. */
  readonly divergences: Floats;
  /** Of the same shape: 1 where the most probable token changed. */
  readonly topChanged: Uints;
}

/** Options of {@link Analysis.surprisal}. */
export type SurprisalOptions = RunOptions & {
  /** How many of the model's own choices before each token; 5 if left out. */
  readonly top?: number;
};

/** How each token of a prompt was expected; the first one's figures are null. */
export interface Surprisals {
  readonly tokens: readonly Token[];
  readonly expectations: readonly Expectation[];
}

/** Options of {@link Analysis.score}. */
export type ScoreOptions = RunOptions & { readonly continuations: readonly ArrayLike<number>[] };

/** Options of {@link Analysis.sweep}. */
export interface SweepOptions extends WorkOptions {
  /** The run values come from, and the one they are put into: equally many tokens. */
  readonly source: RunSpec;
  readonly target: RunSpec;
  /** `resid_pre` (if left out), `resid_mid`, `resid_post`, `attn_out`, `mlp_out`, `z`, `q`, `k`, `v`, `mlp_post`. */
  readonly kind?: string;
  /** For kinds with heads: one alone. */
  readonly head?: number;
  /** Half-open ranges; all if left out. */
  readonly layers?: readonly [number, number];
  readonly positions?: readonly [number, number];
  /** The token whose logit is measured, less that of `against`. */
  readonly token: number;
  readonly against?: number;
  /** Where the logit is read; the last position if left out. */
  readonly measuredAt?: number;
  readonly onRow?: (row: SweepRow) => void;
}

/** A layer of a sweep. */
export interface SweepRow {
  readonly layer: number;
  /** [positions], the logit (difference) with that position patched. */
  readonly metric: Floats;
}

/** A patch sweep. */
export interface Sweep {
  /** What the first row and column stand for. */
  readonly origin: { readonly layer: number; readonly position: number };
  /** The metric without patching. */
  readonly source: number;
  readonly target: number;
  /** [layers, positions] */
  readonly metric: Floats;
  /** [layers, positions]: 0 as in the target, 1 as in the source; NaN where both are equal. */
  readonly recovered: Floats;
}

/** Options of {@link Analysis.export}. */
export type ExportOptions = RunOptions & {
  /** As in {@link Model.trace}. */
  readonly capture: readonly string[];
  /** Added to the file's metadata, e.g. the seed. */
  readonly metadata?: Readonly<Record<string, string>>;
};

/** A model's fingerprint. */
export interface Fingerprint {
  /** 64 hexadecimal digits. */
  readonly fingerprint: string;
  /** How it was made. */
  readonly method: string;
}
