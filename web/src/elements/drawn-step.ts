import { css, html, type TemplateResult } from 'lit';
import type { Step } from '../client/index.js';
import '../views/candidate-table.js';
import { rich } from '../views/text.js';
import { tokenText } from '../views/label.js';

export const drawnStyles = css`
  bdi {
    font-family: var(--mono);
    color: var(--ink);
  }
`;

/** How a generated token was drawn: the first `count` candidates before and after the sampler. */
export function drawnStep(step: Step, count: number): TemplateResult {
  return html`<p class="note">
      ${rich('next.drawn', { token: html`<bdi>${tokenText(step.token)}</bdi>` })}
    </p>
    <gb-candidate-table
      .candidates=${step.top.raw.slice(0, count)}
      .sampled=${step.top.final}
      .complete=${(step.stages.at(-1)?.kept ?? Infinity) <= step.top.final.length}
      .drawn=${step.id}
    ></gb-candidate-table>`;
}
