import { tokenText } from '../views/label.js';
import { t } from '../views/text.js';
import type { Workspace } from './workspace.js';

/** What a picture is of: lines for its caption, and the same as data. */
export interface Provenance {
  readonly lines: readonly string[];
  readonly data: Readonly<Record<string, unknown>>;
}

/** What all pictures of the page are of now. */
export function provenanceOf({ inspection, generation, edits, fingerprint }: Workspace, model: string | undefined): Provenance {
  const { sampler } = generation;
  const tokens = inspection.picture?.tokens ?? [];
  const prompt = tokens.map((token) => tokenText(token)).join('');
  const lines = [
    t('figure.model', { name: model ?? '–', fingerprint: fingerprint.slice(0, 16) || '–' }),
    t('figure.prompt', { prompt }),
    t('figure.seed', { seed: sampler.seed, changes: edits.list.length }),
  ];
  const data = { model, fingerprint, tokens: tokens.map(({ id }) => id), text: inspection.text, changes: edits.list, sampler };
  return { lines, data };
}
