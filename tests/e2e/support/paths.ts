import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');

/** The tiny models with their goldens, and the files that must be refused. */
export const FIXTURES = resolve(root, 'tests/fixtures');

/** The built site. */
export const DIST = process.env['GLASSBOX_DIST'] ?? resolve(root, 'dist');

/** Real weights that may lie beside the project. */
export const STORIES = resolve(root, '../shared/models/stories260K');
export const HAVE_STORIES = existsSync(resolve(STORIES, 'model.safetensors'));

/** Pictures to look at; git ignores them. */
export const SCREENS = resolve(import.meta.dirname, '../results/screens');

/** Files made for the tests, kept between runs. */
export const SCRATCH = resolve(import.meta.dirname, '../results/scratch');

/** Address of the built site, ending in a slash. Where nobody gave it, the global setup serves the site and sets it. */
export const SITE = process.env['GLASSBOX_URL'] ?? '';

/** The model that comes with the site. */
export const HOUSE = resolve(root, 'web/models/glassbox-stories');
