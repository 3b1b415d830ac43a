import { html, nothing, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import type { Bench, BenchRow } from '../client/index.js';
import '../views/bar-list.js';
import type { Bar } from '../views/bar-list.js';
import '../views/branch-tree.js';
import { percent } from '../views/format.js';
import { tokenText } from '../views/label.js';
import { t } from '../views/text.js';
import { Analysis } from './analysis.js';
import { along, grow, type Branch, type Way } from './branches.js';
import { DeepPanel } from './deep-panel.js';
import { isAbort } from './session.js';
import { Watch } from './store.js';

const OFFERED = 12;
const AHEAD = 8;

/** What the model might have said instead: a tree of continuations, each with its probability. */
@customElement('gb-branches-panel')
export class BranchesPanel extends DeepPanel {
  @state() private roots: readonly Branch[] = [];
  @state() private way: Way = [];
  @state() private growing = false;
  /** The picture the tree grows from: another prompt has another tree. */
  #root = -1;
  #offers!: Analysis<{ tokens: readonly number[] }, Bench>;
  protected readonly watch = new Watch(this, () => [this.ws.inspection, this.ws.generation, this.#offers]);

  override connectedCallback(): void {
    this.#offers = new Analysis(this.ws.session, ({ tokens }, signal) =>
      this.ws.model.analysis.bench({ tokens, edits: this.ws.run.edits, count: OFFERED, signal }),
    );
    super.connectedCallback();
  }

  protected override willUpdate(): void {
    const { ws } = this;
    if (!ws.ready) return;
    if (ws.inspection.version !== this.#root) {
      this.#root = ws.inspection.version;
      this.roots = [];
      this.way = [];
    }
    this.#offers.want(ws.inspection.version, { tokens: this.#tokens() });
  }

  override render(): TemplateResult {
    const here = along(this.roots, this.way);
    const bench = this.#offers.result;
    const name = t('branch.name');
    const words = here.map(({ token }) => tokenText(token)).join('') || t('branch.prompt');
    return html`<p class="note">${t('branch.note')}</p>
      <div class="two">
        <div>
          <h3>${name}</h3>
          <div class="row">
            <button type="button" aria-pressed=${this.way.length === 0 ? 'true' : 'false'} @click=${() => {
              this.way = [];
            }}>
              ${t('branch.prompt')}
            </button>
            <button type="button" ?disabled=${this.growing} @click=${() => void this.#ahead()}>${t('branch.ahead', { count: AHEAD })}</button>
            <button type="button" class="quiet" ?disabled=${this.way.length === 0} @click=${this.#keep}>${t('generate.keep')}</button>
            ${this.ws.generation.steps.length > 0
              ? html`<button type="button" class="quiet" @click=${this.#take}>${t('branch.take')}</button>`
              : nothing}
          </div>
          ${this.roots.length === 0
            ? html`<p class="note">${t('branch.empty')}</p>`
            : this.figure(
                name,
                html`<gb-branch-tree
                  name=${name}
                  .roots=${this.roots}
                  .selected=${this.way}
                  @gb-branch=${(event: CustomEvent<Way>) => {
                    this.way = event.detail;
                  }}
                ></gb-branch-tree>`,
              )}
        </div>
        <div>
          <h3>${t('branch.after', { words })}</h3>
          ${this.state(this.#offers)} ${bench ? this.#offered(bench) : nothing}
        </div>
      </div>`;
  }

  #tokens(): readonly number[] {
    return [...this.ws.run.tokens, ...along(this.roots, this.way).map(({ token }) => token.id)];
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
    const grown = grow(this.roots, this.way, [{ token, probability: probabilities[0] ?? 0 }]);
    this.roots = grown.roots;
    this.way = grown.way;
  }

  /** Lets the model go on from here, always with its most probable token. */
  async #ahead(): Promise<void> {
    this.growing = true;
    const version = this.#root;
    try {
      const steps = this.ws.model.generate({ tokens: this.#tokens(), maxNewTokens: AHEAD, sampler: { greedy: true }, edits: this.ws.run.edits, topN: 1 });
      for await (const step of steps) {
        if (version !== this.#root) return;
        const probability = step.top.raw.find(({ token }) => token.id === step.id)?.probability ?? 0;
        const grown = grow(this.roots, this.way, [{ token: step.token, probability }]);
        this.roots = grown.roots;
        this.way = grown.way;
      }
    } catch (error) {
      if (!isAbort(error)) this.ws.session.report(error);
    } finally {
      this.growing = false;
    }
  }

  readonly #keep = (): void => {
    this.ws.inspection.append(along(this.roots, this.way).map(({ token }) => token));
  };

  /** Takes what was generated above into the tree, from the prompt on, with the model's own probabilities. */
  readonly #take = (): void => {
    const tokens = this.ws.generation.steps.map((step) => ({
      token: step.token,
      probability: step.top.raw.find(({ token }) => token.id === step.id)?.probability ?? 0,
    }));
    const grown = grow(this.roots, [], tokens.filter(({ probability }) => probability > 0));
    this.roots = grown.roots;
    this.way = grown.way;
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-branches-panel': BranchesPanel;
  }
}
