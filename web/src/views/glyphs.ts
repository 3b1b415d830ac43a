/** Making text from a model harmless and visible: what cannot be seen is named by its code point. */

/** Control and format characters (bidi overrides, zero-width, tags), separators, and unassigned or private ones. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]/u;
/** Letters and marks that draw nothing: the grapheme joiner, Hangul fillers, Khmer inherent vowels. */
const BLANK: ReadonlySet<number> = new Set([0x34f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x3164, 0xffa0]);
const VARIATION = /[\u{fe00}-\u{fe0f}]/u;
const EMOJI = /[\p{Extended_Pictographic}\p{Emoji_Modifier}]/u;
const JOINER = '\u200d';
const NAMED: Readonly<Record<string, string>> = { ' ': '␣', '\n': '⏎', '\t': '⇥' };

/** A token's display form with nothing invisible left in it. The empty string is shown as "∅". */
export function visible(display: string): string {
  if (display === '') return '∅';
  const chars = Array.from(display);
  return chars.map((char, at) => (hidden(chars, at) ? (NAMED[char] ?? codePoint(char)) : char)).join('');
}

/** Whether a character cannot be seen where it stands. Joiners and variation selectors are part of an emoji. */
function hidden(chars: readonly string[], at: number): boolean {
  const char = chars[at] ?? '';
  const before = chars[at - 1] ?? '';
  if (VARIATION.test(char)) return !EMOJI.test(before);
  if (char === JOINER) return !((EMOJI.test(before) || VARIATION.test(before)) && EMOJI.test(chars[at + 1] ?? ''));
  return UNSEEN.test(char) || BLANK.has(char.codePointAt(0) ?? 0);
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
