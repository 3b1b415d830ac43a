import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { shared, View } from './element.js';
import { visible } from './glyphs.js';

/** An entry of the status line: what it is about, its value, and a longer explanation. */
export interface StatusItem {
  readonly term: string;
  readonly value: string;
  readonly detail?: string;
}

/** One line that tells the state of things. */
@customElement('gb-status-line')
export class StatusLine extends View {
  @property({ attribute: false }) items: readonly StatusItem[] = [];

  static override readonly styles = [
    shared,
    css`
      dl {
        display: flex;
        flex-wrap: wrap;
        gap: 0.15rem 1.6rem;
        margin: 0;
        font-size: var(--small);
        line-height: 1.5;
      }
      div {
        display: flex;
        flex-wrap: wrap;
        gap: 0 0.5em;
        min-width: 0;
      }
      dt {
        color: var(--ink-2);
      }
      dd {
        margin: 0;
        color: var(--ink);
        overflow-wrap: anywhere;
      }
      .detail {
        color: var(--ink-2);
      }
    `,
  ];

  override render(): TemplateResult {
    return html`<dl>
      ${this.items.map(
        ({ term, value, detail }) =>
          html`<div>
            <dt>${term}</dt>
            <dd><bdi>${plain(value)}</bdi></dd>
            ${detail ? html`<dd class="detail"><bdi>${plain(detail)}</bdi></dd>` : nothing}
          </div>`,
      )}
    </dl>`;
  }
}

/** Text from a model's metadata, with its ordinary spaces kept and everything unseen made visible. */
function plain(text: string): string {
  return text
    .split(/([ \u202f])/)
    .map((part) => (part === '' || part === ' ' || part === '\u202f' ? part : visible(part)))
    .join('');
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-status-line': StatusLine;
  }
}
