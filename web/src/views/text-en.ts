import { enDeep } from './text-en-deep.js';
import { enPage } from './text-en-page.js';
import { enVisit } from './text-en-visit.js';

/** English. */
export const en = { ...enPage, ...enDeep, ...enVisit } as const;
