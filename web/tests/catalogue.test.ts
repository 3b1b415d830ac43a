import './dom.js';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { LANGUAGES, setLanguage } from '../src/views/environment.js';
import { shownError, shownSentence } from '../src/views/error-words.js';
import { deErrors, deSentences } from '../src/views/text-de-errors.js';
import { CATALOGUES, rich, t, type TextKey } from '../src/views/text.js';

/** Texts that are the same in both languages: terms of the field and signs. */
const SHARED = /^(Prompt|Query|Key|Head|MLP|Token|Tokens|Text|Chat|Logit|Top-k|Top-p|Min-p|Seed|System|Zoom|Arcs|Matrix|normal|position|Position|Neuron|score|[^A-Za-zÄÖÜäöü]*|.*\{.*|q · k|.*embedding.*)$/i;

/** Every source of the page, but for the catalogues. */
function sources(): string {
  // The tests run from the bundle, in node_modules/.cache of web/.
  const root = join(process.cwd(), 'src');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/text-(en|de)/.test(name))
    .map((name) => readFileSync(join(root, name), 'utf8'))
    .join('\n');
}

function places(text: string): string[] {
  return [...new Set([...text.matchAll(/\{(\w+)/g)].map(([, name]) => name ?? ''))].sort();
}

afterEach(() => {
  setLanguage('en');
});

describe('the catalogues', () => {
  const keys = Object.keys(CATALOGUES.en).sort() as TextKey[];

  test('have the same texts in every language, none of them empty', () => {
    for (const language of LANGUAGES) {
      assert.deepEqual(Object.keys(CATALOGUES[language]).sort(), keys, language);
      for (const key of keys) assert.notEqual(CATALOGUES[language][key].trim(), '', `${language} ${key}`);
    }
  });

  test('fill in the same places in every language', () => {
    for (const key of keys) assert.deepEqual(places(CATALOGUES.de[key]), places(CATALOGUES.en[key]), key);
  });

  test('are really translated', () => {
    const same = keys.filter((key) => CATALOGUES.de[key] === CATALOGUES.en[key] && !SHARED.test(CATALOGUES.en[key]));
    assert.deepEqual(same, []);
  });

  test('hold nothing that the page does not say', () => {
    const all = sources();
    // Keys that are put together end in a part that is: `role.${role}.about`.
    const used = (key: string): boolean => {
      if (all.includes(`'${key}'`)) return true;
      const parts = key.split('.');
      return parts.some((_, i) => {
        const stem = [...parts.slice(0, i), '${'].join('.');
        return i > 0 && all.includes(`\`${stem}`);
      });
    };
    assert.deepEqual(keys.filter((key) => !used(key)), []);
  });
});

describe('errors', () => {
  const root = join(process.cwd(), '../crates');
  const codes = (path: string, pattern: RegExp): string[] => [...readFileSync(path, 'utf8').matchAll(pattern)].map(([, code]) => code ?? '');

  /** Every code an error of the engine or of the client can have. */
  function known(): string[] {
    const engine = ['formats', 'text', 'kernels', 'model', 'engine'].flatMap((name) =>
      readdirSync(join(root, name, 'src'), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.rs'))
        .flatMap((file) => {
          const body = /pub fn code\(&?self\)[\s\S]*?\n {4}\}/.exec(readFileSync(join(root, name, 'src', file), 'utf8'))?.[0] ?? '';
          return [...body.matchAll(/=> "([\w.]+)"/g)].map(([, code]) => code ?? '');
        }),
    );
    const client = ['client/errors.ts', 'worker/choose.ts', 'worker/worker.ts', 'worker/module.ts'].flatMap((file) => codes(join(process.cwd(), 'src', file), /code: '(\w+)'/g));
    return [...engine, ...codes(join(root, 'worker/src/error.rs'), /\(?\n? *"([a-z_]+)",/g), ...client];
  }

  test('of every kind are told in German, with the engine’s own words', () => {
    const all = known();
    assert.ok(all.length > 100 && all.includes('http_status') && all.includes('worker_died'));
    assert.deepEqual([...new Set(all)].filter((code) => !Object.hasOwn(deErrors, code)), []);
    assert.deepEqual(Object.keys(deErrors).filter((code) => !all.includes(code)), []);
    const error = { code: 'truncated_file', message: 'a.gguf is cut off: it has 5 bytes', hint: 'Download it again.' };
    assert.deepEqual(shownError(error), { message: error.message, hint: error.hint, original: '' });
    setLanguage('de');
    assert.deepEqual(shownError(error), {
      message: 'Die Datei ist abgeschnitten.',
      hint: 'Der Download oder das Kopieren wurde nicht fertig. Lade sie neu herunter.',
      original: 'a.gguf is cut off: it has 5 bytes Download it again.',
    });
    assert.equal(shownError({ ...error, code: 'constructor' }).message, error.message);
  });
});

test('sentences of the engine that are no errors are told in German too', () => {
  // As the sources write them, with a word in each place that they fill in.
  const sources = ['src/worker/choose.ts', 'src/worker/worker.ts', 'src/client/engine.ts', '../crates/worker/src/opening.rs', '../crates/engine/src/analysis/attribution.rs'];
  const text = sources.map((file) => readFileSync(join(process.cwd(), file), 'utf8')).join('\n');
  const sentences = [...text.matchAll(/['"`]([A-Z][^'"`\n]*?\.)['"`]/g)].map(([, sentence]) =>
    (sentence ?? '').replaceAll(/\$?\{[^{}]*\{?[^{}]*\}+/g, 'x').replace(/\(x[^)]*\)\.$/, '(x).'),
  );
  setLanguage('de');
  for (const [pattern] of deSentences) {
    const sentence = sentences.find((one) => pattern.test(one));
    assert.ok(sentence, `nobody says ${pattern.source}`);
    assert.notEqual(shownSentence(sentence), sentence);
  }
  assert.equal(shownSentence('Something else.'), 'Something else.');
});

describe('a text', () => {
  test('has its places filled, and agrees with numbers', () => {
    assert.equal(t('prompt.count', { count: 1 }), '1 token');
    assert.equal(t('prompt.count', { count: 2 }), '2 tokens');
    setLanguage('de');
    assert.equal(t('next.title'), 'Nächstes Token');
  });

  test('takes what is filled in as it is, however it looks', () => {
    const hostile = '{name} <b>$1</b> \u202e';
    assert.equal(t('notice.againModel', { name: hostile }), `It was started again, and ${hostile} is open again.`);
  });

  test('can be filled with templates, in the order of the language', () => {
    const part = { template: true };
    assert.deepEqual(rich('next.drawn', { token: part }).slice(0, 2), ['Drawn: ', part]);
  });
});
