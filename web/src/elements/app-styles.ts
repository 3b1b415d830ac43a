import { css } from 'lit';

/**
 * Layout of the page. Left to right is input to output; narrow windows, and large type, stack it in the same order:
 * widths are asked for in the type's size.
 */
export const appStyles = css`
  :host {
    display: grid;
    grid-template-rows: auto auto 1fr auto;
    min-height: 100dvh;
  }
  header {
    container-type: inline-size;
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem clamp(0.2rem, 1.5vw, 1.5rem);
    padding: 0.7rem var(--page);
    border-bottom: 1px solid var(--rule);
    background: var(--surface);
  }
  .mark {
    display: flex;
    align-items: center;
    gap: 0.55rem;
    font-weight: 650;
    letter-spacing: -0.015em;
    font-size: 1.0625rem;
  }
  .mark svg {
    width: 1.375rem;
    height: 1.375rem;
    fill: none;
    stroke: var(--accent);
    stroke-width: 2;
  }
  .identity {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0 0.8rem;
    flex: 1 1 20rem;
    min-width: 0;
    margin: 0;
  }
  @container (max-width: 71rem) {
    .identity {
      order: 1;
      flex-basis: 100%;
    }
  }
  .identity strong {
    font-weight: 600;
    overflow-wrap: anywhere;
  }
  .identity span {
    font-size: var(--small);
    color: var(--ink-2);
  }
  .tools {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem;
    margin-inline-start: auto;
  }
  @container (max-width: 43rem) {
    .tools {
      display: contents;
    }
    .tools > :not(.icon) {
      font-size: var(--small);
    }
    .tools button:not(.icon) {
      padding-inline: 0.45em;
    }
    .mark {
      flex: 1 0 calc(100% - 6.5rem);
    }
  }
  .icon {
    min-width: 32px;
    padding: 0.3em;
  }
  .icon svg {
    width: 1.125rem;
    height: 1.25rem;
    fill: none;
    stroke: currentcolor;
    stroke-width: 1.8;
    stroke-linecap: round;
    stroke-linejoin: round;
  }
  .messages {
    padding: 0 var(--page);
  }
  .ask {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.5rem;
    margin-block: 0.75rem;
    padding: 0.6rem 1rem;
    border: 1px solid var(--rule);
    border-inline-start: 4px solid var(--accent);
    border-radius: 8px;
    background: var(--surface);
  }
  .ask p {
    flex: 1 1 20rem;
    margin: 0;
    overflow-wrap: anywhere;
  }
  .task {
    margin-block: 0.75rem;
  }
  main {
    container-type: inline-size;
    min-width: 0;
    padding: 1.1rem var(--page) 2.5rem;
  }
  .bench {
    display: grid;
    grid-template-columns: minmax(15.6rem, 19fr) minmax(0, 25fr) minmax(0, 31fr) minmax(18rem, 21fr);
    gap: 1.75rem;
    align-items: start;
    max-width: 1920px;
    margin: 0 auto;
  }
  @container (max-width: 71rem) {
    .bench {
      grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
    }
  }
  @container (max-width: 43rem) {
    .bench {
      grid-template-columns: minmax(0, 1fr);
      gap: 2rem;
    }
  }
  footer {
    padding: 0.45rem var(--page);
    border-top: 1px solid var(--rule);
    background: var(--surface);
  }
  dialog {
    width: min(36rem, calc(100vw - 2rem));
    padding: 1.4rem;
    border: 1px solid var(--rule);
    border-radius: 14px;
    background: var(--paper);
    color: var(--ink);
    box-shadow: 0 24px 80px rgb(0 0 0 / 0.25);
  }
  dialog::backdrop {
    background: rgb(10 14 22 / 0.45);
  }
  dialog h2 {
    margin: 0 0 1rem;
    font-size: 1.125rem;
  }
  dialog form {
    display: flex;
    justify-content: end;
    margin-top: 0.9rem;
  }
  .drop {
    position: fixed;
    inset: 0;
    z-index: 10;
    display: grid;
    place-content: center;
    background: color-mix(in oklab, var(--paper) 82%, transparent);
    outline: 3px dashed var(--accent);
    outline-offset: -14px;
    pointer-events: none;
    font-size: 1.5rem;
    font-weight: 600;
  }
`;
