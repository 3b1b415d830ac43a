import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { AdapterInfo } from '../client/index.js';
import { controls, shared, View } from '../views/element.js';
import { count, weight } from '../views/format.js';
import { t } from '../views/text.js';
import { band } from './band.js';
import { Watch } from './store.js';
import type { Workspace } from './workspace.js';

/** How far an adapter can be turned up, and the steps of that. */
const STRONGEST = 2;
const STEP = 0.05;

/** The LoRA adapters of the open model, each to be scaled, switched off and taken away; nothing while there are none. */
@customElement('gb-adapter-list')
export class AdapterList extends View {
  @property({ attribute: false }) ws!: Workspace;
  protected readonly watch = new Watch(this, () => [this.ws.session]);

  static override readonly styles = [
    shared,
    controls,
    band,
    css`
      li,
      label {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.3rem 0.6rem;
        min-height: 26px;
      }
      .about {
        color: var(--ink-2);
      }
      output {
        min-width: 3.2em;
        font-variant-numeric: tabular-nums;
      }
    `,
  ];

  override render(): TemplateResult | typeof nothing {
    const adapters = this.ws.session.model?.adapters ?? [];
    if (adapters.length === 0) return nothing;
    return html`<div role="region" aria-label=${t('adapter.title')}>
      <strong>${t('adapter.title')}</strong>
      <ul>
        ${adapters.map((adapter) => this.#adapter(adapter))}
      </ul>
    </div>`;
  }

  #adapter({ id, name, base, parameters, scale }: AdapterInfo): TemplateResult {
    const { session } = this.ws;
    const onScale = (event: Event): void => {
      void session.scaleAdapter(id, Number((event.target as HTMLInputElement).value));
    };
    const onSwitch = (event: Event): void => {
      void session.scaleAdapter(id, (event.target as HTMLInputElement).checked ? 1 : 0);
    };
    const onRemove = (): void => {
      void session.detach(id);
    };
    return html`<li>
      <label>
        <input type="checkbox" .checked=${scale !== 0} @change=${onSwitch} />
        <bdi>${name}</bdi>
      </label>
      <span class="about">
        ${t('adapter.about', { count: count(parameters) })}${base === null ? nothing : html`, ${t('adapter.base')} <bdi>${base}</bdi>`}
      </span>
      <label>
        ${t('adapter.scale')}
        <input
          type="range"
          min="0"
          max=${STRONGEST}
          step=${STEP}
          .value=${String(scale)}
          aria-label=${t('adapter.scaleOf', { name })}
          @change=${onScale}
        />
        <output>${weight(scale)}</output>
      </label>
      <button type="button" class="quiet" aria-label=${t('adapter.removeOf', { name })} @click=${onRemove}>${t('adapter.remove')}</button>
    </li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-adapter-list': AdapterList;
  }
}
