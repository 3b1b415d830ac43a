import { html, nothing, type TemplateResult } from 'lit';
import { customElement } from 'lit/decorators.js';
import type { Bench, BenchRow } from '../client/index.js';
import '../views/bar-list.js';
import type { Bar } from '../views/bar-list.js';
import '../views/branch-tree.js';
import { percent } from '../views/format.js';
import { tokenText } from '../views/label.js';
import { t } from '../views/text.js';
import { Analysis } from './analysis.js';
import type { Way } from './branches.js';
import { DeepPanel } from './deep-panel.js';
import { Watch } from './store.js';

const OFFERED = 12;
const AHEAD = 8;

/** What the model might have said instead: a tree of continuations, each with its probability. */
@customElement('gb-branches-panel')
export class BranchesPanel extends DeepPanel {
  #offers!: Analysis<{ tokens: readonly number[] }, Bench>;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.generation, this.ws.branching, this.#offers]);

  override connectedCallback(): void {
    this.#offers = new Analysis(this.ws.session, ({ tokens }, signal) =>
      this.ws.model.analysis.bench({ tokens, edits: this.ws.run.edits, count: OFFERED, signal }),
    );
    super.connectedCallback();
  }

  protected override willUpdate(): void {
    const { ws } = this;
    if (!ws.ready) return;
    this.#offers.want(ws.inspection.version, { tokens: this.#tokens() });
  }

  override render(): TemplateResult {
    const { roots, way, here, busy } = this.ws.branching;
    const bench = this.#offers.result;
    const name = t('branch.name');
    const words = here.map(({ token }) => tokenText(token)).join('') || t('branch.prompt');
    return html`<p class="note">${t('branch.note')}</p>
      <div class="two">
        <div>
          <h3>${name}</h3>
          <div class="row">
            <button type="button" aria-pressed=${way.length === 0 ? 'true' : 'false'} @click=${() => {
              this.ws.branching.go([]);
            }}>
              ${t('branch.prompt')}
            </button>
            <button type="button" ?disabled=${busy} @click=${() => void this.ws.branching.ahead(AHEAD)}>${t('branch.ahead', { count: AHEAD })}</button>
            <button type="button" class="quiet" ?disabled=${way.length === 0} @click=${this.#keep}>${t('generate.keep')}</button>
            ${this.ws.generation.steps.length > 0
              ? html`<button type="button" class="quiet" @click=${this.#take}>${t('branch.take')}</button>`
              : nothing}
          </div>
          ${roots.length === 0
            ? html`<p class="note">${t('branch.empty')}</p>`
            : this.figure(
                name,
                html`<gb-branch-tree
                  name=${name}
                  .roots=${roots}
                  .selected=${way}
                  @gb-branch=${(event: CustomEvent<Way>) => {
                    this.ws.branching.go(event.detail);
                  }}
                ></gb-branch-tree>`,
              )}
        </div>
        <div>
          <h3>${t('branch.after', { words })}</h3>
          ${this.state(this.#offers)}
          ${bench ? html`<div ?inert=${this.#offers.stale}>${this.#offered(bench)}</div>` : nothing}
        </div>
      </div>`;
  }

  #tokens(): readonly number[] {
    return [...this.ws.run.tokens, ...this.ws.branching.here.map(({ token }) => token.id)];
  }

  #offered({ rows }: Bench): TemplateResult {
    const bars: Bar[] = rows.map(({ token, probabilities }) => ({ name: tokenText(token), value: probabilities[0] ?? 0, id: token.id }));
    const name = t('branch.offers');
    return this.figure(
      name,
      html`<gb-bar-list
        name=${name}
        nameTitle=${t('candidates.token')}
        valueTitle=${t('candidates.probability')}
        action=${t('branch.go')}
        .bars=${bars}
        .show=${percent}
        @gb-bar=${(event: CustomEvent<Bar>) => {
          const row = rows.find(({ token }) => token.id === event.detail.id);
          if (row) this.#go(row);
        }}
      ></gb-bar-list>`,
      this.#offers,
    );
  }

  #go({ token, probabilities }: BenchRow): void {
    // What was offered elsewhere has another probability here.
    if (this.#offers.stale) return;
    this.ws.branching.add(token, probabilities[0] ?? Number.NaN);
  }

  readonly #keep = (): void => {
    this.ws.inspection.append(this.ws.branching.here.map(({ token }) => token));
  };

  /** Takes what was generated above into the tree, from the prompt on. */
  readonly #take = (): void => {
    void this.ws.branching.take(this.ws.generation.steps.map(({ id }) => id));
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-branches-panel': BranchesPanel;
  }
}
