import { html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Candidate, Comparison } from '../client/index.js';
import '../views/candidate-table.js';
import '../views/figure.js';
import { controls, shared, View } from '../views/element.js';
import { percent, significant } from '../views/format.js';
import { tokenText } from '../views/label.js';
import { t } from '../views/text.js';
import type { CandidateRow } from '../views/types.js';
import { Analysis } from './analysis.js';
import { drawnStep, drawnStyles } from './drawn-step.js';
import { panel } from './panel.js';
import { Watch } from './store.js';
import type { Workspace } from './workspace.js';

const SHOWN = 20;

/** What comes next: after the prompt, or at the generated token that is pointed at. */
@customElement('gb-next-panel')
export class NextPanel extends View {
  @property({ attribute: false }) ws!: Workspace;
  #compared: Analysis<object, Comparison> | undefined;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.generation, this.#comparison()]);

  static override readonly styles = [shared, controls, panel, drawnStyles];

  protected override willUpdate(): void {
    const { ws } = this;
    if (ws.ready && ws.inspection.before) this.#comparison().want(ws.inspection.version, {});
  }

  override render(): TemplateResult {
    const { shown, steps } = this.ws.generation;
    const step = shown === null ? undefined : steps[shown];
    return html`<section aria-labelledby="title">
      <h2 id="title">${t('next.title')} ${step ? html`<small>${t('next.generated', { count: step.index + 1 })}</small>` : ''}</h2>
      ${step ? drawnStep(step, SHOWN) : this.#afterPrompt()}
    </section>`;
  }

  #comparison(): Analysis<object, Comparison> {
    const { ws } = this;
    this.#compared ??= new Analysis(ws.session, (_, signal) => ws.model.analysis.compare({ ...ws.run, top: SHOWN, signal }));
    return this.#compared;
  }

  #afterPrompt(): TemplateResult {
    const { picture, before } = this.ws.inspection;
    if (!picture) return html`<p class="note">${t('next.waiting')}</p>`;
    const compared = before && !this.#comparison().stale ? this.#comparison().result : undefined;
    const shown = compared ? changedRows(compared) : picture.next.slice(0, SHOWN);
    const ghosts = compared ? new Map(compared.top.map(({ token, before: was }) => [token.id, was.probability])) : null;
    const { lines, data } = this.ws.provenance();
    return html`${compared ? this.#change(compared) : html`<p class="note">${t('next.note')}</p>`}
      <gb-figure name=${t('next.figure')} .lines=${lines} .data=${data}>
        <gb-candidate-table
          action=${t('next.append')}
          .candidates=${shown}
          .ghosts=${ghosts}
          @gb-candidate=${this.#onCandidate}
        ></gb-candidate-table>
      </gb-figure>
      <p class="sr-only" role="status">${announce(picture.next[0])}</p>`;
  }

  #change({ divergence, entropy }: Comparison): TemplateResult {
    return html`<p class="note">
      ${t('next.changed', {
        bits: significant(divergence, 4),
        before: significant(entropy.before, 4),
        after: significant(entropy.after, 4),
      })}
    </p>`;
  }

  readonly #onCandidate = (event: CustomEvent<CandidateRow>): void => {
    this.ws.generation.discard();
    this.ws.inspection.append([(event.detail as Candidate).token]);
  };
}

/** The most probable tokens of both runs, by what they are now. */
function changedRows({ top }: Comparison): CandidateRow[] {
  return top
    .map(({ token, after }) => ({ token, ...after }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, SHOWN);
}

/** What a screen reader is told when a run has ended. */
function announce(best: Candidate | undefined): string | typeof nothing {
  return best ? t('next.best', { token: tokenText(best.token), probability: percent(best.probability) }) : nothing;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-next-panel': NextPanel;
  }
}
