import { css, html, nothing, type LitElement, type TemplateResult } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { controls, shared, View } from '../views/element.js';
import { t, type TextKey } from '../views/text.js';
import { EXAMPLES, showExample } from './examples.js';
import type { Workspace } from './workspace.js';

/** A step of the tour: what it says, and what it does to the page. */
interface Step {
  readonly title: TextKey;
  readonly text: TextKey;
  /** The part of the page it is about. */
  readonly part: string;
  readonly act: (ws: Workspace) => void;
}

const example = (name: TextKey) => (ws: Workspace) => {
  const found = EXAMPLES.find((one) => one.name === name);
  if (found) showExample(ws, found);
};

const STEPS: readonly Step[] = [
  { title: 'tour.tokens', text: 'tour.tokensText', part: 'gb-prompt-panel', act: example('example.name') },
  {
    title: 'tour.surprise',
    text: 'tour.surpriseText',
    part: 'gb-prompt-panel',
    act: (ws) => {
      ws.view.set({ measure: 'surprisal', tab: null });
    },
  },
  { title: 'tour.heads', text: 'tour.headsText', part: 'gb-attention-panel', act: example('example.induction') },
  {
    title: 'tour.off',
    text: 'tour.offText',
    part: 'gb-next-panel',
    act: (ws) => {
      const found = (ws.heads.result?.labels ?? []).filter(({ role }) => role === 'induction');
      const heads = found.length > 0 ? found : [ws.inspection.chosen];
      ws.edits.set(heads.map(({ layer, head }) => ({ kind: 'head', layer, head })));
    },
  },
  {
    title: 'tour.lens',
    text: 'tour.lensText',
    part: 'gb-deeper',
    act: (ws) => {
      ws.edits.set([]);
      ws.view.set({ tab: 'lens' });
    },
  },
  { title: 'tour.draw', text: 'tour.drawText', part: 'gb-deeper', act: example('example.temperature') },
];

/** A short walk through the real page: each step does what it speaks of. */
@customElement('gb-tour')
export class Tour extends View {
  @property({ attribute: false }) ws!: Workspace;
  @state() private at: number | null = null;
  /** Whether it stands at the start of the line, where what it speaks of is at the end. */
  @state() private aside = false;
  #marked: Element | null = null;

  static override readonly styles = [
    shared,
    controls,
    css`
      section {
        position: fixed;
        inset-inline-end: 1.2rem;
        bottom: 3.4rem;
        z-index: 8;
        width: min(24rem, calc(100vw - 2.4rem));
        padding: 1rem 1.1rem;
        border: 1px solid var(--rule);
        border-top: 4px solid var(--accent);
        border-radius: 10px;
        background: var(--surface);
        box-shadow: 0 16px 60px rgb(0 0 0 / 0.28);
      }
      section.aside {
        inset-inline: 1.2rem auto;
      }
      h2 {
        margin: 0 0 0.35rem;
        font-size: 1rem;
      }
      p {
        margin: 0 0 0.8rem;
        font-size: 0.875rem;
        line-height: 1.5;
        color: var(--ink-2);
      }
      .row {
        display: flex;
        align-items: center;
        gap: 0.4rem;
      }
      .row span {
        flex: 1;
        font-size: var(--small);
        color: var(--ink-2);
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.getRootNode().addEventListener('gb-tour', this.#begin);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.getRootNode().removeEventListener('gb-tour', this.#begin);
  }

  override render(): TemplateResult | typeof nothing {
    const { at } = this;
    const step = at === null ? undefined : STEPS[at];
    if (at === null || !step) return nothing;
    return html`<section class=${this.aside ? 'aside' : ''} role="dialog" aria-labelledby="title" aria-describedby="text" @keydown=${this.#onKey}>
      <h2 id="title" tabindex="-1">${t(step.title)}</h2>
      <p id="text">${t(step.text)}</p>
      <div class="row">
        <span>${t('tour.step', { step: at + 1, all: STEPS.length })}</span>
        <button type="button" class="quiet" @click=${this.#end}>${t('tour.end')}</button>
        ${at > 0 ? html`<button type="button" @click=${this.#to(at - 1)}>${t('table.before')}</button>` : nothing}
        <button type="button" class="primary" @click=${at < STEPS.length - 1 ? this.#to(at + 1) : this.#end}>
          ${t(at < STEPS.length - 1 ? 'table.after' : 'tour.done')}
        </button>
      </div>
    </section>`;
  }

  protected override updated(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('at') && this.at !== null) this.shadowRoot?.querySelector<HTMLElement>('h2')?.focus({ preventScroll: true });
  }

  readonly #begin = (): void => {
    this.#to(0)();
  };

  readonly #to = (at: number) => () => {
    this.at = at;
    const step = STEPS[at];
    if (!step || !this.ws.ready) return;
    step.act(this.ws);
    const root = this.getRootNode();
    const part = root instanceof ShadowRoot ? root.querySelector<LitElement>(step.part) : null;
    void part?.updateComplete.then(() => {
      if (this.at === at) this.#mark(part);
    });
  };

  /** Frames the part that is spoken of and brings it into sight. */
  #mark(part: LitElement | null): void {
    this.#marked?.removeAttribute('data-toured');
    // A part without a box of its own is found by what is in it; of two heads the large one.
    const inside = part?.shadowRoot?.querySelectorAll('section, [role="tabpanel"]');
    this.#marked = inside?.item(inside.length - 1) ?? null;
    this.#marked?.setAttribute('data-toured', '');
    this.#marked?.scrollIntoView({ block: 'nearest' });
    const box = this.#marked?.getBoundingClientRect();
    this.aside = box !== undefined && box.left > innerWidth / 2;
  }

  readonly #end = (): void => {
    this.at = null;
    this.#mark(null);
    const root = this.getRootNode();
    if (root instanceof ShadowRoot) root.querySelector<HTMLElement>('gb-example-menu')?.focus();
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    this.#end();
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-tour': Tour;
  }
}
