/** What tokens are shaded by, and the same in words. */
import type { Expectation } from '../client/index.js';
import { percent, significant } from '../views/format.js';
import { t } from '../views/text.js';
import type { Measure } from './view-state.js';

/** Bits of surprisal and entropy at which the shade is darkest: a token that is one in a million. */
const MOST_BITS = 20;

export interface Measured {
  readonly shades: Float64Array | null;
  readonly notes: readonly string[];
}

/** Shades from 0 to 1 for the tokens of a prompt, and notes that say the exact value. */
export function measured(expectations: readonly Expectation[], measure: Measure, vocab: number): Measured {
  if (measure === 'none' || expectations.length === 0) return { shades: null, notes: [] };
  return {
    shades: Float64Array.from(expectations, (one) => shade(one, measure, vocab)),
    notes: expectations.map((one) => note(one, measure)),
  };
}

function shade({ probability, surprisal, rank, entropy }: Expectation, measure: Measure, vocab: number): number {
  switch (measure) {
    case 'surprisal':
      return surprisal === null ? Number.NaN : Math.min(1, surprisal / MOST_BITS);
    case 'probability':
      return probability ?? Number.NaN;
    case 'rank':
      return rank === null ? Number.NaN : Math.log(rank) / Math.log(Math.max(2, vocab));
    case 'entropy':
      return entropy === null ? Number.NaN : Math.min(1, entropy / Math.log2(Math.max(2, vocab)));
    case 'none':
      return Number.NaN;
  }
}

function note(one: Expectation, measure: Measure): string {
  const { probability, surprisal, rank, entropy } = one;
  if (probability === null || surprisal === null || rank === null || entropy === null) return t('measure.first');
  switch (measure) {
    case 'surprisal':
      return t('measure.bits', { bits: significant(surprisal, 4) });
    case 'probability':
      return percent(probability);
    case 'rank':
      return t('measure.ofRank', { rank });
    case 'entropy':
      return t('measure.entropyBits', { bits: significant(entropy, 4) });
    case 'none':
      return '';
  }
}
