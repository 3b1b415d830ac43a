import { deDeep } from './text-de-deep.js';
import { dePage } from './text-de-page.js';
import { deVisit } from './text-de-visit.js';
import type { Catalogue } from './text.js';

/** German. */
export const de: Catalogue = { ...dePage, ...deDeep, ...deVisit };
