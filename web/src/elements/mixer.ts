import { patternOf } from '../views/label.js';
import { allHeads, difference, headsOfLayer, meanPattern, rollout } from '../views/patterns.js';
import type { Pattern } from '../views/raster.js';
import type { HeadIndex } from '../views/types.js';
import type { Picture } from './picture.js';
import type { ViewValues } from './view-state.js';

/** Makes the pattern that is shown large, and keeps the last one: means over many heads take a while. */
export class Mixer {
  #picture: Picture | undefined;
  #before: Picture | undefined;
  #name = '';
  #pattern: Pattern | undefined;

  pattern(picture: Picture, before: Picture | undefined, head: HeadIndex, { mix, other }: ViewValues): Pattern | undefined {
    // Heads are previewed at every move of the pointer; what does not depend on the head is made once.
    const of = mix === 'all' ? '' : mix === 'layer' || mix === 'rollout' ? `${head.layer}` : `${head.layer}.${head.head}`;
    const name = `${mix} ${of} ${mix === 'other' ? other.join('.') : ''}`;
    if (picture === this.#picture && before === this.#before && name === this.#name) return this.#pattern;
    this.#picture = picture;
    this.#before = before;
    this.#name = name;
    this.#pattern = make(picture, before, head, { mix, other });
    return this.#pattern;
  }
}

function make(
  { attention }: Picture,
  before: Picture | undefined,
  head: HeadIndex,
  { mix, other }: Pick<ViewValues, 'mix' | 'other'>,
): Pattern | undefined {
  const own = patternOf(attention, head);
  switch (mix) {
    case 'head':
      return own;
    case 'layer':
      return meanPattern(attention, headsOfLayer(attention, head.layer));
    case 'all':
      return meanPattern(attention, allHeads(attention));
    case 'rollout':
      return rollout(attention, head.layer);
    case 'change': {
      const then = before && patternOf(before.attention, head);
      return own && then ? difference(own, then) : own;
    }
    case 'other': {
      const [layer, index] = other;
      const against = patternOf(attention, { layer, head: index });
      return own && against && difference(own, against);
    }
  }
}
