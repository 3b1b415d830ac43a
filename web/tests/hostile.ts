/** Tokens that try to be something else, and what must not become of them. */
import assert from 'node:assert/strict';
import { elementsOf } from './dom.js';
import type { TokenLabel } from '../src/views/types.js';

export const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '</li><script>alert(1)</script>',
  '${alert(1)}',
  '&lt;b&gt;',
  '\u202egnp.exe',
  '\u2066isolate\u2069',
  'zero\u200bwidth\ufeff',
  '👩🏽‍🚀',
  '🇩🇪',
  'שלום',
  'مرحبا',
  'e\u0301\u0323\u0307',
  'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢',
  '\ud800',
  '\u0000\u0007\u001b[31m',
  '\r\n\t ',
  '\u3164',
  '\u{e0041}',
  'a'.repeat(5000),
  '',
];

export function labels(): TokenLabel[] {
  return HOSTILE.map((display, id) => ({ id, display, bytes: [...new TextEncoder().encode(display)], special: id === 0 }));
}

/** Nothing that came as text has become markup, and nothing unseen is left in it. */
export function assertHarmless(element: Element): void {
  const all = elementsOf(element);
  assert.equal(all.filter(({ localName }) => ['img', 'script', 'b', 'iframe'].includes(localName)).length, 0);
  assert.ok(!all.some((child) => [...child.attributes].some(({ name }) => name.startsWith('on'))));
  const text = element.shadowRoot?.textContent ?? '';
  for (const unseen of '\u202a\u202e\u2066\u2069\u200b\ufeff\u0000\u0007\u001b\u3164') {
    assert.ok(!text.includes(unseen), `U+${unseen.charCodeAt(0).toString(16)} is left`);
  }
}
