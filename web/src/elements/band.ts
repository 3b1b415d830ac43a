import { css } from 'lit';

/** A band across the page, above the panels, about what is done to the model. */
export const band = css`
  div {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem 1.2rem;
    max-width: 1920px;
    margin: 0 auto 1.1rem;
    padding: 0.5rem 0.8rem;
    border: 1px solid var(--rule);
    border-inline-start: 4px solid var(--accent);
    border-radius: 8px;
    background: var(--surface);
    font-size: var(--small);
  }
  ul {
    display: flex;
    flex-wrap: wrap;
    gap: 0.4rem 1.6rem;
    margin: 0;
    padding: 0;
    list-style: none;
  }
`;
