import { css } from 'lit';

/** What tables of numbers share: numbers at the end of their cells, rules between rows, quiet headings. */
export const tableStyles = css`
  table {
    width: 100%;
    border-collapse: collapse;
    font-size: var(--small);
  }
  th,
  td {
    border-top: 1px solid var(--rule);
    font-weight: 400;
    text-align: end;
    white-space: nowrap;
  }
  thead > tr > * {
    border-top: 0;
    color: var(--ink-2);
    vertical-align: bottom;
  }
`;
