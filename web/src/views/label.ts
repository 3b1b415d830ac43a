import { visible } from './glyphs.js';
import type { Pattern } from './raster.js';
import type { AttentionData, HeadIndex, TokenLabel } from './types.js';

/** How a token is written wherever it appears; by its id where the model has no tokenizer. */
export function tokenText(token: TokenLabel): string {
  const bytes = token.bytes ?? [];
  if (token.display !== '') return visible(token.display);
  if (bytes.length === 0) return String(token.id);
  return bytes.map((byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`).join('');
}

/** One head's pattern, or undefined where its layer was not captured. */
export function patternOf(data: AttentionData, { layer, head }: HeadIndex): Pattern | undefined {
  const weights = data.layers[layer];
  return weights ? { size: data.size, weights, offset: head * data.size * data.size } : undefined;
}
