/** The tree of texts that the reader made by choosing other tokens. */
import type { Token } from '../client/index.js';

/** A token of the tree: how probable it was after all before it, and what came after. */
export interface Branch {
  readonly token: Token;
  /** Probability after all tokens before it. */
  readonly probability: number;
  readonly children: readonly Branch[];
}

/** A way through the tree, from its root: the index of the child at each step. */
export type Way = readonly number[];

/** The tokens along a way. */
export function along(roots: readonly Branch[], way: Way): Branch[] {
  const branches: Branch[] = [];
  let here = roots;
  for (const index of way) {
    const branch = here[index];
    if (!branch) break;
    branches.push(branch);
    here = branch.children;
  }
  return branches;
}

/** Adds tokens after a way; those that are there already are not added again. Gives the tree and the way to the last. */
export function grow(roots: readonly Branch[], way: Way, tokens: readonly Omit<Branch, 'children'>[]): { roots: readonly Branch[]; way: Way } {
  const [step, ...rest] = way;
  if (step !== undefined) {
    const branch = roots[step];
    if (!branch) return { roots, way: [] };
    const grown = grow(branch.children, rest, tokens);
    return { roots: roots.with(step, { ...branch, children: grown.roots }), way: [step, ...grown.way] };
  }
  const [first, ...later] = tokens;
  if (!first) return { roots, way: [] };
  const found = roots.findIndex(({ token }) => token.id === first.token.id);
  const at = found < 0 ? roots.length : found;
  const branch = roots[found] ?? { ...first, children: [] };
  const grown = grow(branch.children, [], later);
  const next = { ...branch, children: grown.roots };
  return { roots: found < 0 ? [...roots, next] : roots.with(found, next), way: [at, ...grown.way] };
}

/** Every way to an end of the tree, with the tokens along it. */
export function leaves(roots: readonly Branch[], way: Way = []): { way: Way; branches: readonly Branch[] }[] {
  return roots.flatMap((branch, index) => {
    const here = [...way, index];
    if (branch.children.length === 0) return [{ way: here, branches: [branch] }];
    return leaves(branch.children, here).map((leaf) => ({ way: leaf.way, branches: [branch, ...leaf.branches] }));
  });
}

/** Natural logarithm of the probability of all tokens together. */
export function logProbability(branches: readonly Branch[]): number {
  return branches.reduce((sum, { probability }) => sum + Math.log(probability), 0);
}
