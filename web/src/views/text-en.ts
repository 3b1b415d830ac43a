import { enDeep } from './text-en-deep.js';
import { enPage } from './text-en-page.js';

/** English. */
export const en = { ...enPage, ...enDeep } as const;
