import { css, html, nothing, type TemplateResult } from 'lit';
import { property } from 'lit/decorators.js';
import { controls, shared, View } from '../views/element.js';
import '../views/figure.js';
import { tokenText } from '../views/label.js';
import { t } from '../views/text.js';
import type { TokenLabel } from '../views/types.js';
import type { Analysis } from './analysis.js';
import type { Workspace } from './workspace.js';

/** Looks of the analyses beneath the bench. */
export const deepStyles = [
  shared,
  controls,
  css`
    :host {
      min-width: 0;
    }
    .two {
      display: grid;
      grid-template-columns: minmax(0, 3fr) minmax(0, 2fr);
      gap: 1.75rem;
      align-items: start;
    }
    .even {
      grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
    }
    .three {
      display: grid;
      grid-template-columns: repeat(3, minmax(0, 1fr));
      gap: 1.75rem;
      align-items: start;
    }
    .two + .two {
      margin-top: 1.75rem;
    }
    @container (max-width: 57.5rem) {
      .two,
      .three {
        grid-template-columns: minmax(0, 1fr);
      }
    }
    h3 {
      margin: 0 0 0.5rem;
      font-size: 0.9375rem;
      font-weight: 600;
    }
    h3:not(:first-child) {
      margin-top: 1.2rem;
    }
    .note {
      margin: 0 0 0.7rem;
      max-width: 60rem;
      font-size: var(--small);
      line-height: 1.5;
      color: var(--ink-2);
      text-wrap: pretty;
    }
    .row {
      display: flex;
      flex-wrap: wrap;
      align-items: center;
      gap: 0.4rem 0.9rem;
      margin: 0 0 0.8rem;
    }
    .row > .note {
      margin: 0;
    }
    .row label {
      display: inline-flex;
      flex-wrap: wrap;
      align-items: center;
      gap: 0.4em;
      max-width: 100%;
      font-size: var(--small);
      color: var(--ink-2);
    }
    .row select,
    .row input {
      min-width: 0;
      max-width: 100%;
    }
    bdi {
      font-family: var(--mono);
    }
    .stale {
      opacity: 0.55;
    }
    .state {
      min-height: 1.3em;
      margin: 0;
      font-size: var(--small);
      color: var(--ink-2);
    }
    .chips {
      display: flex;
      flex-wrap: wrap;
      gap: 0.3rem;
      margin: 0;
      padding: 0;
      list-style: none;
    }
    .chips button {
      min-height: 26px;
      padding: 0 0.5em;
      font-size: var(--small);
      font-weight: 400;
    }
  `,
];

/** What the panels beneath the bench have in common. */
export class DeepPanel extends View {
  @property({ attribute: false }) ws!: Workspace;

  static override readonly styles = deepStyles;

  /** Says that something is being computed, or could not be. */
  protected state(analysis: { readonly running: boolean; readonly failed: boolean; clear(): void }): TemplateResult {
    return html`<p class="state" role="status">
      ${analysis.running ? t('deep.computing') : nothing}
      ${analysis.failed
        ? html`${t('deep.failed')}
            <button type="button" class="quiet" @click=${() => {
              analysis.clear();
            }}>
              ${t('deep.again')}
            </button>`
        : nothing}
    </p>`;
  }

  /** A picture with its table and its files. */
  protected figure(name: string, view: TemplateResult, analysis?: Analysis<never, unknown>): TemplateResult {
    const { lines, data } = this.ws.provenance();
    return html`<gb-figure class=${analysis?.stale ? 'stale' : ''} name=${name} .lines=${lines} .data=${data}>${view}</gb-figure>`;
  }

  /** The tokens of the prompt, each with its position. */
  protected labels(tokens: readonly TokenLabel[] = this.ws.inspection.picture?.tokens ?? []): string[] {
    return tokens.map((token) => tokenText(token));
  }

  /** Chooses a position of the prompt. */
  protected positionPicker(): TemplateResult {
    const tokens = this.ws.inspection.picture?.tokens ?? [];
    const now = this.ws.position;
    const onChange = (event: Event): void => {
      this.ws.view.set({ position: Number((event.target as HTMLSelectElement).value) });
    };
    return html`<label
      >${t('panel.after')}
      <select @change=${onChange}>
        ${tokens.map((token, i) => html`<option value=${i} .selected=${i === now}>${i} ${tokenText(token).slice(0, 20)}</option>`)}
      </select></label
    >`;
  }
}
