import { css } from 'lit';

/** The look of the page's panels: a heading that names the step, then the matter, without boxes. */
export const panel = css`
  :host {
    min-width: 0;
  }
  section {
    min-width: 0;
  }
  /* What the tour speaks of. */
  section[data-toured] {
    outline: 3px solid var(--accent);
    outline-offset: 0.55rem;
    border-radius: 4px;
  }
  h2 {
    display: flex;
    align-items: baseline;
    gap: 0.5em;
    margin: 0 0 0.75rem;
    padding-bottom: 0.4rem;
    border-bottom: 1px solid var(--ink);
    font-size: 1rem;
    font-weight: 600;
    letter-spacing: -0.005em;
  }
  h2 small {
    font-size: var(--small);
    font-weight: 400;
    color: var(--ink-2);
    margin-inline-start: auto;
  }
  .row label,
  .count label,
  .legend label,
  .heads label {
    display: inline-flex;
    align-items: center;
    gap: 0.4em;
    min-height: 24px;
    font-size: var(--small);
    color: var(--ink-2);
  }
  .note {
    margin: 0 0 0.6rem;
    font-size: var(--small);
    line-height: 1.45;
    color: var(--ink-2);
  }
  .note:empty {
    display: none;
  }
`;
