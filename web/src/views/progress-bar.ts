import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, emit, shared, View } from './element.js';
import { bytes, whole } from './format.js';
import { t } from './text.js';

/**
 * How far something long has come, in figures and as a bar.
 *
 * @fires gb-cancel - the reader wants it stopped
 */
@customElement('gb-progress-bar')
export class ProgressBar extends View {
  @property() label = '';
  @property({ type: Number }) done = 0;
  /** 0 where it is not known. */
  @property({ type: Number }) total = 0;
  @property() unit: 'bytes' | 'tokens' | 'pieces' = 'bytes';
  @property({ type: Boolean }) cancellable = false;

  static override readonly styles = [
    shared,
    controls,
    css`
      .line {
        display: flex;
        align-items: center;
        gap: 0.75rem;
        font-size: var(--small);
      }
      .label {
        flex: 1;
        min-width: 0;
      }
      .figures {
        color: var(--ink-2);
      }
      .track {
        height: 6px;
        margin-top: 0.4rem;
        overflow: hidden;
        border-radius: 3px;
        background: var(--track);
      }
      .fill {
        height: 100%;
        width: var(--p);
        border-radius: 3px;
        background: var(--accent);
        transition: width 0.15s linear;
      }
      .unknown .fill {
        width: 30%;
        animation: wander 1.4s ease-in-out infinite alternate;
      }
      @keyframes wander {
        to {
          transform: translateX(233%);
        }
      }
    `,
  ];

  override render(): TemplateResult {
    const known = this.total > 0;
    const share = known ? Math.min(100, (this.done / this.total) * 100) : 0;
    return html`<div class="line">
        <span class="label" id="label">${this.label}</span>
        <span class="figures">${this.#figures(known)}</span>
        ${this.cancellable ? html`<button type="button" @click=${this.#cancel}>${t('progress.cancel')}</button>` : nothing}
      </div>
      <div
        class="track ${known ? '' : 'unknown'}"
        role="progressbar"
        aria-labelledby="label"
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${known ? Math.round(share) : nothing}
        aria-valuetext=${this.#figures(known)}
      >
        <div class="fill" .style=${`--p:${share}%`}></div>
      </div>`;
  }

  #figures(known: boolean): string {
    const show = this.unit === 'bytes' ? bytes : whole;
    if (known) return t(`progress.${this.unit}`, { done: show(this.done), total: show(this.total) });
    return this.done > 0 ? show(this.done) : '';
  }

  readonly #cancel = (): void => {
    emit(this, 'gb-cancel', null);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-progress-bar': ProgressBar;
  }
  interface HTMLElementEventMap {
    'gb-cancel': CustomEvent<null>;
  }
}
