import { css, html, svg, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { shared, View } from '../views/element.js';
import { rich, t } from '../views/text.js';
import './open-source.js';

const ROWS = 14;

/** What the page shows before a model is open: what it does, and how to begin. */
@customElement('gb-welcome')
export class Welcome extends View {
  /** Name of the model that comes with the site; empty where there is none. */
  @property() house = '';

  static override readonly styles = [
    shared,
    css`
      .hero {
        display: grid;
        grid-template-columns: minmax(0, 11fr) minmax(0, 9fr);
        gap: clamp(2rem, 6vw, 6rem);
        align-items: center;
        max-width: 1180px;
        margin: 0 auto;
        padding: clamp(1rem, 3.5vh, 4rem) 0 clamp(1.5rem, 4vh, 3.5rem);
      }
      h1 {
        margin: 0 0 1.1rem;
        max-width: 15ch;
        font-size: clamp(2.1rem, 4.6vw, 3.5rem);
        font-weight: 650;
        line-height: 1.06;
        letter-spacing: -0.03em;
        text-wrap: balance;
      }
      .lead {
        margin: 0 0 1.9rem;
        max-width: 34rem;
        font-size: 1.125rem;
        line-height: 1.55;
        color: var(--ink-2);
        text-wrap: pretty;
      }
      figure {
        margin: 0;
        max-width: min(30rem, 56vh);
        justify-self: end;
      }
      svg {
        display: block;
        width: 100%;
        height: auto;
        overflow: visible;
      }
      .cell {
        fill: var(--data);
      }
      .axis {
        font-size: 11px;
        fill: var(--ink-2);
      }
      figcaption {
        margin-top: 1.1rem;
        font-size: var(--small);
        line-height: 1.5;
        color: var(--ink-2);
      }
      .facts {
        display: grid;
        grid-template-columns: repeat(3, 1fr);
        gap: 1.5rem clamp(1.5rem, 4vw, 3.5rem);
        max-width: 1180px;
        margin: 0 auto;
        padding: 1.6rem 0 0;
        border-top: 1px solid var(--rule);
      }
      h2 {
        margin: 0 0 0.4rem;
        font-size: 0.9375rem;
        font-weight: 600;
      }
      .facts p {
        margin: 0;
        font-size: 0.875rem;
        line-height: 1.55;
        color: var(--ink-2);
        text-wrap: pretty;
      }
      code {
        font-family: var(--mono);
        font-size: 0.92em;
        color: var(--ink);
      }
      @media (max-width: 820px) {
        .hero,
        .facts {
          grid-template-columns: minmax(0, 1fr);
        }
        figure {
          max-width: 26rem;
          justify-self: start;
        }
      }
    `,
  ];

  override render(): TemplateResult {
    const code = (name: string): TemplateResult => html`<code>${name}</code>`;
    const files = { config: code('config.json'), weights: code('.safetensors'), tokenizer: code('tokenizer.json'), gguf: code('.gguf') };
    return html`<div class="hero">
        <div>
          <h1>${t('welcome.title')}</h1>
          <p class="lead">${t('welcome.lead')}</p>
          <gb-open-source .house=${this.house}></gb-open-source>
        </div>
        <figure aria-hidden="true">
          ${triangle()}
          <figcaption>${t('welcome.triangle')}</figcaption>
        </figure>
      </div>
      <div class="facts">
        <div>
          <h2>${t('welcome.what')}</h2>
          <p>${rich('welcome.whatText', files)}</p>
        </div>
        <div>
          <h2>${t('welcome.where')}</h2>
          <p>${t('welcome.whereText')}</p>
        </div>
        <div>
          <h2>${t('welcome.trust')}</h2>
          <p>${t('welcome.trustText')}</p>
        </div>
      </div>`;
  }
}

/** The causal triangle, as geometry: the older the token looked at, the fainter. It stands for no model. */
function triangle(): TemplateResult {
  const pitch = 26;
  const cells = Array.from({ length: ROWS }, (_, row) =>
    Array.from({ length: row + 1 }, (__, column) => {
      const age = row - column;
      return svg`<rect class="cell" x=${column * pitch} y=${row * pitch} width=${pitch - 4} height=${pitch - 4} rx="3" opacity=${0.1 + 0.9 * Math.exp(-age / 3.2)} />`;
    }),
  );
  const extent = ROWS * pitch;
  return html`<svg viewBox="0 0 ${extent} ${extent}" role="presentation">${cells}</svg>`;
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-welcome': Welcome;
  }
}
