import type { PartName } from '../client/index.js';
import { t } from '../views/text.js';

/** A part of the model in a few words. */
export function partName({ kind, layer, head }: PartName): string {
  return t(`part.${kind}`, { layer: layer ?? '', head: head ?? '' });
}
