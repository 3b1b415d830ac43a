import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, shared, View } from '../views/element.js';
import { t } from '../views/text.js';
import { band } from './band.js';
import type { Change } from './edits.js';
import { Watch } from './store.js';
import type { Workspace } from './workspace.js';

/** The changes made to the model, each with a way to take it back; nothing while there are none. */
@customElement('gb-change-list')
export class ChangeList extends View {
  @property({ attribute: false }) ws!: Workspace;
  protected readonly watch = new Watch(this, () => [this.ws.edits]);

  static override readonly styles = [
    shared,
    controls,
    band,
    css`
      div {
        gap: 0.4rem 0.8rem;
        border-inline-start-color: var(--up);
      }
      ul {
        gap: 0.3rem;
      }
      li button {
        min-height: 26px;
        padding: 0 0.6em;
        font-size: var(--small);
        font-weight: 400;
      }
      .all {
        margin-inline-start: auto;
      }
    `,
  ];

  override render(): TemplateResult | typeof nothing {
    const { edits } = this.ws;
    if (edits.list.length === 0) return nothing;
    return html`<div role="region" aria-label=${t('change.active')}>
      <strong>${t('change.active')}</strong>
      <ul>
        ${edits.list.map(
          (change) =>
            html`<li>
              <button
                type="button"
                title=${t('change.takeBack')}
                @click=${() => {
                  edits.toggle(change);
                }}
              >
                <span class="sr-only">${t('change.takeBack')}: </span>${nameOfChange(change, this.ws.session.model?.info.convolutions)} <span aria-hidden="true">×</span>
              </button>
            </li>`,
        )}
      </ul>
      <button
        type="button"
        class="quiet all"
        @click=${() => {
          edits.set([]);
        }}
      >
        ${t('change.clear')}
      </button>
    </div>`;
  }
}

/** A change in a few words; layers with a convolution have it in the place of attention. */
export function nameOfChange(change: Change, convolutions: readonly number[] = []): string {
  switch (change.kind) {
    case 'head':
      return t('change.head', { ...change });
    case 'attention':
      return t(convolutions.includes(change.layer) ? 'change.convolution' : 'change.attention', { ...change });
    case 'mlp':
      return t('change.mlp', { ...change });
    case 'layer':
      return t('change.layer', { ...change });
    case 'edge':
      return t('change.edge', { ...change });
    case 'patch':
      return t('change.patch', { site: change.site, layer: change.layer, position: change.position, from: change.from });
    case 'steer':
      return t('change.steer', { towards: change.towards, away: change.away || '∅', strength: change.strength, layer: change.layer });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-change-list': ChangeList;
  }
}
