/** Plain data that views take. They fit the protocol's types without knowing them. */

/** A token as it is shown. */
export interface TokenLabel {
  readonly id: number;
  /** The token with whitespace and split bytes made visible; made safe again before it is drawn. */
  readonly display: string;
  readonly text?: string;
  readonly bytes?: readonly number[];
  readonly special?: boolean;
}

/** Attention patterns of a whole model: per layer [heads, size, size], or null where a layer was not captured. */
export interface AttentionData {
  readonly heads: number;
  /** Number of tokens. */
  readonly size: number;
  readonly layers: readonly (Float32Array | null)[];
  /** Layers with a convolution in the place of attention, which have no heads; none where left out. */
  readonly convolutions?: readonly number[];
}

/** A head of a model. */
export interface HeadIndex {
  readonly layer: number;
  readonly head: number;
}

/** A token that may come next. */
export interface CandidateRow {
  readonly token: TokenLabel;
  readonly rank: number;
  readonly logit: number;
  readonly probability: number;
}
