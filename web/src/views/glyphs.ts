/** Making text from a model harmless and visible: what cannot be seen is named by its code point. */

/**
 * Control and format characters (bidi overrides, zero-width characters, tags), separators and unassigned or private
 * code points. The zero-width joiner and variation selectors stay where they build an emoji.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]|(?<!\p{Extended_Pictographic}[\u{1f3fb}-\u{1f3ff}]?)[\ufe00-\ufe0f]/gu;
const EMOJI_JOINER = /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=\p{Extended_Pictographic})/u;
const NAMED = new Map([
  ['\n', '⏎'],
  ['\t', '⇥'],
  ['\r', '␍'],
  ['\u0000', '␀'],
]);
const SPACES = /[\p{Zs}]/gu;

/** A token's display form with nothing invisible left in it. The empty string is shown as "∅". */
export function visible(display: string): string {
  if (display === '') return '∅';
  return display
    .replace(INVISIBLE, (char, offset: number, whole: string) =>
      char === '\u200d' && joinsEmoji(whole, offset) ? char : (NAMED.get(char) ?? codePoint(char)),
    )
    .replace(SPACES, (char) => (char === ' ' ? '␣' : codePoint(char)));
}

function joinsEmoji(text: string, offset: number): boolean {
  const match = EMOJI_JOINER.exec(text.slice(Math.max(0, offset - 2), offset + 3));
  return match !== null;
}

function codePoint(char: string): string {
  return `⟨${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

/** At most `length` user-perceived characters, with an ellipsis for the rest. */
export function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  const parts: string[] = [];
  for (const { segment } of segmenter().segment(text)) {
    if (parts.length === length) return `${parts.slice(0, -1).join('')}…`;
    parts.push(segment);
  }
  return text;
}

let cached: Intl.Segmenter | undefined;

function segmenter(): Intl.Segmenter {
  return (cached ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' }));
}
