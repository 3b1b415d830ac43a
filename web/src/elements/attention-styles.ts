import { css } from 'lit';

/** Looks of the two sections of attention. */
export const attentionStyles = css`
  :host {
    display: contents;
  }
  .legend {
    display: flex;
    flex-wrap: wrap;
    align-items: start;
    justify-content: space-between;
    gap: 0.5rem 1rem;
    margin-top: 0.9rem;
  }
  .heads {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem 0.6rem;
    margin-bottom: 0.6rem;
  }
  .heads select {
    min-width: 3.4em;
    max-width: 9.5rem;
    padding-inline: 0.35em;
  }
  .group {
    display: inline-flex;
    margin-inline-start: auto;
  }
  .switch {
    min-height: 30px;
    padding: 0.1em 0.6em;
    font-size: var(--small);
  }
  .group button {
    min-height: 30px;
    padding: 0.1em 0.55em;
    border-radius: 0;
    font-size: var(--small);
  }
  .group button:first-child {
    border-radius: 6px 0 0 6px;
  }
  .group button:last-child {
    margin-inline-start: -1px;
    border-radius: 0 6px 6px 0;
  }
  .hidden-layer {
    display: grid;
    place-content: center;
    gap: 0.6rem;
    min-height: 14rem;
    padding: 1rem;
    text-align: center;
    color: var(--ink-2);
    border: 1px solid var(--rule);
    border-radius: 8px;
  }
  gb-attention-reading {
    margin-top: 0.7rem;
  }
  kbd {
    display: inline-block;
    width: 0.9375rem;
    border-radius: 3px;
    background: var(--ink);
    color: var(--paper);
    font: 600 0.625rem / 0.9375rem var(--mono);
    text-align: center;
  }
  .signs {
    display: flex;
    flex-wrap: wrap;
    gap: 0.1rem 0.9rem;
    margin: 0.6rem 0 0.5rem;
    padding: 0;
    list-style: none;
    font-size: var(--small);
    color: var(--ink-2);
  }
  .role {
    margin: 0.5rem 0 0;
    padding: 0.5rem 0.7rem;
    border-inline-start: 3px solid var(--accent);
    background: var(--surface);
    font-size: var(--small);
    line-height: 1.45;
  }
`;
