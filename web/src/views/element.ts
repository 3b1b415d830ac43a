import { css, LitElement, type PropertyDeclarations, type PropertyValues } from 'lit';
import { currentGround, onEnvironment, type Ground } from './environment.js';

/** What every view and element is: a component that is rendered again when the language or the ground changes. */
export class View extends LitElement {
  /** What pictures are painted on. */
  protected ground: Ground = currentGround();
  #leave: (() => void) | undefined;

  static override readonly properties: PropertyDeclarations = { ground: { state: true } };

  override connectedCallback(): void {
    super.connectedCallback();
    this.ground = currentGround();
    this.#leave = onEnvironment(() => {
      this.ground = currentGround();
      this.requestUpdate();
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#leave?.();
  }

  protected override update(changed: PropertyValues): void {
    super.update(changed);
    // Whoever shows the same numbers in another way follows; a cursor that moved has changed none of them.
    if (changed.size > 0) this.dispatchEvent(new Event('gb-drawn', { bubbles: true }));
  }
}

/** Whether two small values of plain data differ, for properties that are made anew at every rendering. */
export function differ(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b);
}

/** Dispatches an event that crosses shadow roots. */
export function emit(target: EventTarget, name: string, detail: unknown): void {
  target.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
}

/** What every component shares: box model, numerals, focus ring, and text for screen readers only. */
export const shared = css`
  :host {
    display: block;
    font-variant-numeric: tabular-nums;
  }
  :host([hidden]) {
    display: none;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :focus-visible {
    outline: 2px solid var(--focus);
    outline-offset: 2px;
    border-radius: 3px;
  }
  .sr-only {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation: none !important;
      transition: none !important;
    }
  }
`;

/** Buttons and fields, for components that have some. */
export const controls = css`
  button,
  input,
  select,
  textarea {
    font: inherit;
    color: inherit;
  }
  button,
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 0.4em;
    min-height: 32px;
    padding: 0.3em 0.85em;
    border: 1px solid var(--edge);
    border-radius: 6px;
    background: var(--surface);
    font-weight: 500;
    cursor: pointer;
  }
  button:hover:not(:disabled) {
    background: var(--sunk);
  }
  button:disabled {
    color: var(--ink-3);
    border-color: var(--rule);
    cursor: default;
  }
  button.primary {
    border-color: var(--accent);
    background: var(--accent);
    color: var(--on-accent);
  }
  button.primary:hover:not(:disabled) {
    background: var(--accent-strong);
  }
  button.primary:disabled {
    border-color: var(--rule);
    background: var(--sunk);
    color: var(--ink-3);
  }
  button.quiet {
    border-color: transparent;
    background: none;
    color: var(--ink-2);
  }
  button.quiet:hover:not(:disabled) {
    background: var(--sunk);
    color: var(--ink);
  }
  button[aria-pressed='true'] {
    border-color: var(--accent);
    background: var(--accent-soft);
    color: var(--ink);
  }
  input:not([type='checkbox'], [type='range'], [type='file']),
  select,
  textarea {
    min-height: 32px;
    padding: 0.3em 0.6em;
    border: 1px solid var(--edge);
    border-radius: 6px;
    background: var(--surface);
  }
  textarea::placeholder,
  input::placeholder {
    color: var(--ink-3);
    opacity: 1;
  }
  input[type='checkbox'],
  input[type='range'] {
    accent-color: var(--accent);
  }
  input[type='checkbox'] {
    width: 0.9rem;
    height: 0.9rem;
  }
`;
