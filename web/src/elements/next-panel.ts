import { html, LitElement, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Candidate } from '../client/index.js';
import '../views/candidate-table.js';
import { shared } from '../views/element.js';
import { percent } from '../views/format.js';
import { tokenText } from '../views/label.js';
import { drawnStep, drawnStyles } from './drawn-step.js';
import type { Generation } from './generation.js';
import type { Inspection } from './inspection.js';
import { panel } from './panel.js';
import { Watch } from './store.js';

const SHOWN = 20;

/** What comes next: after the prompt, or at the generated token that is pointed at. */
@customElement('gb-next-panel')
export class NextPanel extends LitElement {
  @property({ attribute: false }) inspection!: Inspection;
  @property({ attribute: false }) generation!: Generation;
  protected readonly watch = new Watch(this, () => [this.inspection, this.generation]);

  static override readonly styles = [
    shared,
    panel,
    drawnStyles,
  ];

  override render(): TemplateResult {
    const { shown, steps } = this.generation;
    const step = shown === null ? undefined : steps[shown];
    return html`<section aria-labelledby="title">
      <h2 id="title">Next token ${step ? html`<small>generated token ${step.index + 1}</small>` : ''}</h2>
      ${step
        ? drawnStep(step, SHOWN)
        : this.#afterPrompt()}
    </section>`;
  }

  #afterPrompt(): TemplateResult {
    const { picture } = this.inspection;
    if (!picture) return html`<p class="note">The most probable next tokens appear here.</p>`;
    const shown = picture.next.slice(0, SHOWN);
    return html`<p class="note">Raw probabilities, before any sampling. Click one to append it to the prompt.</p>
      <gb-candidate-table
        action="Append"
        .candidates=${shown}
        @gb-candidate=${this.#onCandidate}
      ></gb-candidate-table>
      <p class="sr-only" role="status">${announce(shown[0])}</p>`;
  }

  readonly #onCandidate = (event: CustomEvent<Candidate>): void => {
    this.generation.discard();
    this.inspection.append([event.detail.token]);
  };
}

/** What a screen reader is told when a run has ended. */
function announce(best: Candidate | undefined): string {
  return best ? `Most probable next token: ${tokenText(best.token)}, ${percent(best.probability)}.` : '';
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-next-panel': NextPanel;
  }
}
