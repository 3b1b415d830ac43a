import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** The arrows of the front end: views and client know nothing of elements, elements nothing of pages. */
const arrows = (patterns, message) => ({
  'no-restricted-imports': ['error', { patterns: [{ group: patterns, message }] }],
});

export default tseslint.config(
  { ignores: ['dist-ts/', 'dist/', 'node_modules/', 'src/client/protocol.gen.ts'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['*.js', '*.mjs', 'tests/*.mjs', 'tests/preview/*.mjs'] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Numbers are the matter of this page; `${n}` is what is meant.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // A protocol union is matched case by case; a new case must fail the build here.
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Everything from a model is text: use textContent or a Lit binding.' },
        { property: 'outerHTML', message: 'Everything from a model is text: use textContent or a Lit binding.' },
        { property: 'insertAdjacentHTML', message: 'Everything from a model is text.' },
      ],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['tests/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', name: ['test', 'describe'], package: 'node:test' }] },
      ],
    },
  },
  { files: ['src/client/**'], rules: arrows(['lit', 'lit/*', '../*'], 'The client depends on nothing else.') },
  { files: ['src/views/**'], rules: arrows(['../*'], 'Views take plain data; they know neither client nor elements.') },
  { files: ['src/elements/**'], rules: arrows(['../pages/*', '../worker/*'], 'Elements join views and client.') },
  {
    files: ['**/*.js', '**/*.mjs'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly', Buffer: 'readonly' } },
    rules: { ...tseslint.configs.disableTypeChecked.rules, 'no-console': 'off' },
  },
);
