import { css, html, type TemplateResult } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import { shared, View } from './element.js';
import { sizeCanvas } from './heat-canvas.js';
import { divergingFor, place, placeSigned, rampFor, type Scale } from './ramp.js';
import { t } from './text.js';

const TICKS: Readonly<Record<Scale, readonly number[]>> = {
  linear: [0, 0.25, 0.5, 0.75, 1],
  sqrt: [0, 0.05, 0.25, 0.5, 1],
};

/** The colours of attention weights with their range. */
@customElement('gb-ramp-legend')
export class RampLegend extends View {
  @property() scale: Scale = 'sqrt';
  @property() caption = '';
  /** Whether the colours go both ways from 0. */
  @property({ type: Boolean }) signed = false;
  @query('canvas') private readonly canvas!: HTMLCanvasElement;

  static override readonly styles = [
    shared,
    css`
      :host {
        width: 100%;
        max-width: 300px;
        font-size: var(--small);
        color: var(--ink-2);
      }
      figure {
        margin: 0;
      }
      canvas {
        display: block;
        width: 100%;
        height: 8px;
        border-radius: 2px;
        box-shadow: 0 0 0 1px var(--rule);
      }
      .ticks {
        position: relative;
        height: 1.35em;
      }
      .ticks span {
        position: absolute;
        left: var(--at);
        transform: translateX(-50%);
      }
      .ticks span:first-child {
        transform: none;
      }
      .ticks span:last-child {
        transform: translateX(-100%);
      }
    `,
  ];

  override render(): TemplateResult {
    const ticks = this.signed ? [-1, -0.25, 0, 0.25, 1] : TICKS[this.scale];
    const at = (tick: number): number => (this.signed ? placeSigned(tick, this.scale) : place(tick, this.scale));
    const range = t(this.signed ? 'legend.signed' : 'legend.range');
    return html`<figure>
      <canvas aria-hidden="true"></canvas>
      <div class="ticks" aria-hidden="true">
        ${ticks.map((tick) => html`<span .style=${`--at:${at(tick) * 100}%`}>${String(tick).replace('-', '−')}</span>`)}
      </div>
      <figcaption>${this.caption}, ${range}${this.scale === 'sqrt' ? `, ${t('legend.sqrt')}` : ''}</figcaption>
    </figure>`;
  }

  protected override updated(): void {
    const width = 256;
    const context = sizeCanvas(this.canvas, width, 1);
    this.canvas.removeAttribute('style');
    if (!context) return;
    const ramp = this.signed ? divergingFor(this.ground) : rampFor(this.ground);
    for (let x = 0; x < this.canvas.width; x++) {
      context.fillStyle = ramp.css(x / (this.canvas.width - 1));
      context.fillRect(x, 0, 1, this.canvas.height);
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-ramp-legend': RampLegend;
  }
}
