import { css, html, nothing, type TemplateResult } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { controls, emit, shared, View } from './element.js';
import { percent, significant } from './format.js';
import type { Keepable } from './keep.js';
import { tokenText } from './label.js';
import { text, type SvgPicture } from './svg.js';
import type { Table } from './table.js';
import { t } from './text.js';
import type { TokenLabel } from './types.js';

/** A token of a tree of texts. */
export interface TreeToken {
  readonly token: TokenLabel;
  readonly probability: number;
  readonly children: readonly TreeToken[];
}

/**
 * A tree of texts: tokens that follow each other stand in a line, and where it forks each branch begins a new one.
 *
 * @fires gb-branch - `readonly number[]`: the way to the token that was clicked
 */
@customElement('gb-branch-tree')
export class BranchTree extends View implements Keepable {
  @property({ attribute: false }) roots: readonly TreeToken[] = [];
  /** The way to the token that is looked at. */
  @property({ attribute: false }) selected: readonly number[] = [];
  @property() name = '';

  static override readonly styles = [
    shared,
    controls,
    css`
      ul {
        margin: 0;
        padding-inline-start: 1.1rem;
        list-style: none;
        border-inline-start: 1px solid var(--rule);
      }
      :host > ul {
        padding: 0;
        border: 0;
      }
      li {
        margin: 0.25rem 0;
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 2px;
      }
      button {
        min-height: 26px;
        padding: 0 0.4em;
        border-color: var(--rule);
        font: 400 0.8125rem var(--mono);
      }
      button small {
        color: var(--ink-2);
        font-family: system-ui, sans-serif;
      }
      button[aria-pressed='true'] small {
        color: inherit;
      }
      .total {
        margin-inline-start: 0.5rem;
        font-size: 0.75rem;
        color: var(--ink-2);
      }
    `,
  ];

  toTable(): Table {
    const columns = [
      { name: t('branch.text') },
      { name: t('branch.tokens') },
      { name: t('branch.total'), show: percent },
      { name: t('branch.log'), show: (value: number) => significant(value, 6) },
    ];
    const rows = ends(this.roots).map((branch) => {
      const log = branch.reduce((sum, { probability }) => sum + Math.log(probability), 0);
      return [branch.map(({ token }) => tokenText(token)).join(''), branch.length, Math.exp(log), log];
    });
    return { columns, rows };
  }

  toSvg(): SvgPicture {
    const fill = getComputedStyle(this).color;
    const lines = this.toTable().rows.map(([words, , total], i) => text(4, 12 + i * 18, `${String(words)}   ${percent(Number(total))}`, { mono: true, fill }));
    return { width: 720, height: lines.length * 18 + 8, body: lines.join('') };
  }

  override render(): TemplateResult | typeof nothing {
    if (this.roots.length === 0) return nothing;
    return this.#list(this.roots, [], 0);
  }

  #list(branches: readonly TreeToken[], way: readonly number[], log: number): TemplateResult {
    return html`<ul aria-label=${way.length === 0 ? this.name : nothing}>
      ${branches.map((branch, index) => this.#line(branch, [...way, index], log))}
    </ul>`;
  }

  #line(first: TreeToken, way: readonly number[], log: number): TemplateResult {
    const line: { branch: TreeToken; way: readonly number[] }[] = [];
    let branch = first;
    let here = way;
    let total = log;
    for (;;) {
      line.push({ branch, way: here });
      total += Math.log(branch.probability);
      const [only] = branch.children;
      if (!only || branch.children.length > 1) break;
      branch = only;
      here = [...here, 0];
    }
    return html`<li>
      <div class="line">
        ${line.map((token) => this.#token(token.branch, token.way))}
        <span class="total">${t('branch.sum', { probability: percent(Math.exp(total)) })}</span>
      </div>
      ${branch.children.length > 0 ? this.#list(branch.children, here, total) : nothing}
    </li>`;
  }

  #token({ token, probability }: TreeToken, way: readonly number[]): TemplateResult {
    const on = way.length === this.selected.length && way.every((step, i) => step === this.selected[i]);
    return html`<button type="button" aria-pressed=${on ? 'true' : 'false'} @click=${() => {
      emit(this, 'gb-branch', way);
    }}>
      <bdi>${tokenText(token)}</bdi> <small>${percent(probability)}</small>
    </button>`;
  }
}

function ends(branches: readonly TreeToken[]): TreeToken[][] {
  return branches.flatMap((branch) => (branch.children.length === 0 ? [[branch]] : ends(branch.children).map((rest) => [branch, ...rest])));
}

declare global {
  interface HTMLElementTagNameMap {
    'gb-branch-tree': BranchTree;
  }
  interface HTMLElementEventMap {
    'gb-branch': CustomEvent<readonly number[]>;
  }
}
